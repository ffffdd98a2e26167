// Verifiers of the LSTM layer and its gradient.

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;
using namespace memformer::kernel;

// Gates or activations [B, L, 4d], cells [B, L, d], a cell [B, 1, d], and W in panels: `depth` rows
// of `width` columns, both in multiples of d.
static LogicalResult verifyLstm(Operation *op, Type gates, Type cells, Type cell, Type weight,
                                int64_t depth, int64_t width) {
  ArrayRef<int64_t> shape = shapeOf(cells), panels = shapeOf(weight);
  if (failed(verifyStorage(op)))
    return failure();
  if (shape.size() != 3)
    return op->emitOpError("expected cells [B, L, d], but got ") << cells;
  if (panels.size() != 3 || panels[2] < 1)
    return op->emitOpError("expected a packed weight [P, K, w], but got ") << weight;
  int64_t d = shape[2], count = (width * d + panels[2] - 1) / panels[2];
  return success(
      succeeded(verifyShape(op, "the packed weight", weight, {count, depth * d, panels[2]})) &&
      succeeded(verifyShape(op, "gates or activations", gates, {shape[0], shape[1], 4 * d})) &&
      succeeded(verifyShape(op, "the cell", cell, {shape[0], 1, d})));
}

LogicalResult LstmOp::verify() {
  Type cells = getCells().getType(), cell = getCell().getType(), gates = getGates().getType();
  if (failed(verifyLstm(*this, gates, cells, cell, getWeight().getType(), 1, 4)))
    return failure();
  return success(
      succeeded(verifyShape(*this, "the hidden state", getHidden().getType(), shapeOf(cell))) &&
      succeeded(verifyShape(*this, "the hidden states", getHiddens().getType(), shapeOf(cells))) &&
      succeeded(verifyShape(*this, "the activations", getActivations().getType(), shapeOf(gates))));
}

LogicalResult LstmStepOp::verify() {
  Type cell = getCell().getType(), cache = getHiddenCache().getType();
  if (failed(verifyLstm(*this, getGates().getType(), getNextCell().getType(), cell,
                        getWeight().getType(), 1, 4)))
    return failure();
  ArrayRef<int64_t> row = shapeOf(cell);
  if (shapeOf(cache).size() != 3)
    return emitOpError("expected caches [B, L, d], but got ") << cache;
  SmallVector<int64_t> rows = {row[0], shapeOf(cache)[1], row[2]};
  for (auto [what, type, shape] : {std::tuple<StringRef, Type, ArrayRef<int64_t>>{
                                       "the hidden state", getHidden().getType(), row},
                                   {"the next hidden state", getNextHidden().getType(), row},
                                   {"the hidden cache", cache, rows},
                                   {"the cell cache", getCellCache().getType(), rows},
                                   {"the next hidden cache", getNextHiddenCache().getType(), rows},
                                   {"the next cell cache", getNextCellCache().getType(), rows},
                                   {"the position", getPosition().getType(), {}}})
    if (failed(verifyShape(*this, what, type, shape)))
      return failure();
  return success();
}

LogicalResult LstmGradientOp::verify() {
  Type cells = getCells().getType(), cell = getCell().getType();
  if (failed(
          verifyLstm(*this, getActivations().getType(), cells, cell, getWeight().getType(), 4, 1)))
    return failure();
  for (Value gradient : {getHiddensGradient(), getCellsGradient()})
    if (gradient && failed(verifyShape(*this, "a gradient of all positions", gradient.getType(),
                                       shapeOf(cells))))
      return failure();
  return success(succeeded(verifyShape(*this, "the gates' gradient", getGatesGradient().getType(),
                                       shapeOf(getActivations().getType()))) &&
                 succeeded(verifyShape(*this, "the hidden state's gradient",
                                       getHiddenGradient().getType(), shapeOf(cell))) &&
                 succeeded(verifyShape(*this, "the cell's gradient", getCellGradient().getType(),
                                       shapeOf(cell))));
}
