// Dynamic loss scaling: what the loss is multiplied by so that small gradients do not vanish in
// f16.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace memformer {

/// The gradient's seed is multiplied by `value`, a power of two, and gradients are divided by it
/// before their norm is taken, both exactly. What exceeds f16 on the way is infinite, and so is the
/// norm: such a step is left out, and the next one is tried with half the scale; after
/// `growthInterval` steps in a row that were taken it is doubled.
struct LossScale {
  static constexpr int leastExponent = -24, mostExponent = 64;
  static constexpr double first = 65536;
  static constexpr int64_t growthInterval = 2000;

  double value = 1;
  bool isDynamic = false;
  int64_t goodSteps = 0; // since the scale last changed
  int64_t skipped = 0;   // steps in all

  static LossScale dynamic() { return {.value = first, .isDynamic = true}; }
  /// Whether x is a power of two from 2^leastExponent to 2^mostExponent.
  static bool isOne(double x) {
    int exponent = 0;
    return std::isfinite(x) && std::frexp(x, &exponent) == 0.5 && exponent > leastExponent &&
           exponent <= mostExponent + 1;
  }
  /// Steps have been left out until nothing is left to halve.
  bool isExhausted() const { return value < std::ldexp(1, leastExponent); }
  /// After a step whose gradient had this norm: whether it was taken.
  bool update(double norm) {
    const bool taken = std::isfinite(norm);
    skipped += !taken;
    if (!isDynamic)
      return taken;
    goodSteps = taken ? goodSteps + 1 : 0;
    if (!taken)
      value /= 2;
    if (goodSteps == growthInterval) {
      value = std::min(2 * value, std::ldexp(1, mostExponent));
      goodSteps = 0;
    }
    return taken;
  }
};

} // namespace memformer
