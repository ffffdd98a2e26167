// One position of causal attention against double loops: what is kept, and what is computed of it.

#include "test/codegen/kernel_harness.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace memformer::testing;

namespace {

struct Size {
  int64_t batch, length, heads, width;
  /// Rows of the caches before position 0, and whether scores depend on distances.
  int64_t before = 0;
  bool relative = false;
  int64_t columns() const { return heads * width; }
};

constexpr double scale = 0.375;

std::string bodyOf(const Size &s, const std::vector<Tensor> &operands) {
  std::string text = "kernel.attention_step %0, %1, %2 cache(%3, %4) at %5" +
                     (s.before ? " before " + std::to_string(s.before) : "") +
                     (s.relative ? " relative(%6, %7)" : "") + " heads " + std::to_string(s.heads) +
                     " scale 0.375 : (";
  for (size_t i = 0; i < operands.size(); ++i)
    text += (i ? ", " : "") + operands[i].type();
  return text + ") -> (" + operands[0].type() + ", " + operands[3].type() + ", " +
         operands[4].type() + ")";
}

template <typename AnyKernel>
void checkPosition(const AnyKernel &kernel, const Size &s, std::vector<Tensor> operands,
                   int32_t row) {
  const int64_t position = row; // in the caches
  SCOPED_TRACE("row " + std::to_string(row));
  const int64_t d = s.columns();
  operands[5].ints = {row - int32_t(s.before)};
  // Nothing may be taken from the positions that come later.
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t j = position; j < s.length; ++j)
      for (size_t cache : {3, 4})
        std::fill_n(operands[cache].floats.begin() + (b * s.length + j) * d, d, NAN);
  std::vector<Tensor> arguments = operands;
  arguments.push_back(zeros({s.batch, 1, d}));
  std::fill(arguments.back().floats.begin(), arguments.back().floats.end(), NAN);
  const std::vector<Tensor> after = kernel.run(arguments), reversed = kernel.run(arguments, true);

  Tensor keys = operands[3], values = operands[4];
  for (int64_t b = 0; b < s.batch; ++b) {
    std::copy_n(operands[1].floats.begin() + b * d, d,
                keys.floats.begin() + (b * s.length + position) * d);
    std::copy_n(operands[2].floats.begin() + b * d, d,
                values.floats.begin() + (b * s.length + position) * d);
  }
  auto same = [](float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  EXPECT_TRUE(std::ranges::equal(after[3].floats, keys.floats, same)) << "the cache of keys";
  EXPECT_TRUE(std::ranges::equal(after[4].floats, values.floats, same)) << "the cache of values";
  const size_t result = operands.size();
  EXPECT_EQ(after[result].floats, reversed[result].floats) << "the order of workgroups";

  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h) {
      auto place = [&](int64_t j) { return (b * s.length + j) * d + h * s.width; };
      std::vector<double> scores;
      for (int64_t j = 0; j <= position; ++j) {
        double sum = 0;
        for (int64_t c = 0; c < s.width; ++c)
          sum += operands[0][b * d + h * s.width + c] * keys[place(j) + c];
        for (int64_t c = 0; s.relative && c < s.width; ++c)
          sum += operands[6][b * d + h * s.width + c] *
                 operands[7][(j + s.length - 1 - position) * d + h * s.width + c];
        scores.push_back(sum * scale);
      }
      double top = *std::ranges::max_element(scores), total = 0;
      for (double &score : scores)
        total += score = std::exp(score - top);
      for (int64_t c = 0; c < s.width; ++c) {
        double sum = 0;
        for (int64_t j = 0; j <= position; ++j)
          sum += scores[size_t(j)] / total * values[place(j) + c];
        const int64_t terms = (s.relative ? 2 : 1) * s.width;
        // Values are at most 1; a score's error is that of its sum.
        double error =
            16 * roundoff + 4 * sumError(terms, double(terms) * scale) + sumError(position + 1, 1);
        EXPECT_NEAR(after[result][b * d + h * s.width + c], sum, error)
            << "row " << b << ", head " << h << ", column " << c;
      }
    }
}

TEST(AttentionStep, EveryPositionOfOddShapes) {
  for (const Size &s :
       {Size{1, 1, 1, 1}, Size{2, 5, 3, 1}, Size{3, 17, 2, 7}, Size{1, 33, 1, 33},
        Size{2, 18, 4, 16}, Size{1, 9, 2, 150}, Size{1, 300, 5, 40}, Size{2, 18, 2, 5, 7},
        Size{1, 1, 1, 1, 0, true}, Size{2, 5, 3, 1, 2, true}, Size{2, 33, 1, 33, 17, true},
        Size{1, 9, 2, 150, 0, true}, Size{1, 301, 2, 40, 130, true}}) {
    std::vector<int64_t> row = {s.batch, 1, s.columns()}, cache = {s.batch, s.length, s.columns()};
    std::vector<Tensor> operands = {uniform(row, 1),   uniform(row, 2),   uniform(row, 3),
                                    uniform(cache, 4), uniform(cache, 5), zeros({}, true)};
    if (s.relative)
      operands.insert(operands.end(), {uniform(row, 6), uniform({s.length, s.columns()}, 7)});
    std::vector<Tensor> results = {operands[0], operands[3], operands[4]};
    for (const std::string &target : testedTargets()) {
      SCOPED_TRACE(operands[3].type() + " on " + target);
      auto checkAll = [&](const auto &kernel) {
        ASSERT_TRUE(kernel);
        for (int32_t position = int32_t(s.before); position < s.length; ++position)
          if (position < 20 || position % 16 < 2 || position + 1 == s.length)
            checkPosition(*kernel, s, operands, position);
      };
      if (target.starts_with("sm_"))
        checkAll(DeviceKernel::compile(bodyOf(s, operands), operands, results, target));
      else
        checkAll(Kernel::compile(bodyOf(s, operands), operands, results, target));
    }
  }
}

} // namespace
