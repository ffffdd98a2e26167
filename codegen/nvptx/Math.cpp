// Transcendental functions: the hardware's power of two, and the rational forms of the host target.

#include "codegen/nvptx/Math.h"

#include <limits>
#include <numbers>

using namespace mlir;

namespace memformer::nvptx {

static constexpr float infinity = std::numeric_limits<float>::infinity();

// Σ c[i] xⁱ by Horner's rule.
static Value polynomial(Emit &e, Value x, ArrayRef<float> coefficients) {
  Value sum = e.real(coefficients.back());
  for (float c : llvm::reverse(coefficients.drop_back()))
    sum = e.fma(sum, x, e.real(c));
  return sum;
}

Value emitExp2(Emit &e, Value x) {
  return e.call("llvm.nvvm.ex2.approx.ftz.f32", e.b.getF32Type(), {x});
}

Value emitExp(Emit &e, Value x) {
  // x log₂ e = high + low; 2^low = 1 + low ln 2 for so small a number.
  constexpr float factor = std::numbers::log2e_v<float>;
  constexpr float rest = float(std::numbers::log2e - double(factor));
  // The largest number below 128, so that no power is infinite but where eˣ is.
  Value high = e.min(e.mul(x, e.real(factor)), e.real(127.99999237060547f));
  Value low = e.fma(x, e.real(factor), e.sub(e.real(0), high));
  low = e.fma(x, e.real(rest), low);
  Value power = emitExp2(e, high);
  Value y = e.fma(e.mul(power, e.real(std::numbers::ln2_v<float>)), low, power);
  // The logarithms of the smallest normal number and of the largest number.
  y = e.select(e.compare(arith::CmpFPredicate::OLT, x, e.real(-87.33654022216797f)), e.real(0), y);
  Value beyond = e.compare(arith::CmpFPredicate::UGT, x, e.real(88.72283172607422f));
  return e.select(beyond, e.add(x, e.real(infinity)), y);
}

Value emitLog(Emit &e, Value x) {
  // x = m · 2ᵏ with m in [√½, √2): the exponent counted from the bits of √½.
  constexpr int32_t bitsOfHalfRoot = 0x3f3504f3;
  Value bits = e.bits(x);
  Value distance = e.sub(bits, e.integer(bitsOfHalfRoot));
  Value exponent = arith::ShRSIOp::create(e.b, e.loc, distance, e.integer(23));
  Value shifted = arith::ShLIOp::create(e.b, e.loc, exponent, e.integer(23));
  Value mantissa = e.fromBits(e.sub(bits, shifted));
  Value k = arith::SIToFPOp::create(e.b, e.loc, e.b.getF32Type(), exponent);
  Value t = e.sub(mantissa, e.real(1.0f));
  Value q = polynomial(e, t,
                       {0.3333333134651184f, -0.2500081956386566f, 0.20001226663589478f,
                        -0.16623356938362122f, 0.14201757311820984f, -0.13160182535648346f,
                        0.1276157796382904f, -0.07634497433900833f});
  Value square = e.mul(t, t);
  // log m = t − t²/2 + t³ q; the small part of k ln 2 is added to the small terms.
  Value small = e.fma(e.mul(square, t), q, e.mul(k, e.real(-2.12194440054690583e-4f)));
  small = e.fma(square, e.real(-0.5f), small);
  Value y = e.fma(k, e.real(0.693359375f), e.add(t, small));
  // Zero (and what is flushed to it), +∞, and what has no logarithm.
  constexpr float smallest = std::numeric_limits<float>::min();
  y = e.select(e.compare(arith::CmpFPredicate::OLT, x, e.real(smallest)), e.real(-infinity), y);
  y = e.select(e.compare(arith::CmpFPredicate::OEQ, x, e.real(infinity)), x, y);
  Value invalid = e.compare(arith::CmpFPredicate::ULT, x, e.real(0.0f));
  return e.select(invalid, e.real(std::numeric_limits<float>::quiet_NaN()), y);
}

Value emitTanh(Emit &e, Value x) {
  // Beyond ±limit tanh is ±1 in f32. The comparisons let NaN through.
  constexpr float limit = 8.95f;
  x = e.select(e.compare(arith::CmpFPredicate::OGT, x, e.real(limit)), e.real(limit), x);
  x = e.select(e.compare(arith::CmpFPredicate::OLT, x, e.real(-limit)), e.real(-limit), x);
  Value square = e.mul(x, x);
  // x P(x²) / Q(x²) without cancellation: all coefficients that matter are positive.
  Value p = polynomial(e, square,
                       {1.0f, 0.13683201080851534f, 0.003872448599945344f, 2.809081025832707e-05f,
                        3.078632833325186e-08f, -1.235362585573581e-11f});
  Value q = polynomial(e, square,
                       {1.0f, 0.47016533240997405f, 0.027260911850577062f, 0.000394590378805548f,
                        1.2932015958669265e-06f});
  Value y = e.div(e.mul(x, p), q);
  // Rounding must not carry it past 1.
  Value one = e.real(1.0f), minusOne = e.real(-1.0f);
  y = e.select(e.compare(arith::CmpFPredicate::OGT, y, one), one, y);
  return e.select(e.compare(arith::CmpFPredicate::OLT, y, minusOne), minusOne, y);
}

} // namespace memformer::nvptx
