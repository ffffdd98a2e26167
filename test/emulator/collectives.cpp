// Shuffles, votes and matrices in shared memory.

#include "test/emulator/collectives.h"

#include "test/emulator/cuda_driver.h"

#include <algorithm>
#include <cstring>

namespace memformer::emulator {

namespace {

template <typename Each> void forLanes(uint32_t lanes, Each each) {
  for (; lanes; lanes &= lanes - 1)
    each(unsigned(__builtin_ctz(lanes)));
}

} // namespace

void performShuffle(Processor &, Warp &warp, const Collective &what, uint32_t lanes) {
  uint32_t values[warpSize] = {};
  forLanes(lanes, [&](unsigned lane) { values[lane] = warp.buffers[lane][0]; });
  Shuffle mode = Shuffle(what.arguments[0]);
  forLanes(lanes, [&](unsigned lane) {
    uint32_t *buffer = warp.buffers[lane];
    int distance = int(buffer[1] & 31), clamp = int(buffer[2] & 31);
    int segment = int(buffer[2] >> 8 & 31), own = int(lane);
    int last = (own & segment) | (clamp & ~segment);
    int from = mode == Shuffle::Up          ? own - distance
               : mode == Shuffle::Down      ? own + distance
               : mode == Shuffle::Butterfly ? own ^ distance
                                            : (own & segment) | (distance & ~segment);
    bool inRange = mode == Shuffle::Up ? from >= last : from <= last;
    if (!inRange)
      from = own;
    // What a lane gets from one that takes no part is not defined: it is NaN.
    buffer[0] = lanes >> from & 1 ? values[from] : ~uint32_t(0);
    buffer[1] = inRange;
  });
}

void performVote(Processor &, Warp &warp, const Collective &what, uint32_t lanes) {
  uint32_t set = 0;
  forLanes(lanes, [&](unsigned lane) { set |= uint32_t(warp.buffers[lane][0] & 1) << lane; });
  uint32_t result = set;
  switch (Vote(what.arguments[0])) {
  case Vote::All:
    result = set == lanes;
    break;
  case Vote::Any:
    result = set != 0;
    break;
  case Vote::Uniform:
    result = set == lanes || !set;
    break;
  case Vote::Ballot:
    break;
  }
  forLanes(lanes, [&](unsigned lane) { warp.buffers[lane][0] = result; });
}

void performReduction(Processor &, Warp &warp, const Collective &what, uint32_t lanes) {
  uint32_t result = warp.buffers[__builtin_ctz(lanes)][0];
  forLanes(lanes & (lanes - 1), [&](unsigned lane) {
    uint32_t value = warp.buffers[lane][0];
    switch (Reduction(what.arguments[0])) {
    case Reduction::Add:
      result += value;
      break;
    case Reduction::And:
      result &= value;
      break;
    case Reduction::Or:
      result |= value;
      break;
    case Reduction::Xor:
      result ^= value;
      break;
    case Reduction::Min:
      result = std::min(result, value);
      break;
    case Reduction::Max:
      result = std::max(result, value);
      break;
    case Reduction::SignedMin:
      result = uint32_t(std::min(int32_t(result), int32_t(value)));
      break;
    case Reduction::SignedMax:
      result = uint32_t(std::max(int32_t(result), int32_t(value)));
      break;
    }
  });
  forLanes(lanes, [&](unsigned lane) { warp.buffers[lane][0] = result; });
}

void performWarpBarrier(Processor &processor, Warp &warp, const Collective &, uint32_t lanes) {
  RaceDetector *races = processor.races();
  if (!races)
    return;
  unsigned threads[warpSize], count = 0;
  forLanes(lanes, [&](unsigned lane) { threads[count++] = warp.first + lane; });
  races->barrier({threads, count});
}

namespace {

/// Row `row` of a matrix of 8 rows of 8 halves, whose address lane `row` brought.
uint8_t *matrixRow(Processor &processor, Warp &warp, const Collective &what, unsigned row,
                   Access access) {
  uint64_t address;
  std::memcpy(&address, warp.buffers[row], sizeof address);
  Thread &thread = processor.thread(warp.first + row);
  if (address >> 56)
    address -= sharedTag;
  if (address % 16)
    processor.fault(thread, CUDA_ERROR_MISALIGNED_ADDRESS, what.line,
                    "a row at %llu of shared memory, which is no multiple of 16 bytes",
                    static_cast<unsigned long long>(address));
  if (address > processor.shape().sharedBytes || processor.shape().sharedBytes - address < 16)
    processor.fault(thread, CUDA_ERROR_ILLEGAL_ADDRESS, what.line,
                    "a row at %llu of shared memory, of which the block has %u bytes",
                    static_cast<unsigned long long>(address), processor.shape().sharedBytes);
  processor.shared(thread, address, 16, access, what.line);
  return thread.shared + address;
}

} // namespace

void performLoadMatrix(Processor &processor, Warp &warp, const Collective &what, uint32_t) {
  uint32_t count = what.arguments[0];
  bool transposed = what.arguments[1];
  uint16_t elements[4][8][8];
  for (unsigned row = 0; row < 8 * count; ++row)
    std::memcpy(elements[row / 8][row % 8], matrixRow(processor, warp, what, row, Access::Read),
                16);
  for (unsigned lane = 0; lane < warpSize; ++lane)
    for (unsigned m = 0; m < count; ++m) {
      unsigned major = lane / 4, minor = lane % 4 * 2;
      uint32_t low = transposed ? elements[m][minor][major] : elements[m][major][minor];
      uint32_t high = transposed ? elements[m][minor + 1][major] : elements[m][major][minor + 1];
      warp.buffers[lane][m] = low | high << 16;
    }
}

void performStoreMatrix(Processor &processor, Warp &warp, const Collective &what, uint32_t) {
  uint32_t count = what.arguments[0];
  bool transposed = what.arguments[1];
  uint16_t elements[4][8][8];
  for (unsigned lane = 0; lane < warpSize; ++lane)
    for (unsigned m = 0; m < count; ++m) {
      unsigned major = lane / 4, minor = lane % 4 * 2;
      uint32_t value = warp.buffers[lane][2 + m];
      (transposed ? elements[m][minor][major] : elements[m][major][minor]) = uint16_t(value);
      (transposed ? elements[m][minor + 1][major] : elements[m][major][minor + 1]) =
          uint16_t(value >> 16);
    }
  for (unsigned row = 0; row < 8 * count; ++row)
    std::memcpy(matrixRow(processor, warp, what, row, Access::Write), elements[row / 8][row % 8],
                16);
}

} // namespace memformer::emulator
