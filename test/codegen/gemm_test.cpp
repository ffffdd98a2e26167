// Matrix products against double loops: every form, at shapes around tiles, strips and steps.

#include "codegen/host/HostTarget.h"
#include "test/codegen/kernel_harness.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace memformer::testing;

namespace {

struct Form {
  const char *name;
  /// Columns of a packed panel; 0: B by rows.
  int64_t panel = 0;
  bool transposed = false, accumulate = false, bias = false, normalize = false, store = false;
};

struct Size {
  int64_t m, n, k;
};

// B [k, n] in panels of `width` columns, as kernel.pack makes them.
Tensor packed(const Tensor &b, int64_t width) {
  int64_t k = b.shape[0], n = b.shape[1], panels = (n + width - 1) / width;
  Tensor result = zeros({panels, k, width});
  for (int64_t p = 0; p < panels; ++p)
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < std::min(width, n - p * width); ++j)
        result.floats[size_t((p * k + i) * width + j)] = float(b[i * n + p * width + j]);
  return result;
}

// Returns the largest entry in units of the row's deviation: how much a rounding of the mean shows.
double normalizeRow(std::vector<double> &row, const Tensor &scale, const Tensor &shift) {
  double mean = 0, variance = 0, largest = 0, count = double(row.size());
  for (double x : row) {
    mean += x / count;
    largest = std::max(largest, std::abs(x));
  }
  for (double x : row)
    variance += (x - mean) * (x - mean) / count;
  double deviation = std::sqrt(variance + 1e-5);
  for (size_t i = 0; i < row.size(); ++i)
    row[i] = (row[i] - mean) / deviation * scale[int64_t(i)] + shift[int64_t(i)];
  return largest / deviation;
}

void checkGemm(const Form &form, const Size &s) {
  Tensor a = uniform(form.transposed ? std::vector{s.k, s.m} : std::vector{s.m, s.k}, 1);
  Tensor b = uniform({s.k, s.n}, 2), c = zeros({s.m, s.n});
  Tensor scale = uniform({s.k}, 3), shift = uniform({s.k}, 4), bias = uniform({s.n}, 5);
  std::vector<Tensor> operands = {a, form.panel ? packed(b, form.panel) : b};
  std::string types = operands[0].type() + ", " + operands[1].type();
  std::string body = "kernel.gemm %0, %1";
  auto add = [&](const Tensor &operand) {
    types += ", " + operand.type();
    operands.push_back(operand);
    return "%" + std::to_string(operands.size() - 1);
  };
  if (form.normalize) {
    std::string first = add(scale);
    body += " normalize(" + first + ", " + add(shift) + ")";
  }
  if (form.bias)
    body += " extras(" + add(bias) + " trailing)";
  body += " n " + std::to_string(s.n);
  body += form.transposed ? " transpose_a" : "";
  body += form.panel ? " packed" : "";
  body += form.store ? " store_normalized" : "";
  body += form.accumulate ? " accumulate @p" : "";
  std::vector<Tensor> results;
  if (!form.accumulate)
    results.push_back(c);
  // With a bias there is a second result, the index.
  if (form.bias)
    results.push_back(c);
  if (form.store)
    results.push_back(a);
  body += " : (" + types + ") -> (";
  for (size_t i = 0; i < results.size(); ++i)
    body += (i ? ", " : "") + results[i].type();
  body += ") ";
  body += form.bias ? R"({
^bb0(%x: f32, %b: f32, %i: i32):
  %y = arith.addf %x, %b : f32
  %z = arith.maximumf %y, %b : f32
  %place = arith.sitofp %i : i32 to f32
  kernel.yield %z, %place : f32, f32
})"
                    : "{\n^bb0(%x: f32, %i: i32):\n  kernel.yield %x : f32\n}";

  std::optional<Tensor> buffer;
  if (form.accumulate)
    buffer = uniform({s.m, s.n}, 6);
  auto expected = [&](const std::vector<Tensor> &arguments) {
    Expected product, places, rows;
    double largest = 0, magnified = 0;
    for (int64_t i = 0; i < s.m; ++i) {
      std::vector<double> row;
      for (int64_t k = 0; k < s.k; ++k)
        row.push_back(form.transposed ? a[k * s.m + i] : a[i * s.k + k]);
      if (form.normalize)
        magnified = std::max(magnified, 1 + normalizeRow(row, scale, shift));
      rows.entries.insert(rows.entries.end(), row.begin(), row.end());
      for (int64_t j = 0; j < s.n; ++j) {
        double sum = form.accumulate ? (*buffer)[i * s.n + j] : 0, magnitude = std::abs(sum);
        for (int64_t k = 0; k < s.k; ++k) {
          sum += row[size_t(k)] * b[k * s.n + j];
          magnitude += std::abs(row[size_t(k)] * b[k * s.n + j]);
        }
        if (form.bias) {
          magnitude += std::abs(bias[j]);
          sum = std::max(sum + bias[j], bias[j]);
        }
        largest = std::max(largest, magnitude);
        product.entries.push_back(sum);
        places.entries.push_back(double(float(i * s.n + j)));
      }
    }
    // One chain of at most 512 additions, then one addition for each step of 512 (and two more).
    double chain = double(std::min<int64_t>(s.k, 512) + s.k / 512 + 4) * roundoff;
    // Mean and variance are sums on at least 32 accumulators; an entry of B is at most 1.
    rows.tolerance = 4 * double(s.k / 32 + 8) * roundoff * magnified;
    product.tolerance = chain * largest + rows.tolerance * double(s.k);
    std::vector<std::pair<size_t, Expected>> compared = {{operands.size(), product}};
    if (form.bias)
      compared.push_back({operands.size() + 1, places});
    if (form.store)
      compared.push_back({arguments.size() - 1, rows});
    return compared;
  };
  check({std::string(form.name) + " " + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" +
             std::to_string(s.k),
         body, operands, buffer, results, expected});
}

class Gemm : public ::testing::TestWithParam<Form> {};

TEST_P(Gemm, OddShapes) {
  for (const Size &size :
       {Size{1, 1, 2}, Size{2, 3, 5}, Size{17, 33, 31}, Size{29, 97, 64}, Size{5, 70, 1030},
        Size{3, 20, 768}, Size{131, 40, 513}, Size{300, 1, 9}, Size{1, 700, 520}, Size{4, 161, 35},
        Size{2, 321, 513}, Size{1, 1100, 1030}})
    checkGemm(GetParam(), size);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, Gemm,
    ::testing::Values(Form{.name = "rows"}, Form{.name = "packed", .panel = 32},
                      Form{.name = "narrow", .panel = 5},
                      Form{.name = "epilogue", .panel = 16, .bias = true},
                      Form{.name = "gradient", .transposed = true, .accumulate = true},
                      Form{.name = "transposed", .transposed = true, .bias = true},
                      Form{.name = "normalized", .panel = 64, .bias = true, .normalize = true},
                      Form{.name = "stored", .normalize = true, .store = true},
                      Form{.name = "packedStored", .panel = 32, .normalize = true, .store = true}),
    [](const auto &info) { return std::string(info.param.name); });

// A row's bits depend neither on the rows around it nor on the panels' width.
TEST(GemmBits, OfARowAreItsOwn) {
  Tensor a = uniform({37, 700}, 1), b = uniform({700, 50}, 2), one = zeros({1, 700});
  std::copy_n(a.floats.begin() + 20 * 700, 700, one.floats.begin());
  auto run = [&](const Tensor &rows, const Tensor &columns, const char *form,
                 const std::string &cpu) {
    Tensor c = zeros({rows.shape[0], 50});
    std::string body = std::string("kernel.gemm %0, %1 n 50 ") + form + " : (" + rows.type() +
                       ", " + columns.type() + ") -> " + c.type() +
                       " {\n^bb0(%x: f32, %i: i32):\n  kernel.yield %x : f32\n}";
    auto kernel = Kernel::compile(body, {rows, columns}, {c}, cpu);
    return kernel ? kernel->run({rows, columns, c}).back() : c;
  };
  for (const std::string &cpu : testedCPUs()) {
    Tensor all = run(a, packed(b, 32), "packed", cpu);
    Tensor alone = run(one, b, "", cpu);
    for (int64_t j = 0; j < 50; ++j)
      EXPECT_EQ(all[20 * 50 + j], alone[j]) << "column " << j << " on " << cpu;
  }
}

} // namespace
