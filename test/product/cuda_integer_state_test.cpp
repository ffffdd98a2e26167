// States of integers on an emulated device: the same as on the host, and the same bits under every
// schedule.
#include "test/product/cuda_fixture.h"
#include "test/product/integer_state.h"

using namespace memformer;
using namespace memformer::test;

TEST_F(Cuda, HoldsStatesOfIntegers) {
  write("ids", streamOfTokens());
  const std::string settings = write("settings.toml", streamSettings(folder.path() / "ids"));
  auto file = [&](const char *name) { return (folder.path() / name).native(); };
  auto train = [&](const char *out, const std::vector<std::string> &more) {
    std::vector<std::string> words = {"memformer-run", "train",  integerStateModel,
                                      "--settings",    settings, "--out",
                                      file(out),       "--set",  "train.steps=3"};
    words.insert(words.end(), more.begin(), more.end());
    Outcome outcome = run(words);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  };
  train("host", {});
  train("device", {"--device", "cuda:0"});
  const auto onHost = losses(folder.path() / "host"), onDevice = losses(folder.path() / "device");
  ASSERT_EQ(onHost.size(), onDevice.size());
  for (size_t i = 0; i < onHost.size(); ++i)
    EXPECT_NEAR(onHost[i], onDevice[i], tolerance * onHost[i]);

  const TracedTokens tokens = drawTokens();
  ASSERT_TRUE(writeTokens(tokens, file("tokens.safetensors")));
  auto trace = [&](const std::vector<std::string> &more, const std::string &emulator = "") {
    std::vector<std::string> words = {"memformer-run",
                                      "trace",
                                      integerStateModel,
                                      "--weights",
                                      file("host/weights.safetensors"),
                                      "--tokens",
                                      file("tokens.safetensors"),
                                      "--out",
                                      file("out.safetensors")};
    words.insert(words.end(), more.begin(), more.end());
    Outcome outcome = run(words, emulator);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    auto tensors = readTensors(file("out.safetensors"));
    EXPECT_TRUE(tensors.has_value()) << tensors.error().message;
    return tensors ? *tensors : Tensors();
  };
  const Tensors expected = trace({});
  Tensors first;
  for (const char *schedule : {"mrbp", "checkpoint", "bptt"}) {
    SCOPED_TRACE(schedule);
    const Tensors found =
        trace({"--device", "cuda:0", "--schedule", schedule}, "order=random,seed=3");
    expectStates(tokens, found);
    if (first.empty())
      first = found;
    EXPECT_EQ(compareBits(first, found), "");
  }
  // Integers among floats are zero beside them: they were compared above.
  auto difference = compareToExpected(first, expected);
  ASSERT_TRUE(difference) << difference.error().message;
  EXPECT_LE(difference->relative, tolerance) << difference->tensor;
}
