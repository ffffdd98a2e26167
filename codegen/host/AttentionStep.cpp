// kernel.attention_step: a position's keys and values are kept, and its query looks at all so far.

#include "codegen/host/AttentionRow.h"
#include "codegen/host/AttentionTiles.h"
#include "codegen/host/Emitters.h"

using namespace mlir;

namespace memformer::host {

FailureOr<int64_t> emitAttentionStep(OpBuilder &builder, kernel::AttentionStepOp op,
                                     const KernelArguments &arguments, const HostTarget &target) {
  AttentionShape shape(op.getQuery(), op.getKeyCache(), int64_t(op.getHeads()));
  if (failed(checkAttention(op, shape)))
    return failure();
  Emit e(builder, op.getLoc(), target);
  const int64_t perGroup = headsOfWorkgroup(shape.heads, shape.keys, shape.width);
  const int64_t groups = (shape.heads + perGroup - 1) / perGroup;
  Value scratch = e.scratch({AttentionRow::scratchOf(e, shape.keys)});
  Value position =
      e.addIndex(e.toIndex(e.loadScalar(arguments.operands[5], {})), int64_t(op.getBefore()));
  Value batch = e.divIndex(arguments.workgroup, groups);
  Value first = e.mulIndex(e.remIndex(arguments.workgroup, groups), perGroup);
  Value last = e.minIndex(e.addIndex(first, perGroup), shape.heads);
  Value zero = e.index(0);
  e.loop(first, last, 1, [&](Value head) {
    auto row = [&](Value tensor) { return headOf(e, shape, tensor, 1, batch, head); };
    auto cache = [&](Value tensor) { return headOf(e, shape, tensor, shape.keys, batch, head); };
    Matrix keys = cache(arguments.operands[3]), values = cache(arguments.operands[4]);
    for (auto [from, to] : {std::pair{row(arguments.operands[1]), keys},
                            std::pair{row(arguments.operands[2]), values}})
      e.columns(shape.width, [&, from = from, to = to](Value column, int64_t active) {
        to.store(e, from.load(e, zero, column, active), position, column, active);
      });
    AttentionRow attention{
        row(arguments.operands[0]), keys,       values,      row(arguments.results[0]),
        e.addIndex(position, 1),    shape.keys, shape.width, op.getScale().convertToDouble()};
    // Row Lk − 1 of the table is that of the position itself.
    if (op.getRelativeKey())
      attention.relative = {row(arguments.operands[6]),
                            headOf(e, shape, arguments.operands[7], shape.keys, zero, head)
                                .from(e, distance(e, position, e.index(shape.keys - 1)), zero)};
    emitAttentionRow(e, attention, scratch);
  });
  return shape.batch * groups;
}

} // namespace memformer::host
