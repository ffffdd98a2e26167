// Verifiers of kernels that work on rows: norms, cross-entropy, argmax.

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;
using namespace memformer::kernel;

LogicalResult LayerNormOp::verify() {
  Type input = getInput().getType();
  return success(
      succeeded(verifyStorage(*this)) &&
      succeeded(verifyShape(*this, "scale", getScale().getType(), {widthOf(input)})) &&
      succeeded(verifyShape(*this, "shift", getShift().getType(), {widthOf(input)})) &&
      succeeded(verifyShape(*this, "the result", getResult().getType(), shapeOf(input))));
}

LogicalResult LayerNormGradientOp::verify() {
  Type input = getInput().getType();
  if (failed(verifyStorage(*this)) ||
      failed(verifyShape(*this, "the gradient", getGradient().getType(), shapeOf(input))) ||
      failed(verifyShape(*this, "scale", getScale().getType(), {widthOf(input)})))
    return failure();
  if (getNumResults() < 2)
    return emitOpError("expected the results of the epilogue and the partial sums, but got ")
           << getNumResults() << " results";
  ArrayRef<int64_t> partials = shapeOf(getResults().back().getType());
  if (partials.size() != 3 || partials[1] < 1)
    return emitOpError("expected partial sums [2, blocks, d], but got ")
           << getResults().back().getType();
  if (failed(verifyShape(*this, "the partial sums", getResults().back().getType(),
                         {2, partials[1], widthOf(input)})))
    return failure();
  for (Value result : getResults().drop_back())
    if (failed(verifyShape(*this, "a result", result.getType(), shapeOf(input))))
      return failure();
  RegionShape region;
  region.own = 1;
  region.extras = getExtras();
  region.indexing = getIndexing();
  region.shape = shapeOf(input);
  region.yields.assign(getNumResults() - 1, Float32Type::get(getContext()));
  return verifyRegion(*this, getEpilogue(), region);
}

static LogicalResult verifyBias(Operation *op, Value bias, Type input) {
  if (!bias || isTrailing(shapeOf(bias.getType()), shapeOf(input)))
    return success();
  return op->emitOpError("expected the bias to have trailing dimensions of ")
         << input << ", but got " << bias.getType();
}

LogicalResult NormalizeOp::verify() {
  Type input = getInput().getType();
  return success(
      succeeded(verifyStorage(*this)) && succeeded(verifyBias(*this, getBias(), input)) &&
      succeeded(verifyShape(*this, "the result", getResult().getType(), shapeOf(input))));
}

LogicalResult NormalizeGradientOp::verify() {
  Type input = getInput().getType();
  return success(
      succeeded(verifyStorage(*this)) && succeeded(verifyBias(*this, getBias(), input)) &&
      succeeded(verifyShape(*this, "the gradient", getGradient().getType(), shapeOf(input))) &&
      succeeded(verifyShape(*this, "the result", getResult().getType(), shapeOf(input))));
}

// All dimensions but the last; a matrix of classes needs at least one of them.
static FailureOr<ArrayRef<int64_t>> leadingShape(Operation *op, Type type) {
  ArrayRef<int64_t> shape = shapeOf(type);
  if (shape.empty())
    return op->emitOpError("expected rows, but got ") << type;
  return shape.drop_back();
}

LogicalResult CrossEntropyOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  FailureOr<ArrayRef<int64_t>> rows = leadingShape(*this, getLogits().getType());
  return success(succeeded(rows) &&
                 succeeded(verifyShape(*this, "targets", getTargets().getType(), *rows)) &&
                 succeeded(verifyShape(*this, "the loss", getLoss().getType(), *rows)) &&
                 succeeded(verifyShape(*this, "lse", getLse().getType(), *rows)));
}

LogicalResult CrossEntropyGradientOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  Type logits = getLogits().getType();
  FailureOr<ArrayRef<int64_t>> rows = leadingShape(*this, logits);
  if (failed(rows))
    return failure();
  Type gradient = getGradient().getType();
  if (!shapeOf(gradient).empty() && failed(verifyShape(*this, "the gradient", gradient, *rows)))
    return failure();
  return success(
      succeeded(verifyShape(*this, "targets", getTargets().getType(), *rows)) &&
      succeeded(verifyShape(*this, "lse", getLse().getType(), *rows)) &&
      succeeded(verifyShape(*this, "the result", getResult().getType(), shapeOf(logits))));
}

LogicalResult ArgmaxOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  FailureOr<ArrayRef<int64_t>> rows = leadingShape(*this, getInput().getType());
  return success(succeeded(rows) &&
                 succeeded(verifyShape(*this, "the result", getResult().getType(), *rows)));
}
