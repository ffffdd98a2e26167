// Compiles one kernel from text, runs it on tensors, and compares with a plain loop.

#include "test/codegen/kernel_harness.h"

#include "runtime/machine.h"
#include "test/emulator/numbers.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>

namespace memformer::testing {

int64_t Tensor::entries() const {
  int64_t product = 1;
  for (int64_t extent : shape)
    product *= extent;
  return product;
}

int64_t Tensor::width() const { return shape.empty() ? 1 : shape.back(); }

int64_t Tensor::rows() const { return entries() / width(); }

std::string Tensor::type() const {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + (byte ? "i8>" : integer ? "i32>" : narrow ? (half ? "f16>" : "bf16>") : "f32>");
}

Tensor zeros(std::vector<int64_t> shape, bool integer) {
  Tensor tensor;
  tensor.shape = std::move(shape);
  tensor.integer = integer;
  if (integer)
    tensor.ints.resize(size_t(tensor.entries()));
  else
    tensor.floats.resize(size_t(tensor.entries()));
  return tensor;
}

// SplitMix64 (Steele, Lea and Flood 2014).
static uint64_t next(uint64_t &state) {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

Tensor uniform(std::vector<int64_t> shape, uint64_t seed, float low, float high) {
  Tensor tensor = zeros(std::move(shape));
  for (float &entry : tensor.floats)
    entry = low + (high - low) * float(next(seed) >> 40) * 0x1p-24f;
  return tensor;
}

float roundToBF16(double x) {
  float single = float(x);
  uint32_t bits;
  std::memcpy(&bits, &single, sizeof(bits));
  bits += 0x7fff + ((bits >> 16) & 1);
  bits &= 0xffff0000;
  std::memcpy(&single, &bits, sizeof(bits));
  return single;
}

float roundToF16(double x) { return emulator::floatOfHalf(emulator::halfOf(float(x))); }

uint16_t toBits(float x, bool half) {
  // bf16 is the high half of an f32.
  return half ? emulator::halfOf(x) : uint16_t(std::bit_cast<uint32_t>(x) >> 16);
}

float fromBits(uint16_t bits, bool half) {
  return half ? emulator::floatOfHalf(bits) : emulator::floatOfBfloat(bits);
}

Tensor narrowed(Tensor tensor, bool half) {
  tensor.narrow = true;
  tensor.half = half;
  for (float &entry : tensor.floats)
    entry = roundTo16Bits(entry, half);
  return tensor;
}

Tensor integers(std::vector<int64_t> shape, uint64_t seed, int32_t low, int32_t high) {
  Tensor tensor = zeros(std::move(shape), true);
  for (int32_t &entry : tensor.ints)
    entry = low + int32_t(next(seed) % uint64_t(high - low));
  return tensor;
}

std::vector<std::string> testedCPUs() {
  std::vector<std::string> cpus = {"x86-64-v3"};
  auto features = llvm::sys::getHostCPUFeatures();
  if (features.lookup("avx512f") && features.lookup("avx512bw") && features.lookup("avx512dq") &&
      features.lookup("avx512vl"))
    cpus.push_back(features.lookup("avx512bf16") ? "cooperlake" : "x86-64-v4");
  return cpus;
}

static constexpr const char *emulatedTiles = " with emulated tiles";

std::vector<std::string> testedTileCPUs() {
  std::vector<std::string> cpus;
  for (const std::string &cpu : testedCPUs())
    cpus.push_back(cpu + emulatedTiles);
  const TargetInfo tiles = {
      "host", "x86_64-unknown-linux-gnu", "sapphirerapids", {"amx-tile", "amx-bf16"}};
  if (checkMachine(tiles))
    cpus.push_back("sapphirerapids");
  return cpus;
}

std::vector<std::string> typesOf(const std::vector<Tensor> &tensors) {
  std::vector<std::string> types;
  for (const Tensor &tensor : tensors)
    types.push_back(tensor.type());
  return types;
}

std::optional<Kernel> Kernel::compile(const std::string &body, const std::vector<Tensor> &operands,
                                      const std::vector<Tensor> &results, const std::string &cpu) {
  llvm::StringRef name = cpu;
  bool emulated = name.consume_back(emulatedTiles);
  auto target = host::HostTarget::get(name);
  if (!target) {
    ADD_FAILURE() << llvm::toString(target.takeError());
    return std::nullopt;
  }
  if (emulated)
    target->tiles = host::TileSupport::Emulated;
  auto loaded = host::loadKernel(body, typesOf(operands), typesOf(results), *target);
  if (!loaded) {
    ADD_FAILURE() << llvm::toString(loaded.takeError());
    return std::nullopt;
  }
  Kernel kernel;
  kernel.loaded = *loaded;
  return kernel;
}

namespace {
/// A 64-byte aligned copy of a tensor with a guard before and behind.
class Buffer {
public:
  explicit Buffer(const Tensor &tensor)
      : bytes(size_t(tensor.entries()) * (tensor.byte     ? 1
                                          : tensor.narrow ? 2
                                                          : 4)) {
    size_t rounded = (bytes + 63) / 64 * 64;
    memory.reset(static_cast<uint8_t *>(std::aligned_alloc(64, rounded + 2 * guard)));
    std::memset(memory.get(), 0xa5, rounded + 2 * guard);
    const void *from =
        tensor.integer ? static_cast<const void *>(tensor.ints.data()) : tensor.floats.data();
    if (tensor.byte)
      std::copy(tensor.ints.begin(), tensor.ints.end(), static_cast<int8_t *>(data()));
    else if (tensor.narrow)
      for (size_t i = 0; i < tensor.floats.size(); ++i)
        std::memcpy(half(i), reinterpret_cast<const uint8_t *>(&tensor.floats[i]) + 2, 2);
    else if (bytes)
      std::memcpy(data(), from, bytes);
  }
  void *data() const { return memory.get() + guard; }
  bool isIntact() const {
    for (size_t i = 0; i < guard; ++i)
      if (memory.get()[i] != 0xa5 || memory.get()[guard + bytes + i] != 0xa5)
        return false;
    return true;
  }
  Tensor read(const Tensor &like) const {
    Tensor tensor = like;
    void *to = like.integer ? static_cast<void *>(tensor.ints.data()) : tensor.floats.data();
    if (like.byte)
      std::copy_n(static_cast<const int8_t *>(data()), bytes, tensor.ints.begin());
    else if (like.narrow)
      for (size_t i = 0; i < tensor.floats.size(); ++i) {
        tensor.floats[i] = 0;
        std::memcpy(reinterpret_cast<uint8_t *>(&tensor.floats[i]) + 2, half(i), 2);
      }
    else if (bytes)
      std::memcpy(to, data(), bytes);
    return tensor;
  }

private:
  // Entry i of bf16: the high half of an f32.
  uint8_t *half(size_t i) const { return memory.get() + guard + 2 * i; }

  static constexpr size_t guard = 256;
  struct Free {
    void operator()(uint8_t *pointer) const { std::free(pointer); }
  };
  size_t bytes;
  std::unique_ptr<uint8_t, Free> memory;
};
} // namespace

std::vector<Tensor> Kernel::run(const std::vector<Tensor> &arguments, bool descending) const {
  std::vector<Buffer> buffers(arguments.begin(), arguments.end());
  std::vector<void *> pointers;
  for (const Buffer &buffer : buffers)
    pointers.push_back(buffer.data());
  for (int64_t i = 0; i < grid(); ++i)
    loaded.function(pointers.data(), descending ? grid() - 1 - i : i);
  std::vector<Tensor> after;
  for (size_t i = 0; i < arguments.size(); ++i) {
    EXPECT_TRUE(buffers[i].isIntact()) << "written outside of argument " << i;
    after.push_back(buffers[i].read(arguments[i]));
  }
  return after;
}

static bool sameBits(const Tensor &x, const Tensor &y) {
  return x.ints == y.ints &&
         std::memcmp(x.floats.data(), y.floats.data(), x.floats.size() * 4) == 0;
}

static void compare(const Tensor &actual, const Expected &expected, size_t argument) {
  ASSERT_EQ(size_t(actual.entries()), expected.entries.size()) << "argument " << argument;
  double worst = -1;
  int64_t where = 0;
  for (int64_t i = 0; i < actual.entries(); ++i) {
    double error = std::abs(actual[i] - expected.entries[size_t(i)]);
    // NaN is an error of any size.
    if (!(error <= worst)) {
      worst = std::isnan(error) ? INFINITY : error;
      where = i;
    }
  }
  EXPECT_LE(worst, expected.tolerance)
      << "argument " << argument << ", entry " << where << " of " << actual.type() << ": "
      << actual[where] << " instead of " << expected.entries[size_t(where)];
}

static std::vector<Tensor> argumentsOf(const KernelCase &test) {
  std::vector<Tensor> arguments = test.operands;
  if (test.accumulated)
    arguments.push_back(*test.accumulated);
  for (Tensor result : test.results) {
    // A result that is not written shows.
    std::fill(result.floats.begin(), result.floats.end(), NAN);
    std::fill(result.ints.begin(), result.ints.end(), INT32_MIN);
    arguments.push_back(std::move(result));
  }
  return arguments;
}

std::vector<std::string> testedTargets(bool oldest) {
  std::vector<std::string> targets = testedCPUs();
  for (const std::string &gpu : testedGPUs(oldest))
    targets.push_back(gpu);
  return targets;
}

std::vector<Tensor> runOn(const std::string &target, const std::string &body,
                          const std::vector<Tensor> &operands, const std::vector<Tensor> &results,
                          const std::vector<Tensor> &arguments) {
  if (target.starts_with("sm_")) {
    auto kernel = DeviceKernel::compile(body, operands, results, target);
    return kernel ? kernel->runIn("order=forward", arguments) : std::vector<Tensor>();
  }
  auto kernel = Kernel::compile(body, operands, results, target);
  return kernel ? kernel->run(arguments) : std::vector<Tensor>();
}

// What is left in the arguments, in one order of workgroups and in the other.
static std::optional<std::pair<std::vector<Tensor>, std::vector<Tensor>>>
runTwice(const KernelCase &test, const std::string &target, const std::vector<Tensor> &arguments) {
  if (target.starts_with("sm_")) {
    auto kernel = DeviceKernel::compile(test.body, test.operands, test.results, target);
    if (!kernel)
      return std::nullopt;
    return std::pair(kernel->run(arguments), kernel->run(arguments, true));
  }
  auto kernel = Kernel::compile(test.body, test.operands, test.results, target);
  if (!kernel)
    return std::nullopt;
  return std::pair(kernel->run(arguments), kernel->run(arguments, true));
}

void check(const KernelCase &test, const std::vector<std::string> &targets) {
  for (const std::string &target : targets) {
    SCOPED_TRACE(test.name + " on " + target);
    std::vector<Tensor> arguments = argumentsOf(test);
    auto runs = runTwice(test, target, arguments);
    if (!runs)
      continue;
    const auto &[after, reversed] = *runs;
    for (size_t i = 0; i < after.size(); ++i)
      EXPECT_TRUE(sameBits(after[i], reversed[i]))
          << "argument " << i << " depends on the order of workgroups or threads";
    for (const auto &[argument, expected] : test.expected(arguments))
      compare(after[argument], expected, argument);
  }
}

} // namespace memformer::testing
