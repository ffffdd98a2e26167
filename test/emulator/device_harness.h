// A device for tests: memory, modules and launches through the driver's interface.

#ifndef MEMFORMER_TEST_EMULATOR_DEVICE_HARNESS_H
#define MEMFORMER_TEST_EMULATOR_DEVICE_HARNESS_H

#include "test/emulator/cuda_driver.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace memformer::emulator {

/// PTX of a module around what stands in it.
std::string ptxModule(const std::string &text, unsigned architecture = 80);

/// PTX of a kernel `k` with `parameters` parameters .u64 `p0`, `p1`, …, which are loaded to %a0,
/// %a1, …, whose body also has %tid in %t, 4 · %tid in %t4 and registers %r, %rd, %f, %h, %p.
std::string ptxKernel(unsigned parameters, const std::string &body,
                      const std::string &variables = "", unsigned architecture = 80);

/// The NVPTX backend's output for LLVM IR.
std::string ptxOfIr(const std::string &ir, const std::string &cpu, const std::string &features);

/// The emulated device in the modes of a text; memory that a test takes is freed at its end.
class Device {
public:
  explicit Device(const std::string &modes = "");
  ~Device();

  CUdeviceptr allocate(size_t bytes);
  template <typename T> CUdeviceptr put(const std::vector<T> &values) {
    return putBytes(values.data(), values.size() * sizeof(T));
  }
  template <typename T> std::vector<T> get(CUdeviceptr from, size_t count) {
    std::vector<T> values(count);
    EXPECT_EQ(cuMemcpyDtoH_v2(values.data(), from, count * sizeof(T)), CUDA_SUCCESS)
        << memformerEmulatorFault();
    return values;
  }
  /// Null, with a failure of the test, where the PTX is refused.
  CUfunction load(const std::string &ptx, const char *kernel = "k");
  /// The log of a load that must fail with `expected`.
  std::string refusal(const std::string &ptx, CUresult expected = CUDA_ERROR_INVALID_PTX);
  /// Launches blocks in x and waits: the error of the kernel.
  CUresult launch(CUfunction function, unsigned blocks, unsigned threads,
                  const std::vector<CUdeviceptr> &arguments, unsigned sharedBytes = 0);
  std::string fault() const { return memformerEmulatorFault(); }

private:
  CUdeviceptr putBytes(const void *values, size_t bytes);
  std::vector<CUdeviceptr> memory;
  std::vector<CUmodule> modules;
};

} // namespace memformer::emulator

#endif
