// Layer normalisation and biased memory normalisation, with their gradients.

#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/Verify.h"

#include <cmath>

using namespace mlir;
using namespace memformer;

static LogicalResult verifyEpsilon(Operation *op, double epsilon) {
  // 0 is the plain formula: a row of equal entries then has no normal form, as in the formula.
  if (std::isfinite(epsilon) && epsilon >= 0)
    return success();
  return op->emitOpError("expected epsilon to be a number of at least 0, but got ")
         << describeNumber(epsilon);
}

//===-- layer_norm
//-------------------------------------------------------------------------------===//

LogicalResult LayerNormOp::verify() {
  if (failed(verifyElementTypes(*this)) ||
      failed(verifyMinimumRank(*this, "input", getInput(), 1, "[..., d]")) ||
      failed(verifyEpsilon(*this, getEpsilon().convertToDouble())))
    return failure();
  int64_t width = columns(getInput());
  if (failed(verifyShape(*this, "scale", getScale(), {width}, "the input's last dimension")) ||
      failed(verifyShape(*this, "shift", getShift(), {width}, "the input's last dimension")))
    return failure();
  return verifyShape(*this, "result", getResult(), shapeOf(getInput()), "that of the input");
}

// For each entry: sum, difference, square and sum, normalisation, scale, shift. For each row: two
// divisions, the epsilon, the root and its inverse.
int64_t LayerNormOp::getFlops() { return 7 * entries(getInput()) + 5 * rows(getInput()); }

SmallVector<Value> LayerNormOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                              ArrayRef<bool> needed) {
  if (!needed[0] && !needed[1] && !needed[2])
    return {Value(), Value(), Value()};
  auto gradient = LayerNormGradientOp::create(
      builder, getLoc(), getInput().getType(), getScale().getType(), getShift().getType(),
      resultGradients[0], getInput(), getScale(), getEpsilonAttr());
  SmallVector<Value> gradients(3);
  for (unsigned i = 0; i < 3; ++i)
    if (needed[i])
      gradients[i] = gradient->getResult(i);
  return gradients;
}

LogicalResult LayerNormGradientOp::verify() {
  if (failed(verifyElementTypes(*this)) ||
      failed(verifyMinimumRank(*this, "input", getInput(), 1, "[..., d]")) ||
      failed(verifyEpsilon(*this, getEpsilon().convertToDouble())))
    return failure();
  ArrayRef<int64_t> shape = shapeOf(getInput());
  int64_t width = columns(getInput());
  if (failed(verifyShape(*this, "gradient", getGradient(), shape, "that of the input")) ||
      failed(verifyShape(*this, "scale", getScale(), {width}, "the input's last dimension")) ||
      failed(
          verifyShape(*this, "input_gradient", getInputGradient(), shape, "that of the input")) ||
      failed(
          verifyShape(*this, "scale_gradient", getScaleGradient(), {width}, "that of the scale")))
    return failure();
  return verifyShape(*this, "shift_gradient", getShiftGradient(), {width}, "that of the scale");
}

// The statistics again, g · scale, two means, the combination, and the sums over rows for scale and
// shift.
int64_t LayerNormGradientOp::getFlops() { return 16 * entries(getInput()) + 7 * rows(getInput()); }

//===-- bmn
//--------------------------------------------------------------------------------------===//

static LogicalResult verifyBmn(Operation *op, Value input, Value bias, Value result) {
  if (failed(verifyElementTypes(op)) ||
      failed(verifyMinimumRank(op, "input", input, 1, "[..., d]")))
    return failure();
  if (bias && (failed(verifyMinimumRank(op, "bias", bias, 1, "[..., d]")) ||
               failed(verifyTrailing(op, "bias", bias, shapeOf(input), "the input"))))
    return failure();
  return verifyShape(op, "result", result, shapeOf(input), "that of the input");
}

LogicalResult BmnOp::verify() { return verifyBmn(*this, getInput(), getBias(), getResult()); }

int64_t BmnOp::getFlops() {
  return (getBias() ? 4 : 3) * entries(getInput()) + 2 * rows(getInput());
}

SmallVector<Value> BmnOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                        ArrayRef<bool> needed) {
  SmallVector<Value> gradients(getNumOperands());
  bool biasNeeded = getBias() && needed[1];
  if (!needed[0] && !biasNeeded)
    return gradients;
  Value gradient = BmnGradientOp::create(builder, getLoc(), getInput().getType(),
                                         resultGradients[0], getInput(), getBias());
  if (needed[0])
    gradients[0] = gradient;
  // m and v enter as their sum, v once for each sequence of the batch.
  if (biasNeeded)
    gradients[1] = getBias().getType() == gradient.getType()
                       ? gradient
                       : SumLeadingOp::create(builder, getLoc(), getBias().getType(), gradient);
  return gradients;
}

LogicalResult BmnGradientOp::verify() {
  if (failed(verifyBmn(*this, getInput(), getBias(), getResult())))
    return failure();
  return verifyShape(*this, "gradient", getGradient(), shapeOf(getInput()), "that of the input");
}

int64_t BmnGradientOp::getFlops() {
  return (getBias() ? 9 : 8) * entries(getInput()) + 2 * rows(getInput());
}
