// How well a model does on data: loss, accuracy, and the accuracy by length of the gap.
#include "runtime/training/evaluation.h"

#include <algorithm>
#include <cmath>

namespace memformer {

Result<Score> evaluate(Session &session, Source &source, int64_t segments, int64_t rollouts,
                       const EvaluationProgress &progress) {
  Score total;
  TokenRollout tokens;
  std::vector<float> loss;
  std::vector<int32_t> prediction;
  uint64_t position = 0;
  for (int64_t done = 0; (rollouts == 0 || done < rollouts) && !source.finished(); ++done) {
    // A sequence that is longer than the session's rollouts goes through it in pieces.
    int64_t left = source.rolloutSegments();
    do {
      int64_t count = left ? std::min(left, segments) : segments;
      source.next(count, count, tokens);
      loss.resize(tokens.targets.size());
      prediction.resize(tokens.targets.size());
      const auto inputs = inputsOf(tokens, session.manifest());
      Rollout rollout;
      rollout.segments = count;
      rollout.inputs = inputs;
      rollout.reset = tokens.reset.data();
      rollout.position = position;
      rollout.lossScale = tokens.counted ? 1.0f / float(tokens.counted) : 0.0f;
      const OutputSink outputs[] = {{"loss", loss.data()}, {"prediction", prediction.data()}};
      MEMFORMER_TRY(session.evaluate(rollout, outputs));
      total.add(scoreOf(tokens, loss, prediction));
      session.moveState(count, 0);
      position += uint64_t(count);
      left -= left ? count : 0;
      if (progress)
        progress(int64_t(position) * int64_t(tokens.targets.size()) / count, total);
    } while (left > 0);
  }
  return total;
}

StateKeeper::StateKeeper(Session &session, int64_t stored) : session(session) {
  for (int64_t slot = 0; slot <= stored; ++slot) {
    std::span<const std::byte> bytes = std::as_const(session).state(slot);
    slots.emplace_back(bytes.begin(), bytes.end());
  }
}

StateKeeper::~StateKeeper() {
  for (size_t slot = 0; slot < slots.size(); ++slot)
    std::ranges::copy(slots[slot], session.state(int64_t(slot)).begin());
}

Result<std::vector<GapScore>> evaluateGaps(Session &session, const DataSettings &data,
                                           const DataShape &shape, uint64_t seed,
                                           int64_t rollouts) {
  std::vector<int64_t> gaps;
  const int64_t trained = std::max<int64_t>(data.maxGap, 1);
  for (int64_t gap = 1; gap < trained; gap *= 2)
    gaps.push_back(gap);
  for (int64_t times : {1, 2, 4, 8})
    gaps.push_back(times * trained);
  std::vector<GapScore> scores;
  for (int64_t gap : gaps) {
    DataSettings settings = data;
    settings.minGap = settings.maxGap = gap;
    auto source = openSource(settings, Split::Validation, shape, seed);
    if (!source)
      return std::unexpected(source.error());
    Result<Score> score = evaluate(session, **source, session.segments(), rollouts);
    if (!score)
      return std::unexpected(score.error());
    scores.push_back({gap, *score});
  }
  return scores;
}

Result<Score> evaluateHeldOut(Session &session, const Configuration &configuration,
                              const DataShape &shape, const EvaluationProgress &progress) {
  auto source = openSource(configuration.data, Split::Validation, shape, configuration.train.seed);
  if (!source)
    return std::unexpected(source.error());
  int64_t rollouts = configuration.train.evaluateRollouts;
  if (rollouts == 0 && isTask(configuration.data))
    rollouts = taskRollouts;
  return evaluate(session, **source, session.segments(), rollouts, progress);
}

double standardError(double accuracy, int64_t counted) {
  return counted ? std::sqrt(accuracy * (1 - accuracy) / double(counted)) : 0;
}

} // namespace memformer
