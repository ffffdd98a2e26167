// Sums over rows, by index and of squares, and the optimizer.

#include "test/codegen/kernel_harness.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace memformer::testing;

namespace {

using Entries = std::vector<double>;
using Compared = std::vector<std::pair<size_t, Expected>>;

TEST(Reduce, OverLeadingDimensions) {
  struct Size {
    int64_t rows, entries;
  };
  for (const Size &size : {Size{1, 1}, Size{1000, 1}, Size{3, 7}, Size{17, 16}, Size{448, 17},
                           Size{5, 257}, Size{9, 2048}, Size{3, 1030}})
    for (bool accumulate : {false, true}) {
      std::vector<Tensor> operands = {uniform({size.rows, size.entries}, 1)};
      std::vector<Tensor> results;
      std::optional<Tensor> buffer;
      if (accumulate)
        buffer = uniform({size.entries}, 2);
      else
        results = {zeros({size.entries})};
      std::string body = "kernel.reduce %0 entries " + std::to_string(size.entries) +
                         (accumulate ? " accumulate @p" : "") + " : (" + operands[0].type() +
                         ") -> " + (accumulate ? "()" : results[0].type());
      check({"reduce " + operands[0].type(), body, operands, buffer, results,
             [&](const std::vector<Tensor> &a) {
               Entries y;
               for (int64_t j = 0; j < size.entries; ++j) {
                 double sum = accumulate ? a[1][j] : 0.0;
                 for (int64_t r = 0; r < size.rows; ++r)
                   sum += a[0][r * size.entries + j];
                 y.push_back(sum);
               }
               // Four accumulators of a column.
               double tolerance = double(size.rows / 4 + 4) * roundoff * double(size.rows + 1);
               return Compared{{1, {y, tolerance}}};
             }});
    }
}

TEST(ScatterAdd, ByIndex) {
  struct Size {
    int64_t rows, table, width;
  };
  for (const Size &size : {Size{1, 1, 1}, Size{40, 5, 7}, Size{100, 13, 17}, Size{64, 256, 128},
                           Size{30, 3, 257}, Size{20, 4, 1500}})
    for (bool accumulate : {false, true}) {
      std::vector<Tensor> operands = {uniform({size.rows, size.width}, 1),
                                      integers({size.rows}, 2, 0, int32_t(size.table))};
      std::vector<Tensor> results;
      std::optional<Tensor> buffer;
      if (accumulate)
        buffer = uniform({size.table, size.width}, 3);
      else
        results = {zeros({size.table, size.width})};
      std::string body = "kernel.scatter_add %0, %1 rows " + std::to_string(size.table) +
                         (accumulate ? " accumulate @p" : "") + " : (" + operands[0].type() + ", " +
                         operands[1].type() + ") -> " + (accumulate ? "()" : results[0].type());
      check({"scatter_add " + operands[0].type(), body, operands, buffer, results,
             [&](const std::vector<Tensor> &a) {
               Entries table(size_t(size.table * size.width));
               for (size_t i = 0; i < table.size() && accumulate; ++i)
                 table[i] = a[2][int64_t(i)];
               for (int64_t r = 0; r < size.rows; ++r)
                 for (int64_t j = 0; j < size.width; ++j)
                   table[size_t(a[1].ints[size_t(r)] * size.width + j)] += a[0][r * size.width + j];
               // One addition after the other.
               double tolerance = double(size.rows) * roundoff * double(size.rows + 1);
               return Compared{{2, {table, tolerance}}};
             }});
    }
}

TEST(SquaredNorm, OfStretches) {
  struct Size {
    int64_t entries, blocks;
  };
  for (const Size &size :
       {Size{1, 1}, Size{7, 3}, Size{257, 4}, Size{100000, 16}, Size{4096, 64}}) {
    std::vector<Tensor> operands = {uniform({size.entries}, 1)};
    std::vector<Tensor> results = {zeros({size.blocks})};
    std::string body =
        "kernel.squared_norm %0 : (" + operands[0].type() + ") -> " + results[0].type();
    check({"squared_norm", body, operands, {}, results, [&](const std::vector<Tensor> &a) {
             // Stretches of multiples of 16 entries.
             int64_t length = ((size.entries + size.blocks - 1) / size.blocks + 15) / 16 * 16;
             Entries sums(size_t(size.blocks));
             for (int64_t i = 0; i < size.entries; ++i)
               sums[size_t(i / length)] += a[0][i] * a[0][i];
             return Compared{{1, {sums, sumError(length, double(length))}}};
           }});
  }
}

Tensor adamWScalars(float limit, float unscale) {
  Tensor scalars = zeros({9});
  scalars.floats = {1e-2f, 0.9f, 0.999f, 1e-8f, 0.01f, limit, 0.19f, 0.002f, unscale};
  return scalars;
}

std::string adamW(const std::vector<Tensor> &operands, const Tensor &result) {
  std::string body = "kernel.adamw %0, %1, %2, %3, %4, %5 : (";
  for (size_t i = 0; i < operands.size(); ++i)
    body += (i ? ", " : "") + operands[i].type();
  return body + ") -> " + result.type();
}

TEST(AdamW, OneStep) {
  for (int64_t n : {1, 7, 257, 4096, 10007})
    for (float limit : {0.0f, 0.5f, 1e9f}) {
      std::vector<Tensor> operands = {uniform({n}, 1),        uniform({n}, 2),
                                      uniform({n}, 3),        uniform({n}, 4, 0.01f, 1),
                                      uniform({5}, 5, 0, 30), adamWScalars(limit, 1)};
      std::vector<Tensor> results = {zeros({1})};
      check({"adamw",
             adamW(operands, results[0]),
             operands,
             {},
             results,
             [&](const std::vector<Tensor> &a) {
               double norm = 0;
               for (int64_t i = 0; i < 5; ++i)
                 norm += a[4][i];
               norm = std::sqrt(norm);
               const Tensor &s = a[5];
               double clip = s[5] == 0 ? 1 : std::min(1.0, s[5] / (norm + 1e-6));
               Entries p, m, v;
               double step = 0;
               for (int64_t i = 0; i < n; ++i) {
                 double g = clip * a[1][i];
                 m.push_back(s[1] * a[2][i] + (1 - s[1]) * g);
                 v.push_back(s[2] * a[3][i] + (1 - s[2]) * g * g);
                 double change = s[0] * (m.back() / s[6]) / (std::sqrt(v.back() / s[7]) + s[3]);
                 step = std::max(step, std::abs(change));
                 p.push_back(a[0][i] * (1 - s[0] * s[4]) - change);
               }
               return Compared{{0, {p, 4 * roundoff + 16 * roundoff * step}},
                               {2, {m, 8 * roundoff}},
                               {3, {v, 8 * roundoff}},
                               {6, {{norm}, 4 * roundoff * norm}}};
             }});
    }
}

// What an AdamW step leaves in its arguments.
std::vector<Tensor> stepOn(const std::string &target, const std::vector<Tensor> &operands) {
  std::vector<Tensor> results = {zeros({1})}, arguments = operands;
  arguments.push_back(results[0]);
  return runOn(target, adamW(operands, results[0]), operands, results, arguments);
}

// Gradients and partial sums of a loss that was multiplied by a power of two are divided by it
// exactly: the same bits.
TEST(AdamW, ScaledLossChangesNoBit) {
  for (const std::string &target : testedTargets())
    for (float limit : {0.0f, 0.5f}) {
      std::vector<Tensor> operands = {uniform({257}, 1),      uniform({257}, 2),
                                      uniform({257}, 3),      uniform({257}, 4, 0.01f, 1),
                                      uniform({5}, 5, 0, 30), adamWScalars(limit, 1)};
      std::vector<Tensor> scaled = operands;
      for (float &g : scaled[1].floats)
        g *= 0x1p15f;
      for (float &sum : scaled[4].floats)
        sum *= 0x1p30f;
      scaled[5] = adamWScalars(limit, 0x1p-15f);
      auto expected = stepOn(target, operands), found = stepOn(target, scaled);
      ASSERT_EQ(expected.size(), found.size());
      for (size_t i : {0, 2, 3, 6})
        EXPECT_EQ(expected[i].floats, found[i].floats) << "argument " << i << " on " << target;
      EXPECT_NE(expected[0].floats, operands[0].floats);
    }
}

// A norm that is not finite: it is written, and nothing else.
TEST(AdamW, LeavesOutAStepWithoutNorm) {
  for (const std::string &target : testedTargets())
    for (float sum : {INFINITY, NAN})
      for (float limit : {0.0f, 0.5f})
        for (int64_t n : {1, 4097}) {
          std::vector<Tensor> operands = {uniform({n}, 1),        uniform({n}, 2),
                                          uniform({n}, 3),        uniform({n}, 4, 0.01f, 1),
                                          uniform({5}, 5, 0, 30), adamWScalars(limit, 0x1p-4f)};
          operands[4].floats[2] = sum;
          auto found = stepOn(target, operands);
          ASSERT_EQ(found.size(), 7u);
          for (size_t i : {0, 2, 3})
            EXPECT_EQ(found[i].floats, operands[i].floats) << "argument " << i << " on " << target;
          EXPECT_FALSE(std::isfinite(found[6].floats[0])) << target;
        }
}

} // namespace
