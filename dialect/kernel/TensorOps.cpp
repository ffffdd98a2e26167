// Verifiers of kernels that move, map and add up entries, and of the optimizer.

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;
using namespace memformer::kernel;

LogicalResult MapOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  if (getNumResults() == 0)
    return emitOpError("expected a result");
  RegionShape region;
  region.extras = getInputs();
  region.indexing = getIndexing();
  region.shape = shapeOf(getResult(0).getType());
  for (Value result : getResults()) {
    if (failed(verifyShape(*this, "all results", result.getType(), region.shape)))
      return failure();
    region.yields.push_back(computedType(result.getType()));
  }
  return verifyRegion(*this, getBody(), region);
}

LogicalResult ReduceOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  if (bool(getResult()) == bool(getAccumulate()))
    return emitOpError("expected either a result or a gradient buffer to add to");
  ArrayRef<int64_t> shape = shapeOf(getInput().getType());
  int64_t entries = int64_t(getEntries());
  if (getResult()) {
    Type result = getResult().getType();
    if (!isTrailing(shapeOf(result), shape) || entriesOf(result) != entries)
      return emitOpError("expected a result of the ")
             << entries << " entries of trailing dimensions of " << getInput().getType()
             << ", but got " << result;
    return success();
  }
  int64_t product = 1;
  for (size_t i = shape.size(); i > 0 && product != entries; --i)
    product *= shape[i - 1];
  if (product != entries)
    return emitOpError("expected entries to be those of trailing dimensions of ")
           << getInput().getType() << ", but got " << entries;
  return success();
}

LogicalResult GatherOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  if (shapeOf(getTable().getType()).size() != 2)
    return emitOpError("expected a table [V, d], but got ") << getTable().getType();
  if (getNumResults() == 0)
    return emitOpError("expected a result");
  SmallVector<int64_t> shape(shapeOf(getIndices().getType()));
  shape.push_back(widthOf(getTable().getType()));
  for (Value result : getResults())
    if (failed(verifyShape(*this, "a result", result.getType(), shape)))
      return failure();
  RegionShape region;
  region.own = 1;
  region.extras = getExtras();
  region.indexing = getIndexing();
  region.shape = shape;
  region.yields.assign(getNumResults(), Float32Type::get(getContext()));
  return verifyRegion(*this, getEpilogue(), region);
}

LogicalResult ScatterAddOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  if (bool(getResult()) == bool(getAccumulate()))
    return emitOpError("expected either a result or a gradient buffer to add to");
  SmallVector<int64_t> shape(shapeOf(getIndices().getType()));
  shape.push_back(widthOf(getInput().getType()));
  if (failed(verifyShape(*this, "the input", getInput().getType(), shape)))
    return failure();
  return getResult() ? verifyShape(*this, "the result", getResult().getType(),
                                   {int64_t(getRows()), shape.back()})
                     : success();
}

LogicalResult ConcatOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  ArrayRef<int64_t> lhs = shapeOf(getLhs().getType()), rhs = shapeOf(getRhs().getType());
  int64_t axis = int64_t(getAxis());
  if (axis < 0 || axis >= int64_t(lhs.size()))
    return emitOpError("expected an axis of ") << getLhs().getType() << ", but got " << axis;
  SmallVector<int64_t> other(lhs), result(lhs);
  if (rhs.size() == lhs.size()) {
    other[axis] = rhs[axis];
    result[axis] += rhs[axis];
  }
  return success(succeeded(verifyShape(*this, "the second operand", getRhs().getType(), other)) &&
                 succeeded(verifyShape(*this, "the result", getResult().getType(), result)));
}

LogicalResult SliceOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  ArrayRef<int64_t> input = shapeOf(getInput().getType()), result = shapeOf(getResult().getType());
  int64_t axis = int64_t(getAxis()), offset = int64_t(getOffset());
  if (axis < 0 || axis >= int64_t(input.size()))
    return emitOpError("expected an axis of ") << getInput().getType() << ", but got " << axis;
  SmallVector<int64_t> expected(input);
  if (result.size() == input.size())
    expected[axis] = result[axis];
  if (failed(verifyShape(*this, "the result", getResult().getType(), expected)))
    return failure();
  if (offset < 0 || offset + result[axis] > input[axis])
    return emitOpError("expected [offset, offset + size) within ")
           << input[axis] << " entries, but got [" << offset << ", " << offset + result[axis]
           << ")";
  return getPosition() ? verifyShape(*this, "the position", getPosition().getType(), {})
                       : success();
}

LogicalResult ReshapeOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  if (entriesOf(getInput().getType()) == entriesOf(getResult().getType()))
    return success();
  return emitOpError("expected as many entries as in ")
         << getInput().getType() << ", but got " << getResult().getType();
}

LogicalResult SquaredNormOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  ArrayRef<int64_t> result = shapeOf(getResult().getType());
  if (result.size() != 1 || result[0] < 1)
    return emitOpError("expected a vector of partial sums, but got ") << getResult().getType();
  return success();
}

LogicalResult AdamWOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  ArrayRef<int64_t> shape = shapeOf(getParameters().getType());
  return success(
      succeeded(verifyShape(*this, "the gradients", getGradients().getType(), shape)) &&
      succeeded(verifyShape(*this, "the first moments", getFirstMoments().getType(), shape)) &&
      succeeded(verifyShape(*this, "the second moments", getSecondMoments().getType(), shape)) &&
      succeeded(verifyShape(*this, "the scalars", getScalars().getType(), {9})) &&
      succeeded(verifyShape(*this, "the norm", getNorm().getType(), {1})));
}
