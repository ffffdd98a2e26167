// The scalar forms of element-wise ops: the one definition that reference, kernels and fusion are
// built from.

#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Random.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace memformer;

namespace {

/// Builds floating-point arithmetic at one place.
class Scalars {
public:
  Scalars(OpBuilder &builder, Location location, Type type)
      : builder(builder), location(location), type(type) {}

  Value constant(double value) {
    return arith::ConstantOp::create(builder, location, builder.getFloatAttr(type, value));
  }
  Value add(Value a, Value b) { return arith::AddFOp::create(builder, location, a, b); }
  Value subtract(Value a, Value b) { return arith::SubFOp::create(builder, location, a, b); }
  Value multiply(Value a, Value b) { return arith::MulFOp::create(builder, location, a, b); }
  Value divide(Value a, Value b) { return arith::DivFOp::create(builder, location, a, b); }
  Value exponential(Value a) { return math::ExpOp::create(builder, location, a); }
  Value compare(arith::CmpFPredicate predicate, Value a, Value b) {
    return arith::CmpFOp::create(builder, location, predicate, a, b);
  }
  Value select(Value condition, Value a, Value b) {
    return arith::SelectOp::create(builder, location, condition, a, b);
  }

private:
  OpBuilder &builder;
  Location location;
  Type type;
};

/// The tanh form of gelu is x σ(2u) with u = √(2/π) (x + 0.044715 x³).
constexpr double geluScale = 1.5957691216057308; // 2 √(2/π)
constexpr double geluCubic = 0.044715;

/// 1 + exp(−2u), given x and x².
Value geluDenominator(Scalars &s, Value x, Value square) {
  Value negated = s.add(s.multiply(square, s.constant(-geluScale * geluCubic)), //
                        s.constant(-geluScale));
  return s.add(s.exponential(s.multiply(x, negated)), s.constant(1));
}

} // namespace

Value AddOp::buildScalar(OpBuilder &builder, ValueRange scalars, Value index) {
  if (isa<IntegerType>(scalars[0].getType()))
    return arith::AddIOp::create(builder, getLoc(), scalars[0], scalars[1]);
  return Scalars(builder, getLoc(), scalars[0].getType()).add(scalars[0], scalars[1]);
}

Value BroadcastOp::buildScalar(OpBuilder &builder, ValueRange scalars, Value index) {
  return scalars[0];
}

Value SelectRowsOp::buildScalar(OpBuilder &builder, ValueRange scalars, Value index) {
  Value zero = arith::ConstantOp::create(builder, getLoc(), builder.getI32IntegerAttr(0));
  Value chosen =
      arith::CmpIOp::create(builder, getLoc(), arith::CmpIPredicate::ne, scalars[0], zero);
  return arith::SelectOp::create(builder, getLoc(), chosen, scalars[1], scalars[2]);
}

Value ClampOp::buildScalar(OpBuilder &builder, ValueRange scalars, Value index) {
  Value min = arith::ConstantOp::create(builder, getLoc(), getMinAttr());
  Value max = arith::ConstantOp::create(builder, getLoc(), getMaxAttr());
  Value atLeast = arith::MaxSIOp::create(builder, getLoc(), scalars[0], min);
  return arith::MinSIOp::create(builder, getLoc(), atLeast, max);
}

Value StopGradientOp::buildScalar(OpBuilder &, ValueRange scalars, Value) { return scalars[0]; }

Value ScaleOp::buildScalar(OpBuilder &builder, ValueRange scalars, Value index) {
  Scalars s(builder, getLoc(), scalars[0].getType());
  return s.multiply(scalars[0], s.constant(getFactor().convertToDouble()));
}

Value MaximumOp::buildScalar(OpBuilder &builder, ValueRange scalars, Value index) {
  Scalars s(builder, getLoc(), scalars[0].getType());
  return s.select(s.compare(arith::CmpFPredicate::OLT, scalars[0], scalars[1]), scalars[1],
                  scalars[0]);
}

Value MaximumGradientOp::buildScalar(OpBuilder &builder, ValueRange scalars, Value index) {
  Scalars s(builder, getLoc(), scalars[0].getType());
  // What MaximumOp chooses: not x < y.
  Value wins = getStrict() ? s.compare(arith::CmpFPredicate::OGT, scalars[1], scalars[2])
                           : s.compare(arith::CmpFPredicate::UGE, scalars[1], scalars[2]);
  return s.select(wins, scalars[0], s.constant(0));
}

Value SquaredErrorGradientOp::buildScalar(OpBuilder &builder, ValueRange scalars, Value index) {
  Scalars s(builder, getLoc(), scalars[1].getType());
  Value scaled = s.multiply(scalars[0], s.constant(getFactor().convertToDouble()));
  return s.multiply(scaled, s.subtract(scalars[1], scalars[2]));
}

Value ReluOp::buildScalar(OpBuilder &builder, ValueRange scalars, Value index) {
  // In this order one instruction (0 > x ? 0 : x), and a NaN stays one.
  Scalars s(builder, getLoc(), scalars[0].getType());
  Value zero = s.constant(0);
  return s.select(s.compare(arith::CmpFPredicate::OLT, scalars[0], zero), zero, scalars[0]);
}

Value ReluGradientOp::buildScalar(OpBuilder &builder, ValueRange scalars, Value index) {
  Scalars s(builder, getLoc(), scalars[0].getType());
  Value zero = s.constant(0);
  return s.select(s.compare(arith::CmpFPredicate::OGT, scalars[1], zero), scalars[0], zero);
}

Value GeluOp::buildScalar(OpBuilder &builder, ValueRange scalars, Value index) {
  Value x = scalars[0];
  Scalars s(builder, getLoc(), x.getType());
  return s.divide(x, geluDenominator(s, x, s.multiply(x, x)));
}

Value GeluGradientOp::buildScalar(OpBuilder &builder, ValueRange scalars, Value index) {
  // With σ = σ(2u): dy/dx = σ + x σ (1 − σ) · d(2u)/dx.
  Value x = scalars[1];
  Scalars s(builder, getLoc(), x.getType());
  Value square = s.multiply(x, x);
  Value sigma = s.divide(s.constant(1), geluDenominator(s, x, square));
  Value slope =
      s.add(s.multiply(square, s.constant(3 * geluScale * geluCubic)), s.constant(geluScale));
  Value rest = s.multiply(s.multiply(x, slope), s.subtract(s.constant(1), sigma));
  return s.multiply(scalars[0], s.add(sigma, s.multiply(sigma, rest)));
}

Value DropoutOp::buildScalar(OpBuilder &builder, ValueRange scalars, Value index) {
  Scalars s(builder, getLoc(), scalars[0].getType());
  double probability = getProbability().convertToDouble();
  Value keep = buildKeep(builder, getLoc(), index, scalars[1], scalars[2],
                         static_cast<int32_t>(getStream()), probability);
  return s.select(keep, s.multiply(scalars[0], s.constant(keepScale(probability))), s.constant(0));
}
