// Random numbers and initializers: right in distribution, and the same everywhere.

#include "runtime/initialize.h"
#include "runtime/random.h"

#include <cmath>
#include <gtest/gtest.h>
#include <numbers>

namespace memformer {
namespace {

std::vector<float> draw(Initializer::Kind kind, double value, std::vector<int64_t> shape,
                        std::string name = "p", uint64_t seed = 1, unsigned threads = 1) {
  ParameterInfo info;
  info.name = std::move(name);
  info.shape = std::move(shape);
  info.initializer = {kind, value};
  std::vector<float> values(size_t(info.elements()));
  auto pool = ThreadPool::create(threads);
  initializeParameter(info, seed, values, **pool);
  return values;
}

TEST(Random, NormalPairIsBoxAndMuller) {
  for (uint64_t pair = 0; pair < 20000; ++pair) {
    const double u = uniformFromBits(randomBits(11, 2 * pair));
    const double angle = 2 * std::numbers::pi * uniformFromBits(randomBits(11, 2 * pair + 1));
    const double radius = std::sqrt(-2 * std::log(u));
    const auto [first, second] = normalPair(11, pair);
    ASSERT_NEAR(first, radius * std::cos(angle), 4e-15);
    ASSERT_NEAR(second, radius * std::sin(angle), 4e-15);
  }
}

TEST(Random, Moments) {
  for (auto kind : {Initializer::Kind::Normal, Initializer::Kind::Uniform}) {
    const auto values = draw(kind, 0.5, {99999});
    double sum = 0, squares = 0, neighbours = 0, largest = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      sum += values[i];
      squares += values[i] * values[i];
      neighbours += values[i] * values[(i + 1) % values.size()];
      largest = std::max(largest, std::abs(double(values[i])));
    }
    const bool normal = kind == Initializer::Kind::Normal;
    const double variance = normal ? 0.25 : 0.25 / 3, n = double(values.size());
    // Five standard errors.
    EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(variance / n));
    EXPECT_NEAR(squares / n, variance, 5 * variance * std::sqrt(2 / n));
    EXPECT_NEAR(neighbours / n, 0, 5 * variance / std::sqrt(n));
    if (normal) {
      EXPECT_GT(largest, 3 * 0.5);
    } else {
      EXPECT_LE(largest, 0.5);
    }
  }
}

TEST(Random, RowsHaveTheLengthAskedFor) {
  const auto values = draw(Initializer::Kind::Rows, 0.3, {64, 37});
  for (size_t row = 0; row < 64; ++row) {
    double squares = 0, product = 0;
    for (size_t j = 0; j < 37; ++j) {
      squares += double(values[row * 37 + j]) * values[row * 37 + j];
      product += double(values[row * 37 + j]) * values[(row + 1) % 64 * 37 + j];
    }
    EXPECT_NEAR(std::sqrt(squares), 0.3, 1e-7);
    EXPECT_LT(std::abs(product), 0.09 * 0.8); // no two are near each other
  }
}

TEST(Random, ConstantsAndEmptyTensors) {
  EXPECT_EQ(draw(Initializer::Kind::Constant, 1, {5}), std::vector<float>(5, 1));
  EXPECT_TRUE(draw(Initializer::Kind::Normal, 1, {0, 4}).empty());
  EXPECT_TRUE(draw(Initializer::Kind::Rows, 1, {4, 0}).empty());
}

TEST(Random, DependsOnSeedAndNameNotOnThreads) {
  const auto values = draw(Initializer::Kind::Normal, 1, {3, 20001});
  EXPECT_EQ(values, draw(Initializer::Kind::Normal, 1, {3, 20001}, "p", 1, 4));
  EXPECT_NE(values, draw(Initializer::Kind::Normal, 1, {3, 20001}, "p", 2));
  EXPECT_NE(values, draw(Initializer::Kind::Normal, 1, {3, 20001}, "q", 1));
  EXPECT_EQ(draw(Initializer::Kind::Rows, 1, {300, 65}),
            draw(Initializer::Kind::Rows, 1, {300, 65}, "p", 1, 3));
}

/// FNV-1a of the bytes.
uint64_t digest(const std::vector<float> &values) {
  uint64_t hash = 0xcbf29ce484222325;
  for (std::byte byte : std::as_bytes(std::span(values)))
    hash = (hash ^ uint64_t(byte)) * 0x100000001b3;
  return hash;
}

// Another machine, compiler or C library must give these very bits: seeds are written into papers.
TEST(Random, TheSameOnEveryMachine) {
  EXPECT_EQ(mixBits(1), 0x5692161d100b05e5u);
  EXPECT_EQ(digest(draw(Initializer::Kind::Normal, 0.02, {100003})), 15669980112606411438u);
  EXPECT_EQ(digest(draw(Initializer::Kind::Uniform, 0.1, {100003})), 18105910242097435230u);
  EXPECT_EQ(digest(draw(Initializer::Kind::Rows, 0.3, {1009, 33})), 8807610523385500292u);
}

} // namespace
} // namespace memformer
