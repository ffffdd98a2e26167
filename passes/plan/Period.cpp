// Where a sequence that repeats is cut.

#include "passes/plan/Period.h"

using namespace llvm;

namespace memformer {

namespace {
struct Stretch {
  int64_t begin = 0, length = 0, period = 0;
};
} // namespace

// The longest stretch of two periods or more, whole periods of it; of several the one of the
// shortest period.
static Stretch longestStretch(ArrayRef<int64_t> sequence, int64_t most) {
  Stretch best;
  auto size = int64_t(sequence.size());
  for (int64_t period = 2; period <= std::min(most, size / 2); ++period)
    for (int64_t begin = 0; begin + period < size;) {
      int64_t end = begin;
      while (end + period < size && sequence[size_t(end)] == sequence[size_t(end + period)])
        ++end;
      int64_t length = (end - begin + period) / period * period;
      if (length >= 2 * period && length > best.length)
        best = {begin, length, period};
      begin = end + 1;
    }
  return best;
}

static void cut(ArrayRef<int64_t> sequence, int64_t most, SmallVectorImpl<int64_t> &pieces) {
  if (sequence.empty())
    return;
  auto size = int64_t(sequence.size());
  Stretch stretch = longestStretch(sequence, most);
  if (stretch.length == 0) {
    for (int64_t count = (size + most - 1) / most, i = 0; i < count; ++i)
      pieces.push_back(size * (i + 1) / count - size * i / count);
    return;
  }
  cut(sequence.take_front(size_t(stretch.begin)), most, pieces);
  // Short periods several at a time.
  int64_t piece = stretch.period * std::max<int64_t>(1, most / 2 / stretch.period);
  for (int64_t left = stretch.length; left > 0; left -= piece)
    pieces.push_back(std::min(piece, left));
  cut(sequence.drop_front(size_t(stretch.begin + stretch.length)), most, pieces);
}

SmallVector<int64_t> cutAtPeriods(ArrayRef<int64_t> sequence, int64_t most) {
  SmallVector<int64_t> pieces;
  cut(sequence, most, pieces);
  return pieces;
}

} // namespace memformer
