// Compiles one kernel from text, runs it on tensors, and compares with a plain loop.

#ifndef MEMFORMER_TEST_CODEGEN_KERNEL_HARNESS_H
#define MEMFORMER_TEST_CODEGEN_KERNEL_HARNESS_H

#include "codegen/host/Load.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace memformer::testing {

/// A dense tensor of f32, or of i32 where `integer`, or of bf16 where `narrow` (`floats` then has
/// entries of that precision).
struct Tensor {
  std::vector<int64_t> shape;
  bool integer = false;
  bool narrow = false;
  std::vector<float> floats;
  std::vector<int32_t> ints;

  int64_t entries() const;
  /// Leading dimensions collapsed.
  int64_t rows() const;
  int64_t width() const;
  /// "tensor<2x3xf32>"
  std::string type() const;
  double operator[](int64_t i) const { return integer ? double(ints[i]) : double(floats[i]); }
};

Tensor zeros(std::vector<int64_t> shape, bool integer = false);
/// Reproducible entries, uniform in [low, high).
Tensor uniform(std::vector<int64_t> shape, uint64_t seed, float low = -1, float high = 1);
/// The nearest number that bf16 has, ties to even.
float roundToBF16(double x);
/// The same tensor, of bf16.
Tensor narrowed(Tensor tensor);
/// Uniform integers in [low, high).
Tensor integers(std::vector<int64_t> shape, uint64_t seed, int32_t low, int32_t high);

/// The CPUs to test: AVX2 alone, and AVX-512 where this machine has it.
std::vector<std::string> testedCPUs();
/// The same with emulated tile registers, and one that has them where this machine does.
std::vector<std::string> testedTileCPUs();

/// A kernel compiled, linked and loaded; closed with its last copy.
class Kernel {
public:
  /// `body` is the op in text, its operands named %0, %1, … of the types of `operands`, its
  /// results `%r` or `%r:n`. Errors are test failures, and nullopt.
  static std::optional<Kernel> compile(const std::string &body, const std::vector<Tensor> &operands,
                                       const std::vector<Tensor> &results, const std::string &cpu);
  int64_t grid() const { return loaded.grid; }
  /// Runs all workgroups, ascending or descending, on copies of the arguments: the operands, the
  /// gradient buffer where there is one, the results. Writing past the end of one is a test
  /// failure.
  std::vector<Tensor> run(const std::vector<Tensor> &arguments, bool descending = false) const;

private:
  host::LoadedKernel loaded;
};

/// The entries that a plain loop in double precision computes, and the error that is allowed.
struct Expected {
  std::vector<double> entries;
  double tolerance = 0;
};

/// What a test wants of one kernel: `expected` gets the operands and fills an entry for each
/// argument that is compared, in the order of `compared`.
struct KernelCase {
  std::string name;
  std::string body;
  std::vector<Tensor> operands;
  /// Set where the kernel adds to a gradient buffer: its first content.
  std::optional<Tensor> accumulated;
  std::vector<Tensor> results;
  /// Indices of arguments (operands, buffer, results) and what is expected in them.
  std::function<std::vector<std::pair<size_t, Expected>>(const std::vector<Tensor> &arguments)>
      expected;
};

/// On every CPU: within tolerance, and the same bits for both orders of workgroups.
void check(const KernelCase &kernel, const std::vector<std::string> &cpus = testedCPUs());

/// 2⁻²⁴, half of the distance between 1 and the next f32.
inline constexpr double roundoff = 5.9604644775390625e-8;

/// The error of a sum of `terms` f32 terms of `magnitude` = Σ|term|, added on at least 8 lanes:
/// each term takes part in at most terms/8 + 8 additions.
inline double sumError(int64_t terms, double magnitude) {
  return double(terms / 8 + 8) * roundoff * magnitude;
}

} // namespace memformer::testing

#endif
