// Compiles one kernel from text, runs it on tensors, and compares with a plain loop.

#ifndef MEMFORMER_TEST_CODEGEN_KERNEL_HARNESS_H
#define MEMFORMER_TEST_CODEGEN_KERNEL_HARNESS_H

#include "codegen/host/Load.h"
#include "codegen/nvptx/Compile.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace memformer::testing {

/// A dense tensor of f32, or of i32 where `integer` (i8 where `byte` too), or where `narrow` of
/// bf16 or, with `half`, f16 (`floats` then has entries of that precision).
struct Tensor {
  std::vector<int64_t> shape;
  bool integer = false;
  bool narrow = false, half = false;
  bool byte = false;
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
/// The nearest number that f16 has, ties to even.
float roundToF16(double x);
/// To bf16, or with `half` to f16.
inline float roundTo16Bits(double x, bool half) { return half ? roundToF16(x) : roundToBF16(x); }
/// The same tensor, of bf16 or f16.
Tensor narrowed(Tensor tensor, bool half = false);
/// Entries of 16 bits from and to f32 that have their precision.
uint16_t toBits(float x, bool half);
float fromBits(uint16_t bits, bool half);
/// Uniform integers in [low, high).
Tensor integers(std::vector<int64_t> shape, uint64_t seed, int32_t low, int32_t high);

/// The CPUs to test: AVX2 alone, and AVX-512 where this machine has it.
std::vector<std::string> testedCPUs();
/// The GPUs to test, on the emulator: none where it is not built. `oldest`: one without tensor
/// cores for bf16 too, whose kernels of f32 are the same.
std::vector<std::string> testedGPUs(bool oldest = false);
/// Those with products of warpgroups.
std::vector<std::string> testedWarpgroupGPUs();
/// CPUs and GPUs.
std::vector<std::string> testedTargets(bool oldest = false);
/// The same with emulated tile registers, and one that has them where this machine does.
std::vector<std::string> testedTileCPUs();

std::vector<std::string> typesOf(const std::vector<Tensor> &tensors);

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

/// A kernel in PTX, run by the emulator of NVIDIA devices.
class DeviceKernel {
public:
  /// As Kernel::compile.
  static std::optional<DeviceKernel> compile(const std::string &body,
                                             const std::vector<Tensor> &operands,
                                             const std::vector<Tensor> &results,
                                             const std::string &gpu);
  int64_t grid() const { return compiled.grid; }
  const std::string &ptx() const { return compiled.code; }
  /// What the arguments hold after all blocks, in the modes of the emulator that `modes` names. A
  /// race, a misaligned access or a deadlock is a test failure.
  std::vector<Tensor> runIn(const std::string &modes, const std::vector<Tensor> &arguments) const;
  /// With races looked for; and with blocks and threads in the other order.
  std::vector<Tensor> run(const std::vector<Tensor> &arguments, bool descending = false) const {
    return runIn(descending ? "order=reverse" : "order=forward,races=on", arguments);
  }

private:
  std::string gpu;
  nvptx::CompiledKernel compiled;
};

/// The entries that a plain loop in double precision computes, and the error that is allowed.
struct Expected {
  std::vector<double> entries;
  double tolerance = 0;
};

/// What a kernel leaves in its arguments, on a CPU or a GPU; empty where it does not compile, which
/// is a test failure.
std::vector<Tensor> runOn(const std::string &target, const std::string &body,
                          const std::vector<Tensor> &operands, const std::vector<Tensor> &results,
                          const std::vector<Tensor> &arguments);

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

/// On every target: within tolerance, and the same bits for both orders of workgroups, and of
/// threads where there are any.
void check(const KernelCase &kernel, const std::vector<std::string> &targets = testedTargets());

/// 2⁻²⁴, half of the distance between 1 and the next f32.
inline constexpr double roundoff = 5.9604644775390625e-8;

/// The error of a sum of `terms` f32 terms of `magnitude` = Σ|term|, added on at least 8 lanes:
/// each term takes part in at most terms/8 + 8 additions.
inline double sumError(int64_t terms, double magnitude) {
  return double(terms / 8 + 8) * roundoff * magnitude;
}

} // namespace memformer::testing

#endif
