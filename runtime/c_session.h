// What the files of the C interface share: a session as C sees it, and errors.
#pragma once

#include "runtime/generation/generator.h"
#include "runtime/memformer.h"
#include "runtime/session.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

struct memformer_session {
  std::unique_ptr<memformer::Session> session;
  // Names of a request, used again for each.
  std::vector<memformer::InputData> inputs;
  std::vector<memformer::OutputSink> outputs;
  // The stream that has begun, and its tokens so far.
  std::optional<memformer::Generator> generator;
  uint64_t fed = 0;
};

namespace memformer {

/// Keeps the message for memformer_error.
memformer_status fail(memformer_status status, std::string message);

inline memformer_status badArgument(std::string message) {
  return fail(MEMFORMER_BAD_ARGUMENT, std::move(message));
}

template <class T> memformer_status statusOf(const Result<T> &result) {
  return result ? MEMFORMER_OK : fail(MEMFORMER_FAILED, result.error().message);
}

} // namespace memformer
