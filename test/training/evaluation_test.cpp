// Evaluation: what it counts, and that it does not depend on how long the session's rollouts are.
#include "test/training/stream_model.h"

#include <gtest/gtest.h>

using namespace memformer;
using namespace memformer::test;

namespace {

Score evaluateWith(const Configuration &configuration, int64_t segments) {
  auto session = streamSession(segments);
  session->initializeParameters(5);
  auto source = openSource(configuration.data, Split::Validation, {3, 5, 11}, 1);
  EXPECT_TRUE(source.has_value());
  auto score = evaluate(*session, **source, segments, configuration.train.evaluateRollouts);
  EXPECT_TRUE(score.has_value()) << (score ? "" : score.error().message);
  return *score;
}

TEST(Evaluation, LongSequencesGoThroughShortSessions) {
  Configuration configuration = configure("[train]\nevaluate_rollouts = 4\n" + recallData());
  Score whole = evaluateWith(configuration, 7);
  EXPECT_EQ(whole.counted, 4 * 3);
  for (int64_t segments : {1, 2, 3, 5, 6}) {
    Score parts = evaluateWith(configuration, segments);
    EXPECT_EQ(parts.counted, whole.counted) << segments;
    EXPECT_EQ(parts.loss, whole.loss) << segments;
    EXPECT_EQ(parts.correct, whole.correct) << segments;
  }
}

TEST(Evaluation, StreamsAreReadToTheirEnd) {
  TemporaryFolder folder;
  Configuration configuration = configure(streamData(folder) + "validation = 0.33\n");
  Score whole = evaluateWith(configuration, 4);
  EXPECT_EQ(whole.counted, 132);
  Score other = evaluateWith(configuration, 9);
  EXPECT_EQ(other.counted, 132);
  EXPECT_NEAR(other.loss, whole.loss, 1e-9 * std::abs(whole.loss));
}

TEST(Evaluation, AccuracyCountsPredictionsOfCountedTargets) {
  TokenRollout rollout;
  rollout.assign(1, {1, 4, 9}, 0);
  rollout.targets = {3, -1, 5, 6};
  rollout.counted = 3;
  const float loss[] = {1, 100, 2, 4};
  const int32_t prediction[] = {3, -1, 4, 6};
  Score score = scoreOf(rollout, loss, prediction);
  EXPECT_EQ(score.correct, 2);
  EXPECT_EQ(score.loss, 7);
  EXPECT_EQ(score.counted, 3);
  EXPECT_NEAR(standardError(0.5, 100), 0.05, 1e-12);
}

TEST(Evaluation, GapsReachEightTimesTheTrained) {
  Configuration configuration = configure("[train]\nhorizon = 7\n" + recallData());
  auto session = streamSession(7);
  session->initializeParameters(5);
  auto scores = evaluateGaps(*session, configuration.data, {3, 5, 11}, 1, 2);
  ASSERT_TRUE(scores) << scores.error().message;
  std::vector<int64_t> gaps;
  for (const GapScore &score : *scores) {
    gaps.push_back(score.gap);
    EXPECT_EQ(score.score.counted, 6);
  }
  EXPECT_EQ(gaps, (std::vector<int64_t>{1, 2, 4, 8, 16, 32}));
}

TEST(Evaluation, KeepsStates) {
  auto session = streamSession(4);
  for (int64_t slot = 0; slot < 5; ++slot)
    for (float &value : session->stateTensor(slot, 0))
      value = float(slot);
  {
    StateKeeper keeper(*session, 2);
    for (int64_t slot = 0; slot < 5; ++slot)
      for (float &value : session->stateTensor(slot, 0))
        value = -1;
  }
  for (int64_t slot = 0; slot < 5; ++slot)
    EXPECT_EQ(session->stateTensor(slot, 0)[3], slot <= 2 ? float(slot) : -1.0f);
}

} // namespace
