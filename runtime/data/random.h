// Random numbers as functions of a key: the same on every machine, and nothing to store but the
// key.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace memformer {

/// A bijection of 64 bits in which every input bit changes every output bit (the finalizer of
/// SplitMix64).
inline uint64_t mixBits(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

inline uint64_t hashKey(std::initializer_list<uint64_t> key) {
  uint64_t hash = 0x2545f4914f6cdd1du;
  for (uint64_t word : key)
    hash = mixBits(hash ^ (word + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2)));
  return hash;
}

/// The sequence of numbers that belongs to a key.
class Random {
public:
  explicit Random(std::initializer_list<uint64_t> key) : state(hashKey(key)) {}

  uint64_t next() { return mixBits(state += 0x9e3779b97f4a7c15u); }
  /// In [0, bound).
  int64_t below(int64_t bound) {
    return int64_t((__extension__(unsigned __int128)(next()) * uint64_t(bound)) >> 64);
  }

private:
  uint64_t state;
};

/// Where `index` goes in the permutation of [0, count) that belongs to `key`: four rounds of a
/// Feistel network over the next power of four, walked until the value is in range.
inline int64_t permute(uint64_t key, int64_t index, int64_t count) {
  int half = 1;
  while ((int64_t(1) << (2 * half)) < count)
    ++half;
  uint64_t mask = (uint64_t(1) << half) - 1;
  uint64_t value = uint64_t(index);
  do {
    uint64_t left = value >> half, right = value & mask;
    for (uint64_t round = 0; round < 4; ++round) {
      uint64_t mixed = left ^ (hashKey({key, round, right}) & mask);
      left = right;
      right = mixed;
    }
    value = (left << half) | right;
  } while (value >= uint64_t(count));
  return int64_t(value);
}

} // namespace memformer
