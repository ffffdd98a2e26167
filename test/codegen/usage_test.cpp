// What attention keys receive, and the rows that received most of it.

#include "test/codegen/kernel_harness.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <numeric>

using namespace memformer::testing;

namespace {

using Entries = std::vector<double>;
using Compared = std::vector<std::pair<size_t, Expected>>;

struct Size {
  int64_t batch, queries, keys, heads, width;
  bool relative, causal;
};

// [B, H, Lk], and the sum of all magnitudes that a score is made of.
Entries usageOf(const Size &s, const std::vector<Tensor> &a, double scale) {
  int64_t d = s.heads * s.width;
  Entries usage(size_t(s.batch * s.heads * s.keys), 0);
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t i = 0; i < s.queries; ++i)
        for (int64_t j = 0; j < s.keys; ++j) {
          if (s.causal && j > s.keys - s.queries + i)
            continue;
          int64_t q = (b * s.queries + i) * d + h * s.width, k = (b * s.keys + j) * d + h * s.width;
          int64_t r = (j + s.queries - 1 - i) * d + h * s.width;
          double dot = 0;
          for (int64_t c = 0; c < s.width; ++c)
            dot += a[0][q + c] * a[1][k + c] + (s.relative ? a[3][q + c] * a[4][r + c] : 0);
          double lse = a[2][(b * s.heads + h) * s.queries + i];
          usage[size_t((b * s.heads + h) * s.keys + j)] += std::exp(scale * dot - lse);
        }
  return usage;
}

TEST(AttentionUsage, SumsProbabilities) {
  for (const Size &s : {Size{1, 1, 1, 1, 1, false, false}, Size{2, 5, 17, 3, 7, true, true},
                        Size{2, 9, 9, 2, 33, false, true}, Size{1, 3, 19, 5, 16, false, false},
                        Size{1, 1, 130, 1, 4, true, true}, Size{1, 70, 201, 2, 8, true, true},
                        Size{3, 33, 33, 1, 17, true, true}}) {
    int64_t d = s.heads * s.width;
    std::vector<Tensor> operands = {uniform({s.batch, s.queries, d}, 1),
                                    uniform({s.batch, s.keys, d}, 2),
                                    uniform({s.batch, s.heads, s.queries}, 3, 1, 2)};
    std::string more;
    if (s.relative) {
      operands.push_back(uniform({s.batch, s.queries, d}, 4));
      operands.push_back(uniform({s.keys, d}, 5));
      more = " relative(%3, %4)";
    }
    std::vector<Tensor> results = {zeros({s.batch, s.heads, s.keys})};
    std::string body = "kernel.attention_usage %0, %1, %2" + more + " heads " +
                       std::to_string(s.heads) + " scale 0.25" + (s.causal ? " causal" : "") +
                       " : (";
    for (size_t i = 0; i < operands.size(); ++i)
      body += (i ? ", " : "") + operands[i].type();
    body += ") -> " + results[0].type();
    check({"attention_usage", body, operands, {}, results, [&](const std::vector<Tensor> &a) {
             Entries usage = usageOf(s, a, 0.25);
             // A score's error is that of its products, and a probability's relative error is that
             // of its score.
             double largest = *std::max_element(usage.begin(), usage.end());
             double perScore = sumError(2 * s.width, double(2 * s.width) + 2);
             return Compared{
                 {operands.size(), {usage, largest * perScore + sumError(s.queries, largest)}}};
           }});
  }
}

Entries mostUsed(const Tensor &usage, int64_t wanted, int64_t seen) {
  int64_t batches = usage.shape[0], heads = usage.shape[1], rows = usage.shape[2];
  Entries chosen;
  for (int64_t b = 0; b < batches; ++b) {
    // In f32, as kernels have it, so that what is equal there is equal here.
    std::vector<float> averages;
    for (int64_t i = 0; i < rows; ++i) {
      float sum = 0;
      for (int64_t h = 0; h < heads; ++h)
        sum += usage.floats[size_t((b * heads + h) * rows + i)];
      averages.push_back(sum / float(seen - i));
    }
    std::vector<int64_t> order(static_cast<size_t>(rows));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t x, int64_t y) {
      return averages[size_t(x)] > averages[size_t(y)];
    });
    std::sort(order.begin(), order.begin() + wanted);
    for (int64_t n = 0; n < wanted; ++n)
      chosen.push_back(double(b * rows + order[size_t(n)]));
  }
  return chosen;
}

TEST(MostUsed, RowsOfTheHighestAverages) {
  struct Choice {
    int64_t batch, heads, rows, wanted, seen;
    bool equal;
  };
  for (const Choice &c : {Choice{1, 1, 1, 1, 1, false}, Choice{2, 3, 17, 5, 17, false},
                          Choice{3, 1, 16, 16, 40, false}, Choice{1, 5, 300, 7, 301, false},
                          Choice{2, 2, 33, 11, 64, true}}) {
    // Equal entries leave the order to the averages, and zeros to the place alone.
    Tensor usage =
        c.equal ? zeros({c.batch, c.heads, c.rows}) : uniform({c.batch, c.heads, c.rows}, 7, 0, 4);
    std::vector<Tensor> results = {zeros({c.batch, c.wanted}, /*integer=*/true)};
    std::string body = "kernel.most_used %0 seen " + std::to_string(c.seen) + " : (" +
                       usage.type() + ") -> " + results[0].type();
    check({"most_used", body, {usage}, {}, results, [&](const std::vector<Tensor> &a) {
             return Compared{{1, {mostUsed(a[0], c.wanted, c.seen), 0}}};
           }});
  }
}

// What is not a number goes before everything, and the result stays what it has to be: numbers of
// rows, in their order.
TEST(MostUsed, OfNaN) {
  Tensor usage = uniform({2, 1, 9}, 3, 0, 1);
  for (size_t i : {0u, 3u, 5u, 8u})
    usage.floats[i] = std::numeric_limits<float>::quiet_NaN();
  std::vector<Tensor> results = {zeros({2, 2}, /*integer=*/true)};
  std::string body = "kernel.most_used %0 seen 9 : (" + usage.type() + ") -> " + results[0].type();
  for (const std::string &target : testedTargets()) {
    std::vector<Tensor> found = runOn(target, body, {usage}, results, {usage, results[0]});
    ASSERT_EQ(found.size(), 2u) << target;
    for (size_t b = 0; b < 2; ++b) {
      EXPECT_LT(found[1].ints[2 * b], found[1].ints[2 * b + 1]) << target;
      EXPECT_GE(found[1].ints[2 * b], int32_t(9 * b)) << target;
      EXPECT_LT(found[1].ints[2 * b + 1], int32_t(9 * b + 9)) << target;
    }
  }
}

} // namespace
