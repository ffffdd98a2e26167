// Sources made of separate sequences: all rows begin and end theirs together.
#pragma once

#include "runtime/data/source.h"

namespace memformer {

/// Row r of the n-th group reads sequence n * B + r, in segments of L; the state restarts at each.
class SequenceSource : public Source {
public:
  void next(int64_t segments, int64_t advance, TokenRollout &out) override;
  std::vector<int64_t> position() const override { return {group, index}; }
  Result<void> setPosition(std::span<const int64_t> position) override;

protected:
  SequenceSource(const DataShape &shape, int32_t bos) : shape(shape), bos(bos) {}

  /// Segments of the sequences of a group.
  virtual int64_t length(int64_t group) const = 0;
  /// One segment of a sequence: `tokens` and `targets` are [L], and come filled with bos and -1.
  virtual void fill(int64_t group, int64_t row, int64_t index, std::span<int32_t> tokens,
                    std::span<int32_t> targets) const = 0;

  const DataShape shape;
  const int32_t bos;
  int64_t group = 0; // of sequences
  int64_t index = 0; // segment in the group
};

/// The built-in tasks, which only a memory can solve.
Result<std::unique_ptr<Source>> openTask(const DataSettings &settings, Split split,
                                         const DataShape &shape, uint64_t seed);

/// Images or other arrays of bytes in IDX format, plain or compressed with gzip: one sequence each.
Result<std::unique_ptr<Source>> openIdx(const DataSettings &settings, Split split,
                                        const DataShape &shape, uint64_t seed);

} // namespace memformer
