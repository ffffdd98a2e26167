// Runs that are killed at any moment and resumed end like one that was left alone.
#include "runtime/random.h"
#include "test/training/stream_model.h"

#include <csignal>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace memformer;
using namespace memformer::test;

namespace {

// Trains in a process of its own; false if the signal came first.
bool trainKilled(const Configuration &configuration, const std::filesystem::path &folder,
                 int64_t microseconds) {
  pid_t child = ::fork();
  if (child == 0) {
    auto result = runTraining(configuration, folder, ExistingRun::Resume);
    if (!result)
      fmt::print(stderr, "{}\n", result.error().message);
    ::_exit(result ? 0 : 1);
  }
  if (microseconds > 0) {
    ::usleep(useconds_t(microseconds));
    ::kill(child, SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    return false;
  EXPECT_EQ(WEXITSTATUS(status), 0);
  return true;
}

void checkKills(const std::string &text, uint64_t seed) {
  TemporaryFolder folder;
  Configuration configuration = configure(
      text + (text.find("recall") == std::string::npos ? streamData(folder) : recallData()));
  ASSERT_TRUE(runTraining(configuration, folder.path() / "whole"));
  const auto parts = folder.path() / "parts";
  int killed = 0;
  for (uint64_t attempt = 0; attempt < 25; ++attempt)
    if (!trainKilled(configuration, parts, 500 + int64_t(randomBits(seed, attempt) % 25000)))
      ++killed;
  ASSERT_TRUE(trainKilled(configuration, parts, 0));
  EXPECT_GT(killed, 3) << "the test kills too late to say anything";
  EXPECT_EQ(folder.read("whole/weights.safetensors"), folder.read("parts/weights.safetensors"));
  EXPECT_FALSE(folder.read("whole/weights.safetensors").empty());
  for (const char *key : {"step", "loss", "gradient_norm", "gap", "accuracy"})
    EXPECT_EQ(metricsOf(folder, "whole", key), metricsOf(folder, "parts", key)) << key;
  const auto files = std::filesystem::directory_iterator(parts);
  EXPECT_EQ(std::distance(begin(files), end(files)), 4) << "temporary files are left";
}

TEST(Kill, Stream) {
  checkKills("[train]\nsteps = 150\nhorizon = 4\ncheckpoint_every = 3\nevaluate_every = 7\n"
             "learning_rate = 1e-3\n",
             1);
}

TEST(Kill, StreamWithStoredMemories) {
  checkKills("[train]\nsteps = 150\nhorizon = 5\nstride = 2\ncheckpoint_every = 2\n"
             "evaluate_every = 5\nlearning_rate = 1e-3\n",
             2);
}

TEST(Kill, RecallWithCurriculum) {
  checkKills("[train]\nsteps = 150\ncheckpoint_every = 3\nlearning_rate = 1e-3\n# recall\n", 3);
}

} // namespace
