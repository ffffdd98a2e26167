// Random numbers as functions of a key: the same on every machine, and nothing to store but the
// key.
#pragma once

#include "runtime/random.h"

#include <cstdint>
#include <initializer_list>

namespace memformer {

inline uint64_t hashKey(std::initializer_list<uint64_t> words) {
  uint64_t key = 0;
  for (uint64_t word : words)
    key = extendKey(key, word);
  return key;
}

/// The sequence of numbers that belongs to a key.
class Random {
public:
  explicit Random(std::initializer_list<uint64_t> words) : key(hashKey(words)) {}

  uint64_t next() { return randomBits(key, counter++); }
  /// In [0, bound).
  int64_t below(int64_t bound) {
    return int64_t((__extension__(unsigned __int128)(next()) * uint64_t(bound)) >> 64);
  }

private:
  uint64_t key;
  uint64_t counter = 0;
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
