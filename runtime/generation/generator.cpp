// From a stream of tokens to segments and positions.
#include "runtime/generation/generator.h"

#include <fmt/ranges.h>

namespace memformer {

Result<Generator> Generator::create(Session &session, int32_t bos) {
  const Manifest &manifest = session.manifest();
  if (!manifest.stream)
    return error("the artifact cannot generate: it was not compiled for generation");
  const InputInfo &token = manifest.stream->inputs[0];
  const TensorInfo &output = manifest.stream->outputs[0];
  Generator generator(session, bos);
  generator.batch = manifest.batch;
  generator.length = session.positions();
  generator.tokens = token.bound.value_or(0);
  const std::vector<int64_t> expected{manifest.batch, 1, generator.tokens};
  if (token.shape.size() != 2 || token.shape[0] != manifest.batch || !token.bound ||
      output.shape != expected)
    return error(
        "expected '{}' of the model '{}' to be token ids [batch, segment] with a bound V, "
        "and '{}' to be their logits [batch, segment, V], but got [{}] and [{}] a position",
        token.name, manifest.name, output.name, fmt::join(token.shape, ", "),
        fmt::join(output.shape, ", "));
  if (auto index = manifest.findInput("encoder_tokens")) {
    const InputInfo &whole = manifest.inputs[*index];
    const std::vector<int64_t> segment{manifest.batch, generator.length};
    if (whole.shape != segment || whole.bound != token.bound)
      return error("expected 'encoder_tokens' of the model '{}' to be [{}] below {}, as '{}', but "
                   "got [{}]",
                   manifest.name, fmt::join(segment, ", "), generator.tokens, token.name,
                   fmt::join(whole.shape, ", "));
    generator.readsSegment = true;
  }
  if (bos < 0 || bos >= generator.tokens)
    return error("expected the token before a stream in [0, {}), but got {}", generator.tokens,
                 bos);
  const auto entries = size_t(generator.batch * generator.length);
  generator.previous.resize(entries);
  generator.current.resize(entries);
  generator.column.resize(size_t(generator.batch));
  generator.reset.resize(size_t(generator.batch));
  generator.restart();
  return generator;
}

void Generator::restart() {
  std::ranges::fill(previous, bos);
  known = stepped = 0;
  fresh = true;
  begun = false;
}

Result<void> Generator::beginSegment() {
  if (begun)
    return {};
  const InputData input{"encoder_tokens", previous.data()};
  std::ranges::fill(reset, fresh ? 1 : 0);
  Rollout rollout;
  rollout.segments = 1;
  if (readsSegment)
    rollout.inputs = {&input, 1};
  rollout.reset = reset.data();
  MEMFORMER_TRY(session->begin(rollout));
  if (!session->endsSegments())
    session->moveState(1, 0);
  fresh = false;
  begun = true;
  stepped = 0;
  return {};
}

Result<void> Generator::endSegment() {
  // The decoder's input: this segment, shifted right by one.
  shifted.resize(current.size());
  for (int64_t row = 0; row < batch; ++row) {
    const auto begin = size_t(row * length), last = begin + size_t(length) - 1;
    shifted[begin] = previous[last];
    std::copy(current.begin() + ptrdiff_t(begin), current.begin() + ptrdiff_t(last),
              shifted.begin() + ptrdiff_t(begin) + 1);
  }
  const InputData input{session->manifest().stream->inputs[0].name, shifted.data()};
  Rollout rollout;
  rollout.segments = 1;
  rollout.inputs = {&input, 1};
  return session->end(rollout);
}

Result<void> Generator::feed(std::span<const int32_t> next) {
  if (int64_t(next.size()) != batch)
    return error("expected a token for each of {} rows, but got {}", batch, next.size());
  for (size_t row = 0; row < next.size(); ++row)
    if (next[row] < 0 || next[row] >= tokens)
      return error("row {}: expected a token in [0, {}), but got {}", row, tokens, next[row]);
  // The state goes on with every segment, whether anybody asked for its logits or not.
  if (known + 1 == length)
    MEMFORMER_TRY(beginSegment());
  for (int64_t row = 0; row < batch; ++row)
    current[size_t(row * length + known)] = next[size_t(row)];
  if (++known == length) {
    if (session->endsSegments()) {
      if (session->endsAfterSteps())
        MEMFORMER_TRY(stepTo(length));
      MEMFORMER_TRY(endSegment());
      session->moveState(1, 0);
    }
    previous.swap(current);
    known = stepped = 0;
    begun = false;
  }
  return {};
}

Result<void> Generator::stepTo(int64_t count) {
  MEMFORMER_TRY(beginSegment());
  for (; stepped < count; ++stepped) {
    for (int64_t row = 0; row < batch; ++row)
      column[size_t(row)] = stepped == 0 ? previous[size_t(row * length + length - 1)]
                                         : current[size_t(row * length + stepped - 1)];
    auto output = session->step(column, stepped);
    if (!output)
      return std::unexpected(output.error());
    last = *output;
  }
  return {};
}

Result<std::span<const float>> Generator::logits() {
  MEMFORMER_TRY(stepTo(known + 1));
  return last;
}

} // namespace memformer
