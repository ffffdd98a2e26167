// The model with states of integers, data for it, and what its states have to hold.
#pragma once

#include "runtime/random.h"
#include "runtime/result.h"
#include "runtime/safetensors.h"
#include "test/product/tensors.h"

#include <bit>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace memformer::test {

/// 3 rows, segments of 5 tokens below 11, of which 10 stands before a stream; it keeps 7 tokens.
inline const std::string integerStateModel =
    std::string(MEMFORMER_CASES) + "/../passes/schedule/Inputs/integer-states.mlir";
inline constexpr int64_t rows = 3, length = 5, window = 7, oldest = 3;
inline constexpr int32_t vocabulary = 11, bos = 10, separator = 9;

inline uint32_t draw(uint64_t index) {
  uint64_t x = (index + 1) * 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  return uint32_t((x ^ (x >> 27)) >> 33);
}

/// Ids of 16 bits, in which documents end now and then.
inline std::string streamOfTokens() {
  std::string bytes;
  for (uint64_t i = 0; i < 900; ++i) {
    bytes += char(draw(i) % 17 == 0 ? separator : draw(i) % 9);
    bytes += '\0';
  }
  return bytes;
}

/// Rollouts that begin with stored states, and rows that restart where documents do.
inline std::string streamSettings(const std::filesystem::path &ids) {
  return fmt::format(
      "[train]\nsteps = 14\nhorizon = 3\nstride = 2\nlog_every = 1\n[data]\nkind = "
      "\"tokens\"\npath = \"{}\"\nbos = {}\nseparator_token = {}\nvalidation = 0.2\n",
      ids.native(), bos, separator);
}

struct TracedTokens {
  int64_t segments = 6;
  std::vector<int32_t> tokens, targets, reset;
};

inline TracedTokens drawTokens() {
  TracedTokens result;
  const auto count = uint64_t(result.segments * rows * length);
  for (uint64_t i = 0; i < count; ++i) {
    result.tokens.push_back(int32_t(draw(i) % vocabulary));
    result.targets.push_back(int32_t(draw(i + count) % (vocabulary + 1)) - 1);
  }
  for (int64_t t = 0; t < result.segments; ++t)
    for (int64_t row = 0; row < rows; ++row)
      result.reset.push_back(t == 0 || (t == 2 && row == 1) || (t == 3 && row != 1));
  return result;
}

inline bool writeTokens(const TracedTokens &tokens, const std::string &path) {
  auto bytes = [](const std::vector<int32_t> &values) { return std::as_bytes(std::span(values)); };
  const std::vector<int64_t> shape = {tokens.segments, rows, length};
  const SafetensorsTensor tensors[] = {
      {"decoder_tokens", SafetensorsType::I32, shape, bytes(tokens.tokens)},
      {"targets", SafetensorsType::I32, shape, bytes(tokens.targets)},
      {"reset", SafetensorsType::I32, {tokens.segments, rows}, bytes(tokens.reset)}};
  return writeSafetensors(path, tensors).has_value();
}

/// What enters each segment, and what is left in the end: the last tokens and the number of
/// segments since the row began.
inline void expectStates(const TracedTokens &tokens, const Tensors &found) {
  ASSERT_TRUE(found.contains("recent") && found.contains("age") && found.contains("summary") &&
              found.contains("level"));
  const FloatTensor &recent = found.at("recent"), &age = found.at("age");
  ASSERT_EQ(recent.shape, (std::vector<int64_t>{tokens.segments + 1, rows, window}));
  ASSERT_EQ(age.shape, (std::vector<int64_t>{tokens.segments + 1, rows}));
  EXPECT_EQ(found.at("summary").shape, (std::vector<int64_t>{tokens.segments + 1, rows, 2, 1, 3}));
  EXPECT_EQ(found.at("level").shape, (std::vector<int64_t>{tokens.segments + 1, rows}));
  for (int64_t row = 0; row < rows; ++row) {
    std::vector<int32_t> last;
    int32_t behind = 0;
    for (int64_t t = 0; t <= tokens.segments; ++t) {
      if (t < tokens.segments && tokens.reset[size_t(t * rows + row)]) {
        last.assign(size_t(window), bos);
        behind = 0;
      }
      SCOPED_TRACE(fmt::format("segment {}, row {}", t, row));
      const auto place = size_t(t * rows + row);
      EXPECT_EQ(std::bit_cast<int32_t>(age.values[place]), behind);
      for (size_t i = 0; i < size_t(window); ++i)
        EXPECT_EQ(std::bit_cast<int32_t>(recent.values[place * size_t(window) + i]), last[i]) << i;
      if (t == tokens.segments)
        break;
      const auto begin = tokens.tokens.begin() + (t * rows + row) * length;
      last.insert(last.end(), begin, begin + length);
      last.erase(last.begin(), last.end() - window);
      behind = std::min<int32_t>(behind + 1, oldest);
    }
  }
}

} // namespace memformer::test
