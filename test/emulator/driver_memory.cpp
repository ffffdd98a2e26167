// Memory of the device and of the host, copies and fills.

#include "test/emulator/driver_state.h"

#include <cstdlib>
#include <cstring>

using namespace memformer::emulator;

namespace {

void *hostPointer(CUdeviceptr address) { return reinterpret_cast<void *>(address); }

/// Adds an operation that is done before the call returns, as the default stream's are.
CUresult immediately(Operation operation) {
  DriverState &state = driver();
  CUresult error = state.enqueue(nullptr, std::move(operation));
  state.drain(nullptr);
  return error == CUDA_SUCCESS ? state.failure : error;
}

/// A copy whose device ranges must exist.
CUresult copy(void *to, const void *from, size_t bytes, bool toDevice, bool fromDevice,
              CUstream stream, bool waits) {
  Call call;
  if (!call)
    return call.error;
  if (!bytes)
    return CUDA_SUCCESS;
  DeviceMemory &memory = deviceMemory();
  if (!to || !from || (toDevice && !memory.contains(uint64_t(to), bytes)) ||
      (fromDevice && !memory.contains(uint64_t(from), bytes)))
    return CUDA_ERROR_INVALID_VALUE;
  Operation operation{CU_GRAPH_NODE_TYPE_MEMCPY, {}, [=] { std::memmove(to, from, bytes); }};
  return waits ? immediately(std::move(operation)) : driver().enqueue(stream, std::move(operation));
}

CUresult fill(CUdeviceptr to, uint32_t value, unsigned unit, size_t count, CUstream stream,
              bool waits) {
  Call call;
  if (!call)
    return call.error;
  if (!count)
    return CUDA_SUCCESS;
  if (to % unit || !deviceMemory().contains(to, count * unit))
    return CUDA_ERROR_INVALID_VALUE;
  Operation operation{CU_GRAPH_NODE_TYPE_MEMSET, {}, [=] {
                        if (unit == 1)
                          std::memset(hostPointer(to), int(value), count);
                        else
                          for (size_t i = 0; i < count; ++i)
                            reinterpret_cast<uint32_t *>(to)[i] = value;
                      }};
  return waits ? immediately(std::move(operation)) : driver().enqueue(stream, std::move(operation));
}

} // namespace

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  Call call;
  if (!call)
    return call.error;
  DriverState &state = driver();
  if (!address || !bytes)
    return CUDA_ERROR_INVALID_VALUE;
  if (state.capturing)
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  *address = deviceMemory().allocate(bytes, state.modes.memory, state.modes.adversarialPlacement,
                                     state.modes.poison ? 0xff : 0);
  return *address ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult cuMemFree_v2(CUdeviceptr address) {
  Call call;
  if (!call)
    return call.error;
  if (!address)
    return CUDA_SUCCESS;
  driver().drainAll();
  return deviceMemory().release(address) ? driver().failure : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  Call call;
  if (!call)
    return call.error;
  *total = driver().modes.memory;
  *free = *total - std::min<uint64_t>(*total, deviceMemory().used());
  return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
  Call call;
  if (!call)
    return call.error;
  constexpr size_t page = 4096;
  if (!memory || !bytes)
    return CUDA_ERROR_INVALID_VALUE;
  *memory = std::aligned_alloc(page, (bytes + page - 1) / page * page);
  if (!*memory)
    return CUDA_ERROR_OUT_OF_MEMORY;
  std::memset(*memory, driver().modes.poison ? 0xff : 0, bytes);
  driver().hostAllocations[*memory] = bytes;
  return CUDA_SUCCESS;
}

CUresult cuMemAllocHost_v2(void **memory, size_t bytes) { return cuMemHostAlloc(memory, bytes, 0); }

CUresult cuMemFreeHost(void *memory) {
  Call call;
  if (!call)
    return call.error;
  if (!driver().hostAllocations.count(memory))
    return CUDA_ERROR_INVALID_VALUE;
  driver().drainAll();
  driver().hostAllocations.erase(memory);
  std::free(memory);
  return driver().failure;
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
  return copy(hostPointer(to), from, bytes, true, false, nullptr, true);
}

CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) {
  return copy(to, hostPointer(from), bytes, false, true, nullptr, true);
}

CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return copy(hostPointer(to), hostPointer(from), bytes, true, true, nullptr, true);
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
  return copy(hostPointer(to), from, bytes, true, false, stream, false);
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return copy(to, hostPointer(from), bytes, false, true, stream, false);
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return copy(hostPointer(to), hostPointer(from), bytes, true, true, stream, false);
}

CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) {
  return fill(to, value, 1, count, nullptr, true);
}

CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count) {
  return fill(to, value, 4, count, nullptr, true);
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
  return fill(to, value, 1, count, stream, false);
}

CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream) {
  return fill(to, value, 4, count, stream, false);
}
