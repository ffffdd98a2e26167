// The CUDA driver's interface, as far as the runtime uses it: declared here and found at run time.
#pragma once

#include "runtime/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace memformer::cuda {

// CUresult. The values are the driver's.
enum class Status : int {
  Success = 0,
  InvalidValue = 1,
  OutOfMemory = 2,
  NoDevice = 100,
  InvalidDevice = 101,
  InvalidImage = 200,
  NoBinaryForGpu = 209,
  InvalidPtx = 218,
  UnsupportedPtxVersion = 222,
  NotFound = 500,
};

using DeviceNumber = int;
using DevicePointer = unsigned long long;
using Context = struct ContextTag *;
using Module = struct ModuleTag *;
using EntryPoint = struct EntryPointTag *;
using Stream = struct StreamTag *;
using Event = struct EventTag *;
using Graph = struct GraphTag *;
using GraphExec = struct GraphExecTag *;

// Constants of the driver's interface.
inline constexpr int capabilityMajor = 75, capabilityMinor = 76; // of cuDeviceGetAttribute
inline constexpr int maxDynamicSharedBytes = 8;                  // of cuFuncSetAttribute
inline constexpr int jitErrorLog = 5, jitErrorLogBytes = 6;      // of cuModuleLoadDataEx
inline constexpr unsigned nonBlockingStream = 1, disableEventTiming = 2, portableHostMemory = 1;
inline constexpr int threadLocalCapture = 1;

// Functions without which nothing works, then those of graphs, without which kernels are launched
// one by one.
#define MEMFORMER_CUDA_FUNCTIONS(F)                                                                \
  F(init, "cuInit", (unsigned flags))                                                              \
  F(driverGetVersion, "cuDriverGetVersion", (int *version))                                        \
  F(getErrorName, "cuGetErrorName", (Status status, const char **text))                            \
  F(getErrorString, "cuGetErrorString", (Status status, const char **text))                        \
  F(deviceGetCount, "cuDeviceGetCount", (int *count))                                              \
  F(deviceGet, "cuDeviceGet", (DeviceNumber * device, int ordinal))                                \
  F(deviceGetName, "cuDeviceGetName", (char *name, int bytes, DeviceNumber device))                \
  F(deviceGetAttribute, "cuDeviceGetAttribute", (int *value, int attribute, DeviceNumber device))  \
  F(primaryRetain, "cuDevicePrimaryCtxRetain", (Context * context, DeviceNumber device))           \
  F(primaryRelease, "cuDevicePrimaryCtxRelease_v2", (DeviceNumber device))                         \
  F(pushCurrent, "cuCtxPushCurrent_v2", (Context context))                                         \
  F(popCurrent, "cuCtxPopCurrent_v2", (Context * context))                                         \
  F(memGetInfo, "cuMemGetInfo_v2", (size_t *free, size_t *total))                                  \
  F(memAlloc, "cuMemAlloc_v2", (DevicePointer * memory, size_t bytes))                             \
  F(memFree, "cuMemFree_v2", (DevicePointer memory))                                               \
  F(memHostAlloc, "cuMemHostAlloc", (void **memory, size_t bytes, unsigned flags))                 \
  F(memFreeHost, "cuMemFreeHost", (void *memory))                                                  \
  F(copyToDevice, "cuMemcpyHtoDAsync_v2",                                                          \
    (DevicePointer to, const void *from, size_t bytes, Stream stream))                             \
  F(copyToHost, "cuMemcpyDtoHAsync_v2",                                                            \
    (void *to, DevicePointer from, size_t bytes, Stream stream))                                   \
  F(copyOnDevice, "cuMemcpyDtoDAsync_v2",                                                          \
    (DevicePointer to, DevicePointer from, size_t bytes, Stream stream))                           \
  F(fillBytes, "cuMemsetD8Async",                                                                  \
    (DevicePointer to, unsigned char value, size_t bytes, Stream stream))                          \
  F(moduleLoad, "cuModuleLoadDataEx",                                                              \
    (Module * module, const void *image, unsigned count, int *options, void **values))             \
  F(moduleUnload, "cuModuleUnload", (Module module))                                               \
  F(moduleGetFunction, "cuModuleGetFunction",                                                      \
    (EntryPoint * entry, Module module, const char *name))                                         \
  F(functionSetAttribute, "cuFuncSetAttribute", (EntryPoint entry, int attribute, int value))      \
  F(streamCreate, "cuStreamCreate", (Stream * stream, unsigned flags))                             \
  F(streamDestroy, "cuStreamDestroy_v2", (Stream stream))                                          \
  F(streamWaitEvent, "cuStreamWaitEvent", (Stream stream, Event event, unsigned flags))            \
  F(streamSynchronize, "cuStreamSynchronize", (Stream stream))                                     \
  F(launch, "cuLaunchKernel",                                                                      \
    (EntryPoint entry, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,            \
     unsigned blockY, unsigned blockZ, unsigned sharedBytes, Stream stream, void **parameters,     \
     void **extra))                                                                                \
  F(eventCreate, "cuEventCreate", (Event * event, unsigned flags))                                 \
  F(eventDestroy, "cuEventDestroy_v2", (Event event))                                              \
  F(eventRecord, "cuEventRecord", (Event event, Stream stream))                                    \
  F(eventSynchronize, "cuEventSynchronize", (Event event))                                         \
  F(eventElapsed, "cuEventElapsedTime", (float *milliseconds, Event begin, Event end))

#define MEMFORMER_CUDA_GRAPH_FUNCTIONS(F)                                                          \
  F(beginCapture, "cuStreamBeginCapture_v2", (Stream stream, int mode))                            \
  F(endCapture, "cuStreamEndCapture", (Stream stream, Graph * graph))                              \
  F(graphInstantiate, "cuGraphInstantiateWithFlags",                                               \
    (GraphExec * exec, Graph graph, unsigned long long flags))                                     \
  F(graphLaunch, "cuGraphLaunch", (GraphExec exec, Stream stream))                                 \
  F(graphDestroy, "cuGraphDestroy", (Graph graph))                                                 \
  F(graphExecDestroy, "cuGraphExecDestroy", (GraphExec exec))

/// The functions of a driver that is loaded; it stays loaded until the process ends.
struct Driver {
#define MEMFORMER_CUDA_DECLARE(name, symbol, parameters) Status(*name) parameters = nullptr;
  MEMFORMER_CUDA_FUNCTIONS(MEMFORMER_CUDA_DECLARE)
  MEMFORMER_CUDA_GRAPH_FUNCTIONS(MEMFORMER_CUDA_DECLARE)
#undef MEMFORMER_CUDA_DECLARE
  bool hasGraphs = false;
  int version = 0; // 12080 for CUDA 12.8

  /// `libcuda.so.1`, or the library that the environment variable MEMFORMER_CUDA_DRIVER names,
  /// initialised. Errors: there is none, it lacks a function, or it finds no device.
  static Result<std::shared_ptr<const Driver>> load();

  /// "CUDA_ERROR_OUT_OF_MEMORY (out of memory)".
  std::string describe(Status status) const;
  std::string versionText() const; // "12.8"
};

} // namespace memformer::cuda
