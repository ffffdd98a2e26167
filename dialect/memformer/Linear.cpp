// Linear layers and the gradient of their weight.

#include "dialect/memformer/Flops.h"
#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/Verify.h"

using namespace mlir;
using namespace memformer;

LogicalResult LinearOp::verify() {
  StringRef dimensions = getTransposed() ? "[in, out]" : "[out, in]";
  if (failed(verifyElementTypes(*this)) ||
      failed(verifyMinimumRank(*this, "input", getInput(), 1, "[..., in]")) ||
      failed(verifyRank(*this, "weight", getWeight(), 2, dimensions)))
    return failure();
  int64_t in = shapeOf(getWeight())[getTransposed() ? 0 : 1];
  int64_t out = shapeOf(getWeight())[getTransposed() ? 1 : 0];
  if (columns(getInput()) != in)
    return emitOpError("expected the input's last dimension to be in = ")
           << in << " of the weight " << dimensions << ", but got " << columns(getInput());
  if (getBias() && failed(verifyShape(*this, "bias", getBias(), {out}, "out of the weight")))
    return failure();
  SmallVector<int64_t> result(shapeOf(getInput()));
  result.back() = out;
  return verifyShape(*this, "result", getResult(), result, "[..., out]");
}

int64_t LinearOp::getFlops() {
  return linearFlops(rows(getInput()), columns(getInput()), columns(getResult()),
                     getBias() != nullptr);
}

SmallVector<Value> LinearOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                           ArrayRef<bool> needed) {
  Value gradient = resultGradients[0];
  SmallVector<Value> gradients(getNumOperands());
  // y = x Wᵀ gives dx = g W; y = x W (transposed) gives dx = g Wᵀ.
  if (needed[0])
    gradients[0] = LinearOp::create(builder, getLoc(), getInput().getType(), gradient, getWeight(),
                                    Value(), !getTransposed());
  // dW is `[out, in]` = gᵀ x, or `[in, out]` = xᵀ g.
  if (needed[1])
    gradients[1] = WeightGradientOp::create(builder, getLoc(), getWeight().getType(),
                                            getTransposed() ? getInput() : gradient,
                                            getTransposed() ? gradient : getInput());
  if (getBias() && needed[2])
    gradients[2] = gradient.getType() == getBias().getType()
                       ? gradient
                       : SumLeadingOp::create(builder, getLoc(), getBias().getType(), gradient);
  return gradients;
}

LogicalResult WeightGradientOp::verify() {
  if (failed(verifyElementTypes(*this)) ||
      failed(verifyMinimumRank(*this, "gradient", getGradient(), 1, "[..., out]")) ||
      failed(verifyMinimumRank(*this, "input", getInput(), 1, "[..., in]")))
    return failure();
  if (shapeOf(getGradient()).drop_back() != shapeOf(getInput()).drop_back())
    return emitOpError("expected gradient and input to agree but for the last dimension, but got ")
           << describeShape(shapeOf(getGradient())) << " and "
           << describeShape(shapeOf(getInput()));
  return verifyShape(*this, "result", getResult(), {columns(getGradient()), columns(getInput())},
                     "[out, in]");
}

int64_t WeightGradientOp::getFlops() {
  return linearFlops(rows(getInput()), columns(getInput()), columns(getGradient()), false);
}
