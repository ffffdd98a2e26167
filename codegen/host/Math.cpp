// Transcendental functions of vectors by short polynomials. The coefficients are minimax fits of
// the relative error (Lawson's algorithm, weighted), rounded to f32.

#include "codegen/host/Math.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <limits>

using namespace mlir;

namespace memformer::host {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// Constants of the length of one vector, which need not be the target's.
class Lanes {
public:
  Lanes(Emit &e, Value like) : e(e), type(cast<VectorType>(like.getType())) {}

  Value real(float value) { return constant(e.b.getF32FloatAttr(value), e.b.getF32Type()); }
  Value integer(int32_t value) { return constant(e.b.getI32IntegerAttr(value), e.b.getI32Type()); }
  Value bits(Value x) {
    return arith::BitcastOp::create(e.b, e.loc, type.clone(e.b.getI32Type()), x);
  }
  Value fromBits(Value x) {
    return arith::BitcastOp::create(e.b, e.loc, type.clone(e.b.getF32Type()), x);
  }
  /// Σ c[i] xⁱ by Horner's rule.
  Value polynomial(Value x, ArrayRef<float> coefficients) {
    Value sum = real(coefficients.back());
    for (float c : llvm::reverse(coefficients.drop_back()))
      sum = e.fma(sum, x, real(c));
    return sum;
  }

private:
  Value constant(Attribute value, Type element) {
    return arith::ConstantOp::create(e.b, e.loc,
                                     DenseElementsAttr::get(type.clone(element), value));
  }

  Emit &e;
  VectorType type;
};

/// x rounded to an integer, for |x| < 2²²: as a number, and in the low bits of the first.
struct Rounded {
  Value shifted, number;
};

Rounded round(Emit &e, Lanes &l, Value scaled) {
  // Adding 1.5 · 2²³ leaves no bits after the point; there is no conversion that NaN would break.
  Value magic = l.real(12582912.0f);
  Value shifted = e.add(scaled, magic);
  return {shifted, e.sub(shifted, magic)};
}

/// mantissa · 2ⁿ, n being in the low bits of `shifted`; the mantissa is within [1/2, 2).
Value scaleByPower(Emit &e, Lanes &l, Value mantissa, Value shifted) {
  Value exponent = arith::ShLIOp::create(e.b, e.loc, l.bits(shifted), l.integer(23));
  return l.fromBits(e.add(l.bits(mantissa), exponent));
}

/// y, but 0 where x < low, and where not x ≤ high ∞ or NaN.
Value clampExponential(Emit &e, Lanes &l, Value x, Value y, float low, float high) {
  y = e.select(e.compare(arith::CmpFPredicate::OLT, x, l.real(low)), l.real(0), y);
  return e.select(e.compare(arith::CmpFPredicate::UGT, x, l.real(high)), e.add(x, l.real(infinity)),
                  y);
}

} // namespace

static Value exp2Polynomial(Lanes &l, Value f) {
  return l.polynomial(f, {1.0f, 0.6931471824645996f, 0.24022647738456726f, 0.05550331994891167f,
                          0.009618439711630344f, 0.001339913229458034f, 0.0001535315386718139f});
}

Value emitExp2(Emit &e, Value x) {
  Lanes l(e, x);
  auto [shifted, n] = round(e, l, x);
  Value y = scaleByPower(e, l, exp2Polynomial(l, e.sub(x, n)), shifted);
  // The largest number below 128.
  return clampExponential(e, l, x, y, -126.0f, 127.99999237060547f);
}

Value emitExp2OfNegative(Emit &e, Value x) {
  Lanes l(e, x);
  constexpr float lowest = -127.0f;
  // The second operand where one is NaN.
  x = e.max(l.real(lowest), x);
  // n − lowest in the low bits, which is the exponent field of 2ⁿ: 0, and so the number 0, at the
  // lowest. The product keeps NaN.
  Value magic = l.real(12582912.0f - lowest);
  Value shifted = e.add(x, magic);
  Value y = exp2Polynomial(l, e.sub(x, e.sub(shifted, magic)));
  Value power = arith::ShLIOp::create(e.b, e.loc, l.bits(shifted), l.integer(23));
  return e.mul(y, l.fromBits(power));
}

Value emitExp(Emit &e, Value x) {
  Lanes l(e, x);
  auto [shifted, n] = round(e, l, e.mul(x, l.real(1.44269504088896341f)));
  // r = x − n ln 2, ln 2 in two parts of which n times the first is exact.
  Value r = e.fma(n, l.real(-0.693359375f), x);
  r = e.fma(n, l.real(2.12194440054690583e-4f), r);
  Value q = l.polynomial(r, {0.5f, 0.1666651964187622f, 0.04166840389370918f, 0.00836889911442995f,
                             0.001381422160193324f});
  Value y = e.add(e.fma(e.mul(r, r), q, r), l.real(1.0f));
  y = scaleByPower(e, l, y, shifted);
  // The logarithms of the smallest normal number and of the largest number.
  return clampExponential(e, l, x, y, -87.33654022216797f, 88.72283172607422f);
}

Value emitLog(Emit &e, Value x) {
  Lanes l(e, x);
  // x = m · 2ᵏ with m in [√½, √2): the exponent counted from the bits of √½.
  constexpr int32_t bitsOfHalfRoot = 0x3f3504f3;
  Value bits = l.bits(x);
  Value distance = e.sub(bits, l.integer(bitsOfHalfRoot));
  Value exponent = arith::ShRSIOp::create(e.b, e.loc, distance, l.integer(23));
  Value mantissa =
      l.fromBits(e.sub(bits, arith::ShLIOp::create(e.b, e.loc, exponent, l.integer(23))));
  Value k = arith::SIToFPOp::create(e.b, e.loc, x.getType(), exponent);
  Value t = e.sub(mantissa, l.real(1.0f));
  Value q = l.polynomial(t, {0.3333333134651184f, -0.2500081956386566f, 0.20001226663589478f,
                             -0.16623356938362122f, 0.14201757311820984f, -0.13160182535648346f,
                             0.1276157796382904f, -0.07634497433900833f});
  Value square = e.mul(t, t);
  // log m = t − t²/2 + t³ q; the small part of k ln 2 is added to the small terms.
  Value small = e.fma(e.mul(square, t), q, e.mul(k, l.real(-2.12194440054690583e-4f)));
  small = e.fma(square, l.real(-0.5f), small);
  Value y = e.fma(k, l.real(0.693359375f), e.add(t, small));
  // Zero (and what is flushed to it), +∞, and what has no logarithm.
  constexpr float smallest = std::numeric_limits<float>::min();
  y = e.select(e.compare(arith::CmpFPredicate::OLT, x, l.real(smallest)), l.real(-infinity), y);
  y = e.select(e.compare(arith::CmpFPredicate::OEQ, x, l.real(infinity)), x, y);
  Value invalid = e.compare(arith::CmpFPredicate::ULT, x, l.real(0.0f));
  return e.select(invalid, l.real(std::numeric_limits<float>::quiet_NaN()), y);
}

Value emitTanh(Emit &e, Value x) {
  Lanes l(e, x);
  // Beyond ±limit tanh is ±1 in f32. The comparisons let NaN through.
  constexpr float limit = 8.95f;
  Value high = l.real(limit), low = l.real(-limit);
  x = e.select(e.compare(arith::CmpFPredicate::OGT, x, high), high, x);
  x = e.select(e.compare(arith::CmpFPredicate::OLT, x, low), low, x);
  Value square = e.mul(x, x);
  // x P(x²) / Q(x²) without cancellation: all coefficients that matter are positive.
  Value p = l.polynomial(square,
                         {1.0f, 0.13683201080851534f, 0.003872448599945344f, 2.809081025832707e-05f,
                          3.078632833325186e-08f, -1.235362585573581e-11f});
  Value q = l.polynomial(square, {1.0f, 0.47016533240997405f, 0.027260911850577062f,
                                  0.000394590378805548f, 1.2932015958669265e-06f});
  Value y = e.div(e.mul(x, p), q);
  // Rounding must not carry it past 1.
  Value one = l.real(1.0f), minusOne = l.real(-1.0f);
  y = e.select(e.compare(arith::CmpFPredicate::OGT, y, one), one, y);
  return e.select(e.compare(arith::CmpFPredicate::OLT, y, minusOne), minusOne, y);
}

static Value ofScalar(Emit &e, Value x, Value (*function)(Emit &, Value)) {
  return vector::ExtractOp::create(e.b, e.loc, function(e, e.broadcast(x)), ArrayRef<int64_t>{0});
}

Value emitExpScalar(Emit &e, Value x) { return ofScalar(e, x, emitExp); }

Value emitLogScalar(Emit &e, Value x) { return ofScalar(e, x, emitLog); }

} // namespace memformer::host
