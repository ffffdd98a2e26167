// Rows of attention to tokens, of each those of most weight.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace memformer {

/// A weight in [0, 1] as a multiple of 1/65535.
uint16_t quantiseWeight(double weight);
/// Little-endian numbers as base64.
std::string packNumbers(std::span<const uint16_t> values);

/// Tokens of less weight are not stored.
inline constexpr double leastAttention = 0.002;

class SparseAttention {
public:
  /// The `most` largest of a row, whose length is at most 65536.
  void add(std::span<const float> row, int64_t most);
  /// Tokens of all rows.
  int64_t size() const { return int64_t(places.size()); }
  /// The most tokens of a row for which all rows together have at most `limit`.
  int64_t fitting(int64_t limit) const;
  /// Drops all but the `most` largest of each row.
  void shorten(int64_t most);
  void clear();

  /// `counts`, `positions` and `weights`, packed.
  nlohmann::ordered_json json() const;

private:
  std::vector<uint16_t> counts;  // by row
  std::vector<uint16_t> places;  // ascending in a row
  std::vector<uint16_t> weights; // of the places
  std::vector<uint32_t> order;   // scratch
};

} // namespace memformer
