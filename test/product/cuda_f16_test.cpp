// Training in f16, with a scaled loss, on emulated NVIDIA devices: the oldest, whose tensor cores
// have f16 alone, and one of today.
#include "test/product/cuda_fixture.h"
#include "test/product/tensors.h"
#include "test/training/scaled_checkpoint.h"

#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace memformer;
using namespace memformer::test;

namespace {

class CudaF16 : public Cuda {
protected:
  /// The output of a run of the smallest model that trains, in f16.
  std::string train(const std::string &name, const std::string &device, int architecture,
                    const std::vector<std::string> &more) {
    std::vector<std::string> words = {
        "memformer-run",       "train",    recall, "--out", folder.path() / name, "--set",
        "model.precision=f16", "--device", device};
    words.insert(words.end(), more.begin(), more.end());
    Outcome outcome = run(words, fmt::format("architecture={}", architecture));
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return outcome.output;
  }
  std::string read(const std::string &name) {
    auto bytes = readFile(folder.path() / name);
    EXPECT_TRUE(bytes) << name;
    return bytes ? std::string(reinterpret_cast<const char *>(bytes->data()), bytes->size()) : "";
  }
};

// The host multiplies f32, with the same scale of the loss.
TEST_F(CudaF16, TrainsAsTheHostDoes) {
  train("host", "cpu", 80, {});
  const auto host = losses(folder.path() / "host");
  ASSERT_EQ(host.size(), 6u);
  EXPECT_EQ(count(read("host/metrics.jsonl"), "\"loss_scale\":65536"), 6u);
  EXPECT_EQ(count(read("host/metrics.jsonl"), "\"skipped\":false"), 6u);
  for (int architecture : {75, 80}) {
    const std::string name = std::to_string(architecture);
    train(name, "cuda:0", architecture, {});
    const auto found = losses(folder.path() / name);
    EXPECT_EQ(count(read(name + "/metrics.jsonl"), "\"skipped\":false"), 6u);
    ASSERT_EQ(found.size(), 6u);
    double worst = 0;
    for (size_t step = 0; step < host.size(); ++step) {
      EXPECT_NEAR(found[step], host[step], precisionBound(0x1p-11) * host[step]) << step;
      worst = std::max(worst, std::abs(found[step] - host[step]) / host[step]);
    }
    EXPECT_GT(worst, 0);
    fmt::print("losses differ by {:.1e} of {:.1e} that is allowed\n", worst,
               precisionBound(0x1p-11));
    for (const char *schedule : {"checkpoint", "bptt"}) {
      train(name + schedule, "cuda:0", architecture, {"--schedule", schedule});
      EXPECT_EQ(read(name + schedule + "/weights.safetensors"), read(name + "/weights.safetensors"))
          << schedule;
    }
  }
}

// What the host multiplies is f32, and a power of two changes no bit.
TEST_F(CudaF16, IsF32OnTheHost) {
  train("f16", "cpu", 80, {});
  train("f32", "cpu", 80, {"--set", "model.precision=f32"});
  EXPECT_EQ(losses(folder.path() / "f16"), losses(folder.path() / "f32"));
  EXPECT_EQ(read("f16/weights.safetensors"), read("f32/weights.safetensors"));
}

// A scale with which gradients exceed f16: steps are left out, the scale is halved until they fit,
// and a run that is resumed in between goes on to the same bits.
TEST_F(CudaF16, StepsThatOverflowAreLeftOut) {
  auto until = [](int steps) { return "train.steps=" + std::to_string(steps); };
  train("run", "cuda:0", 75, {"--set", until(2)});
  setLossScale(folder.path() / "run" / "checkpoint.safetensors", "8388608");
  std::filesystem::copy(folder.path() / "run", folder.path() / "whole");
  const std::string before = read("run/weights.safetensors");
  const std::string said =
      train("run", "cuda:0", 75, {"--resume", "--set", until(3), "--set", "train.log_every=1"});
  EXPECT_NE(said.find("step 3: the gradient is not finite at a loss scale of 8388608: the step is "
                      "left out, and the scale is now 4194304"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("  1 left out"), std::string::npos) << said;
  auto weights = readTensors(folder.path() / "run" / "weights.safetensors");
  ASSERT_TRUE(weights);
  ASSERT_TRUE(writeFileAtomically(folder.path() / "before.safetensors", before));
  auto old = readTensors(folder.path() / "before.safetensors");
  ASSERT_TRUE(old);
  EXPECT_EQ(compareBits(*old, *weights), "") << "no step was taken";

  for (int steps : {4, 12})
    train("run", "cuda:0", 75, {"--resume", "--set", until(steps)});
  train("whole", "cuda:0", 75, {"--resume", "--set", until(12)});
  EXPECT_EQ(losses(folder.path() / "run"), losses(folder.path() / "whole"));
  EXPECT_EQ(read("run/weights.safetensors"), read("whole/weights.safetensors"));
  const size_t skipped = count(read("whole/metrics.jsonl"), "\"skipped\":true");
  EXPECT_GT(skipped, 1u);
  EXPECT_LT(skipped, 10u) << "the scale fits at last";
  auto checkpoint = SafetensorsFile::open(folder.path() / "whole" / "checkpoint.safetensors");
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->metadata().at("loss_scale"),
            fmt::format("{}", std::ldexp(8388608.0, -int(skipped))));
  EXPECT_EQ(checkpoint->metadata().at("skipped_steps"), std::to_string(skipped));
  weights = readTensors(folder.path() / "run" / "weights.safetensors");
  ASSERT_TRUE(weights);
  EXPECT_NE(compareBits(*old, *weights), "");
  // On the host nothing is rounded to f16, and no step is left out.
  std::filesystem::remove_all(folder.path() / "run");
  train("run", "cpu", 75, {"--set", until(2)});
  setLossScale(folder.path() / "run" / "checkpoint.safetensors", "8388608");
  train("run", "cpu", 75, {"--resume", "--set", until(3)});
  EXPECT_EQ(count(read("run/metrics.jsonl"), "\"skipped\":true"), 0u);
}

TEST_F(CudaF16, FixedScaleThatOverflowsIsAnError) {
  Outcome outcome =
      run({"memformer-run", "train", recall, "--out", folder.path() / "run", "--set",
           "model.precision=f16", "--set", "train.loss_scale=1099511627776", "--device", "cuda:0"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.output.find("at a loss scale of 1099511627776: try a lower"), std::string::npos)
      << outcome.output;
}

} // namespace
