// A layer of long short-term memory: verifiers, costs and gradients.

#include "dialect/memformer/Flops.h"
#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/Verify.h"

using namespace mlir;
using namespace memformer;

/// What op and gradient share: gates or activations `[B, L, 4d]`, cells `[B, L, d]`, the cell
/// before the first position `[B, 1, d]`, weight `[4d, d]`.
static LogicalResult verifyLstm(Operation *op, StringRef gatesName, Value gates, Value cells,
                                Value cell, Value weight) {
  if (failed(verifyElementTypes(op)) || failed(verifyRank(op, gatesName, gates, 3, "[B, L, 4d]")) ||
      failed(verifyRank(op, "weight", weight, 2, "[4d, d]")))
    return failure();
  ArrayRef<int64_t> shape = shapeOf(gates);
  int64_t width = shapeOf(weight)[1];
  return success(
      succeeded(verifyShape(op, "weight", weight, {4 * width, width}, "[4d, d]")) &&
      succeeded(verifyShape(op, gatesName, gates, {shape[0], shape[1], 4 * width},
                            "[B, L, 4d] with the weight's d")) &&
      succeeded(verifyShape(op, "cell", cell, {shape[0], 1, width}, "[B, 1, d]")) &&
      succeeded(verifyShape(op, "cells", cells, {shape[0], shape[1], width}, "[B, L, d]")));
}

LogicalResult LstmOp::verify() {
  if (failed(verifyLstm(*this, "gates", getGates(), getCells(), getCell(), getWeight())) ||
      failed(verifyShape(*this, "hidden", getHidden(), shapeOf(getCell()), "[B, 1, d]")) ||
      failed(verifyShape(*this, "hiddens", getHiddens(), shapeOf(getCells()), "[B, L, d]")))
    return failure();
  return verifyShape(*this, "activations", getActivations(), shapeOf(getGates()),
                     "that of the gates");
}

// Of an entry of a position: a sum for each part of the gates, three sigmoids and a tanh as
// exponential, sum and quotient, then c and h.
static int64_t lstmFlops(Value gates, Value cell) {
  return linearFlops(rows(gates), columns(cell), columns(gates), false) +
         rows(gates) * columns(cell) * (4 + 4 * 3 + 3 + 4);
}

int64_t LstmOp::getFlops() { return lstmFlops(getGates(), getCell()); }

SmallVector<Value> LstmOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                         ArrayRef<bool> needed) {
  if (resultGradients[2]) {
    emitOpError("expected an LSTM to be differentiated through its hidden states and cells only, "
                "but a gradient arrives at activations");
    return {};
  }
  SmallVector<Value> gradients(getNumOperands());
  if (!llvm::is_contained(needed, true))
    return gradients;
  auto gradient = LstmGradientOp::create(
      builder, getLoc(), getGates().getType(), getHidden().getType(), getCell().getType(),
      resultGradients[0], resultGradients[1], getActivations(), getCells(), getCell(), getWeight());
  for (unsigned i = 0; i < 3; ++i)
    if (needed[i])
      gradients[i] = gradient->getResult(i);
  if (needed[3]) {
    // The hidden state before each position: the first is the operand.
    Value before = getHidden();
    SmallVector<int64_t> shape(shapeOf(getHiddens()));
    if (int64_t others = shape[1] - 1) {
      shape[1] = others;
      Value rest = SliceOp::create(builder, getLoc(), tensorType(getHiddens()).clone(shape),
                                   getHiddens(), /*axis=*/uint64_t(1), /*offset=*/uint64_t(0));
      before = ConcatOp::create(builder, getLoc(), getHiddens().getType(), before, rest,
                                /*axis=*/uint64_t(1));
    }
    gradients[3] = WeightGradientOp::create(builder, getLoc(), getWeight().getType(),
                                            gradient.getGatesGradient(), before);
  }
  return gradients;
}

LogicalResult LstmGradientOp::verify() {
  if (failed(
          verifyLstm(*this, "activations", getActivations(), getCells(), getCell(), getWeight())))
    return failure();
  for (auto [name, value] : {std::pair<StringRef, Value>{"hiddens_gradient", getHiddensGradient()},
                             {"cells_gradient", getCellsGradient()}})
    if (value && failed(verifyShape(*this, name, value, shapeOf(getCells()), "[B, L, d]")))
      return failure();
  return success(succeeded(verifyShape(*this, "gates_gradient", getGatesGradient(),
                                       shapeOf(getActivations()), "that of the activations")) &&
                 succeeded(verifyShape(*this, "hidden_gradient", getHiddenGradient(),
                                       shapeOf(getCell()), "[B, 1, d]")) &&
                 succeeded(verifyShape(*this, "cell_gradient", getCellGradient(),
                                       shapeOf(getCell()), "[B, 1, d]")));
}

int64_t LstmGradientOp::getFlops() {
  int64_t entries = memformer::entries(getCells());
  return linearFlops(rows(getActivations()), columns(getActivations()), columns(getCells()),
                     false) +
         entries * (3 + 2 + 6 + 4 * 4 + 2);
}

LogicalResult LstmStepOp::verify() {
  if (failed(verifyShape(*this, "position", getPosition(), {}, "one number")) ||
      failed(verifyLstm(*this, "gates", getGates(), getNextCell(), getCell(), getWeight())) ||
      failed(verifyRank(*this, "hidden_cache", getHiddenCache(), 3, "[B, L, d]")))
    return failure();
  ArrayRef<int64_t> row = shapeOf(getCell());
  SmallVector<int64_t> cache = {row[0], shapeOf(getHiddenCache())[1], row[2]};
  StringRef ofRow = "[B, 1, d]", ofCache = "batch and width those of the cell";
  return success(
      succeeded(verifyShape(*this, "hidden", getHidden(), row, ofRow)) &&
      succeeded(verifyShape(*this, "next_hidden", getNextHidden(), row, ofRow)) &&
      succeeded(verifyShape(*this, "hidden_cache", getHiddenCache(), cache, ofCache)) &&
      succeeded(verifyShape(*this, "cell_cache", getCellCache(), cache, ofCache)) &&
      succeeded(verifyShape(*this, "next_hidden_cache", getNextHiddenCache(), cache, ofCache)) &&
      succeeded(verifyShape(*this, "next_cell_cache", getNextCellCache(), cache, ofCache)));
}

int64_t LstmStepOp::getFlops() { return lstmFlops(getGates(), getCell()); }
