// Between a source of tokens and a session: shapes, inputs and what to make of the outputs.
#include "runtime/training/feed.h"

#include <algorithm>
#include <fmt/ranges.h>

namespace memformer {

Result<DataShape> dataShape(const Manifest &manifest) {
  DataShape shape{manifest.batch, 0, 0};
  for (std::string_view name : {"encoder_tokens", "decoder_tokens", "targets"}) {
    auto index = manifest.findInput(name);
    if (!index && name == "encoder_tokens")
      continue;
    if (!index)
      return error("expected the model '{}' to have an input '{}', but its inputs are others",
                   manifest.name, name);
    const InputInfo &input = manifest.inputs[*index];
    if (input.shape.size() != 2 || input.shape[0] != manifest.batch || !input.bound ||
        (shape.segment != input.shape[1] && shape.segment != 0))
      return error(
          "expected the input '{}' of the model '{}' to be token ids [batch, segment] with "
          "a bound, but got [{}]",
          name, manifest.name, fmt::join(input.shape, ", "));
    shape.segment = input.shape[1];
    shape.vocab = shape.vocab == 0 ? *input.bound : std::min(shape.vocab, *input.bound);
  }
  for (const InputInfo &input : manifest.inputs)
    if (input.name != "encoder_tokens" && input.name != "decoder_tokens" &&
        input.name != "targets" && input.name != "reset" && input.name != "dropout_key")
      return error("the model '{}' has an input '{}' that no data source fills", manifest.name,
                   input.name);
  return shape;
}

Result<RolloutPlan> planRollouts(const TrainSettings &train, const Source &source) {
  RolloutPlan plan;
  int64_t whole = source.longestRollout();
  plan.horizon = train.horizon ? train.horizon : whole ? whole : 8;
  if (plan.horizon < whole)
    return error("expected train.horizon to be at least {}, a whole sequence of the task, but got "
                 "{}",
                 whole, plan.horizon);
  plan.stride = train.stride ? train.stride : plan.horizon;
  if (plan.stride > plan.horizon)
    return error("expected train.stride to be at most train.horizon = {}, but got {}", plan.horizon,
                 plan.stride);
  if (whole && plan.stride != plan.horizon)
    return error("expected no train.stride for a built-in task, whose rollouts are whole "
                 "sequences, but got {}",
                 plan.stride);
  return plan;
}

std::vector<InputData> inputsOf(const TokenRollout &rollout, const Manifest &manifest) {
  std::vector<InputData> inputs = {{"decoder_tokens", rollout.decoderTokens.data()},
                                   {"targets", rollout.targets.data()}};
  if (manifest.findInput("encoder_tokens"))
    inputs.push_back({"encoder_tokens", rollout.encoderTokens.data()});
  return inputs;
}

void Score::add(const Score &other) {
  loss += other.loss;
  correct += other.correct;
  counted += other.counted;
}

Score scoreOf(const TokenRollout &rollout, std::span<const float> loss,
              std::span<const int32_t> prediction) {
  Score score;
  score.counted = rollout.counted;
  // In one order always: the sum is the same bits in every run.
  for (size_t i = 0; i < rollout.targets.size(); ++i) {
    if (rollout.targets[i] < 0)
      continue;
    score.loss += double(loss[i]);
    if (!prediction.empty() && prediction[i] == rollout.targets[i])
      ++score.correct;
  }
  return score;
}

} // namespace memformer
