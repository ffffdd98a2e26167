// Sources of rollouts: tokens cut into segments, with the places where a sequence begins.
#pragma once

#include "runtime/configuration.h"
#include "runtime/result.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace memformer {

enum class Split { Train, Validation };

/// What the model takes: B rows of segments of L tokens below V.
struct DataShape {
  int64_t batch = 1;
  int64_t segment = 1;
  int64_t vocab = 1;
};

/// T consecutive segments of B rows. The encoder reads the segment before the one that the decoder
/// predicts.
struct TokenRollout {
  int64_t segments = 0;
  std::vector<int32_t> encoderTokens; // [T,B,L]
  std::vector<int32_t> decoderTokens; // [T,B,L], the predicted segment shifted right by one
  std::vector<int32_t> targets;       // [T,B,L], -1: not counted
  std::vector<int32_t> reset;         // [T,B], 1 where a sequence begins with that segment
  int64_t counted = 0;                // targets that are not -1

  /// Makes room for a rollout: no token, no target, no reset.
  void assign(int64_t segments, const DataShape &shape, int32_t bos);
};

/// Rows of segments, one rollout after the other. What comes next depends on the position alone.
class Source {
public:
  virtual ~Source() = default;

  /// Fills `out` with the next `segments` segments and moves on by `advance` of them (0 < advance
  /// <= segments).
  virtual void next(int64_t segments, int64_t advance, TokenRollout &out) = 0;

  /// Segments that the next rollout must have: whole sequences of a built-in task. 0: any number.
  virtual int64_t rolloutSegments() const { return 0; }
  /// The longest that rolloutSegments() will ever be.
  virtual int64_t longestRollout() const { return 0; }
  /// Everything of a held-out part has been given. Never true for the training part, nor for a
  /// built-in task.
  virtual bool finished() const { return false; }

  /// A few integers from which `setPosition` goes on exactly.
  virtual std::vector<int64_t> position() const = 0;
  virtual Result<void> setPosition(std::span<const int64_t> position) = 0;

  /// The present gap of a task with a curriculum, and the step to the next; false at the last.
  virtual int64_t gap() const { return 0; }
  virtual bool harder() { return false; }
};

/// Opens what [data] names, checked against the model. Errors: missing, empty, short or corrupt
/// files, token ids that the vocabulary lacks (with file and offset), a task that does not fit the
/// model.
Result<std::unique_ptr<Source>> openSource(const DataSettings &settings, Split split,
                                           const DataShape &shape, uint64_t seed);

/// Whether [data] holds anything out.
bool hasValidation(const DataSettings &settings);
/// [data] is a built-in task: sequences without end, where only an answer counts.
bool isTask(const DataSettings &settings);
/// The accuracy of guessing the answer of a task.
double chanceAccuracy(const DataSettings &settings);

} // namespace memformer
