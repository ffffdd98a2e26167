// Emitter of attention_weights: probabilities stored, for observation. Not made for speed.

#include "codegen/host/Emitters.h"
#include "codegen/host/Math.h"
#include "codegen/host/Vectors.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;

namespace memformer::host {

FailureOr<int64_t> emitAttentionWeights(OpBuilder &builder, kernel::AttentionWeightsOp op,
                                        const KernelArguments &arguments,
                                        const HostTarget &target) {
  if (op.getOperandType())
    return op.emitOpError("the host multiplies f32 in attention, but got operands of ")
           << *op.getOperandType();
  Emit e(builder, op.getLoc(), target);
  ArrayRef<int64_t> shape = kernel::shapeOf(op.getResult().getType());
  int64_t heads = shape[1], queries = shape[2], columns = shape[3];
  int64_t keys = kernel::shapeOf(op.getKey().getType())[1];
  int64_t width = kernel::widthOf(op.getQuery().getType()) / heads, self = op.getSelfKey() ? 1 : 0;
  Value query = e.rows(arguments.operands[0]);
  Value selfKey = self ? e.rows(arguments.operands[1]) : Value();
  Value key = e.rows(arguments.operands[1 + self]), lses = e.flat(arguments.operands[2 + self]);
  int64_t rows = shape[0] * heads * queries;
  Value result = e.matrix(arguments.results[0], rows, columns);
  Value scale = e.constant(float(op.getScale().convertToDouble()));

  RowBlock block = rowBlock(e, arguments.workgroup, rows, 4 * columns);
  e.loop(block.first, block.last, 1, [&](Value row) {
    Value i = e.remIndex(row, queries), batch = e.divIndex(row, queries * heads);
    Value head = e.mulIndex(e.remIndex(e.divIndex(row, queries), heads), width);
    Value queryRow = e.addIndex(e.mulIndex(batch, queries), i);
    Value firstKey = e.mulIndex(batch, keys), lse = e.loadScalar(lses, row);
    auto storeLogit = [&](Value matrix, Value matrixRow, Value column) {
      Value dot = e.sumColumns(width, 1, [&](Value c, int64_t active, ValueRange carried) {
        Value place = e.addIndex(head, c);
        return Emit::Carried{e.fma(e.load(query, {queryRow, place}, active),
                                   e.load(matrix, {matrixRow, place}, active), carried[0])};
      })[0];
      e.storeScalar(e.sub(e.mul(scale, dot), lse), result, {row, column});
    };
    if (self)
      storeLogit(selfKey, queryRow, e.index(0));
    e.loop(e.index(0), e.index(keys), 1,
           [&](Value j) { storeLogit(key, e.addIndex(firstKey, j), e.addIndex(j, self)); });
    Value seen = e.broadcast(e.toInt(e.addIndex(i, self ? self : keys - queries)));
    e.columns(columns, [&](Value column, int64_t active) {
      Value p = emitExp(e, e.load(result, {row, column}, active));
      if (op.getCausal()) {
        Value lane = e.add(e.broadcast(e.toInt(column)), e.iota());
        p = e.select(e.compareInt(arith::CmpIPredicate::sle, lane, seen), p, e.splat(0));
      }
      e.store(p, result, {row, column}, active);
    });
  });
  return block.grid;
}

} // namespace memformer::host
