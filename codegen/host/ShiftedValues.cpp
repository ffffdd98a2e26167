// Values of attention less those of the first key.

#include "codegen/host/ShiftedValues.h"

using namespace mlir;

namespace memformer::host {

ShiftedValues::ShiftedValues(Emit &e, const AttentionShape &shape, const KeyBlocks &blocks,
                             bool wanted)
    : e(e), shape(shape) {
  if (wanted)
    shifted = e.scratch({blocks.rows() * shape.width});
}

Matrix ShiftedValues::block(Value firstKey, Value keys) {
  if (!shifted)
    return values;
  Matrix rows{shifted, e.index(0), shape.width, 1};
  e.loop(e.index(0), keys, 1, [&](Value j) {
    Value key = e.addIndex(firstKey, j);
    e.columns(shape.width, [&](Value column, int64_t active) {
      Value first = values.load(e, e.index(0), column, active);
      rows.store(e, e.sub(values.load(e, key, column, active), first), j, column, active);
    });
  });
  return rows.from(e, distance(e, firstKey, e.index(0)), e.index(0));
}

void ShiftedValues::shift(const QueryPanel &panel, Value rows, bool back) {
  if (!shifted)
    return;
  e.loop(e.index(0), e.index(shape.width), 1, [&](Value c) {
    Value first = e.broadcast(e.loadScalar(values.buffer, values.from(e, e.index(0), c).offset));
    for (int64_t v = 0; v < panel.vectors(); ++v) {
      Value x = panel.load(e, rows, c, v);
      panel.store(e, back ? e.add(x, first) : e.sub(x, first), rows, c, v);
    }
  });
}

} // namespace memformer::host
