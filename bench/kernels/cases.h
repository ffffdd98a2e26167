// The kernels that are measured: shapes of the paper's models, and what a library is asked for.

#ifndef MEMFORMER_BENCH_KERNELS_CASES_H
#define MEMFORMER_BENCH_KERNELS_CASES_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace memformer::bench {

/// A tensor that a kernel is given or fills; floats begin uniform in ±`largest` around `center`,
/// integers uniform in [0, bound).
struct Buffer {
  std::vector<int64_t> shape;
  float center = 0, largest = 1;
  int32_t bound = 0;

  int64_t entries() const;
  /// "tensor<2x3xf32>"
  std::string type() const;
};

/// C [m, n] (+)= op(A) · op(B), row-major.
struct Product {
  int64_t m, n, k;
  bool transposeA = false, transposeB = false, accumulate = false;
};

struct Case {
  std::string name;
  /// The op in text. Arguments of the compiled function are operands, buffers, results.
  std::string body;
  std::vector<Buffer> operands, buffers, results;
  double flops = 0, bytes = 0;
  /// What BLAS libraries are timed at.
  std::optional<Product> product;
  /// What PyTorch is asked for, as JSON, and the ratio that is wanted.
  std::string torch;
  double wanted = 1;
};

/// All cases, for panels of `panelWidth` columns.
std::vector<Case> allCases(int64_t panelWidth);

} // namespace memformer::bench

#endif
