// A model as IR with states of integers and of several ranks, as a user runs it: the same bits
// under every schedule, resumed, and what its states hold said by a second computation.
#include "runtime/file.h"
#include "runtime/safetensors.h"
#include "test/product/integer_state.h"
#include "test/product/process.h"
#include "test/training/temporary_folder.h"

#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace memformer;
using namespace memformer::test;

namespace {

class IntegerState : public testing::Test {
protected:
  IntegerState() {
    folder.write("ids", streamOfTokens());
    folder.write("settings.toml", streamSettings(folder.path() / "ids"));
  }

  Outcome run(std::vector<std::string> words) {
    words.insert(words.begin(), "memformer-run");
    return runTool(words, folder.path() / "cache");
  }
  std::string file(const std::string &name) const { return (folder.path() / name).native(); }

  Outcome train(const std::string &out, const std::string &schedule, const std::string &threads,
                const std::vector<std::string> &more = {}) {
    std::vector<std::string> words = {
        "train",   integerStateModel, "--settings", file("settings.toml"), "--out",
        file(out), "--schedule",      schedule,     "--threads",           threads};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }

  /// Every tensor of what a run left, whose last step is a checkpoint.
  Tensors left(const std::string &out) {
    auto tensors = readTensors(folder.path() / out / "checkpoint.safetensors");
    EXPECT_TRUE(tensors.has_value()) << tensors.error().message;
    return tensors ? *tensors : Tensors();
  }

  TemporaryFolder folder;
};

} // namespace

TEST_F(IntegerState, TrainsToTheSameBitsUnderEveryScheduleAndResumed) {
  Outcome outcome = train("mrbp", "mrbp", "1");
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const Tensors first = left("mrbp");
  ASSERT_TRUE(first.contains("state.recent") && first.contains("state.level"));
  for (const char *schedule : {"checkpoint", "bptt"}) {
    outcome = train(schedule, schedule, "2");
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_EQ(compareBits(first, left(schedule)), "") << schedule;
  }
  // Half of the steps, and then the others.
  outcome = train("resumed", "mrbp", "2", {"--set", "train.steps=7"});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_NE(compareBits(first, left("resumed")), "");
  outcome = train("resumed", "mrbp", "1", {"--resume"});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(compareBits(first, left("resumed")), "");

  auto checkpoint = SafetensorsFile::open(folder.path() / "mrbp" / "checkpoint.safetensors");
  ASSERT_TRUE(checkpoint.has_value());
  const SafetensorsInfo *recent = checkpoint->find("state.recent");
  ASSERT_TRUE(recent);
  EXPECT_EQ(recent->type, SafetensorsType::I32);
  EXPECT_EQ(recent->shape, (std::vector<int64_t>{2, 3, 7})); // of the overlap and what follows
}

// A table would be read beyond its end by it.
TEST_F(IntegerState, RefusesAStateBeyondTheTable) {
  Outcome outcome = train("run", "mrbp", "1", {"--set", "train.steps=2"});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto path = folder.path() / "run" / "checkpoint.safetensors";
  auto checkpoint = SafetensorsFile::open(path);
  ASSERT_TRUE(checkpoint.has_value());
  const uint64_t at = checkpoint->find("state.recent")->begin + 4 * 8; // row 1, entry 1
  auto bytes = readFile(path);
  ASSERT_TRUE(bytes.has_value());
  const int32_t beyond = 11;
  std::memcpy(bytes->data() + at, &beyond, sizeof(beyond));
  ASSERT_TRUE(
      writeFileAtomically(path, {reinterpret_cast<const char *>(bytes->data()), bytes->size()}));
  outcome = train("run", "mrbp", "1", {"--resume"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.output.find(
                "state 'recent', row 1, entry 1: expected a value in [0, 11), but got 11"),
            std::string::npos)
      << outcome.output;
}

TEST_F(IntegerState, HoldsWhatWasReadAndRestartsByRows) {
  Outcome outcome = train("run", "mrbp", "1", {"--set", "train.steps=3"});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const TracedTokens tokens = drawTokens();
  ASSERT_TRUE(writeTokens(tokens, file("tokens.safetensors")));
  Tensors first;
  for (const char *schedule : {"mrbp", "checkpoint", "bptt"})
    for (const char *threads : {"1", "2"}) {
      SCOPED_TRACE(std::string(schedule) + ", " + threads);
      outcome = run({"trace", integerStateModel, "--weights", file("run/weights.safetensors"),
                     "--tokens", file("tokens.safetensors"), "--out", file("out.safetensors"),
                     "--schedule", schedule, "--threads", threads});
      ASSERT_EQ(outcome.status, 0) << outcome.output;
      auto found = readTensors(file("out.safetensors"));
      ASSERT_TRUE(found.has_value()) << found.error().message;
      expectStates(tokens, *found);
      if (first.empty())
        first = *found;
      EXPECT_EQ(compareBits(first, *found), "");
    }
}

TEST_F(IntegerState, IsEvaluatedAndGeneratesWhatWholeSegmentsSay) {
  Outcome outcome = train("run", "mrbp", "1");
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  outcome = run({"eval", integerStateModel, "--settings", file("settings.toml"), "--weights",
                 file("run/weights.safetensors")});
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  folder.write("prompt", "1 2 3 4 5 6 7 8 0 1 2 3");
  std::string first;
  for (const char *threads : {"1", "2"}) {
    outcome = run({"generate", integerStateModel, "--settings", file("settings.toml"), "--weights",
                   file("run/weights.safetensors"), "--prompt-tokens", file("prompt"), "--tokens",
                   "40", "--threads", threads});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    if (first.empty())
      first = outcome.output;
    EXPECT_EQ(outcome.output, first);
  }
  // Token by token, over the ends of segments, and whole segments at a time.
  outcome = run({"bench", integerStateModel, "--settings", file("settings.toml"), "--mode",
                 "generate", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto json = nlohmann::json::parse(outcome.output, nullptr, false);
  ASSERT_TRUE(json.contains("logits")) << outcome.output;
  EXPECT_GT(json["logits"]["positions"].get<int64_t>(), 15);
  EXPECT_LE(json["logits"]["largest_difference"].get<double>(),
            1e-5 * json["logits"]["largest"].get<double>());
}
