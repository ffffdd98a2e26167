// Counter-based random numbers: the same on every machine, in any order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace memformer {

/// A bijection whose every output bit depends on every input bit (the finalizer of splitmix64).
constexpr uint64_t mixBits(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// One more word of a key that is made of several.
constexpr uint64_t extendKey(uint64_t key, uint64_t word) {
  return mixBits((key ^ word) + 0x9e3779b97f4a7c15);
}

/// The bytes of a text and its length.
constexpr uint64_t extendKey(uint64_t key, std::string_view text) {
  for (char c : text)
    key = extendKey(key, uint64_t(static_cast<unsigned char>(c)));
  return extendKey(key, uint64_t(text.size()));
}

/// The 64 bits that a key holds at a counter.
constexpr uint64_t randomBits(uint64_t key, uint64_t counter) {
  return mixBits(key + (counter + 1) * 0x9e3779b97f4a7c15);
}

/// What the input `dropout_key` holds, low half first.
constexpr std::array<uint32_t, 2> dropoutKey(uint64_t seed, uint64_t step, uint64_t position) {
  const uint64_t key = extendKey(extendKey(extendKey(0, seed), step), position);
  return {uint32_t(key), uint32_t(key >> 32)};
}

/// Uniform in (0, 1): the middle of one of 2^53 equal intervals, never an end.
constexpr double uniformFromBits(uint64_t bits) { return (double(bits >> 11) + 0.5) * 0x1p-53; }

/// Two independent standard normal numbers of the counters 2 * pair and 2 * pair + 1.
std::pair<double, double> normalPair(uint64_t key, uint64_t pair);

} // namespace memformer
