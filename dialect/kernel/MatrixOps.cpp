// Verifiers of the matrix product and its packing.

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;
using namespace memformer::kernel;

// Panels of w columns of a matrix [depth, width], two or eight rows side by side where they have
// 16 bits.
static LogicalResult verifyPanels(Operation *op, StringRef what, Type type, int64_t depth,
                                  int64_t width) {
  ArrayRef<int64_t> shape = shapeOf(type);
  int64_t panels = (width + shape[2] - 1) / shape[2];
  if (shape.size() == 4) {
    int64_t group = shape[3] == 8 ? 8 : 2;
    return verifyShape(op, what, type, {panels, (depth + group - 1) / group, shape[2], group});
  }
  return verifyShape(op, what, type, {panels, depth, shape[2]});
}

LogicalResult PackOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  ArrayRef<int64_t> input = shapeOf(getInput().getType()), result = shapeOf(getResult().getType());
  Type element = getResult().getType().getElementType();
  bool maybePairs = isNarrow(element);
  if (input.size() != 2 || (result.size() != 3 && !(maybePairs && result.size() == 4)))
    return emitOpError("expected a matrix and panels [P, K, w]")
           << (maybePairs ? " or [P, ⌈K/2⌉, w, 2] or [P, ⌈K/8⌉, w, 8]" : "") << ", but got "
           << getInput().getType() << " and " << getResult().getType();
  int64_t depth = getTransposed() ? input[1] : input[0];
  int64_t width = getTransposed() ? input[0] : input[1];
  if (result[2] < 1)
    return emitOpError("expected panels of at least one column");
  if (element.isInteger(8) != bool(getScales()))
    return emitOpError("expected scales with a result of i8 alone, but got ")
           << getResult().getType() << (getScales() ? " with them" : " without them");
  if (getScales() && failed(verifyShape(*this, "the scales", getScales().getType(), {width})))
    return failure();
  return verifyPanels(*this, "the result", getResult().getType(), depth, width);
}

// B against n and the depth, packed or by rows.
static LogicalResult verifyB(GemmOp op, int64_t depth, int64_t n) {
  Type type = op.getB().getType();
  if (!op.getPacked()) {
    if (rowsOf(type) != depth || widthOf(type) != n)
      return op.emitOpError("expected b to have ")
             << depth << " rows of " << n << ", but got " << type;
    return success();
  }
  ArrayRef<int64_t> shape = shapeOf(type);
  bool inPairs = op.getOperandType() && isNarrow(*op.getOperandType());
  if (shape.size() != (inPairs ? 4 : 3) || shape[2] < 1)
    return op.emitOpError("expected packed b to be ")
           << (inPairs ? "[P, ⌈K/2⌉, w, 2] or [P, ⌈K/8⌉, w, 8]" : "[P, K, w]") << ", but got "
           << type;
  return verifyPanels(op, "packed b", type, depth, n);
}

LogicalResult GemmOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  Type a = getA().getType();
  int64_t rows = getTransposeA() ? widthOf(a) : rowsOf(a);
  int64_t depth = getTransposeA() ? rowsOf(a) : widthOf(a);
  int64_t n = int64_t(getN());
  Type element = cast<ShapedType>(getB().getType()).getElementType();
  Type rounded = getOperandType().value_or(Type());
  if (rounded && rounded.isTF32())
    rounded = Float32Type::get(getContext());
  if (getPacked() && rounded && element != rounded)
    return emitOpError("expected packed b of the type that the operands are rounded to, but got ")
           << getB().getType();
  if (!getPacked() && element.isInteger(8))
    return emitOpError("expected b of i8 to be packed, but got ") << getB().getType();
  if (n < 1)
    return emitOpError("expected n of at least 1, but got ") << n;
  if (failed(verifyB(*this, depth, n)))
    return failure();
  if (bool(getScale()) != bool(getShift()))
    return emitOpError("expected scale and shift together");
  if (getStoreNormalized() && !getScale())
    return emitOpError("expected scale and shift with store_normalized");
  if (getScale()) {
    if (getTransposeA())
      return emitOpError("expected no transpose_a with a normalisation of a's rows");
    if (failed(verifyShape(*this, "scale", getScale().getType(), {depth})) ||
        failed(verifyShape(*this, "shift", getShift().getType(), {depth})))
      return failure();
  }

  size_t stored = getStoreNormalized();
  if (getNumResults() < stored)
    return emitOpError("expected a result for the normalised rows");
  size_t products = getNumResults() - stored;
  if (getAccumulate() ? products != 0 : products == 0)
    return emitOpError("expected ") << (getAccumulate() ? "no result" : "a result")
                                    << " of the epilogue, but got " << products;
  SmallVector<int64_t> shape = {rows, n};
  for (Value result : getResults().take_front(products)) {
    if (rowsOf(result.getType()) != rows || widthOf(result.getType()) != n)
      return emitOpError("expected results of ")
             << rows << " rows of " << n << ", but got " << result.getType();
    shape = SmallVector<int64_t>(shapeOf(result.getType()));
  }
  if (stored &&
      failed(verifyShape(*this, "the normalised rows", getResults().back().getType(), shapeOf(a))))
    return failure();
  RegionShape region;
  region.own = 1;
  region.extras = getExtras();
  region.indexing = getIndexing();
  region.shape = shape;
  region.yields.assign(std::max<size_t>(products, 1), Float32Type::get(getContext()));
  return verifyRegion(*this, getEpilogue(), region);
}
