// The training loop.
#include "runtime/training/trainer.h"

#include "runtime/file.h"

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

namespace memformer {

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// One run: what the loop keeps from step to step.
class Trainer {
public:
  Trainer(Session &session, const Configuration &configuration, Source &source,
          const TrainOptions &options, const DataShape &shape, RolloutPlan plan,
          MetricsFile metrics)
      : session(session), configuration(configuration), settings(configuration.train),
        source(source), options(options), shape(shape), plan(plan), metrics(std::move(metrics)),
        line(options.out) {}

  Result<void> begin();
  Result<TrainResult> run();

private:
  Result<void> step();
  Result<void> logStep(const Score &score, double gradientNorm, double rate, double lossScale);
  Result<void> evaluateNow();
  Result<void> raiseGap();
  Result<void> checkpoint();
  Result<void> finish();
  std::string describe() const;
  bool timeIsUp() const {
    return settings.minutes > 0 && progress.seconds >= settings.minutes * 60;
  }

  Session &session;
  const Configuration &configuration;
  const TrainSettings &settings;
  Source &source;
  const TrainOptions &options;
  const DataShape shape;
  const RolloutPlan plan;
  MetricsFile metrics;
  ProgressLine line;

  Progress progress;
  TrainResult result;
  TokenRollout tokens;
  std::vector<float> loss; // [T,B,L]
  Clock::time_point started;
  double secondsBefore = 0; // of earlier processes
  int64_t stepsHere = 0;    // in this process
  int64_t tokensHere = 0;
  double lastShown = -1; // seconds
};

Result<void> Trainer::begin() {
  std::error_code code;
  const auto &folder = options.folder;
  if (options.existing == ExistingRun::Resume &&
      std::filesystem::exists(folder.checkpoint(), code)) {
    auto loaded = loadCheckpoint(session, folder.checkpoint());
    if (!loaded)
      return std::unexpected(loaded.error());
    progress = std::move(*loaded);
    if (progress.seed != settings.seed)
      return error("{}: expected train.seed = {} as the run began with, but got {}",
                   folder.checkpoint().native(), progress.seed, settings.seed);
    if (progress.stored != plan.horizon - plan.stride && progress.stored != 0)
      return error(
          "{}: expected train.horizon - train.stride = {} as the run began with, but got {}",
          folder.checkpoint().native(), progress.stored, plan.horizon - plan.stride);
    if (auto set = source.setPosition(progress.dataPosition); !set)
      return withContext(set, folder.checkpoint().native());
    MEMFORMER_TRY(metrics.truncate(progress.metricsBytes));
    line.line(fmt::format("resuming at step {} of {}", progress.step, settings.steps));
    if (const std::string here = checkpointTarget(session);
        !progress.target.empty() && progress.target != here)
      line.line(fmt::format("the checkpoint was made on {}, and this is {}: from here on, results "
                            "may differ in their last bits",
                            progress.target, here));
  } else {
    // A run that was killed before its first checkpoint begins again.
    MEMFORMER_TRY(metrics.truncate(0));
    session.initializeParameters(settings.seed);
    if (!options.weights.empty())
      MEMFORMER_TRY(loadWeights(session, options.weights));
    progress.seed = settings.seed;
  }
  LossScale &scale = progress.lossScale;
  if (!settings.dynamicLossScale || !scale.isDynamic)
    scale = {.value = settings.dynamicLossScale ? LossScale::first : settings.lossScale,
             .isDynamic = settings.dynamicLossScale,
             .skipped = scale.skipped};
  session.setSeed(settings.seed);
  return writeFileAtomically(folder.configuration(), configuration.text);
}

Result<void> Trainer::step() {
  const int64_t whole = source.rolloutSegments();
  const int64_t segments = whole ? whole : plan.horizon;
  const int64_t stride = whole ? whole : plan.stride;
  source.next(segments, stride, tokens);
  loss.resize(tokens.targets.size());
  progress.step += 1;
  session.setStep(uint64_t(progress.step));

  const auto inputs = inputsOf(tokens, session.manifest());
  const OutputSink outputs[] = {{"loss", loss.data()}};
  Rollout rollout;
  rollout.segments = segments;
  rollout.stored = progress.stored;
  rollout.inputs = inputs;
  rollout.reset = tokens.reset.data();
  rollout.position = uint64_t(progress.position);
  const double lossScale = progress.lossScale.value;
  rollout.lossScale = tokens.counted ? float(lossScale) / float(tokens.counted) : 0.0f;
  MEMFORMER_TRY(session.train(rollout, outputs));

  OptimizerScalars scalars;
  scalars.learningRate = learningRateAt(settings, progress.step, progress.seconds);
  scalars.beta1 = settings.beta1;
  scalars.beta2 = settings.beta2;
  scalars.epsilon = settings.epsilon;
  scalars.weightDecay = settings.weightDecay;
  scalars.maxGradientNorm = settings.maxGradientNorm;
  // Moments know of the steps that were taken.
  scalars.step = uint64_t(progress.step - progress.lossScale.skipped);
  scalars.lossScale = lossScale;
  const Score score = scoreOf(tokens, loss, {});
  if (!std::isfinite(score.loss))
    return error("the loss of step {} is {}: try a lower train.learning_rate or a smaller "
                 "train.max_gradient_norm{}",
                 progress.step, score.loss,
                 configuration.model.precision == "f16"
                     ? ", or precision = \"bf16\": in f16 what is multiplied must stay below 65520"
                     : "");
  auto norm = session.update(scalars);
  if (!norm)
    return std::unexpected(norm.error());
  const bool taken = progress.lossScale.update(*norm);
  if (!taken && (!progress.lossScale.isDynamic || progress.lossScale.isExhausted()))
    return error("the gradient of step {} has norm {}{}: try a lower train.learning_rate or a "
                 "smaller train.max_gradient_norm",
                 progress.step, *norm,
                 lossScale == 1 ? "" : fmt::format(" at a loss scale of {}", lossScale));
  if (!taken)
    line.line(fmt::format("step {}: the gradient is not finite at a loss scale of {}: the step is "
                          "left out, and the scale is now {}",
                          progress.step, lossScale, progress.lossScale.value));

  // The next rollout begins `stride` segments on. Memories that this one stored beyond that are
  // kept; the oldest go.
  if (stride < segments)
    session.shiftState(stride);
  else
    session.moveState(segments, 0);
  progress.stored = segments - stride;
  progress.position += stride;
  progress.dataPosition = source.position();
  progress.tokens += stride * shape.batch * shape.segment;
  tokensHere += stride * shape.batch * shape.segment;
  stepsHere += 1;
  progress.seconds = secondsBefore + secondsSince(started);
  result.loss = score.meanLoss();
  return logStep(score, *norm, scalars.learningRate, lossScale);
}

Result<void> Trainer::logStep(const Score &score, double gradientNorm, double rate,
                              double lossScale) {
  Json entry = {{"step", progress.step},      {"loss", score.meanLoss()},
                {"targets", score.counted},   {"gradient_norm", gradientNorm},
                {"learning_rate", rate},      {"tokens", progress.tokens},
                {"seconds", progress.seconds}};
  if (isTask(configuration.data))
    entry["gap"] = source.gap();
  if (progress.lossScale.isDynamic) {
    entry["loss_scale"] = lossScale;
    entry["skipped"] = !std::isfinite(gradientNorm);
  }
  MEMFORMER_TRY(metrics.write(entry));
  bool last = progress.step == settings.steps;
  if (line.isTerminal() && (progress.seconds - lastShown >= 0.1 || last)) {
    lastShown = progress.seconds;
    line.update(describe());
  } else if (!line.isTerminal() && (progress.step % settings.logEvery == 0 || last)) {
    line.line(describe());
  }
  return {};
}

std::string Trainer::describe() const {
  double here = std::max(progress.seconds - secondsBefore, 1e-9);
  double left =
      here / double(std::max<int64_t>(stepsHere, 1)) * double(settings.steps - progress.step);
  if (settings.minutes > 0)
    left = std::min(left, settings.minutes * 60 - progress.seconds);
  std::string text =
      fmt::format("step {}/{}  loss {:.4f}", progress.step, settings.steps, result.loss);
  if (isTask(configuration.data))
    text += fmt::format("  gap {}", source.gap());
  if (progress.lossScale.skipped)
    text += fmt::format("  {} left out", progress.lossScale.skipped);
  return text +
         fmt::format("  {:.0f} tokens/s  {} left", double(tokensHere) / here, printDuration(left));
}

Result<void> Trainer::raiseGap() {
  DataSettings probe = configuration.data;
  probe.minGap = probe.maxGap = source.gap();
  auto heldOut = openSource(probe, Split::Validation, shape, settings.seed);
  if (!heldOut)
    return std::unexpected(heldOut.error());
  // Sequences that no other look has seen, behind those of the evaluations.
  const int64_t position[] = {int64_t(1) << 32 | progress.step, 0, source.gap()};
  MEMFORMER_TRY((*heldOut)->setPosition(position));
  StateKeeper keeper(session, progress.stored);
  auto score = evaluate(session, **heldOut, session.segments(), 1);
  if (!score)
    return std::unexpected(score.error());
  if (score->accuracy() > configuration.data.curriculum && source.harder()) {
    progress.dataPosition = source.position();
    line.line(fmt::format("step {}: accuracy {:.3f}, the gap is now {}", progress.step,
                          score->accuracy(), source.gap()));
  }
  return {};
}

Result<void> Trainer::evaluateNow() {
  StateKeeper keeper(session, progress.stored);
  auto score = evaluateHeldOut(session, configuration, shape);
  if (!score)
    return std::unexpected(score.error());
  result.heldOut = *score;
  result.evaluated = true;
  Json entry = {{"step", progress.step},
                {"evaluation",
                 {{"loss", score->meanLoss()},
                  {"accuracy", score->accuracy()},
                  {"targets", score->counted}}}};
  line.line(fmt::format("step {}: held-out loss {:.4f}, {:.4f} bits, accuracy {:.4f}",
                        progress.step, score->meanLoss(), score->meanLoss() / std::numbers::ln2,
                        score->accuracy()));
  return metrics.write(entry);
}

Result<void> Trainer::checkpoint() {
  // The metrics first: a checkpoint never speaks of lines that could be lost.
  auto bytes = metrics.sync();
  if (!bytes)
    return std::unexpected(bytes.error());
  progress.metricsBytes = *bytes;
  progress.dataPosition = source.position();
  return saveCheckpoint(session, progress, configuration.text, options.folder.checkpoint());
}

Result<void> Trainer::finish() {
  MEMFORMER_TRY(
      saveParameters(session, options.folder.weights(), {{"step", std::to_string(progress.step)}}));
  if (!hasValidation(configuration.data))
    return {};
  MEMFORMER_TRY(evaluateNow());
  if (!isTask(configuration.data))
    return {};
  int64_t rollouts = settings.evaluateRollouts ? settings.evaluateRollouts : taskRollouts;
  auto gaps = evaluateGaps(session, configuration.data, shape, settings.seed, rollouts);
  if (!gaps)
    return std::unexpected(gaps.error());
  result.gaps = std::move(*gaps);
  for (const GapScore &gap : result.gaps)
    MEMFORMER_TRY(metrics.write({{"step", progress.step},
                                 {"gap", gap.gap},
                                 {"accuracy", gap.score.accuracy()},
                                 {"targets", gap.score.counted}}));
  return {};
}

Result<TrainResult> Trainer::run() {
  started = Clock::now();
  secondsBefore = progress.seconds;
  auto due = [&](int64_t every) { return every > 0 && progress.step % every == 0; };
  while (progress.step < settings.steps && !timeIsUp()) {
    if (options.stop && options.stop->load()) {
      result.stopped = true;
      break;
    }
    MEMFORMER_TRY(step());
    if (configuration.data.curriculum > 0 && isTask(configuration.data) &&
        source.gap() < configuration.data.maxGap && due(configuration.data.curriculumEvery))
      MEMFORMER_TRY(raiseGap());
    bool last = progress.step == settings.steps;
    if (!last && due(settings.evaluateEvery) && hasValidation(configuration.data))
      MEMFORMER_TRY(evaluateNow());
    if (!last && due(settings.checkpointEvery))
      MEMFORMER_TRY(checkpoint());
  }
  MEMFORMER_TRY(checkpoint());
  if (!result.stopped)
    MEMFORMER_TRY(finish());
  result.progress = progress;
  return std::move(result);
}

} // namespace

double learningRateAt(const TrainSettings &train, int64_t step, double seconds) {
  if (step <= train.warmup)
    return train.learningRate * double(step) / double(train.warmup);
  if (train.decay == Decay::Constant)
    return train.learningRate;
  double done =
      double(step - train.warmup) / double(std::max<int64_t>(train.steps - train.warmup, 1));
  if (train.minutes > 0)
    done = std::max(done, seconds / (train.minutes * 60));
  done = std::min(done, 1.0);
  double left =
      train.decay == Decay::Linear ? 1 - done : 0.5 * (1 + std::cos(std::numbers::pi * done));
  return train.finalLearningRate + (train.learningRate - train.finalLearningRate) * left;
}

Result<TrainResult> train(Session &session, const Configuration &configuration, Source &source,
                          const TrainOptions &options) {
  auto shape = dataShape(session.manifest());
  if (!shape)
    return std::unexpected(shape.error());
  auto plan = planRollouts(configuration.train, source);
  if (!plan)
    return std::unexpected(plan.error());
  if (session.segments() < plan->horizon)
    return error("expected a session of at least {} segments, but got {}", plan->horizon,
                 session.segments());
  // Weights that cannot be had are found before a folder is made, or a run overwritten.
  if (!options.weights.empty() && options.existing != ExistingRun::Resume)
    MEMFORMER_TRY(loadWeights(session, options.weights));
  auto metrics = openRunFolder(options.folder, options.existing);
  if (!metrics)
    return std::unexpected(metrics.error());
  Trainer trainer(session, configuration, source, options, *shape, *plan, std::move(*metrics));
  MEMFORMER_TRY(trainer.begin());
  return trainer.run();
}

} // namespace memformer
