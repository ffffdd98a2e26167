// Emitter of adamw: clipping by global norm and one step, in place, unless the norm is not finite.

#include "codegen/host/Emitters.h"
#include "codegen/host/Vectors.h"
#include "dialect/kernel/Shapes.h"

#include <limits>

using namespace mlir;

namespace memformer::host {

namespace {

/// The step's scalars as vectors.
struct Step {
  Value beta1, rest1, beta2, rest2; // rest: 1 − β
  Value epsilon, decay, size;       // 1 − lr · weight decay, lr / bias correction 1
  Value correction2, factor;        // of gradients
};

} // namespace

// √Σ partials, of gradients that are not divided by the loss's scale.
static Value gradientNorm(Emit &e, Value partials) {
  int64_t count = kernel::entriesOf(partials.getType());
  Value flat = e.flat(partials);
  Value sum = e.reduceColumns(
      count, e.splat(0),
      [&](Value column, int64_t active, Value sum) {
        return e.add(sum, e.load(flat, column, active));
      },
      [&](Value x, Value y) { return e.add(x, y); });
  return e.sqrt(e.sumLanes(sum));
}

static Step loadStep(Emit &e, Value scalars, Value norm) {
  auto scalar = [&](int64_t i) { return e.loadScalar(scalars, e.index(i)); };
  Value one = e.constant(1), rate = scalar(0), beta1 = scalar(1), beta2 = scalar(2);
  Value largest = scalar(5);
  Value factor = e.div(largest, e.add(norm, e.constant(1e-6f)));
  Value unclipped = e.compare(arith::CmpFPredicate::OGT, factor, one);
  factor = e.select(unclipped, one, factor);
  Value off = e.compare(arith::CmpFPredicate::OEQ, largest, e.constant(0));
  factor = e.select(off, one, factor);
  Step step;
  step.beta1 = e.broadcast(beta1);
  step.rest1 = e.broadcast(e.sub(one, beta1));
  step.beta2 = e.broadcast(beta2);
  step.rest2 = e.broadcast(e.sub(one, beta2));
  step.epsilon = e.broadcast(scalar(3));
  step.decay = e.broadcast(e.sub(one, e.mul(rate, scalar(4))));
  step.size = e.broadcast(e.div(rate, scalar(6)));
  step.correction2 = e.broadcast(scalar(7));
  step.factor = e.broadcast(e.mul(factor, scalar(8)));
  return step;
}

FailureOr<int64_t> emitAdamW(OpBuilder &builder, kernel::AdamWOp op,
                             const KernelArguments &arguments, const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  Value parameters = e.flat(arguments.operands[0]), gradients = e.flat(arguments.operands[1]);
  Value first = e.flat(arguments.operands[2]), second = e.flat(arguments.operands[3]);
  Value norm = e.mul(gradientNorm(e, arguments.operands[4]),
                     e.loadScalar(arguments.operands[5], e.index(8)));
  Value isFirst = e.compareInt(arith::CmpIPredicate::eq, arguments.workgroup, e.index(0));
  e.ifThen(isFirst, [&] { e.storeScalar(norm, arguments.results[0], e.index(0)); });
  Step step = loadStep(e, arguments.operands[5], norm);

  constexpr int64_t length = 4096;
  int64_t entries = kernel::entriesOf(op.getParameters().getType());
  int64_t grid = (entries + length - 1) / length, tail = entries - (grid - 1) * length;
  Value begin = e.mulIndex(arguments.workgroup, length);
  auto update = [&](int64_t length) {
    e.columns(length, [&](Value column, int64_t active) {
      Value place = e.addIndex(begin, column);
      Value g = e.mul(step.factor, e.load(gradients, place, active));
      Value m = e.add(e.mul(step.beta1, e.load(first, place, active)), e.mul(step.rest1, g));
      Value v =
          e.add(e.mul(step.beta2, e.load(second, place, active)), e.mul(step.rest2, e.mul(g, g)));
      Value root = e.add(e.sqrt(e.div(v, step.correction2)), step.epsilon);
      Value p = e.mul(e.load(parameters, place, active), step.decay);
      p = e.sub(p, e.div(e.mul(step.size, m), root));
      e.store(m, first, place, active);
      e.store(v, second, place, active);
      e.store(p, parameters, place, active);
    });
  };
  Value last = e.compareInt(arith::CmpIPredicate::eq, arguments.workgroup, e.index(grid - 1));
  // Neither infinite nor NaN.
  Value infinity = e.constant(std::numeric_limits<float>::infinity());
  e.ifThen(e.compare(arith::CmpFPredicate::OLT, norm, infinity), [&] {
    if (tail == length)
      update(length);
    else
      e.ifThen(last, [&] { update(tail); }, [&] { update(length); });
  });
  return grid;
}

} // namespace memformer::host
