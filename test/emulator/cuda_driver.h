// The part of the CUDA driver's C interface that the emulator has: names, numbers and layouts are
// those of the driver library, so that a program that loads it can load this in its place.

#ifndef MEMFORMER_TEST_EMULATOR_CUDA_DRIVER_H
#define MEMFORMER_TEST_EMULATOR_CUDA_DRIVER_H

#include <cstddef>
#include <cstdint>

#define EMULATOR_API __attribute__((visibility("default")))

extern "C" {

enum CUresult : int {
  CUDA_SUCCESS = 0,
  CUDA_ERROR_INVALID_VALUE = 1,
  CUDA_ERROR_OUT_OF_MEMORY = 2,
  CUDA_ERROR_NOT_INITIALIZED = 3,
  CUDA_ERROR_NO_DEVICE = 100,
  CUDA_ERROR_INVALID_DEVICE = 101,
  CUDA_ERROR_INVALID_IMAGE = 200,
  CUDA_ERROR_INVALID_CONTEXT = 201,
  CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
  CUDA_ERROR_INVALID_PTX = 218,
  CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
  CUDA_ERROR_INVALID_HANDLE = 400,
  CUDA_ERROR_NOT_FOUND = 500,
  CUDA_ERROR_NOT_READY = 600,
  CUDA_ERROR_ILLEGAL_ADDRESS = 700,
  CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
  CUDA_ERROR_LAUNCH_TIMEOUT = 702,
  CUDA_ERROR_MISALIGNED_ADDRESS = 716,
  CUDA_ERROR_LAUNCH_FAILED = 719,
  CUDA_ERROR_NOT_SUPPORTED = 801,
  CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
  CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
  CUDA_ERROR_STREAM_CAPTURE_IMPLICIT = 906,
  CUDA_ERROR_UNKNOWN = 999
};

using CUdevice = int;
using CUdeviceptr = unsigned long long;
using CUcontext = struct CUctx_st *;
using CUmodule = struct CUmod_st *;
using CUfunction = struct CUfunc_st *;
using CUstream = struct CUstream_st *;
using CUevent = struct CUevent_st *;
using CUgraph = struct CUgraph_st *;
using CUgraphNode = struct CUgraphNode_st *;
using CUgraphExec = struct CUgraphExec_st *;

enum CUdevice_attribute : int {
  CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 1,
  CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X = 5,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK = 8,
  CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY = 9,
  CU_DEVICE_ATTRIBUTE_WARP_SIZE = 10,
  CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK = 12,
  CU_DEVICE_ATTRIBUTE_CLOCK_RATE = 13,
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
  CU_DEVICE_ATTRIBUTE_INTEGRATED = 18,
  CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY = 19,
  CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS = 31,
  CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE = 36,
  CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH = 37,
  CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE = 38,
  CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR = 39,
  CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT = 40,
  CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING = 41,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR = 81,
  CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR = 82,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97,
  CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR = 106,
  CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK = 111
};

enum CUfunction_attribute : int {
  CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 0,
  CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES = 1,
  CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES = 2,
  CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES = 3,
  CU_FUNC_ATTRIBUTE_NUM_REGS = 4,
  CU_FUNC_ATTRIBUTE_PTX_VERSION = 5,
  CU_FUNC_ATTRIBUTE_BINARY_VERSION = 6,
  CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
  CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT = 9
};

enum CUjit_option : int {
  CU_JIT_INFO_LOG_BUFFER = 3,
  CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES = 4,
  CU_JIT_ERROR_LOG_BUFFER = 5,
  CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6
};

enum CUstreamCaptureMode : int {
  CU_STREAM_CAPTURE_MODE_GLOBAL = 0,
  CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1,
  CU_STREAM_CAPTURE_MODE_RELAXED = 2
};

enum CUstreamCaptureStatus : int {
  CU_STREAM_CAPTURE_STATUS_NONE = 0,
  CU_STREAM_CAPTURE_STATUS_ACTIVE = 1
};

enum CUgraphNodeType : int {
  CU_GRAPH_NODE_TYPE_KERNEL = 0,
  CU_GRAPH_NODE_TYPE_MEMCPY = 1,
  CU_GRAPH_NODE_TYPE_MEMSET = 2
};

constexpr unsigned CU_STREAM_NON_BLOCKING = 1;
constexpr unsigned CU_EVENT_DISABLE_TIMING = 2;

struct CUDA_KERNEL_NODE_PARAMS_v2 {
  CUfunction func;
  unsigned gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes;
  void **kernelParams;
  void **extra;
  void *kern;
  CUcontext ctx;
};
using CUDA_KERNEL_NODE_PARAMS = CUDA_KERNEL_NODE_PARAMS_v2;

EMULATOR_API CUresult cuInit(unsigned flags);
EMULATOR_API CUresult cuDriverGetVersion(int *version);
EMULATOR_API CUresult cuGetErrorName(CUresult error, const char **name);
EMULATOR_API CUresult cuGetErrorString(CUresult error, const char **text);
EMULATOR_API CUresult cuGetProcAddress(const char *symbol, void **function, int version,
                                       uint64_t flags);
EMULATOR_API CUresult cuGetProcAddress_v2(const char *symbol, void **function, int version,
                                          uint64_t flags, int *status);

EMULATOR_API CUresult cuDeviceGet(CUdevice *device, int ordinal);
EMULATOR_API CUresult cuDeviceGetCount(int *count);
EMULATOR_API CUresult cuDeviceGetName(char *name, int length, CUdevice device);
EMULATOR_API CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute,
                                           CUdevice device);
EMULATOR_API CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device);
EMULATOR_API CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device);
EMULATOR_API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device);
EMULATOR_API CUresult cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device);
EMULATOR_API CUresult cuCtxDestroy_v2(CUcontext context);
EMULATOR_API CUresult cuCtxSetCurrent(CUcontext context);
EMULATOR_API CUresult cuCtxGetCurrent(CUcontext *context);
EMULATOR_API CUresult cuCtxPushCurrent_v2(CUcontext context);
EMULATOR_API CUresult cuCtxPopCurrent_v2(CUcontext *context);
EMULATOR_API CUresult cuCtxGetDevice(CUdevice *device);
EMULATOR_API CUresult cuCtxSynchronize(void);

EMULATOR_API CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes);
EMULATOR_API CUresult cuMemFree_v2(CUdeviceptr address);
EMULATOR_API CUresult cuMemGetInfo_v2(size_t *free, size_t *total);
EMULATOR_API CUresult cuMemHostAlloc(void **memory, size_t bytes, unsigned flags);
EMULATOR_API CUresult cuMemAllocHost_v2(void **memory, size_t bytes);
EMULATOR_API CUresult cuMemFreeHost(void *memory);
EMULATOR_API CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes);
EMULATOR_API CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes);
EMULATOR_API CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes);
EMULATOR_API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes,
                                           CUstream stream);
EMULATOR_API CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes,
                                           CUstream stream);
EMULATOR_API CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes,
                                           CUstream stream);
EMULATOR_API CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count);
EMULATOR_API CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count);
EMULATOR_API CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count,
                                      CUstream stream);
EMULATOR_API CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count,
                                       CUstream stream);

EMULATOR_API CUresult cuModuleLoadData(CUmodule *module, const void *image);
EMULATOR_API CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count,
                                         CUjit_option *options, void **values);
EMULATOR_API CUresult cuModuleUnload(CUmodule module);
EMULATOR_API CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name);
EMULATOR_API CUresult cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes, CUmodule module,
                                           const char *name);
EMULATOR_API CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute,
                                         int value);
EMULATOR_API CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute,
                                         CUfunction function);
EMULATOR_API CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY,
                                     unsigned gridZ, unsigned blockX, unsigned blockY,
                                     unsigned blockZ, unsigned sharedBytes, CUstream stream,
                                     void **parameters, void **extra);

EMULATOR_API CUresult cuStreamCreate(CUstream *stream, unsigned flags);
EMULATOR_API CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int priority);
EMULATOR_API CUresult cuStreamDestroy_v2(CUstream stream);
EMULATOR_API CUresult cuStreamSynchronize(CUstream stream);
EMULATOR_API CUresult cuStreamQuery(CUstream stream);
EMULATOR_API CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags);
EMULATOR_API CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode mode);
EMULATOR_API CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph);
EMULATOR_API CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status);
EMULATOR_API CUresult cuEventCreate(CUevent *event, unsigned flags);
EMULATOR_API CUresult cuEventDestroy_v2(CUevent event);
EMULATOR_API CUresult cuEventRecord(CUevent event, CUstream stream);
EMULATOR_API CUresult cuEventSynchronize(CUevent event);
EMULATOR_API CUresult cuEventQuery(CUevent event);
EMULATOR_API CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end);

EMULATOR_API CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph,
                                                  unsigned long long flags);
EMULATOR_API CUresult cuGraphInstantiate_v2(CUgraphExec *executable, CUgraph graph,
                                            CUgraphNode *node, char *log, size_t bytes);
EMULATOR_API CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream);
EMULATOR_API CUresult cuGraphUpload(CUgraphExec executable, CUstream stream);
EMULATOR_API CUresult cuGraphExecDestroy(CUgraphExec executable);
EMULATOR_API CUresult cuGraphDestroy(CUgraph graph);
EMULATOR_API CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count);
EMULATOR_API CUresult cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType *type);
EMULATOR_API CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode node,
                                                    CUDA_KERNEL_NODE_PARAMS *parameters);
EMULATOR_API CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec executable, CUgraphNode node,
                                                        const CUDA_KERNEL_NODE_PARAMS *parameters);

/// Of the emulator alone: replaces the settings of MEMFORMER_EMULATOR, all memory and errors with
/// them. False, with a message on stderr, where they cannot be read.
EMULATOR_API bool memformerEmulatorConfigure(const char *settings);
/// What the last failure was, "" where nothing failed.
EMULATOR_API const char *memformerEmulatorFault();
}

#endif
