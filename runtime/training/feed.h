// Between a source of tokens and a session: shapes, inputs and what to make of the outputs.
#pragma once

#include "runtime/data/source.h"
#include "runtime/session.h"

#include <vector>

namespace memformer {

/// B, L and V of a compiled model. Errors: a model whose inputs are not token tensors that sources
/// fill: `decoder_tokens`, `targets` and, where the model reads the segment before too,
/// `encoder_tokens`.
Result<DataShape> dataShape(const Manifest &manifest);

/// Segments in the rollouts of a training run, and how many of them a rollout moves on.
struct RolloutPlan {
  int64_t horizon = 1;
  int64_t stride = 1; // <= horizon
};

/// From [train], where it says nothing from the data: whole sequences of a task, else 8 segments.
Result<RolloutPlan> planRollouts(const TrainSettings &train, const Source &source);

/// The token inputs of a rollout that the model has.
std::vector<InputData> inputsOf(const TokenRollout &rollout, const Manifest &manifest);

/// What a rollout gave, over its counted targets.
struct Score {
  double loss = 0; // sum, in nats
  int64_t correct = 0;
  int64_t counted = 0;

  void add(const Score &other);
  double meanLoss() const { return counted ? loss / double(counted) : 0; }
  double accuracy() const { return counted ? double(correct) / double(counted) : 0; }
};

/// `loss` and `prediction` are [T,B,L] as the session wrote them; an empty `prediction` counts
/// nothing as correct.
Score scoreOf(const TokenRollout &rollout, std::span<const float> loss,
              std::span<const int32_t> prediction);

} // namespace memformer
