// Ops that repeat, sum, join and cut tensors: verifiers, costs, folds and gradients.

#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/Verify.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace memformer;

//===-- broadcast and sum_leading
//----------------------------------------------------------------===//

LogicalResult BroadcastOp::verify() {
  if (failed(verifyOneElementType(*this, {getInput(), getResult()})))
    return failure();
  return verifyTrailing(*this, "the operand", getInput(), shapeOf(getResult()), "the result");
}

OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType())
    return getInput();
  if (auto inner = getInput().getDefiningOp<BroadcastOp>()) {
    getInputMutable().assign(inner.getInput());
    return getResult();
  }
  if (auto splat = dyn_cast_if_present<SplatElementsAttr>(adaptor.getInput()))
    return splat.resizeSplat(getType());
  return {};
}

int64_t BroadcastOp::getFlops() { return 0; }

SmallVector<Value> BroadcastOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                              ArrayRef<bool> needed) {
  if (!needed[0])
    return {Value()};
  return {SumLeadingOp::create(builder, getLoc(), getInput().getType(), resultGradients[0])};
}

LogicalResult SumLeadingOp::verify() {
  if (failed(verifyElementTypes(*this)))
    return failure();
  return verifyTrailing(*this, "the result", getResult(), shapeOf(getInput()), "the operand");
}

OpFoldResult SumLeadingOp::fold(FoldAdaptor adaptor) {
  // Two sums in a row are not one: that would change the order of the additions.
  if (entries(getInput()) == entries(getResult()) && getInput().getType() == getType())
    return getInput();
  return {};
}

int64_t SumLeadingOp::getFlops() { return entries(getInput()) - entries(getResult()); }

SmallVector<Value> SumLeadingOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                               ArrayRef<bool> needed) {
  if (!needed[0])
    return {Value()};
  return {BroadcastOp::create(builder, getLoc(), getInput().getType(), resultGradients[0])};
}

//===-- reshape
//------------------------------------------------------------------------------===//

LogicalResult ReshapeOp::verify() {
  if (failed(verifyOneElementType(*this, {getInput(), getResult()})))
    return failure();
  if (entries(getInput()) == entries(getResult()))
    return success();
  return emitOpError("expected as many entries as the operand's ")
         << entries(getInput()) << ", but got " << getType();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType())
    return getInput();
  if (auto inner = getInput().getDefiningOp<ReshapeOp>()) {
    getInputMutable().assign(inner.getInput());
    return getResult();
  }
  return {};
}

int64_t ReshapeOp::getFlops() { return 0; }

SmallVector<Value> ReshapeOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                            ArrayRef<bool> needed) {
  if (!needed[0])
    return {Value()};
  return {ReshapeOp::create(builder, getLoc(), getInput().getType(), resultGradients[0])};
}

//===-- concat and slice
//-------------------------------------------------------------------------===//

static LogicalResult verifyAxis(Operation *op, int64_t axis, Value value) {
  int64_t rank = tensorType(value).getRank();
  if (axis >= 0 && axis < rank)
    return success();
  return op->emitOpError("expected axis to be in [0, ")
         << rank << ") for an operand of shape " << describeShape(shapeOf(value)) << ", but got "
         << axis;
}

/// `shape` with another extent along `axis`.
static SmallVector<int64_t> withExtent(ArrayRef<int64_t> shape, int64_t axis, int64_t extent) {
  SmallVector<int64_t> changed(shape);
  changed[axis] = extent;
  return changed;
}

LogicalResult ConcatOp::verify() {
  int64_t axis = getAxis();
  if (failed(verifyOneElementType(*this, {getLhs(), getRhs(), getResult()})) ||
      failed(verifyAxis(*this, axis, getLhs())))
    return failure();
  ArrayRef<int64_t> lhs = shapeOf(getLhs()), rhs = shapeOf(getRhs());
  if (lhs.size() != rhs.size() || withExtent(rhs, axis, lhs[axis]) != SmallVector<int64_t>(lhs))
    return emitOpError("expected operands of equal shape but for axis ")
           << axis << ", but got " << describeShape(lhs) << " and " << describeShape(rhs);
  return verifyShape(*this, "result", getResult(), withExtent(lhs, axis, lhs[axis] + rhs[axis]),
                     "the operands one after the other");
}

OpFoldResult ConcatOp::fold(FoldAdaptor adaptor) {
  // Two halves of one tensor, joined again.
  auto first = getLhs().getDefiningOp<SliceOp>();
  auto second = getRhs().getDefiningOp<SliceOp>();
  if (!first || !second || first.getInput() != second.getInput() ||
      first.getInput().getType() != getType() || first.getAxis() != getAxis() ||
      second.getAxis() != getAxis())
    return {};
  // With the whole's extent given, offsets of 0 and the first half's extent leave nothing out.
  if (first.getOffset() == 0 &&
      static_cast<int64_t>(second.getOffset()) == shapeOf(getLhs())[getAxis()])
    return first.getInput();
  return {};
}

int64_t ConcatOp::getFlops() { return 0; }

SmallVector<Value> ConcatOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                           ArrayRef<bool> needed) {
  auto cut = [&](Value operand, int64_t offset) {
    return SliceOp::create(builder, getLoc(), operand.getType(), resultGradients[0], getAxis(),
                           offset)
        .getResult();
  };
  return {needed[0] ? cut(getLhs(), 0) : Value(),
          needed[1] ? cut(getRhs(), shapeOf(getLhs())[getAxis()]) : Value()};
}

LogicalResult SliceOp::verify() {
  int64_t axis = getAxis(), offset = getOffset();
  if (failed(verifyOneElementType(*this, {getInput(), getResult()})) ||
      failed(verifyAxis(*this, axis, getInput())))
    return failure();
  ArrayRef<int64_t> input = shapeOf(getInput()), result = shapeOf(getResult());
  if (input.size() != result.size() ||
      withExtent(result, axis, input[axis]) != SmallVector<int64_t>(input))
    return emitOpError("expected the result to have the operand's shape ")
           << describeShape(input) << " but for axis " << axis << ", but got "
           << describeShape(result);
  // Written without a sum, which an absurd offset would overflow.
  if (offset < 0 || offset > input[axis] - result[axis])
    return emitOpError("expected ") << result[axis] << " entries from offset " << offset
                                    << " to lie within the " << input[axis] << " of axis " << axis;
  return success();
}

OpFoldResult SliceOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType())
    return getInput();
  int64_t axis = getAxis(), offset = getOffset();
  auto moveTo = [&](Value input, int64_t newOffset) -> OpFoldResult {
    getInputMutable().assign(input);
    setOffset(newOffset);
    return getResult();
  };
  if (auto outer = getInput().getDefiningOp<SliceOp>()) {
    if (static_cast<int64_t>(outer.getAxis()) == axis)
      return moveTo(outer.getInput(), outer.getOffset() + offset);
  } else if (auto joined = getInput().getDefiningOp<ConcatOp>()) {
    int64_t seam =
        static_cast<int64_t>(joined.getAxis()) == axis ? shapeOf(joined.getLhs())[axis] : -1;
    if (seam >= 0 && offset + shapeOf(getResult())[axis] <= seam)
      return moveTo(joined.getLhs(), offset);
    if (seam >= 0 && offset >= seam)
      return moveTo(joined.getRhs(), offset - seam);
  }
  if (auto splat = dyn_cast_if_present<SplatElementsAttr>(adaptor.getInput()))
    return splat.resizeSplat(getType());
  return {};
}

int64_t SliceOp::getFlops() { return 0; }

SmallVector<Value> SliceOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                          ArrayRef<bool> needed) {
  if (!needed[0])
    return {Value()};
  // Zeros before and after the slice.
  int64_t axis = getAxis(), offset = getOffset();
  RankedTensorType whole = tensorType(getInput());
  Value gradient = resultGradients[0];
  auto zeros = [&](int64_t extent) -> Value {
    auto type =
        RankedTensorType::get(withExtent(whole.getShape(), axis, extent), whole.getElementType());
    return arith::ConstantOp::create(builder, getLoc(), cast<TypedAttr>(builder.getZeroAttr(type)));
  };
  auto join = [&](Value a, Value b) -> Value {
    auto type = RankedTensorType::get(
        withExtent(whole.getShape(), axis, shapeOf(a)[axis] + shapeOf(b)[axis]),
        whole.getElementType());
    return ConcatOp::create(builder, getLoc(), type, a, b, axis);
  };
  int64_t after = whole.getShape()[axis] - offset - shapeOf(gradient)[axis];
  if (offset > 0)
    gradient = join(zeros(offset), gradient);
  if (after > 0)
    gradient = join(gradient, zeros(after));
  return {gradient};
}
