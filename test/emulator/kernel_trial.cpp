// One kernel on the emulator, in the modes that bring out what is wrong with it.

#include "test/emulator/kernel_trial.h"

#include "test/emulator/cuda_driver.h"

#include <algorithm>

namespace memformer::emulator {

namespace {

constexpr size_t guardBytes = 64;
constexpr uint8_t guardByte = 0xa5;

/// Short arguments may lie at any multiple of 4.
size_t beginOf(const std::vector<uint8_t> &argument) {
  return guardBytes + (argument.size() < 64 ? 4 : 0);
}

Outcome failed(const std::string &what) {
  std::string fault = memformerEmulatorFault();
  return {what + (fault.empty() ? "" : ": " + fault), {}};
}

/// What a trial takes of the device, given back at its end.
struct Resources {
  std::vector<CUdeviceptr> buffers;
  CUmodule module = nullptr;

  ~Resources() {
    cuDevicePrimaryCtxRelease_v2(0); // forgets failures
    if (module)
      cuModuleUnload(module);
    for (CUdeviceptr buffer : buffers)
      cuMemFree_v2(buffer);
  }
};

} // namespace

Outcome runImage(const KernelImage &image, const std::string &modes) {
  std::string settings = "threads=1,architecture=" + std::to_string(image.architecture) +
                         ",skip=" + std::to_string(image.skip) + "," + modes;
  if (!memformerEmulatorConfigure(settings.c_str()))
    return {"the modes '" + modes + "' are not known", {}};
  Resources device;
  CUcontext context;
  CUfunction function;
  if (cuInit(0) || cuDevicePrimaryCtxRetain(&context, 0) || cuCtxSetCurrent(context))
    return failed("no device");
  char log[512] = "";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
  if (cuModuleLoadDataEx(&device.module, image.ptx.c_str(), 2, options, values)) {
    device.module = nullptr;
    return {std::string("not loaded: ") + log, {}};
  }
  if (cuModuleGetFunction(&function, device.module, image.symbol.c_str()))
    return failed("no kernel " + image.symbol);
  if (image.sharedBytes > 48 * 1024 &&
      cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                         int(image.sharedBytes)))
    return failed("too much shared memory");
  std::vector<CUdeviceptr> pointers;
  for (const std::vector<uint8_t> &argument : image.arguments) {
    size_t begin = beginOf(argument);
    std::vector<uint8_t> padded(begin + argument.size() + guardBytes, guardByte);
    std::copy(argument.begin(), argument.end(), padded.begin() + long(begin));
    CUdeviceptr buffer;
    if (cuMemAlloc_v2(&buffer, padded.size()))
      return failed("no memory");
    device.buffers.push_back(buffer);
    if (cuMemcpyHtoD_v2(buffer, padded.data(), padded.size()))
      return failed("no copy");
    pointers.push_back(buffer + begin);
  }
  std::vector<void *> parameters;
  for (CUdeviceptr &pointer : pointers)
    parameters.push_back(&pointer);
  if (cuLaunchKernel(function, image.grid, 1, 1, image.threads, 1, 1, image.sharedBytes, nullptr,
                     parameters.data(), nullptr) ||
      cuCtxSynchronize())
    return failed("failed");
  Outcome outcome;
  for (size_t i = 0; i < pointers.size(); ++i) {
    const std::vector<uint8_t> &argument = image.arguments[i];
    std::vector<uint8_t> &after =
        outcome.after.emplace_back(beginOf(argument) + argument.size() + guardBytes);
    if (cuMemcpyDtoH_v2(after.data(), device.buffers[i], after.size()))
      return failed("no copy");
  }
  return outcome;
}

const std::vector<std::string> &trialModes() {
  static const std::vector<std::string> modes = {
      "order=forward,copies=lazy,races=all", "order=forward,copies=lazy",
      "order=reverse,copies=eager",          "order=random,seed=1,copies=lazy,races=on",
      "order=random,seed=2,copies=lazy",     "order=random,seed=3,copies=eager",
      "order=random,seed=4,poison=off",      "order=reverse,placement=aligned,races=on"};
  return modes;
}

std::string findFault(const KernelImage &image, const std::vector<std::vector<uint8_t>> &expected,
                      bool orders) {
  std::vector<std::string> modes = trialModes();
  if (!orders)
    std::swap(modes[0], modes[1]);
  for (const std::string &mode : modes) {
    Outcome outcome = runImage(image, mode);
    if (!outcome.fault.empty())
      return mode + ": " + outcome.fault.substr(0, outcome.fault.find('\n'));
    if (outcome.after != expected)
      return mode + ": other bits";
  }
  return "";
}

} // namespace memformer::emulator
