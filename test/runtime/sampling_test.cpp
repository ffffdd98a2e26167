// Sampling: what is drawn, how often, and what is refused.

#include "runtime/generation/sampling.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <map>

namespace memformer {
namespace {

// How often each token is drawn in `count` draws.
std::map<int32_t, int> drawn(const Sampling &settings, std::vector<float> logits, int count) {
  Sampler sampler(settings);
  std::map<int32_t, int> times;
  for (int i = 0; i < count; ++i) {
    auto token = sampler.sample(logits, uint64_t(i), 0);
    EXPECT_TRUE(token) << token.error().message;
    ++times[token.value_or(-1)];
  }
  return times;
}

const std::vector<float> logits = {std::log(0.1f), std::log(0.4f), std::log(0.2f), std::log(0.3f)};

TEST(Sampling, FollowsTheProbabilities) {
  constexpr int count = 40000;
  auto times = drawn({}, logits, count);
  for (auto [token, p] : std::map<int32_t, double>{{0, 0.1}, {1, 0.4}, {2, 0.2}, {3, 0.3}})
    // Five standard deviations.
    EXPECT_NEAR(times[token], p * count, 5 * std::sqrt(p * (1 - p) * count)) << token;
  // p^2 of a temperature of one half.
  times = drawn({.temperature = 0.5}, logits, count);
  for (auto [token, p] : std::map<int32_t, double>{{0, 1}, {1, 16}, {2, 4}, {3, 9}})
    EXPECT_NEAR(times[token], p / 30 * count, 5 * std::sqrt(p / 30 * count)) << token;
}

TEST(Sampling, KeepsTheLikeliest) {
  auto tokensOf = [](const std::map<int32_t, int> &times) {
    std::vector<int32_t> tokens;
    for (auto [token, count] : times)
      tokens.push_back(token);
    return tokens;
  };
  using Tokens = std::vector<int32_t>;
  EXPECT_EQ(tokensOf(drawn({.temperature = 0}, logits, 50)), Tokens({1}));
  EXPECT_EQ(tokensOf(drawn({.topK = 1}, logits, 50)), Tokens({1}));
  EXPECT_EQ(tokensOf(drawn({.topK = 2}, logits, 500)), Tokens({1, 3}));
  EXPECT_EQ(tokensOf(drawn({.topK = 9}, logits, 500)), Tokens({0, 1, 2, 3}));
  EXPECT_EQ(tokensOf(drawn({.topP = 0.1}, logits, 50)), Tokens({1}));
  EXPECT_EQ(tokensOf(drawn({.topP = 0.65}, logits, 500)), Tokens({1, 3}));
  EXPECT_EQ(tokensOf(drawn({.topP = 0.75}, logits, 500)), Tokens({1, 2, 3}));
  EXPECT_EQ(tokensOf(drawn({.topK = 3, .topP = 0.6}, logits, 500)), Tokens({1, 3}));
  // Of equals the first, and what is impossible never.
  EXPECT_EQ(tokensOf(drawn({.temperature = 0}, {1, 2, 2}, 20)), Tokens({1}));
  EXPECT_EQ(tokensOf(drawn({.topK = 1}, {1, 2, 2}, 20)), Tokens({1}));
  const float never = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(tokensOf(drawn({}, {never, 0, never}, 200)), Tokens({1}));
  EXPECT_EQ(tokensOf(drawn({}, {3}, 20)), Tokens({0}));
}

TEST(Sampling, DependsOnSeedIndexAndRowAlone) {
  const std::vector<float> even(64, 0);
  auto draw = [&](uint64_t seed, uint64_t row) {
    std::vector<int32_t> tokens;
    for (uint64_t i = 0; i < 32; ++i)
      tokens.push_back(*Sampler({.seed = seed}).sample(even, i, row));
    return tokens;
  };
  EXPECT_EQ(draw(1, 0), draw(1, 0));
  EXPECT_NE(draw(1, 0), draw(2, 0));
  EXPECT_NE(draw(1, 0), draw(1, 1));
}

TEST(Sampling, RefusesWhatIsNoNumber) {
  const float infinity = std::numeric_limits<float>::infinity();
  auto message = [](std::vector<float> logits) {
    auto token = Sampler({}).sample(logits, 0, 0);
    return token ? "" : token.error().message;
  };
  EXPECT_EQ(message({0, std::nanf(""), 1}),
            "the logit of token 1 is nan: the weights are not those of a trained model");
  EXPECT_EQ(message({infinity}),
            "the logit of token 0 is inf: the weights are not those of a trained model");
  EXPECT_EQ(message({-infinity, -infinity}),
            "expected a token that is possible, but every logit is -inf");
  EXPECT_EQ(checkSampling({.temperature = std::nan("")}).error().message,
            "expected a temperature of at least 0, but got nan");
  EXPECT_EQ(checkSampling({.topK = -1}).error().message,
            "expected top-k to be at least 0, but got -1");
  EXPECT_EQ(checkSampling({.topP = 1.5}).error().message, "expected top-p in (0, 1], but got 1.5");
  EXPECT_TRUE(checkSampling({.temperature = 0, .topK = 3, .topP = 1}));
}

} // namespace
} // namespace memformer
