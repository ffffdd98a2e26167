// The training loop: the learning rate, rollouts that overlap, and which runs it touches.
#include "test/training/scaled_checkpoint.h"
#include "test/training/stream_model.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace memformer;
using namespace memformer::test;

namespace {

TEST(LearningRate, WarmUpAndDecay) {
  TrainSettings train;
  train.learningRate = 2;
  train.finalLearningRate = 1;
  train.warmup = 4;
  train.steps = 12;
  EXPECT_EQ(learningRateAt(train, 1), 0.5);
  EXPECT_EQ(learningRateAt(train, 4), 2);
  EXPECT_EQ(learningRateAt(train, 12), 2) << "constant";
  train.decay = Decay::Linear;
  EXPECT_EQ(learningRateAt(train, 8), 1.5);
  EXPECT_EQ(learningRateAt(train, 12), 1);
  train.decay = Decay::Cosine;
  EXPECT_NEAR(learningRateAt(train, 6), 1 + 0.5 * (1 + std::sqrt(0.5)), 1e-12);
  EXPECT_NEAR(learningRateAt(train, 8), 1.5, 1e-12);
  EXPECT_EQ(learningRateAt(train, 12), 1);
  train.minutes = 1;
  EXPECT_NEAR(learningRateAt(train, 5, 30), 1.5, 1e-12) << "half of the time has gone";
  EXPECT_EQ(learningRateAt(train, 5, 90), 1);
  train.warmup = 0;
  train.minutes = 0;
  EXPECT_NEAR(learningRateAt(train, 6), 1.5, 1e-12);
}

TEST(Trainer, OverlappingRolloutsSeeTheSameStream) {
  TemporaryFolder folder;
  const std::string still = "[train]\nlearning_rate = 0\nsteps = 24\n";
  auto losses = [&](const std::string &name, const std::string &rollouts) {
    auto result =
        runTraining(configure(still + rollouts + streamData(folder)), folder.path() / name);
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message);
    return std::pair(metricsOf(folder, name, "loss"), metricsOf(folder, name, "targets"));
  };
  // Weights stand still: what a rollout says is the mean of what its segments say one by one.
  auto [one, counts] = losses("one", "horizon = 1\n");
  for (auto [horizon, stride] : {std::pair{4, 4}, {4, 1}, {5, 2}, {3, 2}}) {
    auto [many, targets] = losses(fmt::format("{}-{}", horizon, stride),
                                  fmt::format("horizon = {}\nstride = {}\n", horizon, stride));
    ASSERT_EQ(many.size(), 24u);
    for (size_t step = 0; step * size_t(stride) + size_t(horizon) <= one.size(); ++step) {
      double sum = 0, count = 0;
      for (int i = 0; i < horizon; ++i) {
        size_t segment = step * size_t(stride) + size_t(i);
        sum += one[segment] * counts[segment];
        count += counts[segment];
      }
      EXPECT_EQ(targets[step], count);
      EXPECT_NEAR(many[step], sum / count, 1e-6 * std::abs(sum / count) + 1e-9)
          << "horizon " << horizon << ", stride " << stride << ", step " << step;
    }
  }
}

TEST(Trainer, EvaluationLeavesTrainingAlone) {
  TemporaryFolder folder;
  for (const char *rollouts : {"horizon = 4\n", "horizon = 5\nstride = 2\n"}) {
    std::string text = "[train]\nsteps = 20\nlearning_rate = 1e-3\n" + std::string(rollouts);
    ASSERT_TRUE(runTraining(configure(text + streamData(folder)), folder.path() / "never",
                            ExistingRun::Overwrite));
    ASSERT_TRUE(runTraining(configure(text + "evaluate_every = 1\n" + streamData(folder)),
                            folder.path() / "always", ExistingRun::Overwrite));
    EXPECT_EQ(metricsOf(folder, "never", "loss"), metricsOf(folder, "always", "loss"));
    EXPECT_EQ(folder.read("never/weights.safetensors"), folder.read("always/weights.safetensors"));
  }
}

TEST(Trainer, StopsWithACheckpoint) {
  TemporaryFolder folder;
  Configuration configuration =
      configure("[train]\nsteps = 9\nhorizon = 2\nlearning_rate = 1e-3\n" + streamData(folder));
  ASSERT_TRUE(runTraining(configuration, folder.path() / "whole"));
  const std::atomic<bool> stop = true;
  auto stopped = runTraining(configuration, folder.path() / "run", ExistingRun::Refuse, &stop);
  ASSERT_TRUE(stopped);
  EXPECT_TRUE(stopped->stopped);
  EXPECT_EQ(stopped->progress.step, 0);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "run/weights.safetensors"));
  auto resumed = runTraining(configuration, folder.path() / "run", ExistingRun::Resume);
  ASSERT_TRUE(resumed) << resumed.error().message;
  EXPECT_EQ(resumed->progress.step, 9);
  EXPECT_EQ(folder.read("whole/weights.safetensors"), folder.read("run/weights.safetensors"));
}

TEST(Trainer, RunsAreNotOverwritten) {
  TemporaryFolder folder;
  const auto run = folder.path() / "run";
  Configuration configuration = configure("[train]\nsteps = 3\nhorizon = 2\n" + streamData(folder));
  ASSERT_TRUE(runTraining(configuration, run));
  std::string weights = folder.read("run/weights.safetensors");
  auto again = runTraining(configuration, run);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message,
            run.native() + " holds a run already (checkpoint.safetensors): use --resume to go on "
                           "with it, --overwrite to replace it, or --out for another folder");
  EXPECT_EQ(folder.read("run/weights.safetensors"), weights);
  folder.write("run/notes", "mine");
  EXPECT_TRUE(runTraining(configuration, run, ExistingRun::Overwrite));
  EXPECT_EQ(folder.read("run/notes"), "mine");

  auto lock = MetricsFile::open(run / "metrics.jsonl");
  ASSERT_TRUE(lock);
  auto second = runTraining(configuration, run, ExistingRun::Resume);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message,
            (run / "metrics.jsonl").native() + ": another process is training in this folder");
}

TEST(Trainer, ResumingWithOtherSettings) {
  TemporaryFolder folder;
  const auto run = folder.path() / "run";
  const std::string data = streamData(folder);
  ASSERT_TRUE(runTraining(configure("[train]\nsteps = 3\nhorizon = 4\nstride = 2\n" + data), run));
  auto message = [&](const std::string &train) {
    auto result = runTraining(configure("[train]\n" + train + data), run, ExistingRun::Resume);
    EXPECT_FALSE(result.has_value());
    return result ? "" : result.error().message.substr(run.native().size() + 1);
  };
  EXPECT_EQ(message("steps = 6\nhorizon = 4\nstride = 2\nseed = 1\n"),
            "checkpoint.safetensors: expected train.seed = 0 as the run began with, but got 1");
  EXPECT_EQ(message("steps = 6\nhorizon = 4\nstride = 3\n"),
            "checkpoint.safetensors: expected train.horizon - train.stride = 2 as the run began "
            "with, but got 1");
  EXPECT_EQ(message("steps = 6\nhorizon = 2\n"),
            "checkpoint.safetensors: expected the states of fewer than 2 segments (train.horizon), "
            "but got 2");
  // More steps are another end of the same run.
  auto longer = runTraining(configure("[train]\nsteps = 6\nhorizon = 4\nstride = 2\n" + data), run,
                            ExistingRun::Resume);
  ASSERT_TRUE(longer) << longer.error().message;
  EXPECT_EQ(metricsOf(folder, "run", "loss").size(), 6u);
}

TEST(LossScale, IsHalvedAndDoubled) {
  LossScale scale = LossScale::dynamic();
  EXPECT_EQ(scale.value, 65536);
  EXPECT_FALSE(scale.update(INFINITY));
  EXPECT_FALSE(scale.update(NAN));
  EXPECT_EQ(scale.value, 16384);
  for (int64_t i = 0; i + 1 < LossScale::growthInterval; ++i)
    EXPECT_TRUE(scale.update(1));
  EXPECT_EQ(scale.value, 16384);
  EXPECT_TRUE(scale.update(0));
  EXPECT_EQ(scale.value, 32768);
  EXPECT_TRUE(scale.update(1));
  EXPECT_FALSE(scale.update(INFINITY));
  EXPECT_EQ(scale.value, 16384);
  EXPECT_EQ(scale.goodSteps, 0) << "in a row";
  EXPECT_EQ(scale.skipped, 3);
  while (!scale.isExhausted())
    scale.update(INFINITY);
  EXPECT_EQ(scale.value, 0x1p-25);
  LossScale fixed{.value = 8};
  EXPECT_FALSE(fixed.update(INFINITY));
  EXPECT_EQ(fixed.value, 8);
}

// A power of two in the loss's gradient is divided out again: the same run, to the last bit.
TEST(Trainer, LossScaleChangesNoBit) {
  TemporaryFolder folder;
  const std::string text = "steps = 9\nhorizon = 3\nlearning_rate = 1e-3\n" + streamData(folder);
  ASSERT_TRUE(runTraining(configure("[train]\n" + text), folder.path() / "one"));
  for (const char *scale : {"1024", "\"dynamic\""}) {
    auto trained =
        runTraining(configure(std::string("[train]\nloss_scale = ") + scale + "\n" + text),
                    folder.path() / "scaled", ExistingRun::Overwrite);
    ASSERT_TRUE(trained) << trained.error().message;
    EXPECT_EQ(trained->progress.lossScale.skipped, 0);
    EXPECT_EQ(folder.read("one/weights.safetensors"), folder.read("scaled/weights.safetensors"));
    EXPECT_EQ(metricsOf(folder, "one", "gradient_norm"),
              metricsOf(folder, "scaled", "gradient_norm"));
  }
}

TEST(Trainer, StepsThatOverflowAreLeftOut) {
  TemporaryFolder folder;
  const std::string text = "horizon = 3\nlearning_rate = 1e-3\nloss_scale = \"dynamic\"\n"
                           "checkpoint_every = 1\n" +
                           streamData(folder);
  const auto run = folder.path() / "run", whole = folder.path() / "whole";
  auto stepsOf = [&](int steps) {
    return configure("[train]\nsteps = " + std::to_string(steps) + "\n" + text);
  };
  ASSERT_TRUE(runTraining(stepsOf(2), run));
  const double large = 0x1p64;
  setLossScale(run / "checkpoint.safetensors", "18446744073709551616");
  std::filesystem::copy(run, whole);
  const std::string before = folder.read("run/weights.safetensors");

  // The norm of such a gradient has no square in f32.
  auto one = runTraining(stepsOf(3), run, ExistingRun::Resume);
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(one->progress.lossScale.skipped, 1);
  EXPECT_EQ(one->progress.lossScale.value, large / 2);
  EXPECT_EQ(one->progress.lossScale.goodSteps, 0);
  const std::string_view entries = std::string_view(before).substr(before.size() - 77 * 4);
  EXPECT_TRUE(folder.read("run/weights.safetensors").ends_with(entries)) << "no step was taken";

  // Halved until it fits; in one go and in several the same bits.
  for (int steps : {4, 7, 12})
    ASSERT_TRUE(runTraining(stepsOf(steps), run, ExistingRun::Resume));
  auto result = runTraining(stepsOf(12), whole, ExistingRun::Resume);
  ASSERT_TRUE(result) << result.error().message;
  const LossScale &scale = result->progress.lossScale;
  EXPECT_GE(scale.skipped, 1);
  EXPECT_LT(scale.skipped, 10);
  EXPECT_EQ(scale.value, std::ldexp(large, -int(scale.skipped)));
  EXPECT_EQ(scale.goodSteps, 10 - scale.skipped);
  EXPECT_EQ(folder.read("run/weights.safetensors"), folder.read("whole/weights.safetensors"));
  EXPECT_FALSE(folder.read("run/weights.safetensors").ends_with(entries));
  EXPECT_EQ(count(folder.read("run/metrics.jsonl"), "\"skipped\":true"), size_t(scale.skipped));

  // What no run has left.
  setLossScale(run / "checkpoint.safetensors", "3");
  auto wrong = runTraining(stepsOf(13), run, ExistingRun::Resume);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, (run / "checkpoint.safetensors").native() +
                                       ": expected metadata 'loss_scale' to be a power of two, but "
                                       "got 3");
}

TEST(Trainer, DivergenceIsAnError) {
  TemporaryFolder folder;
  auto result = runTraining(configure("[train]\nsteps = 60\nhorizon = 2\nlearning_rate = 1e9\n"
                                      "warmup = 0\ncheckpoint_every = 1\n" +
                                      streamData(folder)),
                            folder.path() / "run");
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("try a lower train.learning_rate"), std::string::npos)
      << result.error().message;
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "run/weights.safetensors"));
}

TEST(Trainer, BrokenCheckpoints) {
  TemporaryFolder folder;
  const auto run = folder.path() / "run";
  Configuration configuration = configure("[train]\nsteps = 3\nhorizon = 2\n" + streamData(folder));
  ASSERT_TRUE(runTraining(configuration, run));
  const std::string good = folder.read("run/checkpoint.safetensors");
  for (size_t length : {size_t(0), size_t(7), good.size() / 2, good.size() - 1}) {
    folder.write("run/checkpoint.safetensors", good.substr(0, length));
    EXPECT_FALSE(runTraining(configuration, run, ExistingRun::Resume)) << length;
  }
  folder.write("run/checkpoint.safetensors", folder.read("run/weights.safetensors"));
  auto result = runTraining(configuration, run, ExistingRun::Resume);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("this is no checkpoint"), std::string::npos);
}

TEST(Plan, WholeSequencesOfATask) {
  Configuration configuration = configure("[train]\nhorizon = 5\n" + recallData());
  auto source = openSource(configuration.data, Split::Train, {3, 5, 11}, 0);
  ASSERT_TRUE(source);
  auto plan = planRollouts(configuration.train, **source);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().message,
            "expected train.horizon to be at least 7, a whole sequence of the task, but got 5");
  configuration.train.horizon = 0;
  plan = planRollouts(configuration.train, **source);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->horizon, 7);
  configuration.train.stride = 3;
  EXPECT_FALSE(planRollouts(configuration.train, **source));
}

} // namespace
