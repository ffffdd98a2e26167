// The same stream position by position and by whole segments.
#include "tools/memformer-run/logit_error.h"

#include "runtime/data/random.h"
#include "runtime/generation/generator.h"
#include "runtime/training/feed.h"

#include <algorithm>
#include <cmath>

namespace memformer {

namespace {

constexpr int64_t enoughPositions = 64, mostSegments = 16;

double logSumExp(std::span<const float> logits) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (float x : logits)
    sum += std::exp(double(x) - largest);
  return largest + std::log(sum);
}

void compare(std::span<const float> expected, std::span<const float> actual, LogitError &error) {
  const double expectedSum = logSumExp(expected), actualSum = logSumExp(actual);
  double divergence = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double logP = double(expected[i]) - expectedSum, logQ = double(actual[i]) - actualSum;
    divergence += std::exp(logP) * (logP - logQ);
    error.largest = std::max(error.largest, std::abs(double(expected[i])));
    error.difference = std::max(error.difference, std::abs(double(expected[i]) - actual[i]));
  }
  error.meanDivergence += divergence;
  error.largestDivergence = std::max(error.largestDivergence, divergence);
  ++error.positions;
}

} // namespace

Result<std::optional<LogitError>> measureLogitError(Session &session) {
  auto shape = dataShape(session.manifest());
  if (!shape)
    return std::nullopt;
  constexpr int32_t bos = 0;
  auto generator = Generator::create(session, bos);
  if (!generator)
    return std::unexpected(generator.error());
  const auto rows = size_t(shape->batch), length = size_t(shape->segment),
             vocab = size_t(generator->vocab());
  const int64_t segments = std::clamp<int64_t>(enoughPositions / shape->segment, 2, mostSegments);
  Random random{2};
  TokenRollout tokens;
  std::vector<int32_t> previous(rows * length, bos), current(rows * length), next(rows);
  std::vector<float> logits(rows * length * vocab);
  LogitError result;
  for (int64_t segment = 0; segment < segments; ++segment) {
    for (int32_t &token : current)
      token = int32_t(random.below(shape->vocab));
    tokens.assign(1, *shape, 0);
    tokens.encoderTokens = previous;
    for (size_t i = 0; i < rows * length; ++i)
      tokens.decoderTokens[i] = i % length ? current[i - 1] : previous[i + length - 1];
    std::ranges::fill(tokens.reset, segment == 0 ? 1 : 0);
    const auto inputs = inputsOf(tokens, session.manifest());
    Rollout rollout;
    rollout.segments = 1;
    rollout.inputs = inputs;
    rollout.reset = tokens.reset.data();
    const OutputSink sink{session.manifest().stream->outputs[0].name, logits.data()};
    MEMFORMER_TRY(session.trace(rollout, {&sink, 1}));
    for (size_t position = 0; position < length; ++position) {
      auto generated = generator->logits();
      if (!generated)
        return std::unexpected(generated.error());
      for (size_t row = 0; row < rows; ++row) {
        compare({&logits[(row * length + position) * vocab], vocab},
                generated->subspan(row * vocab, vocab), result);
        next[row] = current[row * length + position];
      }
      MEMFORMER_TRY(generator->feed(next));
    }
    previous = current;
  }
  result.meanDivergence /= double(result.positions);
  return result;
}

} // namespace memformer
