// What generation refuses, and its C interface.
#include "runtime/generation/generator.h"
#include "runtime/memformer.h"
#include "test/product/process.h"
#include "test/training/temporary_folder.h"

#include <gtest/gtest.h>

using namespace memformer;
using namespace memformer::test;

namespace {

class SmallModel : public testing::Test {
protected:
  void SetUp() override {
    const std::string model = folder.write("m.toml", "[model]\nvocab = 7\nd_model = 6\nheads = 2\n"
                                                     "d_ff = 5\nencoder_layers = 1\n"
                                                     "decoder_layers = 1\nsegment = 3\n"
                                                     "[memory]\nslots = 2\n");
    path = (folder.path() / "m.mfa").native();
    Outcome outcome =
        runTool({"memformer-compile", model, "--for", "generation", "--batch", "2", "-o", path},
                folder.path());
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    auto artifact = Artifact::load(path);
    ASSERT_TRUE(artifact) << artifact.error().message;
    auto created = Session::create(*artifact, {1, 1, 0});
    ASSERT_TRUE(created) << created.error().message;
    session = std::move(*created);
    session->initializeParameters(5);
  }

  Result<void> begin(std::vector<int32_t> tokens = std::vector<int32_t>(6, 1)) {
    const InputData input{"encoder_tokens", tokens.data()};
    Rollout rollout;
    rollout.segments = 1;
    rollout.inputs = {&input, 1};
    return session->begin(rollout);
  }
  std::string stepError(std::vector<int32_t> tokens, int64_t position) {
    auto output = session->step(tokens, position);
    return output ? "" : output.error().message;
  }

  TemporaryFolder folder;
  std::string path;
  std::unique_ptr<Session> session;
};

TEST_F(SmallModel, StepsInOrder) {
  EXPECT_EQ(session->positions(), 3);
  EXPECT_EQ(stepError({1, 2}, 0), "expected a segment to have begun since the parameters changed");
  ASSERT_TRUE(begin());
  EXPECT_EQ(stepError({1, 2}, 1), "expected a position in [0, 0], but got 1");
  EXPECT_EQ(stepError({1, 2}, -1), "expected a position in [0, 0], but got -1");
  EXPECT_EQ(stepError({1}, 0), "expected 2 entries of 'decoder_tokens', but got 1");
  EXPECT_EQ(stepError({1, 7}, 0),
            "input 'decoder_tokens', row 1, position 0: expected a value in [0, 7), but got 7");
  EXPECT_EQ(stepError({-1, 0}, 0),
            "input 'decoder_tokens', row 0, position 0: expected a value in [0, 7), but got -1");
  EXPECT_EQ(stepError({1, 2}, 0), "");
  EXPECT_EQ(stepError({1, 2}, 1), "");
  EXPECT_EQ(stepError({1, 2}, 2), "");
  EXPECT_EQ(stepError({1, 2}, 3), "expected a position in [0, 2], but got 3");
  // Taken back: another token at position 1, and what comes after it again.
  EXPECT_EQ(stepError({3, 3}, 1), "");
  EXPECT_EQ(stepError({1, 2}, 2), "");
  session->mutableParameter(0)[0] += 1;
  EXPECT_EQ(stepError({1, 2}, 2), "expected a segment to have begun since the parameters changed");
}

TEST_F(SmallModel, TakesBackPositions) {
  auto step = [&](int32_t token, int64_t position) {
    auto output = session->step(std::vector<int32_t>{token, token}, position);
    EXPECT_TRUE(output) << output.error().message;
    return std::vector<float>(output->begin(), output->end());
  };
  ASSERT_TRUE(begin());
  step(1, 0);
  step(4, 1);
  const auto straight = step(5, 2);
  step(2, 1);
  const auto other = step(5, 2);
  step(4, 1);
  EXPECT_EQ(step(5, 2), straight);
  EXPECT_NE(other, straight);
}

TEST_F(SmallModel, RefusesInputs) {
  Rollout rollout;
  rollout.segments = 1;
  EXPECT_EQ(session->begin(rollout).error().message, "missing input 'encoder_tokens'");
  EXPECT_EQ(begin({1, 1, 1, 1, 9, 1}).error().message,
            "input 'encoder_tokens', segment 0, row 1, position 1: expected a value in [0, 7), "
            "but got 9");
  rollout.segments = 2;
  EXPECT_EQ(session->begin(rollout).error().message, "expected one segment to begin, but got 2");
  EXPECT_EQ(Generator::create(*session, 7).error().message,
            "expected the token before a stream in [0, 7), but got 7");
  auto generator = Generator::create(*session, 0);
  ASSERT_TRUE(generator) << generator.error().message;
  EXPECT_EQ(generator->feed(std::vector<int32_t>{1}).error().message,
            "expected a token for each of 2 rows, but got 1");
  EXPECT_EQ(generator->feed(std::vector<int32_t>{1, 8}).error().message,
            "row 1: expected a token in [0, 7), but got 8");
}

TEST_F(SmallModel, DoesNotTrain) {
  const std::vector<int32_t> tokens(6, 1);
  const InputData inputs[] = {{"encoder_tokens", tokens.data()},
                              {"decoder_tokens", tokens.data()},
                              {"targets", tokens.data()}};
  Rollout rollout;
  rollout.segments = 1;
  rollout.inputs = inputs;
  EXPECT_EQ(session->train(rollout).error().message, "the artifact has no function 'train'");
  EXPECT_EQ(session->update({}).error().message, "the artifact has no function 'update'");
  EXPECT_TRUE(session->gradient(0).empty());
  EXPECT_TRUE(session->firstMoment(0).empty());
}

TEST_F(SmallModel, FromC) {
  memformer_options options{};
  options.segments = 1;
  options.threads = 1;
  options.seed = 5;
  memformer_session *c = nullptr;
  ASSERT_EQ(memformer_create(path.c_str(), &options, &c), MEMFORMER_OK) << memformer_error();
  float values[14];
  int32_t tokens[2] = {1, 2};
  EXPECT_EQ(memformer_stream_logits(c, values, 14), MEMFORMER_BAD_ARGUMENT);
  EXPECT_STREQ(memformer_error(), "expected memformer_stream_begin first");
  EXPECT_EQ(memformer_stream_begin(c, 9), MEMFORMER_FAILED);
  EXPECT_EQ(memformer_stream_begin(nullptr, 0), MEMFORMER_BAD_ARGUMENT);
  ASSERT_EQ(memformer_stream_begin(c, 0), MEMFORMER_OK) << memformer_error();
  EXPECT_EQ(memformer_stream_logits(c, values, 13), MEMFORMER_BAD_ARGUMENT);
  EXPECT_STREQ(memformer_error(), "expected 14 values, [batch, V], but got 13");
  EXPECT_EQ(memformer_stream_feed(c, tokens, 3), MEMFORMER_BAD_ARGUMENT);
  EXPECT_EQ(memformer_stream_sample(c, nullptr, tokens, 2), MEMFORMER_BAD_ARGUMENT);
  memformer_sampling sampling{};
  sampling.top_p = 2;
  EXPECT_EQ(memformer_stream_sample(c, &sampling, tokens, 2), MEMFORMER_BAD_ARGUMENT);
  EXPECT_STREQ(memformer_error(), "expected top-p in (0, 1], but got 2");
  sampling.top_p = 1;

  auto generator = Generator::create(*session, 0);
  ASSERT_TRUE(generator) << generator.error().message;
  for (int i = 0; i < 10; ++i) {
    auto logits = generator->logits();
    ASSERT_TRUE(logits) << logits.error().message;
    ASSERT_EQ(memformer_stream_logits(c, values, 14), MEMFORMER_OK) << memformer_error();
    EXPECT_TRUE(std::ranges::equal(*logits, values)) << "token " << i;
    ASSERT_EQ(memformer_stream_sample(c, &sampling, tokens, 2), MEMFORMER_OK) << memformer_error();
    for (int row = 0; row < 2; ++row)
      EXPECT_EQ(tokens[row],
                std::max_element(values + 7 * row, values + 7 * row + 7) - (values + 7 * row));
    ASSERT_EQ(memformer_stream_feed(c, tokens, 2), MEMFORMER_OK) << memformer_error();
    ASSERT_TRUE(generator->feed(tokens));
  }
  // A stream begins again as it began.
  ASSERT_EQ(memformer_stream_begin(c, 0), MEMFORMER_OK);
  ASSERT_EQ(memformer_stream_logits(c, values, 14), MEMFORMER_OK);
  generator->restart();
  EXPECT_TRUE(std::ranges::equal(*generator->logits(), values));
  memformer_destroy(c);
}

} // namespace
