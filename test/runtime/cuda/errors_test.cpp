// What can go wrong with a CUDA device, and what is said.

#include "test/runtime/cuda/toy_device.h"

#include <gtest/gtest.h>

namespace memformer {
namespace {

using namespace toy;
using nlohmann::json;

constexpr int64_t T = 4;

std::shared_ptr<const Artifact> artifact() {
  return deviceArtifact(Schedule::Replay, {device(Schedule::Replay, "sm_80")});
}

std::string createError(std::shared_ptr<const Artifact> artifact, int index = 0) {
  auto session = Session::create(std::move(artifact),
                                 {.segments = T, .device = {DeviceChoice::Kind::Cuda, index}});
  return session ? "" : session.error().message;
}

Result<void> trainOnce(Session &session) {
  const auto data = tokens(T);
  const InputData inputs[] = {{"tokens", data.data()}};
  std::vector<float> loss(data.size());
  const OutputSink sinks[] = {{"loss", loss.data()}};
  return session.train({.segments = T, .inputs = inputs}, sinks);
}

TEST(CudaErrors, NoDriver) {
  {
    const Variable driver("MEMFORMER_CUDA_DRIVER", "/nonexistent/libcuda.so.1");
    EXPECT_EQ(createError(artifact()),
              "cannot load the CUDA driver: /nonexistent/libcuda.so.1: cannot open shared object "
              "file: No such file or directory; install NVIDIA's driver, or use --device cpu");
  }
  const Variable driver("MEMFORMER_CUDA_DRIVER", TOY_KERNELS);
  EXPECT_EQ(createError(artifact()),
            fmt::format("expected the CUDA driver {} to have the function cuInit, but it has not: "
                        "install a driver of CUDA 11.4 or later",
                        TOY_KERNELS));
}

TEST(CudaErrors, NoDevice) {
  FakeCuda fake("devices=0");
  EXPECT_EQ(createError(artifact()), "the CUDA driver finds no device; use --device cpu");
  fake.set("devices=2");
  EXPECT_EQ(createError(artifact(), 2), "expected a device in cuda:0 ... cuda:1, but got cuda:2");
  fake.set("fail=cuInit:100");
  EXPECT_EQ(createError(artifact()),
            fmt::format("the CUDA driver {} finds no device; use --device cpu", FAKE_CUDA_DRIVER));
  fake.set("fail=cuInit:999");
  EXPECT_EQ(createError(artifact()),
            fmt::format("cannot initialise the CUDA driver {}: CUDA error 999", FAKE_CUDA_DRIVER));
  fake.set("fail=cuDevicePrimaryCtxRetain:2");
  EXPECT_EQ(createError(artifact()), "cuda:0 (Fake): making a context on the device: "
                                     "CUDA_ERROR_OUT_OF_MEMORY (out of memory)");
  EXPECT_EQ(fake.leaks(), 0);
}

TEST(CudaErrors, ReplayOnTheHostOfTheHost) {
  EXPECT_EQ(Session::create(artifact(), {.segments = T, .replayOnHost = true}).error().message,
            "expected a CUDA device for a replay buffer on the host, but got cpu");
}

TEST(CudaErrors, NoProgramForTheArchitecture) {
  FakeCuda fake("architecture=75");
  EXPECT_EQ(createError(artifact()), "cuda:0 (Fake) runs sm_75, but the artifact has programs for "
                                     "sm_80; compile the model with --target=host,sm_75");
  EXPECT_EQ(createError(toy::artifact(Schedule::Replay)),
            "cuda:0 (Fake) runs sm_75, but the artifact has a program for the host alone; compile "
            "the model with --target=host,sm_75");
  EXPECT_EQ(fake.leaks(), 0);
}

TEST(CudaErrors, OldDriver) {
  FakeCuda fake("version=10020");
  constexpr std::string_view message =
      "cuda:0 (Fake): expected a driver of CUDA 11.0 or later for PTX 7.0, but got one of CUDA {}: "
      "install a newer one, or compile the model where ptxas is installed";
  EXPECT_EQ(createError(artifact()), fmt::format(fmt::runtime(message), "10.2"));
  EXPECT_EQ(fake.calls("cuModuleLoadDataEx"), 0);
  fake.set("version=12080,fail=cuModuleLoadDataEx:222");
  EXPECT_EQ(createError(artifact()), fmt::format(fmt::runtime(message), "12.8"));
  EXPECT_EQ(fake.leaks(), 0);
}

TEST(CudaErrors, CodeThatIsRefused) {
  FakeCuda fake;
  auto after = [](auto &&change) {
    json program = device(Schedule::Replay, "sm_80");
    change(program["kernels"][2]);
    return createError(deviceArtifact(Schedule::Replay, {program}));
  };
  EXPECT_EQ(after([](json &kernel) { kernel["text"] = "bad"; }),
            "cuda:0 (Fake): the driver refuses the kernel 'toy_loss': CUDA_ERROR_INVALID_PTX (what "
            "went wrong): ptxas fatal: line 7");
  EXPECT_EQ(after([](json &kernel) { kernel["text"] = "other"; }),
            "the artifact's code has no kernel 'toy_loss'");
  EXPECT_EQ(after([](json &kernel) { kernel["shared_bytes"] = 120000; }),
            "cuda:0 (Fake): giving the kernel 'toy_loss' 120000 bytes of shared memory: "
            "CUDA_ERROR_INVALID_VALUE (what went wrong)");
  EXPECT_EQ(after([](json &kernel) { kernel["shared_bytes"] = 100000; }), "");
  EXPECT_EQ(fake.leaks(), 0);
}

TEST(CudaErrors, TooLittleMemory) {
  FakeCuda fake("memory=2000");
  EXPECT_EQ(createError(artifact()),
            "cuda:0 (Fake): expected 3072 bytes (0.00 GiB) of free memory for 4 segments, but of "
            "0.00 GiB only 2000 bytes (0.00 GiB) are free: take a smaller batch or fewer segments");
  EXPECT_EQ(fake.calls("cuMemAlloc_v2"), 0);
  EXPECT_EQ(fake.calls("cuModuleLoadDataEx"), 0);
  fake.set("fail=cuMemAlloc_v2:2:3");
  EXPECT_EQ(createError(artifact()), "cuda:0 (Fake): allocating 640 bytes for 'optimizer': "
                                     "CUDA_ERROR_OUT_OF_MEMORY (out of memory)");
  EXPECT_EQ(fake.leaks(), 0);
}

/// A device that fails is not asked for anything more, and says the same again.
void expectLost(Session &session, const FakeCuda &fake, const std::string &message) {
  ASSERT_FALSE(session.status());
  const auto launches = fake.calls("cuLaunchKernel"), graphs = fake.calls("cuGraphLaunch");
  EXPECT_EQ(session.status().error().message, message);
  EXPECT_EQ(trainOnce(session).error().message, message);
  EXPECT_EQ(session.update({}).error().message, message);
  session.shiftState(1);
  EXPECT_FALSE(std::as_const(session).gradient(0).empty());
  EXPECT_EQ(session.status().error().message, message);
  EXPECT_EQ(fake.calls("cuLaunchKernel"), launches);
  EXPECT_EQ(fake.calls("cuGraphLaunch"), graphs);
}

TEST(CudaErrors, FailedLaunches) {
  const std::string inTrain = "cuda:0 (Fake): running 'train': CUDA_ERROR_ILLEGAL_ADDRESS (what "
                              "went wrong); set MEMFORMER_CUDA_SYNCHRONOUS=1 to be told which "
                              "kernel";
  const std::string inKernel = "cuda:0 (Fake): running the kernel 'toy_loss': "
                               "CUDA_ERROR_ILLEGAL_ADDRESS (what went wrong)";
  const std::string atLaunch = "cuda:0 (Fake): launching the kernel 'toy_pack': "
                               "CUDA_ERROR_LAUNCH_FAILED (what went wrong)";
  const std::string atGraph = "cuda:0 (Fake): launching a graph: CUDA_ERROR_LAUNCH_FAILED (what "
                              "went wrong)";
  for (const auto &[settings, synchronous, message] :
       {std::tuple("fail=toy_loss:700", "0", inTrain),
        {"fail=toy_loss:700", "1", inKernel},
        {"fail=cuLaunchKernel:719", "0", atLaunch},
        {"fail=cuGraphLaunch:719:3", "0", atGraph}}) {
    FakeCuda fake(settings);
    {
      const Variable variable("MEMFORMER_CUDA_SYNCHRONOUS", synchronous);
      auto session = Session::create(artifact(), {.segments = T, .device = firstCuda});
      ASSERT_TRUE(session.has_value()) << session.error().message;
      auto trained = trainOnce(**session);
      ASSERT_FALSE(trained.has_value());
      EXPECT_EQ(trained.error().message, message);
      expectLost(**session, fake, message);
    }
    EXPECT_EQ(fake.leaks(), 0);
  }
}

TEST(CudaErrors, ADeviceThatIsLostWhileItIsRead) {
  FakeCuda fake;
  auto session = *Session::create(artifact(), {.segments = T, .device = firstCuda});
  ASSERT_TRUE(trainOnce(*session));
  fake.set("fail=cuMemcpyDtoHAsync_v2:700");
  EXPECT_EQ(std::as_const(*session).gradient(0).size(), size_t(V * D));
  expectLost(*session, fake,
             "cuda:0 (Fake): copying from the device: CUDA_ERROR_ILLEGAL_ADDRESS "
             "(what went wrong)");
}

/// Whatever fails, whenever: an error that says so, no crash, no wrong result, nothing left over.
TEST(CudaErrors, AnyCallMayFail) {
  const auto program = artifact();
  auto session = *Session::create(program, {.segments = T});
  session->initializeParameters(7);
  ASSERT_TRUE(trainOnce(*session));
  const std::vector<float> expected(session->gradient(0).begin(), session->gradient(0).end());
  int failed = 0, succeeded = 0;
  for (const char *function : {"cuInit",
                               "cuDriverGetVersion",
                               "cuDeviceGetCount",
                               "cuDeviceGet",
                               "cuDeviceGetName",
                               "cuDeviceGetAttribute",
                               "cuDevicePrimaryCtxRetain",
                               "cuMemGetInfo_v2",
                               "cuMemAlloc_v2",
                               "cuMemHostAlloc",
                               "cuMemcpyHtoDAsync_v2",
                               "cuMemcpyDtoHAsync_v2",
                               "cuMemcpyDtoDAsync_v2",
                               "cuMemsetD8Async",
                               "cuModuleLoadDataEx",
                               "cuModuleGetFunction",
                               "cuStreamCreate",
                               "cuStreamSynchronize",
                               "cuLaunchKernel",
                               "cuEventCreate",
                               "cuEventRecord",
                               "cuStreamBeginCapture_v2",
                               "cuStreamEndCapture",
                               "cuGraphInstantiateWithFlags",
                               "cuGraphLaunch",
                               "cuStreamWaitEvent",
                               "toy_forward"})
    for (int call : {1, 2, 5, 11, 23, -1, -2, -5, -11, -23}) {
      // Those below zero with the replay buffer on the host.
      FakeCuda fake(fmt::format("fail={}:999:{}", function, std::abs(call)));
      {
        auto created = Session::create(
            program, {.segments = T, .device = firstCuda, .replayOnHost = call < 0});
        Result<void> result;
        std::vector<float> gradient;
        if (created) {
          (*created)->initializeParameters(7);
          result = trainOnce(**created);
          const auto values = std::as_const(**created).gradient(0);
          gradient.assign(values.begin(), values.end());
          if (result)
            result = (*created)->status();
        }
        const bool ok = created && result;
        ++(ok ? succeeded : failed);
        if (ok)
          EXPECT_EQ(gradient, expected) << function << " " << call;
        else
          EXPECT_NE((created ? result.error() : created.error()).message.find("CUDA error 999"),
                    std::string::npos)
              << function << " " << call << ": "
              << (created ? result.error() : created.error()).message;
      }
      EXPECT_EQ(fake.leaks(), 0) << function << " " << call;
    }
  EXPECT_GT(failed, 30);
  EXPECT_GT(succeeded, 30);
}

} // namespace
} // namespace memformer
