// Products of bf16 and f16 against double loops over rounded entries, and what is stored so.

#include "test/codegen/kernel_harness.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace memformer::testing;

namespace {

using Entries = std::vector<double>;
using Compared = std::vector<std::pair<size_t, Expected>>;

struct Form {
  const char *name;
  /// Columns of a packed panel; 0: B by rows.
  int64_t panel = 0;
  bool transposed = false, accumulate = false;
  /// Stored in 16 bits already; and the result.
  bool narrowA = false, narrowB = false, narrowC = false;
  /// f16 in the place of bf16: on GPUs alone.
  bool half = false;
};

struct Size {
  int64_t m, n, k;
};

// B [k, n] in panels of pairs, as kernel.pack makes them.
Tensor packedPairs(const Tensor &b, int64_t width, bool half = false) {
  int64_t k = b.shape[0], n = b.shape[1], panels = (n + width - 1) / width, pairs = (k + 1) / 2;
  Tensor result = zeros({panels, pairs, width, 2});
  for (int64_t p = 0; p < panels; ++p)
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < std::min(width, n - p * width); ++j)
        result.floats[size_t(((p * pairs + i / 2) * width + j) * 2 + i % 2)] =
            float(b[i * n + p * width + j]);
  return narrowed(result, half);
}

std::string gemm(const Form &form, int64_t n, const std::vector<Tensor> &operands,
                 const std::vector<Tensor> &results) {
  return "kernel.gemm %0, %1 n " + std::to_string(n) + (form.transposed ? " transpose_a" : "") +
         (form.panel ? " packed" : "") + (form.half ? " operands f16" : " operands bf16") +
         (form.accumulate ? " accumulate @p" : "") + " : (" + operands[0].type() + ", " +
         operands[1].type() + ") -> " + (results.empty() ? "()" : results[0].type()) +
         " {\n^bb0(%x: f32, %i: i32):\n  kernel.yield %x : f32\n}";
}

void checkGemm(const Form &form, const Size &s, const std::vector<std::string> &cpus) {
  Tensor a = uniform(form.transposed ? std::vector{s.k, s.m} : std::vector{s.m, s.k}, 1);
  Tensor b = uniform({s.k, s.n}, 2), c = zeros({s.m, s.n});
  c.narrow = form.narrowC;
  c.half = form.half;
  Tensor right = form.panel     ? packedPairs(b, form.panel, form.half)
                 : form.narrowB ? narrowed(b, form.half)
                                : b;
  std::vector<Tensor> operands = {form.narrowA ? narrowed(a, form.half) : a, right};
  std::vector<Tensor> results;
  std::optional<Tensor> buffer;
  if (form.accumulate)
    buffer = uniform({s.m, s.n}, 6);
  else
    results.push_back(c);
  auto expected = [&](const std::vector<Tensor> &) {
    Expected product;
    double largest = 0;
    for (int64_t i = 0; i < s.m; ++i)
      for (int64_t j = 0; j < s.n; ++j) {
        double sum = form.accumulate ? (*buffer)[i * s.n + j] : 0, magnitude = std::abs(sum);
        for (int64_t k = 0; k < s.k; ++k) {
          double left = form.transposed ? a[k * s.m + i] : a[i * s.k + k];
          double x = double(roundTo16Bits(left, form.half)) *
                     double(roundTo16Bits(b[k * s.n + j], form.half));
          sum += x;
          magnitude += std::abs(x);
        }
        largest = std::max(largest, magnitude);
        product.entries.push_back(sum);
      }
    // One chain of at most 512 additions, then one addition for each step of 512 (and two more).
    product.tolerance = double(std::min<int64_t>(s.k, 512) + s.k / 512 + 4) * roundoff * largest;
    if (form.narrowC) // half of the distance between 1 and the next number
      product.tolerance += (form.half ? 0x1p-11 : 0x1p-8) * largest;
    return Compared{{operands.size(), product}};
  };
  check({std::string(form.name) + " " + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" +
             std::to_string(s.k),
         gemm(form, s.n, operands, results), operands, buffer, results, expected},
        cpus);
}

class PairGemm : public ::testing::TestWithParam<Form> {};

TEST_P(PairGemm, OddShapes) {
  for (const Size &size : {Size{1, 1, 1}, Size{1, 1, 2}, Size{2, 3, 5}, Size{1, 70, 131},
                           Size{17, 33, 31}, Size{29, 97, 64}, Size{5, 70, 1030}, Size{3, 20, 768},
                           Size{131, 40, 513}, Size{13, 9, 1035}, Size{300, 1, 9}})
    checkGemm(GetParam(), size, testedTargets(/*oldest=*/true));
}

// In f16 on tensor cores, of the oldest GPUs too: also as wide and as deep as blocks of several
// steps, and one past that.
class HalfGemm : public PairGemm {};

TEST_P(HalfGemm, OddShapes) {
  Form form = GetParam();
  form.half = true;
  for (const Size &size :
       {Size{1, 1, 1}, Size{2, 3, 5}, Size{17, 33, 31}, Size{29, 97, 64}, Size{5, 70, 1030},
        Size{131, 40, 513}, Size{300, 1, 9}, Size{128, 128, 96}, Size{129, 130, 64}})
    checkGemm(form, size, testedGPUs(/*oldest=*/true));
}

// Entries that f16 has no number for become infinite, and the product is no finite number.
TEST(HalfGemmBits, OfLargeEntries) {
  Tensor a = uniform({3, 40}, 1), b = uniform({40, 8}, 2), c = zeros({3, 8});
  a.floats[0] = 65519.9F; // 65504 is the nearest
  a.floats[40] = 65520;   // a tie, whose even neighbour is infinity
  a.floats[80] = -1e30F;
  Form form{.name = "large", .half = true};
  for (const std::string &gpu : testedGPUs(/*oldest=*/true)) {
    auto after = runOn(gpu, gemm(form, 8, {a, b}, {c}), {a, b}, {c}, {a, b, c});
    ASSERT_EQ(after.size(), 3u);
    for (int64_t j = 0; j < 8; ++j) {
      EXPECT_TRUE(std::isfinite(after[2][j])) << j << " on " << gpu;
      EXPECT_FALSE(std::isfinite(after[2][8 + j])) << j << " on " << gpu;
      EXPECT_FALSE(std::isfinite(after[2][16 + j])) << j << " on " << gpu;
    }
  }
}

// Rows, columns and depths around those of a tile register, of two, and of a step.
TEST_P(PairGemm, TileRegisters) {
  for (const Size &size :
       {Size{1, 1, 1}, Size{5, 3, 2}, Size{16, 16, 32}, Size{17, 33, 31}, Size{32, 32, 64},
        Size{33, 17, 33}, Size{29, 97, 96}, Size{5, 70, 1030}, Size{131, 40, 513},
        Size{67, 9, 1035}, Size{9, 20, 1024}, Size{300, 1, 9}})
    checkGemm(GetParam(), size, testedTileCPUs());
}

const auto forms =
    ::testing::Values(Form{.name = "rows"}, Form{.name = "packed", .panel = 32},
                      Form{.name = "wide", .panel = 64, .narrowA = true},
                      Form{.name = "narrow", .panel = 16, .narrowA = true, .narrowC = true},
                      Form{.name = "gradient", .transposed = true, .accumulate = true},
                      Form{.name = "stored",
                           .transposed = true,
                           .accumulate = true,
                           .narrowA = true,
                           .narrowB = true});
std::string nameOf(const ::testing::TestParamInfo<Form> &info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Forms, PairGemm, forms, nameOf);
INSTANTIATE_TEST_SUITE_P(Forms, HalfGemm, forms, nameOf);

// A row's bits depend neither on the rows around it, nor on how A is stored or B lies in memory.
TEST(PairGemmBits, OfARowAreItsOwn) {
  Tensor a = uniform({37, 701}, 1), b = uniform({701, 50}, 2), one = zeros({1, 701});
  std::copy_n(a.floats.begin() + 20 * 701, 701, one.floats.begin());
  auto run = [&](const Form &form, const Tensor &rows, const Tensor &columns,
                 const std::string &cpu) {
    Tensor c = zeros({rows.shape[0], 50});
    auto kernel = Kernel::compile(gemm(form, 50, {rows, columns}, {c}), {rows, columns}, {c}, cpu);
    return kernel ? kernel->run({rows, columns, c}).back() : c;
  };
  for (const std::string &cpu : testedCPUs()) {
    Tensor all = run({.name = "", .panel = 32}, a, packedPairs(b, 32), cpu);
    Tensor alone = run({.name = ""}, narrowed(one), narrowed(b), cpu);
    Tensor vector = run({.name = "", .panel = 32}, one, packedPairs(b, 32), cpu);
    for (int64_t j = 0; j < 50; ++j) {
      EXPECT_EQ(all[20 * 50 + j], alone[j]) << "column " << j << " on " << cpu;
      EXPECT_EQ(all[20 * 50 + j], vector[j]) << "column " << j << " on " << cpu;
    }
  }
  // Packed rows that are too few for tile registers are summed in another order.
  for (const std::string &cpu : testedTileCPUs()) {
    Tensor all = run({.name = "", .panel = 32}, a, packedPairs(b, 32), cpu);
    Tensor alone = run({.name = ""}, narrowed(one), narrowed(b), cpu);
    for (int64_t j = 0; j < 50; ++j)
      EXPECT_EQ(all[20 * 50 + j], alone[j]) << "column " << j << " on " << cpu;
  }
}

// Rows that a product normalises are those that layer_norm stores in bf16.
TEST(PairGemmBits, OfNormalisedRows) {
  for (const Size &size : {Size{37, 50, 70}, Size{19, 33, 129}, Size{64, 64, 1024}}) {
    Tensor x = uniform({size.m, size.k}, 1), scale = uniform({size.k}, 2),
           shift = uniform({size.k}, 3), b = packedPairs(uniform({size.k, size.n}, 4), 32);
    Tensor rows = narrowed(zeros({size.m, size.k})), c = zeros({size.m, size.n});
    std::vector<std::string> cpus = testedCPUs();
    for (const std::string &cpu : testedTileCPUs())
      cpus.push_back(cpu);
    auto run = [&](const std::string &body, const std::vector<Tensor> &operands,
                   const Tensor &result, const std::string &cpu) {
      auto kernel = Kernel::compile(body, operands, {result}, cpu);
      std::vector<Tensor> arguments = operands;
      arguments.push_back(result);
      return kernel ? kernel->run(arguments).back() : result;
    };
    for (const std::string &cpu : cpus) {
      Tensor normalized =
          run("kernel.layer_norm %0, %1, %2 {epsilon = 1.0e-5 : f64} : (" + x.type() + ", " +
                  scale.type() + ", " + shift.type() + ") -> " + rows.type(),
              {x, scale, shift}, rows, cpu);
      Tensor expected = run(gemm({.name = "", .panel = 32}, size.n, {normalized, b}, {c}),
                            {normalized, b}, c, cpu);
      Tensor fused = run("kernel.gemm %0, %1 normalize(%2, %3) n " + std::to_string(size.n) +
                             " packed operands bf16 : (" + x.type() + ", " + b.type() + ", " +
                             scale.type() + ", " + shift.type() + ") -> " + c.type() +
                             " {\n^bb0(%x: f32, %i: i32):\n  kernel.yield %x : f32\n}",
                         {x, b, scale, shift}, c, cpu);
      for (int64_t i = 0; i < c.entries(); ++i)
        EXPECT_EQ(fused[i], expected[i]) << i << " on " << cpu;
      EXPECT_NE(expected[0], 0);
    }
  }
}

TEST(PairPack, BothForms) {
  for (const Size &size : {Size{0, 1, 1}, Size{0, 33, 7}, Size{0, 64, 18}, Size{0, 5, 129}})
    for (bool transposed : {false, true}) {
      Tensor b = uniform({size.k, size.n}, 1), input = b;
      if (transposed) {
        input = zeros({size.n, size.k});
        for (int64_t i = 0; i < size.k; ++i)
          for (int64_t j = 0; j < size.n; ++j)
            input.floats[size_t(j * size.k + i)] = float(b[i * size.n + j]);
      }
      Tensor panels = packedPairs(b, 32), result = panels;
      std::fill(result.floats.begin(), result.floats.end(), 0.0F);
      std::string body = std::string("kernel.pack %0") + (transposed ? " transposed" : "") +
                         " : (" + input.type() + ") -> " + panels.type();
      check({"pack " + panels.type(),
             body,
             {input},
             std::nullopt,
             {result},
             [&](const std::vector<Tensor> &) {
               return Compared{{1, {Entries(panels.floats.begin(), panels.floats.end()), 0}}};
             }});
    }
}

void checkReduce(bool half, const std::vector<std::string> &targets) {
  for (bool narrow : {false, true})
    for (int64_t width : {1, 7, 33, 257}) {
      Tensor input = uniform({19, width}, 1), result = zeros({width});
      std::vector<Tensor> operands = {narrow ? narrowed(input, half) : input};
      std::string body = "kernel.reduce %0 entries " + std::to_string(width) +
                         (half ? " operands f16 : (" : " operands bf16 : (") + operands[0].type() +
                         ") -> " + result.type();
      check({"reduce " + operands[0].type(),
             body,
             operands,
             std::nullopt,
             {result},
             [&](const std::vector<Tensor> &) {
               Entries sums(size_t(width), 0.0);
               for (int64_t i = 0; i < 19 * width; ++i)
                 sums[size_t(i % width)] += roundTo16Bits(input[i], half);
               return Compared{{1, {sums, 19 * 19 * roundoff}}};
             }},
            targets);
    }
}

TEST(PairReduce, AddsRoundedEntries) {
  checkReduce(/*half=*/false, testedTargets());
  checkReduce(/*half=*/true, testedGPUs(/*oldest=*/true));
}

// What GPUs store in f16: ties, what is below normal numbers and below all, beyond the largest, and
// what is not a number; as vectors and entry by entry.
TEST(NarrowStorage, OfF16OnGPUs) {
  for (int64_t width : {5, 16, 37}) {
    Tensor x = uniform({3, width}, 1, -3, 3), y = narrowed(zeros({3, width}), /*half=*/true);
    const float special[] = {1 + 0x1p-11F, 1 + 0x3p-11F, -1 - 0x1p-11F, 65519.9F,  65520,
                             -0.0F,        0x1p-24F,     0x1p-25F,      -0x3p-25F, 0x1.fp-15F,
                             1e-30F,       INFINITY,     -3.4e38F};
    std::copy_n(special, std::size(special), x.floats.begin());
    std::string body = "kernel.map %0 trailing : (" + x.type() + ") -> " + y.type() +
                       " {\n^bb0(%x: f32, %i: i32):\n  kernel.yield %x : f32\n}";
    for (const std::string &gpu : testedGPUs(/*oldest=*/true)) {
      Tensor stored = runOn(gpu, body, {x}, {y}, {x, y}).back();
      for (int64_t i = 0; i < x.entries(); ++i)
        EXPECT_EQ(stored[i], double(roundToF16(x[i]))) << x[i] << " on " << gpu;
      Tensor noNumber = x;
      noNumber.floats[0] = NAN;
      EXPECT_TRUE(std::isnan(runOn(gpu, body, {noNumber}, {y}, {noNumber, y}).back()[0])) << gpu;
    }
  }
}

// A row kernel's and a map's result in bf16, ties and what is not a number among them.
TEST(NarrowStorage, RoundsToNearestEven) {
  for (int64_t width : {1, 5, 16, 37}) {
    Tensor x = uniform({3, width}, 1, -3, 3), y = narrowed(zeros({3, width}));
    const float ties[] = {1 + 0x1p-8F, 1 + 0x3p-8F, -1 - 0x1p-8F, 3.4e38F, INFINITY, -0.0F};
    std::copy_n(ties, std::min<size_t>(std::size(ties), x.floats.size()), x.floats.begin());
    std::string body = "kernel.map %0 trailing : (" + x.type() + ") -> " + y.type() +
                       " {\n^bb0(%x: f32, %i: i32):\n  kernel.yield %x : f32\n}";
    for (const std::string &cpu : testedCPUs()) {
      auto kernel = Kernel::compile(body, {x}, {y}, cpu);
      ASSERT_TRUE(kernel);
      Tensor stored = kernel->run({x, y}).back();
      for (int64_t i = 0; i < x.entries(); ++i)
        EXPECT_EQ(stored[i], double(roundToBF16(x[i]))) << x[i] << " on " << cpu;
      Tensor noNumber = x;
      noNumber.floats[0] = NAN;
      EXPECT_TRUE(std::isnan(kernel->run({noNumber, y}).back()[0])) << cpu;
    }
  }
}

TEST(NarrowStorage, OfNormalisedRows) {
  for (int64_t width : {2, 16, 131}) {
    Tensor x = uniform({5, width}, 1), scale = uniform({width}, 2), shift = uniform({width}, 3);
    Tensor wide = zeros({5, width}), y = narrowed(wide);
    auto run = [&](const Tensor &result, const std::string &cpu) {
      std::string body = "kernel.layer_norm %0, %1, %2 {epsilon = 1.0e-5 : f64} : (" + x.type() +
                         ", " + scale.type() + ", " + shift.type() + ") -> " + result.type();
      auto kernel = Kernel::compile(body, {x, scale, shift}, {result}, cpu);
      return kernel ? kernel->run({x, scale, shift, result}).back() : result;
    };
    for (const std::string &cpu : testedCPUs()) {
      Tensor expected = run(wide, cpu), stored = run(y, cpu);
      for (int64_t i = 0; i < x.entries(); ++i)
        EXPECT_EQ(stored[i], double(roundToBF16(expected[i]))) << i << " on " << cpu;
    }
  }
}

} // namespace
