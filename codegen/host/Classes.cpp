// Emitters of cross-entropy, its gradient, and argmax: rows of classes.

#include "codegen/host/Emitters.h"
#include "codegen/host/Math.h"
#include "codegen/host/Vectors.h"
#include "dialect/kernel/Shapes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <limits>

using namespace mlir;

namespace memformer::host {

using kernel::rowsOf;
using kernel::widthOf;

static constexpr float lowest = -std::numeric_limits<float>::infinity();

// Lane numbers of a vector that begins at `column`.
static Value lanesFrom(Emit &e, Value column) {
  return e.add(e.broadcast(e.toInt(column)), e.iota());
}

FailureOr<int64_t> emitCrossEntropy(OpBuilder &builder, kernel::CrossEntropyOp op,
                                    const KernelArguments &arguments, const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  int64_t rows = rowsOf(op.getLogits().getType()), width = widthOf(op.getLogits().getType());
  Value logits = e.rows(arguments.operands[0]), targets = e.flat(arguments.operands[1]);
  Value losses = e.flat(arguments.results[0]), lses = e.flat(arguments.results[1]);
  RowBlock block = rowBlock(e, arguments.workgroup, rows, 4 * width);
  e.loop(block.first, block.last, 1, [&](Value row) {
    Value largest = e.maxLanes(e.reduceColumns(
        width, e.splat(lowest),
        [&](Value column, int64_t active, Value largest) {
          return e.max(e.load(logits, {row, column}, active, lowest), largest);
        },
        [&](Value x, Value y) { return e.max(x, y); }));
    Value origin = e.broadcast(largest);
    Value sum = e.sumLanes(e.reduceColumns(
        width, e.splat(0),
        [&](Value column, int64_t active, Value sum) {
          Value z = e.load(logits, {row, column}, active, lowest);
          return e.add(sum, emitExp(e, e.sub(z, origin)));
        },
        [&](Value x, Value y) { return e.add(x, y); }));
    Value lse = e.add(largest, emitLogScalar(e, sum));
    e.storeScalar(lse, lses, row);
    Value wanted = e.loadScalar(targets, row);
    Value counted = e.compareInt(arith::CmpIPredicate::sge, wanted, e.constantInt(0));
    Value place = e.toIndex(e.select(counted, wanted, e.constantInt(0)));
    Value loss = e.sub(lse, e.loadScalar(logits, {row, place}));
    e.storeScalar(e.select(counted, loss, e.constant(0)), losses, row);
  });
  return block.grid;
}

FailureOr<int64_t> emitCrossEntropyGradient(OpBuilder &builder, kernel::CrossEntropyGradientOp op,
                                            const KernelArguments &arguments,
                                            const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  int64_t rows = rowsOf(op.getLogits().getType()), width = widthOf(op.getLogits().getType());
  bool shared = kernel::shapeOf(op.getGradient().getType()).empty();
  Value gradients = e.flat(arguments.operands[0]), logits = e.rows(arguments.operands[1]);
  Value targets = e.flat(arguments.operands[2]), lses = e.flat(arguments.operands[3]);
  Value result = e.rows(arguments.results[0]);
  RowBlock block = rowBlock(e, arguments.workgroup, rows, 8 * width);
  e.loop(block.first, block.last, 1, [&](Value row) {
    Value wanted = e.loadScalar(targets, row);
    Value counted = e.compareInt(arith::CmpIPredicate::sge, wanted, e.constantInt(0));
    e.ifThen(
        counted,
        [&] {
          Value gradient = e.broadcast(e.loadScalar(gradients, shared ? e.index(0) : row));
          Value lse = e.broadcast(e.loadScalar(lses, row)), place = e.broadcast(wanted);
          e.columns(width, [&](Value column, int64_t active) {
            Value z = e.load(logits, {row, column}, active);
            Value p = emitExp(e, e.sub(z, lse));
            Value here = e.compareInt(arith::CmpIPredicate::eq, lanesFrom(e, column), place);
            Value difference = e.select(here, e.sub(p, e.splat(1)), p);
            e.store(e.mul(gradient, difference), result, {row, column}, active);
          });
        },
        [&] {
          e.columns(width, [&](Value column, int64_t active) {
            e.store(e.splat(0), result, {row, column}, active);
          });
        });
  });
  return block.grid;
}

// The lowest of the indices of the lanes that hold the largest value; 0 where there is none.
static Value bestLane(Emit &e, Value values, Value indices) {
  constexpr int32_t none = std::numeric_limits<int32_t>::max();
  Value largest = e.broadcast(e.maxLanes(values));
  Value isLargest = e.compare(arith::CmpFPredicate::OEQ, values, largest);
  Value candidates = e.select(isLargest, indices, e.splatInt(none));
  Value best = vector::ReductionOp::create(e.b, e.loc, vector::CombiningKind::MINSI, candidates);
  Value found = e.compareInt(arith::CmpIPredicate::ne, best, e.constantInt(none));
  return e.select(found, best, e.constantInt(0));
}

FailureOr<int64_t> emitArgmax(OpBuilder &builder, kernel::ArgmaxOp op,
                              const KernelArguments &arguments, const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  int64_t rows = rowsOf(op.getInput().getType()), width = widthOf(op.getInput().getType());
  Value input = e.rows(arguments.operands[0]), result = e.flat(arguments.results[0]);
  RowBlock block = rowBlock(e, arguments.workgroup, rows, 4 * width);
  e.loop(block.first, block.last, 1, [&](Value row) {
    // Each lane keeps its first largest entry.
    auto step = [&](Value column, int64_t active, ValueRange carried) {
      Value x = e.load(input, {row, column}, active, lowest);
      Value larger = e.compare(arith::CmpFPredicate::OGT, x, carried[0]);
      return Emit::Carried{e.select(larger, x, carried[0]),
                           e.select(larger, lanesFrom(e, column), carried[1])};
    };
    int64_t full = width / e.lanes * e.lanes;
    Emit::Carried best{e.splat(lowest), e.iota()};
    if (full > 0)
      best =
          e.loop(e.index(0), e.index(full), e.lanes, best,
                 [&](Value column, ValueRange carried) { return step(column, e.lanes, carried); });
    if (full < width)
      best = step(e.index(full), width - full, best);
    e.storeScalar(bestLane(e, best[0], best[1]), result, row);
  });
  return block.grid;
}

} // namespace memformer::host
