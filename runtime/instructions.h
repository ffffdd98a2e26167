// What a list of instructions says of itself, whatever it runs on.
#pragma once

#include "runtime/artifact.h"

#include <algorithm>

namespace memformer {

/// Whether a loop collects this output.
bool yields(const std::vector<Instruction> &list, uint32_t output);
/// Whether an instruction reads or writes what begins at this place.
bool touches(const std::vector<Instruction> &list, uint32_t space, uint64_t offset);
/// Whether an instruction reads or writes in this space.
bool touches(const std::vector<Instruction> &list, uint32_t space);

/// Calls onSegment(segment) for each segment of a loop, in its order, as long as it gives true;
/// gives whether all did.
template <class OnSegment>
bool forEachSegment(const Instruction &loop, int64_t segments, int64_t stored,
                    OnSegment &&onSegment) {
  const int64_t begin = loop.fromStored ? stored : 0;
  const int64_t end = segments - loop.withoutLast;
  for (int64_t i = begin; i < end; ++i)
    if (!onSegment(loop.descending ? end - 1 - (i - begin) : i))
      return false;
  return true;
}

/// Whether an instruction of a loop runs for this segment.
inline bool runsAt(Instruction::When when, int64_t segment, int64_t segments, int64_t stored) {
  switch (when) {
  case Instruction::When::Always:
    return true;
  case Instruction::When::Unstored:
    return segment >= stored;
  case Instruction::When::Last:
    return segment == segments - 1;
  }
  return false;
}

} // namespace memformer
