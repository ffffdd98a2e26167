// Products of bf16 by warpgroups on an emulated GPU, against double loops over rounded entries.

#include "test/codegen/kernel_harness.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace memformer::testing;

namespace {

struct Form {
  const char *name;
  bool packed = false, transposed = false, accumulate = false, normalize = false;
  /// Stored in bf16 already.
  bool narrowA = false, narrowB = false;
};

struct Size {
  int64_t m, n, k;
};

// B [k, n] in panels of 64 columns, eight rows side by side.
Tensor packedEights(const Tensor &b) {
  int64_t k = b.shape[0], n = b.shape[1], panels = (n + 63) / 64, lines = (k + 7) / 8;
  Tensor result = zeros({panels, lines, 64, 8});
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = 0; j < n; ++j)
      result.floats[size_t((((j / 64) * lines + i / 8) * 64 + j % 64) * 8 + i % 8)] =
          float(b[i * n + j]);
  return narrowed(result);
}

std::string gemm(const Form &form, int64_t n, const std::vector<Tensor> &operands,
                 const std::vector<Tensor> &results) {
  std::string types = operands[0].type() + ", " + operands[1].type();
  if (form.normalize)
    types += ", " + operands[2].type() + ", " + operands[3].type();
  return std::string("kernel.gemm %0, %1") + (form.normalize ? " normalize(%2, %3)" : "") + " n " +
         std::to_string(n) + (form.transposed ? " transpose_a" : "") +
         (form.packed ? " packed" : "") + " operands bf16" +
         (form.accumulate ? " accumulate @p" : "") + " : (" + types + ") -> " +
         (results.empty() ? "()" : results[0].type()) +
         " {\n^bb0(%x: f32, %i: i32):\n  kernel.yield %x : f32\n}";
}

void checkGemm(const Form &form, const Size &s) {
  Tensor a = uniform(form.transposed ? std::vector{s.k, s.m} : std::vector{s.m, s.k}, 1);
  Tensor b = uniform({s.k, s.n}, 2), scale = uniform({s.k}, 3), shift = uniform({s.k}, 4);
  if (form.narrowA)
    a = narrowed(a);
  Tensor factor = form.packed ? packedEights(b) : form.narrowB ? narrowed(b) : b;
  std::vector<Tensor> operands = {a, factor}, results;
  if (form.normalize)
    operands.insert(operands.end(), {scale, shift});
  std::optional<Tensor> buffer;
  if (form.accumulate)
    buffer = uniform({s.m, s.n}, 6);
  else
    results.push_back(zeros({s.m, s.n}));
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
  auto expected = [&](const std::vector<Tensor> &) {
    Expected product;
    double largest = 0;
    for (int64_t i = 0; i < s.m; ++i)
      for (int64_t j = 0; j < s.n; ++j) {
        double sum = form.accumulate ? (*buffer)[i * s.n + j] : 0, magnitude = std::abs(sum);
        for (int64_t k = 0; k < s.k; ++k) {
          double x =
              double(roundToBF16(rows[size_t(i * s.k + k)])) * double(roundToBF16(b[k * s.n + j]));
          sum += x;
          magnitude += std::abs(x);
        }
        largest = std::max(largest, magnitude);
        product.entries.push_back(sum);
      }
    product.tolerance = double(s.k + 4) * roundoff * largest;
    // A normalised entry near the middle of two of bf16 may be rounded to the other one.
    if (form.normalize)
      product.tolerance += 0x1p-8 * largest;
    return std::vector<std::pair<size_t, Expected>>{{operands.size(), product}};
  };
  check({std::string(form.name) + " " + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" +
             std::to_string(s.k),
         gemm(form, s.n, operands, results), operands, buffer, results, expected},
        testedWarpgroupGPUs());
}

class WarpgroupGemm : public ::testing::TestWithParam<Form> {};

// Around the sizes of a block, a panel and a step, and far from them.
TEST_P(WarpgroupGemm, OddShapes) {
  for (const Size &size :
       {Size{1, 1, 1}, Size{2, 3, 5}, Size{1, 70, 131}, Size{17, 33, 31}, Size{29, 97, 64},
        Size{56, 128, 128}, Size{65, 65, 96}, Size{64, 64, 32}, Size{130, 40, 272},
        Size{131, 40, 513}, Size{16, 200, 320}, Size{300, 1, 9}, Size{8, 8, 16}})
    checkGemm(GetParam(), size);
}

// Enough blocks for each way that they are cut.
TEST_P(WarpgroupGemm, BlocksOfEverySize) {
  for (const Size &size : {Size{64, 128, 64}, Size{1152, 1024, 64}, Size{9000, 128, 32},
                           Size{4200, 130, 48}, Size{132 * 64, 128, 32}})
    checkGemm(GetParam(), size);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, WarpgroupGemm,
    ::testing::Values(Form{.name = "rows"}, Form{.name = "packed", .packed = true},
                      Form{.name = "narrow", .packed = true, .narrowA = true},
                      Form{.name = "normalized", .packed = true, .normalize = true},
                      Form{.name = "gradient", .transposed = true, .accumulate = true},
                      Form{.name = "stored",
                           .transposed = true,
                           .accumulate = true,
                           .narrowA = true,
                           .narrowB = true},
                      Form{.name = "mixed", .transposed = true, .narrowB = true}),
    [](const auto &info) { return std::string(info.param.name); });

// A row's bits depend neither on the rows around it, nor on how A is stored or B lies in memory.
TEST(WarpgroupGemmBits, OfARowAreItsOwn) {
  Tensor a = uniform({137, 704}, 1), b = uniform({704, 150}, 2), one = zeros({1, 704});
  std::copy_n(a.floats.begin() + 20 * 704, 704, one.floats.begin());
  auto run = [&](const Form &form, const Tensor &rows, const Tensor &columns) {
    Tensor c = zeros({rows.shape[0], 150});
    if (testedWarpgroupGPUs().empty())
      return c;
    auto kernel = DeviceKernel::compile(gemm(form, 150, {rows, columns}, {c}), {rows, columns}, {c},
                                        testedWarpgroupGPUs()[0]);
    return kernel ? kernel->run({rows, columns, c}).back() : c;
  };
  if (testedWarpgroupGPUs().empty())
    return;
  Tensor all = run({.name = "", .packed = true}, a, packedEights(b));
  Tensor alone = run({.name = ""}, narrowed(one), narrowed(b));
  Tensor narrow = run({.name = "", .packed = true}, narrowed(one), packedEights(b));
  for (int64_t j = 0; j < 150; ++j) {
    EXPECT_EQ(all[20 * 150 + j], alone[j]) << "column " << j;
    EXPECT_EQ(all[20 * 150 + j], narrow[j]) << "column " << j;
  }
}

// Copies in bulk where they can be, and copies of pieces elsewhere; no ordinary matrix products.
TEST(WarpgroupGemmCode, IsOfWarpgroups) {
  for (const std::string &gpu : testedWarpgroupGPUs())
    for (int64_t k : {128, 130}) {
      Form form{.name = "", .packed = true, .narrowA = true};
      std::vector<Tensor> operands = {narrowed(zeros({56, k})), packedEights(zeros({k, 128}))};
      std::vector<Tensor> results = {zeros({56, 128})};
      auto kernel =
          DeviceKernel::compile(gemm(form, 128, operands, results), operands, results, gpu);
      ASSERT_TRUE(kernel);
      EXPECT_NE(kernel->ptx().find("wgmma.mma_async"), std::string::npos);
      EXPECT_EQ(kernel->ptx().find("mma.sync"), std::string::npos);
      EXPECT_EQ(kernel->ptx().find("cp.async.bulk") == std::string::npos, k == 130);
    }
}

} // namespace
