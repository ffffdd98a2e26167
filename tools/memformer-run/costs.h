// What a model costs: operations, state and planned memory, under every schedule.
#pragma once

#include "tools/memformer-run/model.h"

#include <nlohmann/json.hpp>

namespace memformer {

/// A model's plans, one for each schedule that is known of it.
struct Plans {
  Model model;               // as it was asked for
  std::vector<Model> others; // the other schedules; none of an artifact, which has its own alone
  /// A sequence, in segments of the model and, where it reads tokens, in tokens.
  int64_t segments = 0, tokens = 0, segmentTokens = 0;

  /// All of them, by the schedules' names.
  std::vector<const Manifest *> bySchedule() const;
};

/// Plans a model for sequences of so many tokens; 0: of so many segments. Where segments know
/// nothing of each other a sequence is one segment, and a model with segments of `tokens` is
/// planned. Errors: those of `openModel`, and a number of tokens where it means nothing.
Result<Plans> openPlans(const ModelRequest &request, int64_t tokens, int64_t segments);

/// `sequence` (tokens, segments, segment_tokens), and of one sequence, a row of the batch,
/// `state_bytes` (total, tensors) and `flops` of a `segment` and the `sequence`: `forward`, of it
/// each kind of kernel (`forward_by_kind`), and `training` by schedule; `update` of a step.
/// `memory` of rollouts of the whole batch, by schedule.
nlohmann::ordered_json costsJson(const Plans &plans, int64_t rollout);
void printCosts(const nlohmann::ordered_json &costs, int64_t batch, int64_t rollout);

} // namespace memformer
