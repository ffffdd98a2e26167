// A stream of tokens that goes on: what has been said, and the logits of what comes next.
#pragma once

#include "runtime/session.h"

#include <vector>

namespace memformer {

/// Cuts a stream into segments as docs/model.md does: the encoder reads the segment before the one
/// that is predicted (`bos` before the first), and the decoder's first input is the last token of
/// that. Every row of the batch is a stream of its own; all have the same length. Memory does not
/// grow with the stream. Work is done when logits are asked for, or a segment ends: a prompt's
/// segments that nobody asks about cost no decoder.
class Generator {
public:
  /// Errors: an artifact without generation, one whose tokens are not those of a language model, a
  /// `bos` that is no token. The session is used by nobody else, and outlives this.
  static Result<Generator> create(Session &session, int32_t bos);

  int64_t rows() const { return batch; }
  int64_t vocab() const { return tokens; }
  int64_t segment() const { return length; }

  /// Begins another stream, from the initial state.
  void restart();
  /// The next token of each row, `[B]`. On an error nothing has changed.
  Result<void> feed(std::span<const int32_t> next);
  /// `[B, V]`: of the token that comes next. Valid until the next call.
  Result<std::span<const float>> logits();

private:
  Generator(Session &session, int32_t bos) : session(&session), bos(bos) {}
  Result<void> beginSegment();
  /// The state of the next segment, where it depends on this one's tokens.
  Result<void> endSegment();
  /// Computes the positions before `count` that are not yet.
  Result<void> stepTo(int64_t count);

  Session *session;
  int32_t bos;
  int64_t batch = 0, tokens = 0, length = 0;
  bool readsSegment = false;     // `begin` has an input `encoder_tokens`
  std::vector<int32_t> previous; // [B,L]: the segment before
  std::vector<int32_t> current;  // [B,L]: this one as far as it is known
  std::vector<int32_t> shifted;  // [B,L]: what the decoder reads of this one
  std::vector<int32_t> column;   // [B]: what goes into a step
  std::vector<int32_t> reset;    // [B]
  int64_t known = 0;             // tokens of this segment
  int64_t stepped = 0;           // positions of this segment that are computed
  bool fresh = true;             // no segment has begun
  bool begun = false;            // this one has
  std::span<const float> last;   // output of the last step
};

} // namespace memformer
