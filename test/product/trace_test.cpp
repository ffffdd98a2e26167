// The compiled model computes what another framework computed in float64, and the same bits under
// every schedule and number of threads.
#include "runtime/safetensors.h"
#include "test/product/case_fixture.h"
#include "test/training/temporary_folder.h"

#include <chrono>
#include <filesystem>
#include <gtest/gtest.h>

using namespace memformer;
using namespace memformer::test;

namespace {

constexpr double tolerance = 1e-4; // of the largest absolute entry

class Trace : public testing::Test, public OfCase {
protected:
  Tensors trace(const std::string &schedule, const std::string &threads,
                const std::vector<std::string> &more = {}) {
    std::vector<std::string> words = {"--schedule", schedule, "--threads", threads};
    words.insert(words.end(), more.begin(), more.end());
    return traceModel(caseFile("model.toml"), words);
  }

  Tensors traceModel(const std::string &model, const std::vector<std::string> &more) {
    return traceCase(model, more, folder.path() / "out.safetensors",
                     [&](const auto &words) { return runTool(words, folder.path() / "cache"); });
  }

  TemporaryFolder folder;
};

TEST_P(Trace, IsWhatIsExpectedUnderEverySchedule) {
  auto begin = std::chrono::steady_clock::now();
  auto expected = readTensors(caseFile("expected.safetensors"));
  ASSERT_TRUE(expected) << expected.error().message;
  ASSERT_GT(expected->size(), 10u);
  Tensors first;
  for (const char *schedule : {"mrbp", "checkpoint", "bptt"})
    for (const char *threads : {"1", "2"}) {
      SCOPED_TRACE(std::string(schedule) + " with threads " + threads);
      Tensors found = trace(schedule, threads);
      auto difference = compareToExpected(found, *expected);
      ASSERT_TRUE(difference) << difference.error().message;
      EXPECT_LE(difference->relative, tolerance) << difference->tensor;
      if (first.empty()) {
        first = found;
        fmt::print("worst difference {:.1e} of the largest entry, in {}\n", difference->relative,
                   difference->tensor);
      }
      EXPECT_EQ(compareBits(first, found), "");
    }
  fmt::print("{:.1f} s with three compilations\n",
             std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
}

INSTANTIATE_TEST_SUITE_P(Cases, Trace, testing::ValuesIn(allCases()), caseName);

class TraceForAnotherCpu : public Trace {};

// Vectors of half the width on a machine that has wider ones: where it has not, these are its own.
TEST_P(TraceForAnotherCpu, IsWhatIsExpected) {
  auto expected = readTensors(caseFile("expected.safetensors"));
  auto tokens = SafetensorsFile::open(caseFile("tokens.safetensors"));
  ASSERT_TRUE(expected && tokens);
  const auto batch = std::to_string(tokens->find("targets")->shape[1]);
  const std::string artifact = (folder.path() / "haswell.mfa").native();
  Outcome outcome = runTool({"memformer-compile", caseFile("model.toml"), "--batch", batch, "--cpu",
                             "haswell", "-o", artifact},
                            folder.path());
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  auto difference = compareToExpected(traceModel(artifact, {"--threads", "2"}), *expected);
  ASSERT_TRUE(difference) << difference.error().message;
  EXPECT_LE(difference->relative, tolerance) << difference->tensor;
}

INSTANTIATE_TEST_SUITE_P(Cases, TraceForAnotherCpu,
                         testing::Values("base", "head-one", "many-slots", "tiny", "lstm"),
                         caseName);

class TraceWithDropout : public Trace {};

// There is nothing to compare the numbers with, but that they are other numbers than without
// dropout, the same for one seed, and others for another.
TEST_P(TraceWithDropout, HasTheSameBitsUnderEverySchedule) {
  const Tensors without = trace("mrbp", "1");
  const Tensors first = trace("mrbp", "1", {"--set", "model.dropout=0.1"});
  ASSERT_FALSE(first.empty());
  EXPECT_NE(compareBits(without, first), "");
  for (const char *schedule : {"mrbp", "checkpoint", "bptt"})
    for (const char *threads : {"1", "2"}) {
      SCOPED_TRACE(std::string(schedule) + " with threads " + threads);
      EXPECT_EQ(compareBits(first, trace(schedule, threads, {"--set", "model.dropout=0.1"})), "");
    }
  const Tensors other = trace("mrbp", "1", {"--set", "model.dropout=0.1", "--set", "train.seed=2"});
  EXPECT_NE(compareBits(first, other), "");
}

INSTANTIATE_TEST_SUITE_P(Cases, TraceWithDropout,
                         testing::Values("base", "head-one", "projected-post-norm", "placements"),
                         caseName);

class TraceWithPairs : public Trace {};

// Products of bf16. An entry of a product is off by at most 2⁻⁸ of what is multiplied, which has
// about the size of the largest entry; sublayers in a row, and segments, add such errors up. (Not
// of odd-shapes: its relu has inputs within such an error of zero, whose gradients are all or
// nothing.)
TEST_P(TraceWithPairs, IsCloseAndHasTheSameBitsUnderEverySchedule) {
  const std::vector<std::string> precision = {"--set", "model.precision=bf16"};
  auto expected = readTensors(caseFile("expected.safetensors"));
  ASSERT_TRUE(expected) << expected.error().message;
  const Tensors first = trace("mrbp", "1", precision);
  // A softmax does not see what is added to all keys: the gradient of their bias is zero, and what
  // is computed of it is rounding alone.
  Tensors compared = first;
  for (Tensors *tensors : {&compared, &*expected})
    std::erase_if(*tensors, [](const auto &entry) { return entry.first.ends_with("key.bias"); });
  auto difference = compareToExpected(compared, *expected);
  ASSERT_TRUE(difference) << difference.error().message;
  fmt::print("worst difference {:.1e} of the largest entry, in {}\n", difference->relative,
             difference->tensor);
  EXPECT_GT(difference->relative, tolerance) << "products of f32 are more exact than this";
  EXPECT_LE(difference->relative, 16 * 0x1p-8) << difference->tensor;
  for (const char *schedule : {"mrbp", "checkpoint", "bptt"})
    for (const char *threads : {"1", "2"}) {
      SCOPED_TRACE(std::string(schedule) + " with threads " + threads);
      EXPECT_EQ(compareBits(first, trace(schedule, threads, precision)), "");
    }
}

INSTANTIATE_TEST_SUITE_P(Cases, TraceWithPairs,
                         testing::Values("base", "projected-post-norm", "no-memory", "head-one",
                                         "tiny"),
                         caseName);

} // namespace
