// Weights that are stored in fewer bytes than they are read as, packed and multiplied.

#include "codegen/EachKernel.h"
#include "test/codegen/kernel_harness.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace memformer::testing;

namespace {

using Entries = std::vector<double>;
using Compared = std::vector<std::pair<size_t, Expected>>;

struct Size {
  int64_t m, n, k;
};

constexpr int64_t width = 32;

/// B [k, n] in panels [P, k, width] of whole numbers, and their scales [n].
struct Quantized {
  Tensor panels, scales;
};

Tensor panelsOf(const Tensor &b) {
  Tensor panels = zeros({(b.shape[1] + width - 1) / width, b.shape[0], width});
  for (int64_t i = 0; i < b.shape[0]; ++i)
    for (int64_t j = 0; j < b.shape[1]; ++j)
      panels.floats[size_t((j / width * b.shape[0] + i) * width + j % width)] =
          float(b[i * b.shape[1] + j]);
  return panels;
}

Quantized quantized(const Tensor &b) {
  const int64_t k = b.shape[0], n = b.shape[1];
  Tensor whole = b;
  Quantized result{zeros({(n + width - 1) / width, k, width}, true), zeros({n})};
  result.panels.byte = true;
  for (int64_t j = 0; j < n; ++j) {
    float largest = 0;
    for (int64_t i = 0; i < k; ++i)
      largest = std::max(largest, std::abs(float(b[i * n + j])));
    const float scale = result.scales.floats[size_t(j)] = largest / 127;
    for (int64_t i = 0; i < k; ++i)
      whole.floats[size_t(i * n + j)] =
          std::nearbyintf(float(b[i * n + j]) / (scale > 0 ? scale : 1));
  }
  const Tensor panels = panelsOf(whole);
  std::copy(panels.floats.begin(), panels.floats.end(), result.panels.ints.begin());
  return result;
}

Tensor transposed(const Tensor &b) {
  Tensor result = zeros({b.shape[1], b.shape[0]});
  for (int64_t i = 0; i < b.shape[0]; ++i)
    for (int64_t j = 0; j < b.shape[1]; ++j)
      result.floats[size_t(j * b.shape[0] + i)] = float(b[i * b.shape[1] + j]);
  return result;
}

std::string pack(const Tensor &input, bool transposed, const std::string &results) {
  return std::string("kernel.pack %0") + (transposed ? " transposed" : "") + " : (" + input.type() +
         ") -> " + results;
}

const Size sizes[] = {{1, 1, 1},    {2, 33, 7},    {3, 64, 18},  {4, 5, 129},
                      {1, 260, 37}, {2, 96, 1030}, {4, 97, 513}, {1, 31, 2048}};

TEST(StoredWeights, ArePacked) {
  for (const Size &size : sizes)
    for (bool turned : {false, true}) {
      Tensor b = uniform({size.k, size.n}, 1);
      for (int64_t i = 0; i < size.k; ++i)
        b.floats[size_t(i * size.n)] = 0; // a column of zeros
      if (size.n > 3 && size.k > 3)       // ties, to even
        for (int64_t i = 0; i < size.k; ++i)
          b.floats[size_t(i * size.n + 1)] = i == 0 ? -127 : float(i % 8) + 0.5F;
      Tensor input = turned ? transposed(b) : b;
      const Quantized expected = quantized(b);
      check(
          {"pack " + expected.panels.type(),
           pack(input, turned, "(" + expected.panels.type() + ", " + expected.scales.type() + ")"),
           {input},
           std::nullopt,
           {expected.panels, expected.scales},
           [&](const std::vector<Tensor> &) {
             return Compared{
                 {1, {Entries(expected.panels.ints.begin(), expected.panels.ints.end()), 0}},
                 {2, {Entries(expected.scales.floats.begin(), expected.scales.floats.end()), 0}}};
           }},
          testedCPUs());
      const Tensor half = narrowed(panelsOf(b));
      check({"pack " + half.type(),
             pack(input, turned, half.type()),
             {input},
             std::nullopt,
             {half},
             [&](const std::vector<Tensor> &) {
               return Compared{{1, {Entries(half.floats.begin(), half.floats.end()), 0}}};
             }});
    }
}

// A weight that is no number makes its column none, and no other.
TEST(StoredWeights, NotANumberStaysNone) {
  for (float entry : {NAN, INFINITY, -INFINITY}) {
    Tensor b = uniform({19, 40}, 1);
    b.floats[7 * 40 + 5] = entry;
    Quantized like = quantized(uniform({19, 40}, 1));
    for (const std::string &cpu : testedCPUs()) {
      auto kernel = Kernel::compile(
          pack(b, false, "(" + like.panels.type() + ", " + like.scales.type() + ")"), {b},
          {like.panels, like.scales}, cpu);
      ASSERT_TRUE(kernel);
      Tensor scales = kernel->run({b, like.panels, like.scales}).back();
      for (int64_t j = 0; j < 40; ++j)
        EXPECT_EQ(std::isnan(scales[j]), j == 5) << j << " on " << cpu;
    }
  }
}

// Products with stored weights are those of the numbers that are stored; and against f32 weights
// an entry of C errs by at most half a scale for each |a|.
void checkProduct(const Size &s, bool bytes) {
  Tensor a = uniform({s.m, s.k}, 3), b = uniform({s.k, s.n}, 4), bias = uniform({s.n}, 5);
  Tensor c = zeros({s.m, s.n});
  const Quantized whole = quantized(b);
  std::vector<Tensor> operands = {a, bytes ? whole.panels : narrowed(panelsOf(b)), bias};
  std::string types = a.type() + ", " + operands[1].type() + ", " + bias.type();
  std::string body = "kernel.gemm %0, %1 extras(%2 trailing" +
                     std::string(bytes ? ", %3 trailing" : "") + ") n " + std::to_string(s.n) +
                     " packed : (" + types + (bytes ? ", " + whole.scales.type() : "") + ") -> " +
                     c.type() + " {\n";
  body += bytes ? "^bb0(%x: f32, %y: f32, %s: f32, %i: i32):\n  %t = arith.mulf %x, %s : f32\n"
                  "  %z = arith.addf %t, %y : f32\n"
                : "^bb0(%x: f32, %y: f32, %i: i32):\n  %z = arith.addf %x, %y : f32\n";
  body += "  kernel.yield %z : f32\n}";
  if (bytes)
    operands.push_back(whole.scales);
  auto stored = [&](int64_t k, int64_t j) {
    if (!bytes)
      return double(roundToBF16(b[k * s.n + j]));
    return whole.scales[j] * whole.panels[(j / width * s.k + k) * width + j % width];
  };
  auto product = [&](bool exact) {
    Expected result;
    for (int64_t i = 0; i < s.m; ++i)
      for (int64_t j = 0; j < s.n; ++j) {
        double sum = bias[j], magnitude = std::abs(sum), rounding = 0;
        for (int64_t k = 0; k < s.k; ++k) {
          double x = a[i * s.k + k], y = exact ? b[k * s.n + j] : stored(k, j);
          sum += x * y;
          magnitude += std::abs(x * y);
          // Half a step of the whole numbers; of bf16, of the weight's own binade.
          rounding += std::abs(x) * (bytes ? whole.scales[j] / 2 : std::abs(y) * 0x1p-8);
        }
        result.entries.push_back(sum);
        double error = double(std::min<int64_t>(s.k, 512) + s.k / 512 + 6) * roundoff * magnitude;
        result.tolerance = std::max(result.tolerance, error + (exact ? 1.001 * rounding : 0));
      }
    return result;
  };
  for (bool exact : {false, true})
    check(
        {std::string(bytes ? "i8 " : "bf16 ") + c.type() + " of " + std::to_string(s.k) +
             (exact ? " against f32" : ""),
         body,
         operands,
         std::nullopt,
         {c},
         [&](const std::vector<Tensor> &) { return Compared{{operands.size(), product(exact)}}; }},
        bytes ? testedCPUs() : testedTargets());
}

TEST(StoredWeights, AreMultipliedAsF32) {
  for (const Size &size : sizes)
    for (bool bytes : {false, true})
      checkProduct(size, bytes);
}

TEST(StoredWeights, AreForCPUs) {
  auto target = memformer::nvptx::GpuTarget::get("sm_80");
  ASSERT_TRUE(bool(target));
  std::string text =
      memformer::textOfKernel(pack(zeros({4, 6}), false, "(tensor<1x4x32xi8>, tensor<6xf32>)"),
                              {"tensor<4x6xf32>"}, {"tensor<1x4x32xi8>", "tensor<6xf32>"});
  auto compiled = memformer::nvptx::compileKernel(text, *target);
  ASSERT_FALSE(bool(compiled));
  std::string message = llvm::toString(compiled.takeError());
  EXPECT_NE(message.find("but got one of i8"), std::string::npos) << message;
}

TEST(StoredWeights, AreForFewRows) {
  auto target = memformer::host::HostTarget::get("x86-64-v3");
  ASSERT_TRUE(bool(target));
  auto loaded = memformer::host::loadKernel(
      "kernel.gemm %0, %1 n 6 packed : (tensor<5x4xf32>, tensor<1x4x16xi8>) -> tensor<5x6xf32> "
      "{\n^bb0(%x: f32, %i: i32):\n  kernel.yield %x : f32\n}",
      {"tensor<5x4xf32>", "tensor<1x4x16xi8>"}, {"tensor<5x6xf32>"}, *target);
  ASSERT_FALSE(bool(loaded));
  std::string message = llvm::toString(loaded.takeError());
  EXPECT_NE(message.find("expected at most 4 rows"), std::string::npos) << message;
}

} // namespace
