// Products of tf32 on emulated GPUs against double loops over rounded entries, and over those as
// they are.

#include "test/codegen/kernel_harness.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace memformer::testing;

namespace {

struct Form {
  const char *name;
  /// Columns of a packed panel; 0: B by rows.
  int64_t panel = 0;
  bool transposed = false, accumulate = false, normalize = false;
};

struct Size {
  int64_t m, n, k;
};

/// The nearest number with a significand of 11 bits, ties away from zero.
float roundToTF32(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  bits = (bits + 0x1000) & 0xffffe000;
  std::memcpy(&x, &bits, sizeof(bits));
  return x;
}

Tensor packed(const Tensor &b, int64_t width) {
  int64_t k = b.shape[0], n = b.shape[1], panels = (n + width - 1) / width;
  Tensor result = zeros({panels, k, width});
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < k; ++i)
      result.floats[size_t((j / width * k + i) * width + j % width)] = b.floats[size_t(i * n + j)];
  return result;
}

std::string gemm(const Form &form, int64_t n, const std::vector<Tensor> &operands,
                 const std::vector<Tensor> &results) {
  std::string types = operands[0].type() + ", " + operands[1].type();
  if (form.normalize)
    types += ", " + operands[2].type() + ", " + operands[3].type();
  return std::string("kernel.gemm %0, %1") + (form.normalize ? " normalize(%2, %3)" : "") + " n " +
         std::to_string(n) + (form.transposed ? " transpose_a" : "") +
         (form.panel ? " packed" : "") + " operands tf32" +
         (form.accumulate ? " accumulate @p" : "") + " : (" + types + ") -> " +
         (results.empty() ? "()" : results[0].type()) +
         " {\n^bb0(%x: f32, %i: i32):\n  kernel.yield %x : f32\n}";
}

// One without tensor cores of tf32, whose kernels round as well, and one with.
std::vector<std::string> targets() { return testedGPUs(/*oldest=*/true); }

void checkGemm(const Form &form, const Size &s) {
  Tensor a = uniform(form.transposed ? std::vector{s.k, s.m} : std::vector{s.m, s.k}, 1);
  Tensor b = uniform({s.k, s.n}, 2), scale = uniform({s.k}, 3), shift = uniform({s.k}, 4);
  std::vector<Tensor> operands = {a, form.panel ? packed(b, form.panel) : b}, results;
  if (form.normalize)
    operands.insert(operands.end(), {scale, shift});
  std::optional<Tensor> buffer;
  if (form.accumulate)
    buffer = uniform({s.m, s.n}, 6);
  else
    results.push_back(zeros({s.m, s.n}));
  // Entries of A, normalised where they are.
  std::vector<double> rows(size_t(s.m * s.k));
  for (int64_t i = 0; i < s.m; ++i) {
    double mean = 0, variance = 0;
    for (int64_t k = 0; k < s.k; ++k)
      mean += (rows[size_t(i * s.k + k)] = form.transposed ? a[k * s.m + i] : a[i * s.k + k]) /
              double(s.k);
    for (int64_t k = 0; k < s.k; ++k)
      variance += std::pow(rows[size_t(i * s.k + k)] - mean, 2) / double(s.k);
    for (int64_t k = 0; form.normalize && k < s.k; ++k) {
      double &x = rows[size_t(i * s.k + k)];
      x = (x - mean) / std::sqrt(variance + 1e-5) * scale[k] + shift[k];
    }
  }
  for (bool rounds : {true, false}) {
    // A normalised row is not known to the last bit, and what it is rounded to neither.
    if (rounds && form.normalize)
      continue;
    auto expected = [&](const std::vector<Tensor> &) {
      Expected product;
      double largest = 0;
      for (int64_t i = 0; i < s.m; ++i)
        for (int64_t j = 0; j < s.n; ++j) {
          double sum = form.accumulate ? (*buffer)[i * s.n + j] : 0, magnitude = std::abs(sum);
          for (int64_t k = 0; k < s.k; ++k) {
            double x = rows[size_t(i * s.k + k)], y = b[k * s.n + j];
            if (rounds)
              x = roundToTF32(float(x)), y = roundToTF32(float(y));
            sum += x * y;
            magnitude += std::abs(x * y);
          }
          largest = std::max(largest, magnitude);
          product.entries.push_back(sum);
        }
      product.tolerance = double(s.k + 4) * roundoff * largest;
      // Both factors are wrong by half of a last place of 11 bits.
      if (!rounds)
        product.tolerance += (0x1p-10 + 0x1p-22) * largest;
      if (form.normalize)
        product.tolerance += 256 * roundoff * largest;
      return std::vector<std::pair<size_t, Expected>>{{operands.size(), product}};
    };
    check({std::string(form.name) + " " + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" +
               std::to_string(s.k),
           gemm(form, s.n, operands, results), operands, buffer, results, expected},
          targets());
  }
}

class TF32Gemm : public ::testing::TestWithParam<Form> {};

TEST_P(TF32Gemm, OddShapes) {
  for (const Size &size : {Size{1, 1, 1}, Size{2, 3, 5}, Size{17, 33, 31}, Size{29, 96, 64},
                           Size{131, 40, 513}, Size{5, 70, 1030}, Size{64, 128, 48}})
    checkGemm(GetParam(), size);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, TF32Gemm,
    ::testing::Values(Form{.name = "rows"}, Form{.name = "packed", .panel = 64},
                      Form{.name = "narrow", .panel = 5},
                      Form{.name = "normalized", .panel = 64, .normalize = true},
                      Form{.name = "gradient", .transposed = true, .accumulate = true}),
    [](const auto &info) { return std::string(info.param.name); });

// Ties, what rounds up to infinity, infinities and NaN come out as the format has them.
TEST(TF32GemmBits, OfExtremeEntries) {
  constexpr float infinity = INFINITY;
  const float entries[] = {1 + 0x1p-11f, -1 - 0x1p-11f,       1 + 0x1p-12f, 0x1.fffffep127f,
                           -infinity,    std::nanf("0x1fff"), 0x1p-100f,    -0.0f};
  Tensor a = zeros({8, 4}), b = zeros({4, 8}), c = zeros({8, 8});
  for (int64_t i = 0; i < 8; ++i)
    a.floats[size_t(4 * i)] = entries[i];
  b.floats[0] = 1;
  const float expected[] = {1 + 0x1p-10f, -1 - 0x1p-10f, 1, infinity, -infinity, NAN, 0x1p-100f, 0};
  for (const std::string &target : targets()) {
    SCOPED_TRACE(target);
    auto results = runOn(target, gemm({.name = ""}, 8, {a, b}, {c}), {a, b}, {c}, {a, b, c});
    ASSERT_EQ(results.size(), 3u);
    for (int64_t i = 0; i < 8; ++i) {
      auto found = float(results[2][8 * i]);
      if (std::isnan(expected[i]))
        EXPECT_TRUE(std::isnan(found)) << i;
      else
        EXPECT_EQ(found, expected[i]) << i;
    }
  }
}

} // namespace
