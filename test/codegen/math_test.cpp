// The vector polynomials against the C library in double precision, over all binades.

#include "test/codegen/kernel_harness.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>

using namespace memformer::testing;

namespace {

struct Function {
  const char *op;
  double (*reference)(double);
  float low, high;
  /// Of the relative error, in units of roundoff · 2 = 2⁻²³.
  double ulps;
};

class Math : public ::testing::TestWithParam<Function> {};

// A map kernel of one function, run.
std::vector<Tensor> runFunction(const char *op, const Tensor &x, const std::string &target) {
  std::string body = "kernel.map %0 trailing : (" + x.type() + ") -> " + x.type() +
                     " {\n^bb0(%x: f32, %i: i32):\n  %y = math." + op +
                     " %x : f32\n  kernel.yield %y : f32\n}";
  return runOn(target, body, {x}, {x}, {x, x});
}

// Finite numbers of every exponent and both signs within [low, high], then what is special.
Tensor samples(float low, float high) {
  std::vector<float> values;
  for (uint32_t bits = 0; bits < 0x7f800000; bits += 4093) {
    float x;
    std::memcpy(&x, &bits, 4);
    for (float value : {x, -x})
      if (value >= low && value <= high)
        values.push_back(value);
  }
  // Dense where the functions bend.
  for (int i = 0; i < 200000; ++i) {
    float value = -20.0f + 40.0f * float(i) / 200000;
    if (value >= low && value <= high)
      values.push_back(value);
  }
  values.push_back(low);
  values.push_back(high);
  Tensor tensor = zeros({int64_t(values.size())});
  tensor.floats = values;
  return tensor;
}

TEST_P(Math, IsAccurate) {
  const Function &function = GetParam();
  Tensor x = samples(function.low, function.high);
  for (const std::string &target : testedTargets()) {
    std::vector<Tensor> after = runFunction(function.op, x, target);
    ASSERT_FALSE(after.empty());
    const Tensor &y = after[1];
    double worst = 0;
    float where = 0;
    for (int64_t i = 0; i < x.entries(); ++i) {
      double expected = function.reference(x[i]);
      // Results and arguments that are not normal numbers are treated as zero.
      if (std::abs(expected) < std::numeric_limits<float>::min() ||
          (std::abs(x[i]) < std::numeric_limits<float>::min() && x[i] != 0))
        continue;
      double error = std::abs(y[i] - expected) / std::abs(expected);
      if (!(error <= worst)) {
        worst = std::isnan(error) ? INFINITY : error;
        where = x.floats[size_t(i)];
      }
    }
    std::printf("%s on %s: %.2f ulp at %.9g\n", function.op, target.c_str(), worst / (2 * roundoff),
                where);
    EXPECT_LE(worst, function.ulps * 2 * roundoff) << function.op << " of " << where;
  }
}

INSTANTIATE_TEST_SUITE_P(Functions, Math,
                         ::testing::Values(Function{"exp", std::exp, -87.3365f, 88.7228317f, 1.5},
                                           Function{"exp2", std::exp2, -126.0f, 127.99999f, 1.5},
                                           Function{"log", std::log, 1.17549435e-38f, 3.4e38f, 1.5},
                                           Function{"tanh", std::tanh, -3.4e38f, 3.4e38f, 3}),
                         [](const auto &info) { return info.param.op; });

TEST(MathSpecial, ValuesBeyondTheRange) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  Tensor x = zeros({10});
  x.floats = {infinity, -infinity, nan, 0, -1, 200, -200, 3.4e38f, -3.4e38f, -nan};
  struct Case {
    const char *op;
    std::vector<float> expected;
  };
  const Case cases[] = {
      {"exp", {infinity, 0, nan, 1, std::exp(-1.0f), infinity, 0, infinity, 0, nan}},
      {"exp2", {infinity, 0, nan, 1, 0.5f, infinity, 0, infinity, 0, nan}},
      {"log",
       {infinity, nan, nan, -infinity, nan, std::log(200.0f), nan, std::log(3.4e38f), nan, nan}},
      {"tanh", {1, -1, nan, 0, std::tanh(-1.0f), 1, -1, 1, -1, nan}},
  };
  for (const std::string &target : testedTargets())
    for (const Case &test : cases) {
      std::vector<Tensor> after = runFunction(test.op, x, target);
      ASSERT_FALSE(after.empty());
      const Tensor &y = after[1];
      for (size_t i = 0; i < test.expected.size(); ++i) {
        SCOPED_TRACE(std::string(test.op) + " of " + std::to_string(x.floats[i]));
        if (std::isnan(test.expected[i]))
          EXPECT_TRUE(std::isnan(y.floats[i])) << y.floats[i];
        else
          EXPECT_FLOAT_EQ(y.floats[i], test.expected[i]);
      }
    }
}

} // namespace
