// Emitter of adamw: clipping by global norm and one step, in place, unless the norm is not finite.

#include "codegen/nvptx/Emitters.h"

#include <limits>

using namespace mlir;

namespace memformer::nvptx {

FailureOr<int64_t> emitAdamW(Emit &e, kernel::AdamWOp op, const KernelArguments &arguments) {
  constexpr int64_t threads = 256, perThread = 8;
  const Buffer &parameters = arguments.operands[0], &gradients = arguments.operands[1];
  const Buffer &first = arguments.operands[2], &second = arguments.operands[3];
  const Buffer &partials = arguments.operands[4], &scalars = arguments.operands[5];
  int64_t entries = parameters.entries();
  e.setThreads(threads);

  auto scalar = [&](int64_t i) { return e.load(scalars, e.index(i)); };
  // u √Σ partials: every block adds them in the same order.
  Value sum =
      e.strided(e.thread(), partials.entries(), threads, e.real(0), [&](Value i, ValueRange sum) {
        return Emit::Carried{e.add(sum[0], e.load(partials, i))};
      })[0];
  Value unscale = scalar(8), norm = e.mul(e.sqrt(e.sumBlock(sum)), unscale);
  Value isFirst =
      e.compareInt(arith::CmpIPredicate::eq, e.addIndex(e.block(), e.thread()), e.index(0));
  e.ifThen(isFirst, [&] { e.store(norm, arguments.results[0], e.index(0)); });

  Value one = e.real(1), rate = scalar(0), beta1 = scalar(1), beta2 = scalar(2);
  Value epsilon = scalar(3), largest = scalar(5), correction2 = scalar(7);
  Value clip = e.div(largest, e.add(norm, e.real(1e-6f)));
  clip = e.select(e.compare(arith::CmpFPredicate::OGT, clip, one), one, clip);
  clip = e.select(e.compare(arith::CmpFPredicate::OEQ, largest, e.real(0)), one, clip);
  Value factor = e.mul(clip, unscale), rest1 = e.sub(one, beta1), rest2 = e.sub(one, beta2);
  Value decay = e.sub(one, e.mul(rate, scalar(4))), size = e.div(rate, scalar(6));

  Value begin = e.at(e.block(), threads * perThread, e.thread());
  Value end = e.minIndex(e.mulIndex(e.addIndex(e.block(), 1), threads * perThread), entries);
  auto update = [&](Value place) {
    Value g = e.mul(factor, e.load(gradients, place));
    Value m = e.add(e.mul(beta1, e.load(first, place)), e.mul(rest1, g));
    Value v = e.add(e.mul(beta2, e.load(second, place)), e.mul(rest2, e.mul(g, g)));
    Value root = e.add(e.sqrt(e.div(v, correction2)), epsilon);
    Value p = e.mul(e.load(parameters, place), decay);
    p = e.sub(p, e.div(e.mul(size, m), root));
    e.store(m, first, place);
    e.store(v, second, place);
    e.store(p, parameters, place);
  };
  // Neither infinite nor NaN.
  Value infinity = e.real(std::numeric_limits<float>::infinity());
  e.ifThen(e.compare(arith::CmpFPredicate::OLT, norm, infinity),
           [&] { e.loop(begin, end, threads, update); });
  return (entries + threads * perThread - 1) / (threads * perThread);
}

} // namespace memformer::nvptx
