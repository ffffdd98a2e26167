// Narrow floating-point formats, as PTX rounds them.

#ifndef MEMFORMER_TEST_EMULATOR_NUMBERS_H
#define MEMFORMER_TEST_EMULATOR_NUMBERS_H

#include <bit>
#include <cmath>
#include <cstdint>

namespace memformer::emulator {

/// Branches become selections, so that loops over these vectorize. Denormals must not be flushed.
inline float floatOfHalf(uint16_t half) {
  float value = std::bit_cast<float>(uint32_t(half & 0x7fff) << 13) * 0x1p112f;
  uint32_t bits = std::bit_cast<uint32_t>(value);
  bits |= (half & 0x7c00) == 0x7c00 ? 0x7f800000u : 0u;
  return std::bit_cast<float>(bits | uint32_t(half & 0x8000) << 16);
}

inline float floatOfBfloat(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

/// The nearest number with `significand` bits (the hidden one included), exponents from `lowest`
/// (of the smallest normal number), and no number beyond `largest`; ties to even, or toward zero.
inline double roundTo(double value, int significand, int lowest, double largest, bool towardZero) {
  if (value == 0 || !std::isfinite(value))
    return value;
  int exponent = std::ilogb(value);
  if (exponent < lowest)
    exponent = lowest;
  double unit = std::ldexp(1.0, exponent - significand + 1);
  double scaled = value / unit; // exact
  double result = (towardZero ? std::trunc(scaled) : std::nearbyint(scaled)) * unit;
  if (std::fabs(result) > largest)
    return std::copysign(towardZero ? largest : INFINITY, value);
  return result;
}

inline uint16_t halfOf(double value, bool towardZero = false) {
  if (std::isnan(value))
    return 0x7fff;
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  double magnitude = std::fabs(roundTo(value, 11, -14, 65504, towardZero));
  if (std::isinf(magnitude))
    return sign | 0x7c00;
  if (magnitude < 0x1p-14)
    return sign | uint16_t(magnitude * 0x1p24);
  int exponent = std::ilogb(magnitude);
  return sign | uint16_t(((exponent + 14) << 10) + int(std::ldexp(magnitude, 10 - exponent)));
}

inline uint16_t bfloatOf(double value, bool towardZero = false) {
  if (std::isnan(value))
    return 0x7fff;
  double rounded = roundTo(value, 8, -126, 0x1.fep127, towardZero);
  return uint16_t(std::bit_cast<uint32_t>(float(rounded)) >> 16);
}

/// a · b + c where the product is exact in a double, rounded to odd: rounding the result once more
/// to fewer bits gives what rounding the exact value would.
inline double fusedToOdd(double a, double b, double c) {
  double product = a * b, sum = product + c;
  if (!std::isfinite(sum))
    return sum;
  double part = sum - product;
  double rest = (product - (sum - part)) + (c - part);
  uint64_t bits = std::bit_cast<uint64_t>(sum);
  if (rest == 0 || (bits & 1))
    return sum;
  bool away = (rest > 0) == (sum > 0);
  return std::bit_cast<double>(away ? bits + 1 : bits - 1);
}

} // namespace memformer::emulator

#endif
