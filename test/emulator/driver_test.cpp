// The driver's interface: initialization, errors, streams, events, capture and graphs.

#include "test/emulator/device_harness.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace memformer::emulator {

namespace {

/// Adds %a1 to the word at %a0.
const std::string addKernel = ptxKernel(2, R"(
  ld.global.b32 %r0, [%a0];
  cvt.u32.u64 %r1, %a1;
  add.u32 %r0, %r0, %r1;
  st.global.b32 [%a0], %r0;)");

CUresult add(CUfunction kernel, CUdeviceptr to, uint64_t value, CUstream stream) {
  void *arguments[] = {&to, &value};
  return cuLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, stream, arguments, nullptr);
}

} // namespace

TEST(Driver, SaysWhatItCannotBeWithout) {
  ASSERT_TRUE(memformerEmulatorConfigure(""));
  int count;
  EXPECT_EQ(cuDeviceGetCount(&count), CUDA_ERROR_NOT_INITIALIZED);
  ASSERT_TRUE(memformerEmulatorConfigure("devices=0"));
  EXPECT_EQ(cuInit(0), CUDA_ERROR_NO_DEVICE);
  ASSERT_TRUE(memformerEmulatorConfigure("architecture=90,memory=1000000,driver=12040"));
  ASSERT_EQ(cuInit(0), CUDA_SUCCESS);
  int version, major, minor;
  EXPECT_EQ(cuDriverGetVersion(&version), CUDA_SUCCESS);
  EXPECT_EQ(version, 12040);
  CUdevice device;
  EXPECT_EQ(cuDeviceGet(&device, 1), CUDA_ERROR_INVALID_DEVICE);
  ASSERT_EQ(cuDeviceGet(&device, 0), CUDA_SUCCESS);
  cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device);
  cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device);
  EXPECT_EQ(major * 10 + minor, 90);
  CUdeviceptr memory;
  CUcontext context, popped;
  ASSERT_EQ(cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuMemAlloc_v2(&memory, 16), CUDA_ERROR_INVALID_CONTEXT);
  ASSERT_EQ(cuDevicePrimaryCtxRetain(&context, device), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxPushCurrent_v2(context), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxPushCurrent_v2(context), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxPopCurrent_v2(&popped), CUDA_SUCCESS);
  EXPECT_EQ(popped, context);
  EXPECT_EQ(cuMemAlloc_v2(&memory, 16), CUDA_SUCCESS);
  EXPECT_EQ(cuMemFree_v2(memory), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxPopCurrent_v2(&popped), CUDA_SUCCESS);
  EXPECT_EQ(cuMemAlloc_v2(&memory, 16), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(cuCtxPopCurrent_v2(&popped), CUDA_ERROR_INVALID_CONTEXT);
}

TEST(Driver, RefusesSettingsThatItDoesNotKnow) {
  for (const char *settings : {"order=sideways", "speed=9", "seed", "memory=-1", "races=yes"})
    EXPECT_FALSE(memformerEmulatorConfigure(settings)) << settings;
  EXPECT_TRUE(memformerEmulatorConfigure(""));
}

TEST(Driver, MemoryEnds) {
  Device device("memory=1000000");
  CUdeviceptr first, second;
  ASSERT_EQ(cuMemAlloc_v2(&first, 700000), CUDA_SUCCESS);
  EXPECT_EQ(cuMemAlloc_v2(&second, 400000), CUDA_ERROR_OUT_OF_MEMORY);
  size_t free, total;
  ASSERT_EQ(cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
  EXPECT_EQ(free, 300000u);
  EXPECT_EQ(total, 1000000u);
  EXPECT_EQ(cuMemFree_v2(first + 256), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemFree_v2(first), CUDA_SUCCESS);
  ASSERT_EQ(cuMemAlloc_v2(&second, 1000000), CUDA_SUCCESS);
  EXPECT_EQ(cuMemcpyDtoD_v2(second, second + 8, 1000000), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemFree_v2(second), CUDA_SUCCESS);
}

TEST(Driver, FailuresStayUntilTheContextGoes) {
  Device device;
  CUfunction bad = device.load(ptxKernel(0, "trap;")), good = device.load(addKernel);
  CUdeviceptr to = device.put(std::vector<uint32_t>{1});
  CUcontext context;
  ASSERT_EQ(cuLaunchKernel(bad, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED);
  EXPECT_NE(device.fault().find("a trap"), std::string::npos);
  EXPECT_EQ(add(good, to, 1, nullptr), CUDA_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
  EXPECT_EQ(cuDevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
  EXPECT_EQ(add(good, to, 1, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(device.get<uint32_t>(to, 1)[0], 2u);
}

TEST(Driver, ChecksLaunches) {
  Device device;
  CUfunction kernel =
      device.load(ptxKernel(0, "mov.b64 %rd0, d;", ".extern .shared .align 16 .b8 d[];"));
  auto launch = [&](unsigned grid, unsigned block, unsigned bytes) {
    return cuLaunchKernel(kernel, grid, 1, 1, block, 1, 1, bytes, nullptr, nullptr, nullptr);
  };
  EXPECT_EQ(launch(0, 32, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(1, 1025, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(1, 32, 49153), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(1, 32, 49152), CUDA_SUCCESS);
  auto limit = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
  EXPECT_EQ(cuFuncSetAttribute(kernel, limit, 166913), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuFuncSetAttribute(kernel, limit, 166912), CUDA_SUCCESS);
  EXPECT_EQ(launch(1, 32, 166912), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxSynchronize(), CUDA_SUCCESS) << device.fault();
}

TEST(Driver, StreamsAndEvents) {
  for (const char *modes : {"streams=eager", "streams=lazy"}) {
    Device device(modes);
    CUfunction kernel = device.load(addKernel);
    CUdeviceptr to = device.put(std::vector<uint32_t>{0, 0});
    CUstream first, second;
    CUevent begin, end;
    ASSERT_EQ(cuStreamCreate(&first, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    ASSERT_EQ(cuStreamCreate(&second, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    ASSERT_EQ(cuEventCreate(&begin, 0), CUDA_SUCCESS);
    ASSERT_EQ(cuEventCreate(&end, 0), CUDA_SUCCESS);
    void *pinned;
    ASSERT_EQ(cuMemHostAlloc(&pinned, 8, 0), CUDA_SUCCESS);
    uint32_t *host = static_cast<uint32_t *>(pinned);
    host[0] = 10;
    EXPECT_EQ(cuEventRecord(begin, first), CUDA_SUCCESS);
    EXPECT_EQ(cuMemcpyHtoDAsync_v2(to, host, 4, first), CUDA_SUCCESS);
    EXPECT_EQ(add(kernel, to, 3, first), CUDA_SUCCESS);
    EXPECT_EQ(cuEventRecord(end, first), CUDA_SUCCESS);
    EXPECT_EQ(cuStreamWaitEvent(second, end, 0), CUDA_SUCCESS);
    EXPECT_EQ(cuMemcpyDtoDAsync_v2(to + 4, to, 4, second), CUDA_SUCCESS);
    EXPECT_EQ(cuMemcpyDtoHAsync_v2(host + 1, to + 4, 4, second), CUDA_SUCCESS);
    // Lazy streams have not begun: who reads now has forgotten to wait.
    bool lazy = std::string(modes) == "streams=lazy";
    EXPECT_EQ(host[1] == 13, !lazy);
    float milliseconds = -1;
    EXPECT_EQ(cuEventElapsedTime(&milliseconds, begin, end),
              lazy ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS);
    EXPECT_EQ(cuStreamSynchronize(second), CUDA_SUCCESS);
    EXPECT_EQ(host[1], 13u);
    EXPECT_EQ(cuEventSynchronize(end), CUDA_SUCCESS);
    EXPECT_EQ(cuEventElapsedTime(&milliseconds, begin, end), CUDA_SUCCESS);
    EXPECT_GE(milliseconds, 0);
    EXPECT_EQ(cuMemFreeHost(pinned), CUDA_SUCCESS);
    EXPECT_EQ(cuEventDestroy_v2(begin), CUDA_SUCCESS);
    EXPECT_EQ(cuEventDestroy_v2(end), CUDA_SUCCESS);
    EXPECT_EQ(cuStreamDestroy_v2(first), CUDA_SUCCESS);
    EXPECT_EQ(cuStreamDestroy_v2(second), CUDA_SUCCESS);
    EXPECT_EQ(cuStreamSynchronize(second), CUDA_ERROR_INVALID_HANDLE);
  }
}

TEST(Driver, GraphsReplayWhatWasCaptured) {
  for (const char *modes : {"streams=eager", "streams=lazy"}) {
    Device device(modes);
    CUfunction kernel = device.load(addKernel);
    CUdeviceptr to = device.put(std::vector<uint32_t>{0, 0}), memory;
    CUstream stream, side;
    CUevent fork, join;
    ASSERT_EQ(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    ASSERT_EQ(cuStreamCreate(&side, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    ASSERT_EQ(cuEventCreate(&fork, CU_EVENT_DISABLE_TIMING), CUDA_SUCCESS);
    ASSERT_EQ(cuEventCreate(&join, CU_EVENT_DISABLE_TIMING), CUDA_SUCCESS);
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
    CUstreamCaptureStatus status;
    EXPECT_EQ(cuStreamIsCapturing(stream, &status), CUDA_SUCCESS);
    EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_ACTIVE);
    EXPECT_EQ(add(kernel, to, 3, stream), CUDA_SUCCESS);
    EXPECT_EQ(cuEventRecord(fork, stream), CUDA_SUCCESS);
    EXPECT_EQ(cuStreamWaitEvent(side, fork, 0), CUDA_SUCCESS);
    EXPECT_EQ(cuMemcpyDtoDAsync_v2(to + 4, to, 4, side), CUDA_SUCCESS);
    EXPECT_EQ(cuEventRecord(join, side), CUDA_SUCCESS);
    EXPECT_EQ(cuStreamWaitEvent(stream, join, 0), CUDA_SUCCESS);
    EXPECT_EQ(add(kernel, to, 1, stream), CUDA_SUCCESS);
    // What would wait, or allocate, is refused.
    EXPECT_EQ(cuStreamSynchronize(stream), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_EQ(cuMemAlloc_v2(&memory, 4), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_EQ(add(kernel, to, 1, nullptr), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    CUgraph graph;
    ASSERT_EQ(cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
    EXPECT_EQ(device.get<uint32_t>(to, 2), (std::vector<uint32_t>{0, 0}));
    CUgraphExec executable;
    ASSERT_EQ(cuGraphInstantiateWithFlags(&executable, graph, 0), CUDA_SUCCESS);
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(cuGraphLaunch(executable, stream), CUDA_SUCCESS);
    EXPECT_EQ(cuStreamSynchronize(stream), CUDA_SUCCESS);
    EXPECT_EQ(device.get<uint32_t>(to, 2), (std::vector<uint32_t>{12, 11}));
    // Other arguments for the last kernel.
    CUgraphNode nodes[8];
    size_t count = 8;
    ASSERT_EQ(cuGraphGetNodes(graph, nodes, &count), CUDA_SUCCESS);
    ASSERT_EQ(count, 3u);
    CUgraphNodeType type;
    EXPECT_EQ(cuGraphNodeGetType(nodes[1], &type), CUDA_SUCCESS);
    EXPECT_EQ(type, CU_GRAPH_NODE_TYPE_MEMCPY);
    CUDA_KERNEL_NODE_PARAMS parameters;
    ASSERT_EQ(cuGraphKernelNodeGetParams_v2(nodes[2], &parameters), CUDA_SUCCESS);
    EXPECT_EQ(*static_cast<uint64_t *>(parameters.kernelParams[1]), 1u);
    uint64_t value = 100;
    void *arguments[] = {&to, &value};
    parameters.kernelParams = arguments;
    EXPECT_EQ(cuGraphExecKernelNodeSetParams_v2(executable, nodes[2], &parameters), CUDA_SUCCESS);
    EXPECT_EQ(cuGraphDestroy(graph), CUDA_SUCCESS);
    EXPECT_EQ(cuGraphLaunch(executable, stream), CUDA_SUCCESS);
    EXPECT_EQ(cuStreamSynchronize(stream), CUDA_SUCCESS);
    EXPECT_EQ(device.get<uint32_t>(to, 2), (std::vector<uint32_t>{115, 15}));
    EXPECT_EQ(cuGraphExecDestroy(executable), CUDA_SUCCESS);
    EXPECT_EQ(cuGraphLaunch(executable, stream), CUDA_ERROR_INVALID_HANDLE);
    for (CUevent event : {fork, join})
      EXPECT_EQ(cuEventDestroy_v2(event), CUDA_SUCCESS);
    for (CUstream each : {stream, side})
      EXPECT_EQ(cuStreamDestroy_v2(each), CUDA_SUCCESS);
  }
}

TEST(Driver, ListsTheKernelsThatRan) {
  std::string path = testing::TempDir() + "launches-" + std::to_string(getpid());
  std::remove(path.c_str());
  {
    Device device("launches=" + path);
    CUfunction good = device.load(addKernel), bad = device.load(ptxKernel(0, "trap;"));
    CUdeviceptr to = device.put(std::vector<uint32_t>{1});
    EXPECT_EQ(device.launch(good, 1, 1, {to, 1}), CUDA_SUCCESS);
    EXPECT_EQ(device.launch(good, 1, 1, {to, 1}), CUDA_SUCCESS);
    EXPECT_EQ(device.launch(bad, 1, 1, {}), CUDA_ERROR_LAUNCH_FAILED);
  }
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "k\n");
  std::remove(path.c_str());
}

TEST(Driver, FillsAndGlobals) {
  Device device;
  CUdeviceptr to = device.allocate(32);
  EXPECT_EQ(cuMemsetD8_v2(to, 7, 32), CUDA_SUCCESS);
  EXPECT_EQ(cuMemsetD32_v2(to + 4, 0x01020304, 3), CUDA_SUCCESS);
  EXPECT_EQ(cuMemsetD32_v2(to + 2, 0, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemsetD8_v2(to, 0, 33), CUDA_ERROR_INVALID_VALUE);
  std::vector<uint32_t> expected(8, 0x07070707);
  expected[1] = expected[2] = expected[3] = 0x01020304;
  EXPECT_EQ(device.get<uint32_t>(to, 8), expected);
  CUmodule module;
  std::string ptx = ptxModule(".global .align 8 .b64 answer[2] = {42, 43};");
  ASSERT_EQ(cuModuleLoadData(&module, ptx.c_str()), CUDA_SUCCESS);
  CUdeviceptr address;
  size_t bytes;
  ASSERT_EQ(cuModuleGetGlobal_v2(&address, &bytes, module, "answer"), CUDA_SUCCESS);
  EXPECT_EQ(bytes, 16u);
  EXPECT_EQ(device.get<uint64_t>(address, 2), (std::vector<uint64_t>{42, 43}));
  EXPECT_EQ(cuModuleGetGlobal_v2(&address, &bytes, module, "question"), CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(cuModuleUnload(module), CUDA_SUCCESS);
}

TEST(Driver, NamesErrorsAndFunctions) {
  const char *text;
  EXPECT_EQ(cuGetErrorName(CUDA_ERROR_OUT_OF_MEMORY, &text), CUDA_SUCCESS);
  EXPECT_STREQ(text, "CUDA_ERROR_OUT_OF_MEMORY");
  EXPECT_EQ(cuGetErrorString(CUresult(12345), &text), CUDA_ERROR_INVALID_VALUE);
  void *function;
  int status;
  EXPECT_EQ(cuGetProcAddress_v2("cuMemAlloc", &function, 12000, 0, &status), CUDA_SUCCESS);
  EXPECT_EQ(function, reinterpret_cast<void *>(&cuMemAlloc_v2));
  EXPECT_EQ(cuGetProcAddress_v2("cuNothing", &function, 12000, 0, &status), CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(status, 1);
}

} // namespace memformer::emulator
