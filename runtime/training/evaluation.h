// How well a model does on data: loss, accuracy, and the accuracy by length of the gap.
#pragma once

#include "runtime/training/feed.h"

#include <functional>

namespace memformer {

/// Told after each rollout how many tokens of all rows have been read, and the score so far.
using EvaluationProgress = std::function<void(int64_t tokens, const Score &score)>;

/// Runs up to `rollouts` rollouts of at most `segments` segments (0: until the source has finished)
/// from the initial state. The state carries on from one to the next, and the session's replay
/// buffer holds other states afterwards.
Result<Score> evaluate(Session &session, Source &source, int64_t segments, int64_t rollouts,
                       const EvaluationProgress &progress = {});

/// The states that a training run needs again, kept while something else runs on its session.
class StateKeeper {
public:
  /// Keeps slots 0 ... stored.
  StateKeeper(Session &session, int64_t stored);
  ~StateKeeper();
  StateKeeper(const StateKeeper &) = delete;
  StateKeeper &operator=(const StateKeeper &) = delete;

private:
  Session &session;
  std::vector<std::vector<std::byte>> slots;
};

struct GapScore {
  int64_t gap = 0;
  Score score;
};

/// Held-out accuracy of a task at gaps 1, 2, 4 ... and at 1, 2, 4 and 8 times the longest trained
/// on.
Result<std::vector<GapScore>> evaluateGaps(Session &session, const DataSettings &data,
                                           const DataShape &shape, uint64_t seed, int64_t rollouts);

/// Held-out data as [train] and [data] say: all of it, or `evaluate_rollouts` rollouts.
Result<Score> evaluateHeldOut(Session &session, const Configuration &configuration,
                              const DataShape &shape, const EvaluationProgress &progress = {});

/// The standard error of an accuracy over `counted` independent answers.
double standardError(double accuracy, int64_t counted);

/// Rollouts in an evaluation of a task where the configuration does not say.
inline constexpr int64_t taskRollouts = 16;

} // namespace memformer
