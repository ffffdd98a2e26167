// Training that is killed at any moment and resumed ends with the bits of a run that was left
// alone.
#include "runtime/random.h"
#include "test/product/process.h"
#include "test/product/tensors.h"
#include "test/training/temporary_folder.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

using namespace memformer;
using namespace memformer::test;

namespace {

constexpr int attempts = 12;
constexpr const char *model = "[model]\nvocab = 128\nd_model = 12\nheads = 3\nd_ff = 17\n"
                              "encoder_layers = 1\ndecoder_layers = 1\nsegment = 5\n";

// Of the moments; another one at each run, unless one is asked for.
uint64_t chooseSeed() {
  if (const char *seed = std::getenv("MEMFORMER_TEST_SEED"))
    return std::strtoull(seed, nullptr, 10);
  return std::random_device()();
}

class Kill : public testing::Test {
protected:
  Outcome train(const std::string &run, const std::string &threads, int64_t killAfter = 0) {
    return runTool({"memformer-run", "train", folder.path() / "model.toml", "--out",
                    folder.path() / run, "--resume", "--threads", threads},
                   folder.path() / "cache", killAfter);
  }

  // Everything of the metrics file but the time that it took.
  std::vector<std::string> metrics(const std::string &run) {
    std::istringstream stream(folder.read(run + "/metrics.jsonl"));
    std::vector<std::string> lines;
    std::string line;
    while (std::getline(stream, line)) {
      auto json = nlohmann::json::parse(line, nullptr, false);
      EXPECT_FALSE(json.is_discarded()) << line;
      json.erase("seconds");
      lines.push_back(json.dump());
    }
    return lines;
  }

  void check(const std::string &settings) {
    const uint64_t seed = chooseSeed();
    folder.write("model.toml", model + settings);
    // The first one compiles, the second one says how long a run takes.
    Outcome whole = train("first", "1");
    ASSERT_EQ(whole.status, 0) << whole.output;
    auto begin = std::chrono::steady_clock::now();
    whole = train("whole", "1");
    ASSERT_EQ(whole.status, 0) << whole.output;
    const auto duration = std::chrono::duration_cast<std::chrono::microseconds>(
                              std::chrono::steady_clock::now() - begin)
                              .count();
    fmt::print("MEMFORMER_TEST_SEED={}, {} ms uninterrupted\n", seed, duration / 1000);

    // From before the run's folder is there to some way into the run.
    int killed = 0;
    for (int attempt = 0; attempt < attempts; ++attempt) {
      const int64_t after =
          1 + int64_t(randomBits(seed, uint64_t(attempt)) % uint64_t(duration / 8));
      Outcome part = train("parts", attempt % 2 ? "2" : "1", after);
      if (part.status == 0)
        break; // it has come to its end before
      ASSERT_EQ(part.status, -SIGKILL) << part.output;
      ++killed;
    }
    Outcome last = train("parts", "1");
    ASSERT_EQ(last.status, 0) << last.output;
    fmt::print("killed {} times\n", killed);
    EXPECT_GE(killed, 3) << "too few kills to say anything";

    const std::string weights = folder.read("whole/weights.safetensors");
    EXPECT_FALSE(weights.empty());
    EXPECT_TRUE(weights == folder.read("parts/weights.safetensors"));
    auto one = readTensors(folder.path() / "whole/checkpoint.safetensors");
    auto other = readTensors(folder.path() / "parts/checkpoint.safetensors");
    ASSERT_TRUE(one && other);
    EXPECT_EQ(compareBits(*one, *other), "");
    EXPECT_EQ(metrics("whole"), metrics("parts"));
    EXPECT_GE(metrics("whole").size(), 100u);
    const std::filesystem::directory_iterator files(folder.path() / "parts");
    EXPECT_EQ(std::distance(files, {}), 4) << "temporary files are left";
  }

  TemporaryFolder folder;
};

// What is left of compilations that were killed is cleared away by the one that succeeds.
TEST_F(Kill, Compilation) {
  const auto path = folder.write("model.toml", model);
  const uint64_t seed = chooseSeed();
  fmt::print("MEMFORMER_TEST_SEED={}\n", seed);
  const std::vector<std::string> words = {"memformer-run", "inspect", path};
  for (uint64_t attempt = 0; attempt < 3; ++attempt) {
    const int64_t after = 1 + int64_t(randomBits(seed, attempt) % 60000);
    EXPECT_EQ(runTool(words, folder.path() / "cache", after).status, -SIGKILL);
  }
  Outcome outcome = runTool(words, folder.path() / "cache");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  std::vector<std::string> kinds;
  for (const auto &entry : std::filesystem::directory_iterator(folder.path() / "cache/memformer"))
    kinds.push_back(entry.path().extension());
  // A model's three schedules have a plan each.
  EXPECT_EQ(kinds.size(), 6u);
  std::ranges::sort(kinds);
  kinds.erase(std::ranges::unique(kinds).begin(), kinds.end());
  EXPECT_EQ(kinds, (std::vector<std::string>{".lock", ".mfa"}));
}

TEST_F(Kill, RecallWithCurriculum) {
  check("[memory]\nslots = 3\n"
        "[train]\nbatch = 4\nsteps = 800\ncheckpoint_every = 10\nevaluate_every = 40\n"
        "evaluate_rollouts = 2\n"
        "[data]\nkind = \"recall\"\ngap = 4\ncurriculum = 0.05\ncurriculum_every = 40\n");
}

TEST_F(Kill, StreamThatUsesStoredMemoriesWithDropout) {
  // Printable bytes in no order, in lines of all lengths.
  std::string text;
  for (uint64_t i = 0; text.size() < 20000; ++i)
    text += randomBits(7, i) % 37 == 0 ? '\n' : char(' ' + randomBits(8, i) % 95);
  const auto path = folder.write("text.txt", text);
  check("dropout = 0.1\n[memory]\nslots = 3\nslot_value = \"projected\"\n"
        "[train]\nbatch = 3\nhorizon = 5\nstride = 2\nsteps = 800\ncheckpoint_every = 10\n"
        "evaluate_every = 50\nevaluate_rollouts = 2\n"
        "[data]\nkind = \"text\"\npath = \"" +
        path.native() + "\"\nseparator = \"\\n\"\n");
}

} // namespace
