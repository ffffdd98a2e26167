// Normal numbers by Box and Muller, without the C library's log and cos: those differ in the last
// bit between versions and CPUs, and a model's first weights must not. This file is compiled
// without contraction of products and sums.

#include "runtime/random.h"

#include <cmath>

namespace memformer {

namespace {

/// log(x) for x in (0, 1), to about 1e-15: x = m * 2^e, log m = 2 atanh((m - 1) / (m + 1)).
double naturalLogarithm(double x) {
  int exponent;
  double mantissa = std::frexp(x, &exponent); // [0.5, 1)
  if (mantissa < 0.70710678118654752) {
    mantissa *= 2;
    --exponent;
  }
  const double s = (mantissa - 1) / (mantissa + 1), z = s * s; // |s| < 0.1716
  double sum = 0;
  for (int k = 21; k >= 1; k -= 2)
    sum = sum * z + 1.0 / k;
  return 2 * s * sum + exponent * 0.69314718055994531;
}

/// cos and sin of 2 pi u for u in (0, 1): the nearest quarter turn, and Taylor's series for the
/// rest.
std::pair<double, double> cosineAndSine(double u) {
  const int quarter = int(u * 4 + 0.5);                                  // 0 ... 4
  const double x = (u - quarter * 0.25) * 6.2831853071795865, z = x * x; // |x| <= pi / 4
  double cosine = 1, sine = 1;
  for (int k = 16; k >= 2; k -= 2) {
    cosine = 1 - cosine * z / ((k - 1) * k);
    sine = 1 - sine * z / (k * (k + 1));
  }
  sine *= x;
  switch (quarter % 4) {
  case 1:
    return {-sine, cosine};
  case 2:
    return {-cosine, -sine};
  case 3:
    return {sine, -cosine};
  default:
    return {cosine, sine};
  }
}

} // namespace

std::pair<double, double> normalPair(uint64_t key, uint64_t pair) {
  const double radius =
      std::sqrt(-2 * naturalLogarithm(uniformFromBits(randomBits(key, 2 * pair))));
  const auto [cosine, sine] = cosineAndSine(uniformFromBits(randomBits(key, 2 * pair + 1)));
  return {radius * cosine, radius * sine};
}

} // namespace memformer
