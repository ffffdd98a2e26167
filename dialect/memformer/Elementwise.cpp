// Element-wise ops: verifiers, costs, folds and gradients. Their scalar forms are in Scalars.cpp.

#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/Verify.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace memformer;

/// The gradient of an operand that was repeated along leading dimensions: the sum over them.
static Value sumTo(OpBuilder &builder, Location location, Value gradient, Type type) {
  if (gradient.getType() == type)
    return gradient;
  return SumLeadingOp::create(builder, location, type, gradient);
}

static Value zeros(OpBuilder &builder, Location location, Type type) {
  return arith::ConstantOp::create(builder, location, cast<TypedAttr>(builder.getZeroAttr(type)));
}

static bool isZero(Attribute attribute) {
  return attribute &&
         (matchPattern(attribute, m_PosZeroFloat()) || matchPattern(attribute, m_NegZeroFloat()));
}

static LogicalResult verifySameShape(Operation *op, Value input, Value result) {
  if (failed(verifyElementTypes(op)))
    return failure();
  return verifyShape(op, "result", result, shapeOf(input), "that of the operand");
}

//===-- add
//--------------------------------------------------------------------------------------===//

LogicalResult AddOp::verify() {
  if (failed(verifyOneElementType(*this, {getLhs(), getRhs(), getResult()})) ||
      failed(verifyTrailing(*this, "rhs", getRhs(), shapeOf(getLhs()), "lhs")))
    return failure();
  return verifyShape(*this, "result", getResult(), shapeOf(getLhs()), "that of lhs");
}

OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  if (isZero(adaptor.getRhs()))
    return getLhs();
  if (isZero(adaptor.getLhs()) && getRhs().getType() == getType())
    return getRhs();
  // An operand that is repeated already need not be repeated in memory. The sum commutes bit for
  // bit.
  if (auto repeated = getRhs().getDefiningOp<BroadcastOp>()) {
    getRhsMutable().assign(repeated.getInput());
    return getResult();
  }
  auto repeated = getLhs().getDefiningOp<BroadcastOp>();
  if (repeated && getRhs().getType() == getType()) {
    getLhsMutable().assign(getRhs());
    getRhsMutable().assign(repeated.getInput());
    return getResult();
  }
  return {};
}

int64_t AddOp::getFlops() {
  return isa<FloatType>(getType().getElementType()) ? entries(getResult()) : 0;
}

SmallVector<Value> AddOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                        ArrayRef<bool> needed) {
  Value gradient = resultGradients[0];
  return {needed[0] ? gradient : Value(),
          needed[1] ? sumTo(builder, getLoc(), gradient, getRhs().getType()) : Value()};
}

//===-- select_rows
//------------------------------------------------------------------------------===//

LogicalResult SelectRowsOp::verify() {
  if (failed(verifyOneElementType(*this, {getOnTrue(), getOnFalse(), getResult()})) ||
      failed(verifyMinimumRank(*this, "result", getResult(), 1, "[B, ...]")))
    return failure();
  ArrayRef<int64_t> shape = shapeOf(getResult());
  if (failed(verifyShape(*this, "mask", getMask(), shape.take_front(1),
                         "the first dimension of the result")) ||
      failed(verifyTrailing(*this, "on_true", getOnTrue(), shape, "the result")))
    return failure();
  return verifyTrailing(*this, "on_false", getOnFalse(), shape, "the result");
}

OpFoldResult SelectRowsOp::fold(FoldAdaptor adaptor) {
  Value chosen;
  if (getOnTrue() == getOnFalse())
    chosen = getOnTrue();
  else if (auto mask = dyn_cast_if_present<SplatElementsAttr>(adaptor.getMask()))
    chosen = mask.getSplatValue<APInt>().isZero() ? getOnFalse() : getOnTrue();
  if (chosen && chosen.getType() == getType())
    return chosen;
  return {};
}

OperandIndexing SelectRowsOp::getOperandIndexing(unsigned operand) {
  return operand == 0 ? OperandIndexing::Leading : OperandIndexing::Trailing;
}

int64_t SelectRowsOp::getFlops() { return 0; }

SmallVector<Value> SelectRowsOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                               ArrayRef<bool> needed) {
  Value gradient = resultGradients[0];
  Value onTrue, onFalse;
  if (needed[1] || needed[2]) {
    // A row's gradient flows to the side that it came from, never to both.
    Value zero = zeros(builder, getLoc(), getType());
    auto side = [&](Value a, Value c, Type type) {
      Value rows = SelectRowsOp::create(builder, getLoc(), getType(), getMask(), a, c);
      return sumTo(builder, getLoc(), rows, type);
    };
    if (needed[1])
      onTrue = side(gradient, zero, getOnTrue().getType());
    if (needed[2])
      onFalse = side(zero, gradient, getOnFalse().getType());
  }
  return {Value(), onTrue, onFalse};
}

//===-- activations
//------------------------------------------------------------------------------===//

LogicalResult ReluOp::verify() { return verifySameShape(*this, getInput(), getResult()); }
int64_t ReluOp::getFlops() { return entries(getResult()); }

SmallVector<Value> ReluOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                         ArrayRef<bool> needed) {
  if (!needed[0])
    return {Value()};
  return {ReluGradientOp::create(builder, getLoc(), getInput().getType(), resultGradients[0],
                                 getInput())};
}

LogicalResult GeluOp::verify() { return verifySameShape(*this, getInput(), getResult()); }
int64_t GeluOp::getFlops() { return 8 * entries(getResult()); }

SmallVector<Value> GeluOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                         ArrayRef<bool> needed) {
  if (!needed[0])
    return {Value()};
  return {GeluGradientOp::create(builder, getLoc(), getInput().getType(), resultGradients[0],
                                 getInput())};
}

LogicalResult ReluGradientOp::verify() {
  if (failed(verifySameShape(*this, getInput(), getResult())))
    return failure();
  return verifyShape(*this, "gradient", getGradient(), shapeOf(getInput()), "that of the input");
}
int64_t ReluGradientOp::getFlops() { return entries(getResult()); }

LogicalResult GeluGradientOp::verify() {
  if (failed(verifySameShape(*this, getInput(), getResult())))
    return failure();
  return verifyShape(*this, "gradient", getGradient(), shapeOf(getInput()), "that of the input");
}
int64_t GeluGradientOp::getFlops() { return 15 * entries(getResult()); }

//===-- scale and maximum
//------------------------------------------------------------------------===//

LogicalResult ScaleOp::verify() { return verifySameShape(*this, getInput(), getResult()); }
int64_t ScaleOp::getFlops() { return entries(getResult()); }

SmallVector<Value> ScaleOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                          ArrayRef<bool> needed) {
  if (!needed[0])
    return {Value()};
  return {ScaleOp::create(builder, getLoc(), getType(), resultGradients[0], getFactorAttr())};
}

LogicalResult MaximumOp::verify() {
  if (failed(verifySameShape(*this, getLhs(), getResult())))
    return failure();
  return verifyShape(*this, "rhs", getRhs(), shapeOf(getLhs()), "that of lhs");
}
int64_t MaximumOp::getFlops() { return entries(getResult()); }

SmallVector<Value> MaximumOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                            ArrayRef<bool> needed) {
  auto side = [&](Value x, Value y, bool strict) -> Value {
    return MaximumGradientOp::create(builder, getLoc(), getType(), resultGradients[0], x, y,
                                     strict);
  };
  return {needed[0] ? side(getLhs(), getRhs(), false) : Value(),
          needed[1] ? side(getRhs(), getLhs(), true) : Value()};
}

LogicalResult MaximumGradientOp::verify() {
  if (failed(verifySameShape(*this, getGradient(), getResult())) ||
      failed(verifyShape(*this, "lhs", getLhs(), shapeOf(getGradient()), "that of the gradient")))
    return failure();
  return verifyShape(*this, "rhs", getRhs(), shapeOf(getGradient()), "that of the gradient");
}
int64_t MaximumGradientOp::getFlops() { return entries(getResult()); }

//===-- clamp
//------------------------------------------------------------------------------------===//

LogicalResult ClampOp::verify() {
  int32_t min = int32_t(getMin()), max = int32_t(getMax());
  if (min <= max)
    return success();
  return emitOpError("expected min to be at most max, but got ") << min << " and " << max;
}

OpFoldResult ClampOp::fold(FoldAdaptor adaptor) {
  auto splat = dyn_cast_if_present<SplatElementsAttr>(adaptor.getInput());
  if (!splat)
    return {};
  int64_t value = splat.getSplatValue<APInt>().getSExtValue();
  value = std::clamp<int64_t>(value, int32_t(getMin()), int32_t(getMax()));
  return DenseElementsAttr::get(getType(), APInt(32, uint64_t(value), /*isSigned=*/true));
}

int64_t ClampOp::getFlops() { return 0; }

SmallVector<Value> ClampOp::buildGradient(OpBuilder &, ValueRange, ArrayRef<bool>) {
  return {Value()}; // integers have none
}

//===-- squared error
//-----------------------------------------------------------------------------===//

/// Two tensors of one shape, and an entry of `leading` for each of their rows.
static LogicalResult verifyRows(Operation *op, StringRef name, Value leading, Value lhs,
                                Value rhs) {
  if (failed(verifyElementTypes(op)) || failed(verifyMinimumRank(op, "lhs", lhs, 1, "[..., d]")) ||
      failed(verifyShape(op, "rhs", rhs, shapeOf(lhs), "that of lhs")))
    return failure();
  return verifyShape(op, name, leading, shapeOf(lhs).drop_back(), "that of lhs but for the last");
}

LogicalResult AuxiliarySquaredErrorOp::verify() {
  if (failed(verifyRows(*this, "loss", getLoss(), getLhs(), getRhs())) ||
      failed(verifyPositive(*this, "weight", getWeight().convertToDouble())))
    return failure();
  return verifyShape(*this, "result", getResult(), shapeOf(getLoss()), "that of the loss");
}
int64_t AuxiliarySquaredErrorOp::getFlops() { return 0; }

SmallVector<Value> AuxiliarySquaredErrorOp::buildGradient(OpBuilder &builder,
                                                          ValueRange resultGradients,
                                                          ArrayRef<bool> needed) {
  double factor = 2 * getWeight().convertToDouble() / double(columns(getLhs()));
  auto side = [&](Value x, Value y) -> Value {
    return SquaredErrorGradientOp::create(builder, getLoc(), getLhs().getType(), resultGradients[0],
                                          x, y, builder.getF64FloatAttr(factor));
  };
  return {needed[0] ? resultGradients[0] : Value(), needed[1] ? side(getLhs(), getRhs()) : Value(),
          needed[2] ? side(getRhs(), getLhs()) : Value()};
}

LogicalResult SquaredErrorGradientOp::verify() {
  if (failed(verifyRows(*this, "gradient", getGradient(), getLhs(), getRhs())))
    return failure();
  return verifyShape(*this, "result", getResult(), shapeOf(getLhs()), "that of lhs");
}
OperandIndexing SquaredErrorGradientOp::getOperandIndexing(unsigned operand) {
  return operand == 0 ? OperandIndexing::Leading : OperandIndexing::Trailing;
}
int64_t SquaredErrorGradientOp::getFlops() { return 3 * entries(getResult()); }

//===-- stop_gradient
//------------------------------------------------------------------------===//

LogicalResult StopGradientOp::verify() { return verifySameShape(*this, getInput(), getResult()); }
int64_t StopGradientOp::getFlops() { return 0; }

SmallVector<Value> StopGradientOp::buildGradient(OpBuilder &, ValueRange, ArrayRef<bool>) {
  return {Value()};
}

//===-- dropout
//----------------------------------------------------------------------------------===//

LogicalResult DropoutOp::verify() {
  if (failed(verifySameShape(*this, getInput(), getResult())))
    return failure();
  return verifyDropout(*this, getProbability().convertToDouble(), getKey());
}

OpFoldResult DropoutOp::fold(FoldAdaptor adaptor) {
  if (getProbability().isZero())
    return getInput();
  return {};
}

OperandIndexing DropoutOp::getOperandIndexing(unsigned operand) {
  return operand == 1 ? OperandIndexing::Whole : OperandIndexing::Trailing;
}

int64_t DropoutOp::getFlops() { return entries(getResult()); }

SmallVector<Value> DropoutOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                            ArrayRef<bool> needed) {
  if (!needed[0])
    return {Value(), Value()};
  // Linear in its input, with a mask that the key alone decides: its own transpose.
  Value gradient = DropoutOp::create(builder, getLoc(), getType(), resultGradients[0], getKey(),
                                     getProbabilityAttr(), getStreamAttr());
  return {gradient, Value()};
}
