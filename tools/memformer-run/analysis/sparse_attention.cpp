// Rows of attention to tokens, of each those of most weight.
#include "tools/memformer-run/analysis/sparse_attention.h"

#include <algorithm>
#include <cmath>

namespace memformer {

uint16_t quantiseWeight(double weight) {
  return uint16_t(std::lround(std::clamp(weight, 0.0, 1.0) * 65535));
}

std::string packNumbers(std::span<const uint16_t> values) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve(values.size() * 8 / 3 + 4);
  const size_t bytes = 2 * values.size();
  auto byte = [&](size_t i) {
    return i < bytes ? uint32_t(values[i / 2] >> (i % 2 ? 8 : 0)) & 255u : 0u;
  };
  for (size_t i = 0; i < bytes; i += 3) {
    const uint32_t three = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (size_t digit = 0; digit < 4; ++digit)
      text += i + digit > bytes ? '=' : digits[three >> (18 - 6 * digit) & 63];
  }
  return text;
}

// Shortens `order`, which is ascending, to the entries that weigh most; of equals the first.
static void keepLargest(std::vector<uint32_t> &order, int64_t most, auto weightOf) {
  if (int64_t(order.size()) <= most)
    return;
  std::ranges::nth_element(order, order.begin() + most, [&](uint32_t a, uint32_t b) {
    return weightOf(a) != weightOf(b) ? weightOf(a) > weightOf(b) : a < b;
  });
  order.resize(size_t(most));
  std::ranges::sort(order);
}

void SparseAttention::add(std::span<const float> row, int64_t most) {
  order.clear();
  for (uint32_t i = 0; i < row.size(); ++i)
    if (double(row[i]) >= leastAttention)
      order.push_back(i);
  keepLargest(order, most, [&](uint32_t i) { return row[i]; });
  counts.push_back(uint16_t(order.size()));
  for (uint32_t position : order) {
    places.push_back(uint16_t(position));
    weights.push_back(quantiseWeight(double(row[position])));
  }
}

int64_t SparseAttention::fitting(int64_t limit) const {
  // Rows that have a token of each rank, the largest first.
  std::vector<int64_t> rows;
  for (uint16_t count : counts) {
    if (count > rows.size())
      rows.resize(count);
    for (size_t rank = 0; rank < count; ++rank)
      ++rows[rank];
  }
  int64_t most = 0, total = 0;
  while (most < int64_t(rows.size()) && total + rows[size_t(most)] <= limit)
    total += rows[size_t(most++)];
  return most;
}

void SparseAttention::shorten(int64_t most) {
  uint32_t from = 0;
  size_t to = 0;
  for (uint16_t &count : counts) {
    order.clear();
    for (uint32_t i = 0; i < count; ++i)
      order.push_back(from + i);
    from += count;
    keepLargest(order, most, [&](uint32_t i) { return weights[i]; });
    count = uint16_t(order.size());
    // To places that have been read already.
    for (uint32_t i : order) {
      places[to] = places[i];
      weights[to++] = weights[i];
    }
  }
  places.resize(to);
  weights.resize(to);
}

void SparseAttention::clear() { *this = SparseAttention(); }

nlohmann::ordered_json SparseAttention::json() const {
  return {{"counts", packNumbers(counts)},
          {"positions", packNumbers(places)},
          {"weights", packNumbers(weights)}};
}

} // namespace memformer
