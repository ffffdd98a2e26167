// Verifiers of the matrix product and its packing.

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;
using namespace memformer::kernel;

LogicalResult PackOp::verify() {
  if (failed(verifySinglePrecision(*this)))
    return failure();
  ArrayRef<int64_t> input = shapeOf(getInput().getType()), result = shapeOf(getResult().getType());
  if (input.size() != 2 || result.size() != 3)
    return emitOpError("expected a matrix and panels [P, K, w], but got ")
           << getInput().getType() << " and " << getResult().getType();
  int64_t depth = getTransposed() ? input[1] : input[0];
  int64_t width = getTransposed() ? input[0] : input[1];
  if (result[2] < 1)
    return emitOpError("expected panels of at least one column");
  int64_t panels = (width + result[2] - 1) / result[2];
  return verifyShape(*this, "the result", getResult().getType(), {panels, depth, result[2]});
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
  if (shape.size() != 3 || shape[2] < 1)
    return op.emitOpError("expected packed b to be [P, K, w], but got ") << type;
  return verifyShape(op, "packed b", type, {(n + shape[2] - 1) / shape[2], depth, shape[2]});
}

LogicalResult GemmOp::verify() {
  if (failed(verifySinglePrecision(*this)))
    return failure();
  Type a = getA().getType();
  int64_t rows = getTransposeA() ? widthOf(a) : rowsOf(a);
  int64_t depth = getTransposeA() ? rowsOf(a) : widthOf(a);
  int64_t n = int64_t(getN());
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
