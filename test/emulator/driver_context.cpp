// Initialization, devices, contexts and names of errors.

#include "test/emulator/driver_state.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace memformer::emulator {

DriverState &driver() {
  static DriverState *state = new DriverState;
  return *state;
}

std::vector<CUcontext> &contextStack() {
  static thread_local std::vector<CUcontext> contexts;
  return contexts;
}

Call::Call(bool needsContext) : guard(driver().lock) {
  DriverState &state = driver();
  error = !state.initialized       ? CUDA_ERROR_NOT_INITIALIZED
          : !needsContext          ? CUDA_SUCCESS
          : contextStack().empty() ? CUDA_ERROR_INVALID_CONTEXT
                                   : state.failure;
}

bool DriverState::configure() {
  if (configured)
    return true;
  const char *text = std::getenv("MEMFORMER_EMULATOR");
  auto read = parseModes(text ? text : "");
  if (!read) {
    std::fprintf(stderr, "%s\n", read.error().c_str());
    return false;
  }
  modes = *read;
  return configured = true;
}

CUresult DriverState::fail(const Fault &what) {
  if (failure == CUDA_SUCCESS) {
    failure = CUresult(what.code);
    fault = what.message;
    std::fprintf(stderr, "emulator: %s\n", fault.c_str());
  }
  return failure;
}

void DriverState::reset() {
  drainAll();
  failure = CUDA_SUCCESS;
}

uint64_t optInShared(unsigned architecture) {
  switch (architecture) {
  case 75:
    return 65536;
  case 80:
  case 87:
    return 166912;
  case 86:
  case 89:
  case 120:
    return 101376;
  default:
    return architecture >= 90 ? 232448 : 49152;
  }
}

namespace {

struct ErrorName {
  CUresult error;
  const char *name, *text;
};

#define NAME(error, text) {error, #error, text}
const ErrorName errorNames[] = {
    NAME(CUDA_SUCCESS, "no error"),
    NAME(CUDA_ERROR_INVALID_VALUE, "invalid argument"),
    NAME(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
    NAME(CUDA_ERROR_NOT_INITIALIZED, "initialization error"),
    NAME(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected"),
    NAME(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
    NAME(CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid"),
    NAME(CUDA_ERROR_INVALID_CONTEXT, "invalid device context"),
    NAME(CUDA_ERROR_NO_BINARY_FOR_GPU, "no kernel image is available for the device"),
    NAME(CUDA_ERROR_INVALID_PTX, "a PTX JIT compilation failed"),
    NAME(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "the PTX is newer than the driver"),
    NAME(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"),
    NAME(CUDA_ERROR_NOT_FOUND, "named symbol not found"),
    NAME(CUDA_ERROR_NOT_READY, "device not ready"),
    NAME(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"),
    NAME(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch"),
    NAME(CUDA_ERROR_LAUNCH_TIMEOUT, "the launch timed out"),
    NAME(CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned address"),
    NAME(CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure"),
    NAME(CUDA_ERROR_NOT_SUPPORTED, "operation not supported"),
    NAME(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "not permitted while a stream is capturing"),
    NAME(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "the capture was invalidated"),
    NAME(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "the default stream would join a capture"),
    NAME(CUDA_ERROR_UNKNOWN, "unknown error"),
};
#undef NAME

const ErrorName *nameOf(CUresult error) {
  for (const ErrorName &entry : errorNames)
    if (entry.error == error)
      return &entry;
  return nullptr;
}

} // namespace

} // namespace memformer::emulator

using namespace memformer::emulator;

CUresult cuInit(unsigned flags) {
  std::lock_guard guard(driver().lock);
  if (flags)
    return CUDA_ERROR_INVALID_VALUE;
  if (!driver().configure())
    return CUDA_ERROR_INVALID_VALUE;
  if (!driver().modes.devices)
    return CUDA_ERROR_NO_DEVICE;
  driver().initialized = true;
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int *version) {
  std::lock_guard guard(driver().lock);
  if (!version || !driver().configure())
    return CUDA_ERROR_INVALID_VALUE;
  *version = int(driver().modes.driver);
  return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult error, const char **name) {
  const ErrorName *entry = nameOf(error);
  *name = entry ? entry->name : nullptr;
  return entry ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorString(CUresult error, const char **text) {
  const ErrorName *entry = nameOf(error);
  *text = entry ? entry->text : nullptr;
  return entry ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  Call call(false);
  if (!call)
    return call.error;
  if (!device || ordinal)
    return CUDA_ERROR_INVALID_DEVICE;
  *device = 0;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
  Call call(false);
  if (!call)
    return call.error;
  *count = 1;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
  Call call(false);
  if (!call)
    return call.error;
  if (device || length < 1)
    return CUDA_ERROR_INVALID_DEVICE;
  std::snprintf(name, size_t(length), "emulated sm_%u", driver().modes.architecture);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
  Call call(false);
  if (!call)
    return call.error;
  if (device || !value)
    return CUDA_ERROR_INVALID_DEVICE;
  unsigned architecture = driver().modes.architecture;
  const std::map<int, uint64_t> values = {
      {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, maximumThreads},
      {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 0x7fffffff},
      {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 49152},
      {CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, 65536},
      {CU_DEVICE_ATTRIBUTE_WARP_SIZE, warpSize},
      {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, 65536},
      {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, 1000000},
      {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 4},
      {CU_DEVICE_ATTRIBUTE_INTEGRATED, 0},
      {CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 0},
      {CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 1},
      {CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, 1000000},
      {CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, 256},
      {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 4194304},
      {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, architecture == 75 ? 1024 : 2048},
      {CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT, 1},
      {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
      {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, architecture / 10},
      {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, architecture % 10},
      {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, optInShared(architecture) + 1024},
      {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, 65536},
      {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, optInShared(architecture)},
      {CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR, 16},
      {CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK, 1024},
  };
  auto found = values.find(attribute);
  if (found == values.end())
    return CUDA_ERROR_INVALID_VALUE;
  *value = int(found->second);
  return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
  Call call(false);
  if (!call)
    return call.error;
  if (device)
    return CUDA_ERROR_INVALID_DEVICE;
  *bytes = driver().modes.memory;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  Call call(false);
  if (!call)
    return call.error;
  if (device)
    return CUDA_ERROR_INVALID_DEVICE;
  *context = &driver().context;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  Call call(false);
  if (!call)
    return call.error;
  if (device)
    return CUDA_ERROR_INVALID_DEVICE;
  driver().reset();
  return CUDA_SUCCESS;
}

CUresult cuCtxCreate_v2(CUcontext *context, unsigned, CUdevice device) {
  CUresult error = cuDevicePrimaryCtxRetain(context, device);
  if (error == CUDA_SUCCESS)
    contextStack().push_back(*context);
  return error;
}

CUresult cuCtxDestroy_v2(CUcontext context) {
  Call call(false);
  if (!call)
    return call.error;
  if (context != &driver().context)
    return CUDA_ERROR_INVALID_CONTEXT;
  driver().reset();
  contextStack().clear();
  return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext context) {
  Call call(false);
  if (!call)
    return call.error;
  if (context && context != &driver().context)
    return CUDA_ERROR_INVALID_CONTEXT;
  std::vector<CUcontext> &stack = contextStack();
  if (!stack.empty())
    stack.pop_back();
  if (context)
    stack.push_back(context);
  return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext *context) {
  Call call(false);
  *context = contextStack().empty() ? nullptr : contextStack().back();
  return call.error;
}

CUresult cuCtxPushCurrent_v2(CUcontext context) {
  Call call(false);
  if (!call)
    return call.error;
  if (context != &driver().context)
    return CUDA_ERROR_INVALID_CONTEXT;
  contextStack().push_back(context);
  return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent_v2(CUcontext *context) {
  Call call(false);
  if (!call)
    return call.error;
  if (contextStack().empty())
    return CUDA_ERROR_INVALID_CONTEXT;
  if (context)
    *context = contextStack().back();
  contextStack().pop_back();
  return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice *device) {
  Call call;
  *device = 0;
  return call.error;
}

CUresult cuCtxSynchronize(void) {
  Call call;
  if (!call)
    return call.error;
  if (driver().capturing)
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  driver().drainAll();
  return driver().failure;
}

bool memformerEmulatorConfigure(const char *settings) {
  std::lock_guard guard(driver().lock);
  auto read = parseModes(settings);
  if (!read) {
    std::fprintf(stderr, "%s\n", read.error().c_str());
    return false;
  }
  driver().reset();
  driver().fault.clear();
  driver().modes = *read;
  driver().configured = true;
  driver().initialized = false;
  driver().launched.clear();
  resetProcessors();
  return true;
}

const char *memformerEmulatorFault() {
  std::lock_guard guard(driver().lock);
  return driver().fault.c_str();
}
