// Sessions of the toy model: loops, replay, threads, state.

#include "runtime/random.h"
#include "test/runtime/toy_model.h"

#include <cfenv>
#include <gtest/gtest.h>

namespace memformer {
namespace {

using namespace toy;

constexpr int64_t T = 5;

struct Run {
  std::vector<float> loss, gradient;
  int32_t visits = 0;
};

Run train(Session &session, int64_t segments, int64_t stored, std::span<const int32_t> data,
          const int32_t *reset) {
  Run run;
  run.loss.resize(size_t(segments * B * L));
  std::vector<int32_t> visits(static_cast<size_t>(segments));
  const InputData inputs[] = {{"tokens", data.data()}};
  const OutputSink outputs[] = {{"loss", run.loss.data()}, {"visits", visits.data()}};
  auto result = session.train({.segments = segments,
                               .stored = stored,
                               .inputs = inputs,
                               .reset = reset,
                               .position = 0,
                               .lossScale = 0.125f},
                              outputs);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  const auto gradient = std::as_const(session).gradient(0);
  run.gradient.assign(gradient.begin(), gradient.end());
  run.visits = visits[0];
  return run;
}

std::vector<float> states(Session &session, int64_t count) {
  std::vector<float> result;
  for (int64_t slot = 0; slot < count; ++slot) {
    auto state = session.stateTensor(slot, 0);
    result.insert(result.end(), state.begin(), state.end());
  }
  return result;
}

const std::vector<int32_t> resets = [] {
  std::vector<int32_t> flags(size_t(T * B));
  flags[0] = flags[1] = flags[2] = 1; // all rows at the beginning
  flags[3 * B + 1] = 17;              // any nonzero number
  return flags;
}();

class SchedulesAndThreads : public testing::TestWithParam<std::tuple<Schedule, unsigned>> {};

TEST_P(SchedulesAndThreads, TrainIsTheReferenceToTheLastBit) {
  const auto [schedule, threads] = GetParam();
  auto session = toy::session(schedule, T, threads);
  ASSERT_EQ(session->threads(), threads);
  for (int64_t segments : {T, int64_t(1), int64_t(2), int64_t(4)}) {
    const auto data = tokens(segments);
    const auto expected =
        reference(session->parameter(0), std::vector<float>(B * D), data, resets, segments, 0.125f);
    const auto run = train(*session, segments, 0, data, resets.data());
    EXPECT_EQ(run.loss, expected.loss) << segments;
    EXPECT_EQ(run.gradient, expected.gradient) << segments;
    EXPECT_EQ(states(*session, segments + 1),
              std::vector<float>(expected.states.begin(), expected.states.end()));
    EXPECT_EQ(run.visits, schedule == Schedule::Saved ? segments : segments - 1);
    std::ranges::fill(session->state(0), std::byte());
  }
}

TEST_P(SchedulesAndThreads, StoredStatesAreUsedAgain) {
  const auto [schedule, threads] = GetParam();
  const auto data = tokens(T), later = tokens(T, 2);
  std::vector<int32_t> laterResets(resets.begin() + 2 * B, resets.end());
  laterResets.resize(resets.size());

  auto session = toy::session(schedule, T, threads);
  train(*session, T, 0, data, resets.data());
  session->shiftState(2);
  const std::vector<float> first(session->stateTensor(0, 0).begin(),
                                 session->stateTensor(0, 0).end());
  // What is in slots 0 ... 3 is known; the rest must be computed, not found.
  std::ranges::fill(session->state(4), std::byte{0x55});
  std::ranges::fill(session->state(5), std::byte{0x55});
  const auto run = train(*session, T, 3, later, laterResets.data());
  const auto expected = reference(session->parameter(0), first, later, laterResets, T, 0.125f);
  EXPECT_EQ(run.loss, expected.loss);
  EXPECT_EQ(run.gradient, expected.gradient);
  EXPECT_EQ(states(*session, T + 1), expected.states);
  EXPECT_EQ(run.visits, schedule == Schedule::Saved ? T : T - 1 - 3);
}

INSTANTIATE_TEST_SUITE_P(All, SchedulesAndThreads,
                         testing::Combine(testing::Values(Schedule::Saved, Schedule::Replay),
                                          testing::Values(1u, 2u, 7u)));

TEST(Session, UnstoredLeavesStoredSlotsAlone) {
  auto session = toy::session(Schedule::Saved, T, 1);
  const auto data = tokens(T);
  train(*session, T, 0, data, resets.data());
  // Slot 2 is said to be stored: the schedule that goes through all segments must not write it.
  std::ranges::fill(session->stateTensor(2, 0), 9.0f);
  train(*session, T, 2, data, resets.data());
  EXPECT_EQ(session->stateTensor(2, 0)[0], 9.0f);
  EXPECT_NE(session->stateTensor(3, 0)[0], 9.0f);
}

TEST(Session, FreshRolloutResetsEveryRowByDefault) {
  auto session = toy::session(Schedule::Replay, 2, 1);
  std::ranges::fill(session->stateTensor(0, 0), 100.0f);
  const auto data = tokens(2);
  const auto run = train(*session, 2, 0, data, nullptr);
  std::vector<int32_t> flags(2 * B);
  std::fill_n(flags.begin(), B, 1);
  EXPECT_EQ(run.loss,
            reference(session->parameter(0), std::vector<float>(B * D), data, flags, 2, 1).loss);
}

TEST(Session, UpdateStepsAndPacksAgain) {
  auto session = toy::session(Schedule::Replay, T, 2);
  const auto data = tokens(T);
  const auto run = train(*session, T, 0, data, resets.data());
  std::vector<float> weight(session->parameter(0).begin(), session->parameter(0).end());
  auto norm = session->update({.learningRate = 0.5, .beta1 = 0.75, .beta2 = 0.5, .step = 2});
  ASSERT_TRUE(norm.has_value());
  double squares = 0;
  for (size_t i = 0; i < weight.size(); ++i) {
    weight[i] -= 0.5f * run.gradient[i];
    squares += double(run.gradient[i]) * run.gradient[i];
    EXPECT_EQ(session->firstMoment(0)[i], 0.25f * run.gradient[i]);
    EXPECT_EQ(session->secondMoment(0)[i], 0.75f); // 1 - beta2 ^ 2
  }
  EXPECT_NEAR(*norm, std::sqrt(squares), 1e-5 * *norm);
  EXPECT_EQ(weight, std::vector<float>(session->parameter(0).begin(), session->parameter(0).end()));
  const auto expected = reference(weight, std::vector<float>(B * D), data, resets, T, 0.125f);
  EXPECT_EQ(train(*session, T, 0, data, resets.data()).loss, expected.loss);

  // And when the caller changes a parameter.
  session->mutableParameter(0)[4] += 1;
  const auto changed =
      reference(session->parameter(0), std::vector<float>(B * D), data, resets, T, 0.125f);
  EXPECT_EQ(train(*session, T, 0, data, resets.data()).loss, changed.loss);
}

TEST(Session, EvaluatesWithPredictions) {
  auto session = toy::session(Schedule::Replay, T, 2);
  const auto data = tokens(3);
  std::vector<int32_t> prediction(data.size());
  const InputData inputs[] = {{"tokens", data.data()}};
  const OutputSink outputs[] = {{"prediction", prediction.data()}};
  auto result = session->evaluate({.segments = 3, .inputs = inputs}, outputs);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  for (size_t i = 0; i < data.size(); ++i)
    EXPECT_EQ(prediction[i], data[i] + 1);
}

TEST(Session, DropoutKeyDependsOnSeedStepAndPosition) {
  auto session = toy::session(Schedule::Replay, T, 1);
  const auto data = tokens(3);
  std::vector<uint32_t> keys(3 * 2);
  const InputData inputs[] = {{"tokens", data.data()}};
  const OutputSink outputs[] = {{"key", keys.data()}};
  session->setSeed(5);
  session->setStep(9);
  ASSERT_TRUE(session->trace({.segments = 3, .inputs = inputs, .position = 40}, outputs));
  for (uint64_t t = 0; t < 3; ++t) {
    EXPECT_EQ(keys[2 * t], dropoutKey(5, 9, 40 + t)[0]);
    EXPECT_EQ(keys[2 * t + 1], dropoutKey(5, 9, 40 + t)[1]);
  }
  EXPECT_NE(dropoutKey(5, 9, 40), dropoutKey(9, 5, 40));
  EXPECT_NE(dropoutKey(5, 9, 40), dropoutKey(5, 40, 9));
}

TEST(Session, EveryThreadFlushesDenormalsAndTheCallerKeepsItsMode) {
  std::fesetround(FE_UPWARD);
  for (unsigned threads : {1u, 2u}) {
    auto session = toy::session(Schedule::Replay, 64, threads);
    const auto data = tokens(64);
    std::vector<float> values(64 * D, 1.0f);
    const InputData inputs[] = {{"tokens", data.data()}};
    const OutputSink outputs[] = {{"denormal", values.data()}};
    EXPECT_TRUE(session->trace({.segments = 64, .inputs = inputs}, outputs));
    EXPECT_EQ(values, std::vector<float>(values.size()));
  }
  EXPECT_EQ(std::fegetround(), FE_UPWARD);
  std::fesetround(FE_TONEAREST);
  volatile float smallest = 1.5e-38f;
  EXPECT_NE(smallest * 0.5f, 0.0f);
}

TEST(Session, MovesAndShiftsStates) {
  auto session = toy::session(Schedule::Replay, 4, 1);
  for (int64_t slot = 0; slot <= 4; ++slot)
    std::ranges::fill(session->stateTensor(slot, 0), float(slot));
  session->shiftState(3);
  EXPECT_EQ(session->stateTensor(0, 0)[0], 3);
  EXPECT_EQ(session->stateTensor(1, 0)[B * D - 1], 4);
  session->moveState(1, 4);
  EXPECT_EQ(session->stateTensor(4, 0)[5], 4);
  EXPECT_EQ(session->stateBytes(), 128u);
}

TEST(Session, TwoSessionsOfTwoArtifactsLiveTogether) {
  auto first = toy::session(Schedule::Saved, T, 1);
  auto second = toy::session(Schedule::Replay, T, 1);
  const auto data = tokens(T);
  EXPECT_EQ(train(*first, T, 0, data, resets.data()).gradient,
            train(*second, T, 0, data, resets.data()).gradient);
}

} // namespace
} // namespace memformer
