// Row kernels: norms, cross-entropy, argmax, attention's weights.

#include "test/codegen/kernel_harness.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace memformer::testing;

namespace {

using Entries = std::vector<double>;
using Compared = std::vector<std::pair<size_t, Expected>>;

struct Shape {
  int64_t rows, width;
};
const Shape shapes[] = {{1, 1}, {3, 7}, {5, 16}, {448, 17}, {2, 64}, {7, 128}, {33, 257}};

std::string types(const std::vector<Tensor> &operands, const std::vector<Tensor> &results) {
  std::string text = " : (";
  for (size_t i = 0; i < operands.size(); ++i)
    text += (i ? ", " : "") + operands[i].type();
  text += ") -> ";
  if (results.size() != 1)
    text += "(";
  for (size_t i = 0; i < results.size(); ++i)
    text += (i ? ", " : "") + results[i].type();
  return results.size() != 1 ? text + ")" : text;
}

std::string named(const char *kind, const Shape &shape) {
  return std::string(kind) + " " + std::to_string(shape.rows) + "x" + std::to_string(shape.width);
}

constexpr double epsilon = 1e-5;

struct RowMoments {
  double mean = 0, inverse = 0;
};

RowMoments moments(const Tensor &x, int64_t row) {
  int64_t d = x.width();
  RowMoments m;
  for (int64_t j = 0; j < d; ++j)
    m.mean += x[row * d + j] / double(d);
  double variance = 0;
  for (int64_t j = 0; j < d; ++j)
    variance += std::pow(x[row * d + j] - m.mean, 2) / double(d);
  m.inverse = 1 / std::sqrt(variance + epsilon);
  return m;
}

TEST(LayerNorm, Forward) {
  for (const Shape &shape : shapes) {
    // A mean far from zero: the variance is not to be lost to it.
    std::vector<Tensor> operands = {uniform({shape.rows, shape.width}, 1, 9, 11),
                                    uniform({shape.width}, 2), uniform({shape.width}, 3)};
    std::vector<Tensor> results = {zeros({shape.rows, shape.width})};
    std::string body = "kernel.layer_norm %0, %1, %2 {epsilon = 1.0e-5 : f64}";
    check({named("layer_norm", shape),
           body + types(operands, results),
           operands,
           {},
           results,
           [&](const std::vector<Tensor> &a) {
             Entries y;
             double largest = 0;
             for (int64_t r = 0; r < shape.rows; ++r) {
               RowMoments m = moments(a[0], r);
               largest = std::max(largest, m.inverse);
               for (int64_t j = 0; j < shape.width; ++j)
                 y.push_back((a[0][r * shape.width + j] - m.mean) * m.inverse * a[1][j] + a[2][j]);
             }
             // The mean's error, about that of one sum of entries near 10, over the deviation (at
             // √ε for rows of one entry).
             return Compared{{3, {y, 11 * 8 * roundoff * largest + 8 * roundoff}}};
           }});
  }
}

TEST(LayerNorm, Gradient) {
  for (const Shape &shape : shapes)
    for (int64_t blocks : {1, 3, 8}) {
      int64_t d = shape.width;
      std::vector<Tensor> operands = {uniform({shape.rows, d}, 1), uniform({shape.rows, d}, 2),
                                      uniform({d}, 3), uniform({shape.rows, d}, 4)};
      std::vector<Tensor> results = {zeros({shape.rows, d}), zeros({2, blocks, d})};
      std::string body = "kernel.layer_norm_gradient %0, %1, %2 extras(%3 trailing) {epsilon = "
                         "1.0e-5 : f64}" +
                         types(operands, results) +
                         " {\n^bb0(%dx: f32, %residual: f32, %i: i32):\n  %y = arith.addf %dx, "
                         "%residual : f32\n  kernel.yield %y : f32\n}";
      check({named("layer_norm_gradient", shape),
             body,
             operands,
             {},
             results,
             [&](const std::vector<Tensor> &a) {
               Entries dx, partials(size_t(blocks * 2 * d));
               double largest = 0, most = 0;
               int64_t perBlock = (shape.rows + blocks - 1) / blocks;
               for (int64_t r = 0; r < shape.rows; ++r) {
                 RowMoments m = moments(a[1], r);
                 auto x = [&](int64_t j) { return (a[1][r * d + j] - m.mean) * m.inverse; };
                 auto h = [&](int64_t j) { return a[0][r * d + j] * a[2][j]; };
                 double sum = 0, product = 0;
                 for (int64_t j = 0; j < d; ++j) {
                   sum += h(j) / double(d);
                   product += h(j) * x(j) / double(d);
                 }
                 for (int64_t j = 0; j < d; ++j) {
                   dx.push_back((h(j) - sum - x(j) * product) * m.inverse + a[3][r * d + j]);
                   size_t at = size_t(r / perBlock * d + j);
                   partials[at] += a[0][r * d + j] * x(j);
                   partials[at + size_t(blocks * d)] += a[0][r * d + j];
                   most = std::max(most, std::abs(x(j)));
                 }
                 largest = std::max(largest, m.inverse);
               }
               // x̂ is known to a few roundings of x over the deviation.
               double normalized = 16 * roundoff * std::max(1.0, largest);
               return Compared{
                   {4, {dx, 4 * normalized * std::max(1.0, largest) * (1 + most)}},
                   {5, {partials, double(perBlock) * (normalized + 2 * roundoff * (1 + most))}}};
             }});
    }
}

double biased(const std::vector<Tensor> &a, size_t x, size_t bias, int64_t i) {
  return a[x][i] + (bias < a.size() ? a[bias][i % a[bias].entries()] : 0.0);
}

TEST(Normalize, ForwardAndGradient) {
  for (const Shape &shape : shapes)
    for (bool bias : {false, true}) {
      int64_t d = shape.width;
      std::vector<Tensor> operands = {uniform({2, shape.rows, d}, 1, 0.25f, 1)};
      if (bias)
        operands.push_back(uniform({shape.rows, d}, 2, 0.25f, 1));
      std::vector<Tensor> results = {zeros({2, shape.rows, d})};
      size_t biasAt = bias ? 1 : 99;
      auto length = [&](const std::vector<Tensor> &a, size_t x, size_t b, int64_t r) {
        double sum = 0;
        for (int64_t j = 0; j < d; ++j)
          sum += std::pow(biased(a, x, b, r * d + j), 2);
        return std::sqrt(sum);
      };
      check({named("normalize", shape),
             std::string("kernel.normalize %0") + (bias ? ", %1" : "") + types(operands, results),
             operands,
             {},
             results,
             [&](const std::vector<Tensor> &a) {
               Entries y;
               for (int64_t i = 0; i < a[0].entries(); ++i)
                 y.push_back(biased(a, 0, biasAt, i) / length(a, 0, biasAt, i / d));
               return Compared{{operands.size(), {y, double(d / 16 + 12) * roundoff}}};
             }});
      operands.insert(operands.begin(), uniform({2, shape.rows, d}, 3));
      biasAt = bias ? 2 : 99;
      check(
          {named("normalize_gradient", shape),
           std::string("kernel.normalize_gradient %0, %1") + (bias ? ", %2" : "") +
               types(operands, results),
           operands,
           {},
           results,
           [&](const std::vector<Tensor> &a) {
             Entries dx;
             double shortest = INFINITY;
             for (int64_t r = 0; r < 2 * shape.rows; ++r) {
               double n = length(a, 1, biasAt, r), along = 0;
               shortest = std::min(shortest, n);
               for (int64_t j = 0; j < d; ++j)
                 along += a[0][r * d + j] * biased(a, 1, biasAt, r * d + j) / n;
               for (int64_t j = 0; j < d; ++j)
                 dx.push_back((a[0][r * d + j] - biased(a, 1, biasAt, r * d + j) / n * along) / n);
             }
             return Compared{{operands.size(), {dx, double(d / 8 + 16) * 2 * roundoff / shortest}}};
           }});
    }
}

Tensor targetsOf(int64_t rows, int64_t classes) {
  Tensor targets = integers({rows}, 7, 0, int32_t(classes));
  for (int64_t r = 0; r < rows; r += 3)
    targets.ints[size_t(r)] = r % 2 ? -1 : int32_t(classes - 1);
  return targets;
}

double logSumExp(const Tensor &z, int64_t row) {
  double largest = -INFINITY, sum = 0;
  for (int64_t j = 0; j < z.width(); ++j)
    largest = std::max(largest, z[row * z.width() + j]);
  for (int64_t j = 0; j < z.width(); ++j)
    sum += std::exp(z[row * z.width() + j] - largest);
  return largest + std::log(sum);
}

TEST(CrossEntropy, Forward) {
  for (const Shape &shape : shapes) {
    std::vector<Tensor> operands = {uniform({shape.rows, shape.width}, 1, -90, 90),
                                    targetsOf(shape.rows, shape.width)};
    std::vector<Tensor> results = {zeros({shape.rows}), zeros({shape.rows})};
    check({named("cross_entropy", shape),
           "kernel.cross_entropy %0, %1" + types(operands, results),
           operands,
           {},
           results,
           [&](const std::vector<Tensor> &a) {
             Entries loss, lse;
             for (int64_t r = 0; r < shape.rows; ++r) {
               lse.push_back(logSumExp(a[0], r));
               int32_t target = a[1].ints[size_t(r)];
               loss.push_back(target < 0 ? 0 : lse.back() - a[0][r * shape.width + target]);
             }
             // Rounding of numbers of up to 180.
             return Compared{{2, {loss, 8 * 90 * roundoff}}, {3, {lse, 8 * 90 * roundoff}}};
           }});
  }
}

TEST(CrossEntropy, Gradient) {
  for (const Shape &shape : shapes)
    for (bool shared : {false, true}) {
      Tensor logits = uniform({shape.rows, shape.width}, 1, -4, 4), lse = zeros({shape.rows});
      for (int64_t r = 0; r < shape.rows; ++r)
        lse.floats[size_t(r)] = float(logSumExp(logits, r));
      Tensor gradient = shared ? uniform({}, 5) : uniform({shape.rows}, 5);
      std::vector<Tensor> operands = {gradient, logits, targetsOf(shape.rows, shape.width), lse};
      std::vector<Tensor> results = {zeros({shape.rows, shape.width})};
      check({named("cross_entropy_gradient", shape),
             "kernel.cross_entropy_gradient %0, %1, %2, %3" + types(operands, results),
             operands,
             {},
             results,
             [&](const std::vector<Tensor> &a) {
               Entries dz;
               for (int64_t r = 0; r < shape.rows; ++r)
                 for (int64_t j = 0; j < shape.width; ++j) {
                   int32_t target = a[2].ints[size_t(r)];
                   double p = std::exp(a[1][r * shape.width + j] - a[3][r]);
                   double g = a[0][shared ? 0 : r];
                   dz.push_back(target < 0 ? 0 : g * (p - (j == target)));
                 }
               // The exponent, up to 10, is rounded once.
               return Compared{{4, {dz, 16 * roundoff}}};
             }});
    }
}

TEST(Argmax, LowestOfTheLargest) {
  for (const Shape &shape : shapes) {
    std::vector<Tensor> operands = {integers({shape.rows, shape.width}, 3, -9, 9)};
    Tensor &x = operands[0];
    // Few values, so that most rows have ties; one row of nothing but −∞.
    x.integer = false;
    for (int32_t value : x.ints)
      x.floats.push_back(float(value));
    x.ints.clear();
    for (int64_t j = 0; j < shape.width; ++j)
      x.floats[size_t((shape.rows - 1) * shape.width + j)] = -INFINITY;
    std::vector<Tensor> results = {zeros({shape.rows}, true)};
    check({named("argmax", shape),
           "kernel.argmax %0" + types(operands, results),
           operands,
           {},
           results,
           [&](const std::vector<Tensor> &a) {
             Entries best;
             for (int64_t r = 0; r < shape.rows; ++r) {
               int64_t index = 0;
               for (int64_t j = 1; j < shape.width; ++j)
                 if (a[0][r * shape.width + j] > a[0][r * shape.width + index])
                   index = j;
               best.push_back(double(index));
             }
             return Compared{{1, {best, 0}}};
           }});
  }
}

TEST(AttentionWeights, Probabilities) {
  struct Size {
    int64_t batch, queries, keys, heads, width;
    bool self, causal;
  };
  for (const Size &s : {Size{1, 1, 1, 1, 1, false, false}, Size{2, 5, 17, 3, 7, true, false},
                        Size{2, 9, 9, 2, 33, false, true}, Size{1, 3, 19, 5, 16, true, false}}) {
    int64_t d = s.heads * s.width, columns = s.keys + s.self;
    std::vector<Tensor> operands = {uniform({s.batch, s.queries, d}, 1)};
    if (s.self)
      operands.push_back(uniform({s.batch, s.queries, d}, 2));
    operands.push_back(uniform({s.batch, s.keys, d}, 3));
    operands.push_back(uniform({s.batch, s.heads, s.queries}, 4, 1, 2));
    std::vector<Tensor> results = {zeros({s.batch, s.heads, s.queries, columns})};
    std::string keys = s.self ? "self(%1), %2, %3" : ", %1, %2";
    std::string body = "kernel.attention_weights %0 " + keys + " heads " + std::to_string(s.heads) +
                       " scale 0.5" + (s.causal ? " causal" : "") + types(operands, results);
    check({"attention_weights", body, operands, {}, results, [&](const std::vector<Tensor> &a) {
             Entries p;
             for (int64_t b = 0; b < s.batch; ++b)
               for (int64_t h = 0; h < s.heads; ++h)
                 for (int64_t i = 0; i < s.queries; ++i)
                   for (int64_t j = -int64_t(s.self); j < s.keys; ++j) {
                     int64_t q = (b * s.queries + i) * d + h * s.width;
                     int64_t k = (b * s.keys + j) * d + h * s.width;
                     double dot = 0;
                     for (int64_t c = 0; c < s.width; ++c)
                       dot += a[0][q + c] * (j < 0 ? a[1][q + c] : a[1 + s.self][k + c]);
                     double lse = a[2 + s.self][(b * s.heads + h) * s.queries + i];
                     p.push_back(s.causal && j > i ? 0 : std::exp(0.5 * dot - lse));
                   }
             // The exponent is at most d/2, the probability about e^(d/6).
             double largest = *std::max_element(p.begin(), p.end());
             return Compared{
                 {operands.size(), {p, largest * sumError(s.width, double(s.width) + 2)}}};
           }});
  }
}

} // namespace
