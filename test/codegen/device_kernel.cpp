// Kernels in PTX on the emulator of NVIDIA devices.

#include "codegen/EachKernel.h"
#include "test/codegen/kernel_harness.h"

#include <cstring>
#include <gtest/gtest.h>

#ifdef MEMFORMER_HAS_EMULATOR
#include "test/emulator/device_harness.h"
#endif

namespace memformer::testing {

std::optional<DeviceKernel> DeviceKernel::compile(const std::string &body,
                                                  const std::vector<Tensor> &operands,
                                                  const std::vector<Tensor> &results,
                                                  const std::string &gpu) {
  auto target = nvptx::GpuTarget::get(gpu);
  if (!target) {
    ADD_FAILURE() << llvm::toString(target.takeError());
    return std::nullopt;
  }
  std::string text = textOfKernel(body, typesOf(operands), typesOf(results));
  auto compiled = nvptx::compileKernel(text, *target);
  if (!compiled) {
    ADD_FAILURE() << llvm::toString(compiled.takeError()) << "\nin\n" << text;
    return std::nullopt;
  }
  DeviceKernel kernel;
  kernel.gpu = gpu;
  kernel.compiled = std::move(*compiled);
  return kernel;
}

#ifndef MEMFORMER_HAS_EMULATOR

std::vector<std::string> testedGPUs(bool) { return {}; }
std::vector<std::string> testedWarpgroupGPUs() { return {}; }

std::vector<Tensor> DeviceKernel::runIn(const std::string &, const std::vector<Tensor> &) const {
  ADD_FAILURE() << "expected the emulator to be built";
  return {};
}

#else

std::vector<std::string> testedGPUs(bool oldest) {
  return oldest ? std::vector<std::string>{"sm_75", "sm_80"} : std::vector<std::string>{"sm_80"};
}

std::vector<std::string> testedWarpgroupGPUs() { return {"sm_90a"}; }

namespace {

// The bytes of a tensor in the device's memory.
std::vector<uint8_t> bytesOf(const Tensor &tensor) {
  size_t count = size_t(tensor.entries());
  std::vector<uint8_t> bytes(count * (tensor.narrow ? 2 : 4));
  for (size_t i = 0; i < count; ++i)
    if (tensor.integer)
      std::memcpy(&bytes[4 * i], &tensor.ints[i], 4);
    else if (tensor.narrow) {
      uint16_t bits = toBits(tensor.floats[i], tensor.half);
      std::memcpy(&bytes[2 * i], &bits, 2);
    } else
      std::memcpy(&bytes[4 * i], &tensor.floats[i], 4);
  return bytes;
}

Tensor readBytes(const Tensor &like, const uint8_t *bytes) {
  Tensor tensor = like;
  for (size_t i = 0; i < size_t(like.entries()); ++i)
    if (like.integer) {
      std::memcpy(&tensor.ints[i], bytes + 4 * i, 4);
    } else if (like.narrow) {
      uint16_t bits;
      std::memcpy(&bits, bytes + 2 * i, 2);
      tensor.floats[i] = fromBits(bits, like.half);
    } else {
      std::memcpy(&tensor.floats[i], bytes + 4 * i, 4);
    }
  return tensor;
}

} // namespace

std::vector<Tensor> DeviceKernel::runIn(const std::string &modes,
                                        const std::vector<Tensor> &arguments) const {
  emulator::Device device("architecture=" + gpu.substr(3, 2) + "," + modes);
  CUfunction function = device.load(compiled.code);
  if (!function)
    return arguments;
  if (compiled.sharedBytes > 48 * 1024) {
    EXPECT_EQ(cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                 int(compiled.sharedBytes)),
              CUDA_SUCCESS);
  }
  // Bytes before and behind an argument keep their content. Short arguments may lie anywhere.
  constexpr size_t guard = 64;
  constexpr uint8_t mark = 0xa5;
  std::vector<CUdeviceptr> buffers, pointers;
  std::vector<size_t> begins;
  for (const Tensor &argument : arguments) {
    std::vector<uint8_t> bytes = bytesOf(argument);
    size_t begin = guard + (bytes.size() < 64 ? 4 : 0);
    std::vector<uint8_t> padded(begin + bytes.size() + guard, mark);
    std::copy(bytes.begin(), bytes.end(), padded.begin() + long(begin));
    buffers.push_back(device.put(padded));
    pointers.push_back(buffers.back() + begin);
    begins.push_back(begin);
  }
  EXPECT_EQ(device.launch(function, unsigned(compiled.grid), unsigned(compiled.threads), pointers,
                          unsigned(compiled.sharedBytes)),
            CUDA_SUCCESS)
      << device.fault();
  std::vector<Tensor> after;
  for (size_t i = 0; i < arguments.size(); ++i) {
    size_t bytes = bytesOf(arguments[i]).size(), begin = begins[i];
    auto read = device.get<uint8_t>(buffers[i], begin + bytes + guard);
    for (size_t at = 0; at < read.size(); ++at)
      if ((at < begin || at >= begin + bytes) && read[at] != mark) {
        ADD_FAILURE() << "written outside of argument " << i;
        break;
      }
    after.push_back(readBytes(arguments[i], read.data() + begin));
  }
  return after;
}

#endif

} // namespace memformer::testing
