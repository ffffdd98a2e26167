// The C interface of generation: a stream of tokens, and the logits of the next.

#include "runtime/c_session.h"
#include "runtime/generation/sampling.h"

#include <algorithm>

using namespace memformer;

namespace {

/// A stream that has begun, and room for `count` values, of which `expected` are needed.
memformer_status check(const memformer_session *session, const void *values, size_t count,
                       bool ofLogits) {
  if (!session || !values)
    return badArgument("expected a session and values, but got a null pointer");
  if (!session->generator)
    return badArgument("expected memformer_stream_begin first");
  const Generator &generator = *session->generator;
  const auto expected = size_t(generator.rows() * (ofLogits ? generator.vocab() : 1));
  if (count != expected)
    return badArgument(fmt::format("expected {} values, {}, but got {}", expected,
                                   ofLogits ? "[batch, V]" : "[batch]", count));
  return MEMFORMER_OK;
}

} // namespace

memformer_status memformer_stream_begin(memformer_session *session, int32_t bos) {
  if (!session)
    return badArgument("expected a session, but got a null pointer");
  session->generator.reset();
  session->fed = 0;
  auto generator = Generator::create(*session->session, bos);
  if (!generator)
    return statusOf(generator);
  session->generator.emplace(std::move(*generator));
  return MEMFORMER_OK;
}

memformer_status memformer_stream_feed(memformer_session *session, const int32_t *tokens,
                                       size_t count) {
  if (auto status = check(session, tokens, count, false))
    return status;
  auto status = statusOf(session->generator->feed({tokens, count}));
  session->fed += status == MEMFORMER_OK;
  return status;
}

memformer_status memformer_stream_logits(memformer_session *session, float *values, size_t count) {
  if (auto status = check(session, values, count, true))
    return status;
  auto logits = session->generator->logits();
  if (logits)
    std::ranges::copy(*logits, values);
  return statusOf(logits);
}

memformer_status memformer_stream_sample(memformer_session *session,
                                         const memformer_sampling *sampling, int32_t *tokens,
                                         size_t count) {
  if (!sampling)
    return badArgument("expected how to sample, but got a null pointer");
  if (auto status = check(session, tokens, count, false))
    return status;
  const Sampling settings{.temperature = sampling->temperature,
                          .topK = sampling->top_k,
                          .topP = sampling->top_p,
                          .seed = sampling->seed};
  if (auto valid = checkSampling(settings); !valid)
    return badArgument(valid.error().message);
  auto logits = session->generator->logits();
  if (!logits)
    return statusOf(logits);
  Sampler sampler(settings);
  const auto vocab = size_t(session->generator->vocab());
  for (size_t row = 0; row < count; ++row) {
    auto token = sampler.sample(logits->subspan(row * vocab, vocab), session->fed, row);
    if (!token)
      return statusOf(token);
    tokens[row] = *token;
  }
  return MEMFORMER_OK;
}
