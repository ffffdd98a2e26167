// Functions of the driver by name, for programs that ask it instead of the dynamic linker.

#include "test/emulator/driver_state.h"

#include <string>

namespace {

struct Entry {
  const char *name;
  void *function;
};

#define ENTRY(name) {#name, reinterpret_cast<void *>(&name)}
const Entry entries[] = {
    ENTRY(cuCtxCreate_v2),
    ENTRY(cuCtxDestroy_v2),
    ENTRY(cuCtxGetCurrent),
    ENTRY(cuCtxGetDevice),
    ENTRY(cuCtxPopCurrent_v2),
    ENTRY(cuCtxPushCurrent_v2),
    ENTRY(cuCtxSetCurrent),
    ENTRY(cuCtxSynchronize),
    ENTRY(cuDeviceGet),
    ENTRY(cuDeviceGetAttribute),
    ENTRY(cuDeviceGetCount),
    ENTRY(cuDeviceGetName),
    ENTRY(cuDevicePrimaryCtxRelease_v2),
    ENTRY(cuDevicePrimaryCtxRetain),
    ENTRY(cuDeviceTotalMem_v2),
    ENTRY(cuDriverGetVersion),
    ENTRY(cuEventCreate),
    ENTRY(cuEventDestroy_v2),
    ENTRY(cuEventElapsedTime),
    ENTRY(cuEventQuery),
    ENTRY(cuEventRecord),
    ENTRY(cuEventSynchronize),
    ENTRY(cuFuncGetAttribute),
    ENTRY(cuFuncSetAttribute),
    ENTRY(cuGetErrorName),
    ENTRY(cuGetErrorString),
    ENTRY(cuGetProcAddress),
    ENTRY(cuGetProcAddress_v2),
    ENTRY(cuGraphDestroy),
    ENTRY(cuGraphExecDestroy),
    ENTRY(cuGraphExecKernelNodeSetParams_v2),
    ENTRY(cuGraphGetNodes),
    ENTRY(cuGraphInstantiateWithFlags),
    ENTRY(cuGraphInstantiate_v2),
    ENTRY(cuGraphKernelNodeGetParams_v2),
    ENTRY(cuGraphLaunch),
    ENTRY(cuGraphNodeGetType),
    ENTRY(cuGraphUpload),
    ENTRY(cuInit),
    ENTRY(cuLaunchKernel),
    ENTRY(cuMemAllocHost_v2),
    ENTRY(cuMemAlloc_v2),
    ENTRY(cuMemFreeHost),
    ENTRY(cuMemFree_v2),
    ENTRY(cuMemGetInfo_v2),
    ENTRY(cuMemHostAlloc),
    ENTRY(cuMemcpyDtoDAsync_v2),
    ENTRY(cuMemcpyDtoD_v2),
    ENTRY(cuMemcpyDtoHAsync_v2),
    ENTRY(cuMemcpyDtoH_v2),
    ENTRY(cuMemcpyHtoDAsync_v2),
    ENTRY(cuMemcpyHtoD_v2),
    ENTRY(cuMemsetD32Async),
    ENTRY(cuMemsetD32_v2),
    ENTRY(cuMemsetD8Async),
    ENTRY(cuMemsetD8_v2),
    ENTRY(cuModuleGetFunction),
    ENTRY(cuModuleGetGlobal_v2),
    ENTRY(cuModuleLoadData),
    ENTRY(cuModuleLoadDataEx),
    ENTRY(cuModuleUnload),
    ENTRY(cuStreamBeginCapture_v2),
    ENTRY(cuStreamCreate),
    ENTRY(cuStreamCreateWithPriority),
    ENTRY(cuStreamDestroy_v2),
    ENTRY(cuStreamEndCapture),
    ENTRY(cuStreamIsCapturing),
    ENTRY(cuStreamQuery),
    ENTRY(cuStreamSynchronize),
    ENTRY(cuStreamWaitEvent),
};
#undef ENTRY

void *find(const std::string &name) {
  for (const Entry &entry : entries)
    if (name == entry.name)
      return entry.function;
  return nullptr;
}

} // namespace

/// A name without a version means the newest.
CUresult cuGetProcAddress_v2(const char *symbol, void **function, int, uint64_t, int *status) {
  if (!symbol || !function)
    return CUDA_ERROR_INVALID_VALUE;
  std::string name = symbol;
  *function = find(name + "_v2");
  if (!*function)
    *function = find(name);
  if (status)
    *status = *function ? 0 : 1; // 1: there is no such symbol
  return *function ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

CUresult cuGetProcAddress(const char *symbol, void **function, int version, uint64_t flags) {
  return cuGetProcAddress_v2(symbol, function, version, flags, nullptr);
}
