// Sessions on a fake CUDA device: the same bits as on the host, and what is asked of the driver.

#include "test/runtime/cuda/toy_device.h"

#include <gtest/gtest.h>

namespace memformer {
namespace {

using namespace toy;
using nlohmann::json;

constexpr int64_t T = 5;

struct Outputs {
  std::vector<float> loss, gradient, states, weight, first;
  std::vector<int32_t> prediction;
  std::vector<uint32_t> keys;
  double norm = 0;
  bool operator==(const Outputs &) const = default;
};

Rollout rolloutOf(std::span<const InputData> inputs, int64_t segments, int64_t stored = 0) {
  return {.segments = segments,
          .stored = stored,
          .inputs = inputs,
          .reset = nullptr,
          .position = 7,
          .lossScale = 0.125f};
}

/// Two steps, the second from stored states, an evaluation and a trace; everything that is seen.
Outputs use(Session &session) {
  Outputs all;
  session.initializeParameters(7);
  session.setSeed(3);
  for (int64_t step = 0; step < 3; ++step) {
    const auto data = tokens(T, 2 * step);
    const InputData inputs[] = {{"tokens", data.data()}};
    std::vector<float> loss(size_t(T * B * L));
    const OutputSink sinks[] = {{"loss", loss.data()}};
    const int64_t stored = step == 0 ? 0 : T - 2;
    auto trained = session.train(rolloutOf(inputs, T, stored), sinks);
    EXPECT_TRUE(trained.has_value()) << trained.error().message;
    all.loss.insert(all.loss.end(), loss.begin(), loss.end());
    const auto gradient = std::as_const(session).gradient(0);
    all.gradient.insert(all.gradient.end(), gradient.begin(), gradient.end());
    auto norm = session.update({.learningRate = 0.5, .beta1 = 0.75, .step = uint64_t(step + 1)});
    EXPECT_TRUE(norm.has_value());
    all.norm += norm ? *norm : 0;
    session.shiftState(2);
  }
  session.moveState(1, 0);
  session.mutableParameter(0)[5] += 1;
  std::ranges::fill(session.stateTensor(2, 0), 0.25f);
  const auto data = tokens(3);
  const InputData inputs[] = {{"tokens", data.data()}};
  all.prediction.resize(size_t(3 * B * L));
  const OutputSink sinks[] = {{"prediction", all.prediction.data()}};
  EXPECT_TRUE(session.evaluate(rolloutOf(inputs, 3, 1), sinks));
  all.keys.resize(3 * 2);
  const OutputSink traceSinks[] = {{"key", all.keys.data()}};
  EXPECT_TRUE(session.trace(rolloutOf(inputs, 3), traceSinks));
  for (int64_t slot = 0; slot <= T; ++slot) {
    const auto bytes = std::as_const(session).state(slot);
    const auto *values = reinterpret_cast<const float *>(bytes.data());
    all.states.insert(all.states.end(), values, values + B * D);
  }
  const auto weight = std::as_const(session).parameter(0);
  all.weight.assign(weight.begin(), weight.end());
  const auto first = std::as_const(session).firstMoment(0);
  all.first.assign(first.begin(), first.end());
  EXPECT_TRUE(session.status());
  return all;
}

std::unique_ptr<Session> cudaSession(std::shared_ptr<const Artifact> artifact, int64_t segments,
                                     bool replayOnHost = false) {
  auto session = Session::create(std::move(artifact), {.segments = segments,
                                                       .threads = 2,
                                                       .seed = 1,
                                                       .device = firstCuda,
                                                       .replayOnHost = replayOnHost});
  EXPECT_TRUE(session.has_value()) << session.error().message;
  return std::move(*session);
}

/// A program whose places are not the host's.
json movedDevice(Schedule schedule, const std::string &architecture) {
  json result = device(schedule, architecture);
  result["spaces"][5]["bytes"] = 1024; // outputs
  result["outputs"][4]["offset"] = 512;
  for (json &loop : result["functions"]["trace"])
    for (json &instruction : loop["body"])
      if (instruction["op"] == "dispatch" && instruction["kernel"] == 7)
        instruction["arguments"][0][1] = 512;
  return result;
}

struct Mode {
  const char *driver = FAKE_CUDA_DRIVER;
  const char *variable = "MEMFORMER_UNUSED", *value = "1";
};

class CudaSession : public testing::TestWithParam<std::tuple<Schedule, Mode>> {};

TEST_P(CudaSession, GivesTheBitsOfTheHost) {
  const auto &[schedule, mode] = GetParam();
  const auto artifact = deviceArtifact(schedule, {movedDevice(schedule, "sm_80")});
  const Outputs host = use(**Session::create(artifact, {.segments = T, .threads = 1, .seed = 1}));
  FakeCuda fake("", mode.driver);
  const Variable variable(mode.variable, mode.value);
  {
    auto session = cudaSession(artifact, T);
    EXPECT_EQ(session->deviceName(), "cuda:0 (Fake)");
    EXPECT_EQ(session->manifest().target.architecture, "sm_80");
    const Outputs found = use(*session);
    EXPECT_EQ(found.loss, host.loss);
    EXPECT_EQ(found.gradient, host.gradient);
    EXPECT_EQ(found.states, host.states);
    EXPECT_EQ(found.weight, host.weight);
    EXPECT_TRUE(found == host);
    EXPECT_TRUE(use(*cudaSession(artifact, T, true)) == host);
  }
  EXPECT_EQ(fake.leaks(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    All, CudaSession,
    testing::Combine(
        testing::Values(Schedule::Saved, Schedule::Replay),
        testing::Values(Mode{}, Mode{.variable = "MEMFORMER_CUDA_GRAPHS", .value = "0"},
                        Mode{.variable = "MEMFORMER_CUDA_SYNCHRONOUS"},
                        Mode{.driver = FAKE_CUDA_DRIVER_WITHOUT_GRAPHS},
                        Mode{.variable = "FAKE_CUDA", .value = "fail=cuStreamBeginCapture_v2:801"},
                        Mode{.variable = "FAKE_CUDA", .value = "fail=cuStreamEndCapture:901"},
                        Mode{.variable = "FAKE_CUDA",
                             .value = "fail=cuGraphInstantiateWithFlags:2:3"})));

TEST(CudaGraphs, OneLaunchForASegment) {
  FakeCuda fake;
  auto session =
      cudaSession(deviceArtifact(Schedule::Replay, {device(Schedule::Replay, "sm_80")}), T);
  const auto data = tokens(T);
  const InputData inputs[] = {{"tokens", data.data()}};
  auto step = [&] {
    ASSERT_TRUE(session->train(rolloutOf(inputs, T, 2)));
    ASSERT_TRUE(session->update({.learningRate = 0.5, .step = 1}));
  };
  step();
  const auto launches = fake.calls("cuLaunchKernel"), graphs = fake.calls("cuGraphLaunch"),
             made = fake.calls("cuGraphInstantiateWithFlags"), device = fake.calls("cuMemAlloc_v2"),
             host = fake.calls("cuMemHostAlloc"), runs = fake.calls("toy_forward");
  // Two ascending segments that are not stored, five descending, the fills and the update's two
  // kernels.
  EXPECT_EQ(graphs, 2 + 5 + 2);
  EXPECT_EQ(made, graphs);
  step();
  EXPECT_EQ(fake.calls("cuGraphLaunch"), 2 * graphs);
  EXPECT_EQ(fake.calls("cuGraphInstantiateWithFlags"), made);
  // Packing is one kernel, which is launched as it is.
  EXPECT_EQ(fake.calls("cuLaunchKernel"), launches + 1);
  EXPECT_EQ(fake.calls("toy_forward"), 2 * runs);
  EXPECT_EQ(fake.calls("cuMemAlloc_v2"), device);
  EXPECT_EQ(fake.calls("cuMemHostAlloc"), host);
  // Other segments are stored: the graphs of the segments' bodies are other ones only where an
  // instruction asks for it.
  ASSERT_TRUE(session->train(rolloutOf(inputs, T, 0)));
  EXPECT_EQ(fake.calls("cuGraphInstantiateWithFlags"), made + 2);
  ASSERT_TRUE(session->train(rolloutOf(inputs, T - 1, 0)));
  EXPECT_EQ(fake.calls("cuGraphInstantiateWithFlags"), made + 3); // segment 3 is the last
}

TEST(CudaSession, FewPlacesForSegments) {
  // Outputs so large that two segments are staged at a time.
  json large = device(Schedule::Saved, "sm_80");
  large["spaces"][5]["bytes"] = 40 << 20;
  const auto artifact = deviceArtifact(Schedule::Saved, {large});
  const Outputs host = use(**Session::create(artifact, {.segments = T, .threads = 1, .seed = 1}));
  FakeCuda fake;
  auto session = cudaSession(artifact, T);
  EXPECT_TRUE(use(*session) == host);
  EXPECT_GT(fake.calls("cuEventSynchronize"), 0);
}

TEST(CudaSession, CopiesThatOverlap) {
  auto change = [](json program) {
    // Whole states by 4 bytes down, then by 64 up, of all gradients.
    for (auto [to, from, bytes] : {std::tuple(0, 4, 300), std::tuple(64, 0, 256)})
      program["functions"]["update"].push_back(
          {{"op", "copy"}, {"to", {1, to, 0}}, {"from", {1, from, 0}}, {"bytes", bytes}});
    return program;
  };
  auto file =
      assembleWith(change(manifest(Schedule::Replay)), {change(device(Schedule::Replay, "sm_80"))});
  ASSERT_TRUE(file.has_value()) << file.error().message;
  const auto artifact = *Artifact::load(*file);
  auto gradient = [&](Session &session) {
    const auto data = tokens(T);
    const InputData inputs[] = {{"tokens", data.data()}};
    session.initializeParameters(7);
    EXPECT_TRUE(session.train(rolloutOf(inputs, T)));
    EXPECT_TRUE(session.update({.learningRate = 0.5, .step = 1}));
    const auto values = std::as_const(session).gradient(0);
    return std::vector<float>(values.begin(), values.end());
  };
  const auto host = gradient(**Session::create(artifact, {.segments = T}));
  FakeCuda fake;
  EXPECT_EQ(gradient(*cudaSession(artifact, T)), host);
}

TEST(CudaSession, ShiftsStatesThatOverlap) {
  FakeCuda fake;
  auto session =
      cudaSession(deviceArtifact(Schedule::Replay, {device(Schedule::Replay, "sm_80")}), 6);
  for (int64_t slot = 0; slot <= 6; ++slot)
    std::ranges::fill(session->stateTensor(slot, 0), float(slot));
  session->shiftState(2);
  for (int64_t slot = 0; slot <= 4; ++slot)
    EXPECT_EQ(session->stateTensor(slot, 0)[B * D - 1], float(slot + 2));
  EXPECT_EQ(session->stateTensor(6, 0)[0], 6);
}

TEST(CudaSession, Profiles) {
  FakeCuda fake;
  auto session =
      cudaSession(deviceArtifact(Schedule::Replay, {device(Schedule::Replay, "sm_80")}), T);
  std::vector<KernelTime> times(session->manifest().kernels.size());
  session->setProfile(times);
  const auto data = tokens(T);
  const InputData inputs[] = {{"tokens", data.data()}};
  ASSERT_TRUE(session->train(rolloutOf(inputs, T)));
  ASSERT_TRUE(session->train(rolloutOf(inputs, T)));
  EXPECT_EQ(fake.calls("cuGraphLaunch"), 0);
  EXPECT_EQ(times[1].dispatches, uint64_t(2 * (2 * T - 1)));
  EXPECT_NEAR(times[1].seconds, 0.0005 * 2 * (2 * T - 1), 1e-9);
  EXPECT_EQ(times[5].dispatches, 0u);
  session->setProfile({});
  ASSERT_TRUE(session->train(rolloutOf(inputs, T)));
  EXPECT_GT(fake.calls("cuGraphLaunch"), 0);
}

TEST(CudaSession, ReplayOnTheHost) {
  FakeCuda fake;
  const auto artifact = deviceArtifact(Schedule::Replay, {device(Schedule::Replay, "sm_80")});
  const int64_t segments = 100;
  auto session = cudaSession(artifact, segments, true);
  // Slots are 128 bytes. Of 101, the device holds those of a segment, the one before and the next.
  const uint64_t planned = artifact->devices()[0].memoryReport(segments).total;
  fake.set(fmt::format("memory={}", planned - 101 * 128 + 4 * 128 + 64));
  auto again = Session::create(artifact, {.segments = segments, .device = firstCuda});
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find(fmt::format("expected {} bytes", planned)),
            std::string::npos);
  session.reset();
  session = cudaSession(artifact, segments, true);

  const auto data = tokens(segments);
  const InputData inputs[] = {{"tokens", data.data()}};
  ASSERT_TRUE(session->train(rolloutOf(inputs, segments)));
  const auto copies = fake.calls("cuMemcpyHtoDAsync_v2");
  const auto graphs = fake.calls("cuGraphLaunch"), made = fake.calls("cuGraphInstantiateWithFlags");
  ASSERT_TRUE(session->train(rolloutOf(inputs, segments)));
  EXPECT_EQ(fake.calls("cuGraphInstantiateWithFlags"), made);
  EXPECT_EQ(fake.calls("cuGraphLaunch"), 2 * graphs);
  // Each slot comes once in each direction; the inputs are in the graphs.
  EXPECT_LE(fake.calls("cuMemcpyHtoDAsync_v2") - copies, 2 * 101 + 8);
}

TEST(CudaSession, ReplayOnTheHostOfAProgramThatJumps) {
  json program = device(Schedule::Replay, "sm_80");
  program["functions"]["train"][0] = {{"op", "fill"}, {"to", {3, 64, 0}}, {"bytes", 128}};
  FakeCuda fake;
  const auto artifact = deviceArtifact(Schedule::Replay, {program});
  auto session =
      Session::create(artifact, {.segments = 2, .device = firstCuda, .replayOnHost = true});
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().message,
            "expected a program that goes through the replay buffer slot after slot, to have it on "
            "the host: this one needs it on the device");
}

TEST(CudaSession, TakesCubinsWhereTheyFit) {
  FakeCuda fake;
  const auto artifact = deviceArtifact(Schedule::Replay, {device(Schedule::Replay, "sm_75", true),
                                                          device(Schedule::Replay, "sm_80", true)});
  EXPECT_EQ(cudaSession(artifact, 1)->manifest().target.architecture, "sm_80");
  EXPECT_EQ(fake.calls("cubin"), 8);
  fake.set("architecture=90");
  EXPECT_EQ(cudaSession(artifact, 1)->manifest().target.architecture, "sm_80");
  EXPECT_EQ(fake.calls("cubin"), 8);
  // A driver that refuses a cubin compiles the PTX.
  fake.set("fail=cubin:209");
  EXPECT_EQ(cudaSession(artifact, 1)->manifest().target.architecture, "sm_80");
  EXPECT_EQ(fake.calls("cubin"), 16);
}

} // namespace
} // namespace memformer
