// Vector clocks over the barriers of a block, and what they say of two accesses.

#include "test/emulator/races.h"

#include <algorithm>

namespace memformer::emulator {

namespace {
constexpr unsigned lanesOfWarp = 32;
}

void RaceDetector::beginBlock(unsigned count) {
  firstEpoch = ++epoch;
  if (count == threads)
    return;
  threads = count;
  clocks.assign(size_t(count) * count, 0);
  validIn.assign(count, 0);
  joined.assign(count, 0);
}

uint32_t *RaceDetector::clocksOf(unsigned thread) {
  uint32_t *row = &clocks[size_t(thread) * threads];
  if (validIn[thread] != epoch) {
    validIn[thread] = epoch;
    std::fill(row, row + threads, 0);
    row[thread] = 1;
  }
  return row;
}

void RaceDetector::barrier(std::span<const unsigned> arriving, std::span<const unsigned> waiting) {
  std::fill(joined.begin(), joined.end(), 0);
  for (unsigned thread : arriving) {
    const uint32_t *row = clocksOf(thread);
    for (unsigned i = 0; i < threads; ++i)
      joined[i] = std::max(joined[i], row[i]);
  }
  for (unsigned thread : waiting) {
    uint32_t *row = clocksOf(thread);
    for (unsigned i = 0; i < threads; ++i)
      row[i] = std::max(row[i], joined[i]);
  }
  for (unsigned thread : arriving)
    ++clocksOf(thread)[thread];
}

std::optional<Race> RaceDetector::byte(Cell &cell, unsigned thread, Access access, uint32_t line) {
  const uint32_t *seen = clocksOf(thread);
  bool written = cell.writeEpoch >= firstEpoch;
  if (written && cell.pending)
    return Race{cell.writeThread, cell.writeLine, Access::Write, true};
  bool bothAtomic = access == Access::Atomic && cell.write == Access::Atomic;
  if (written && cell.writeEpoch == epoch && cell.writeThread != thread &&
      cell.writeClock > seen[cell.writeThread] && !bothAtomic)
    return Race{cell.writeThread, cell.writeLine, cell.write, false};
  if (cell.readEpoch != epoch) {
    cell.readEpoch = epoch;
    cell.first.lanes = 0;
    cell.more.clear();
  }
  if (access == Access::Read) {
    uint32_t lane = uint32_t(1) << thread % lanesOfWarp;
    Reads entry{thread / lanesOfWarp, seen[thread], lane, line};
    auto merge = [&](Reads &reads) {
      if (reads.warp != entry.warp || reads.clock != entry.clock)
        return false;
      reads.lanes |= lane;
      return true;
    };
    if (!cell.first.lanes)
      cell.first = entry;
    else if (!merge(cell.first) && std::none_of(cell.more.begin(), cell.more.end(), merge))
      cell.more.push_back(entry);
    return std::nullopt;
  }
  auto unordered = [&](const Reads &reads) -> std::optional<Race> {
    for (uint32_t lanes = reads.lanes; lanes; lanes &= lanes - 1) {
      unsigned reader = reads.warp * lanesOfWarp + unsigned(__builtin_ctz(lanes));
      if (reader != thread && reads.clock > seen[reader])
        return Race{reader, reads.line, Access::Read, false};
    }
    return std::nullopt;
  };
  if (auto race = unordered(cell.first))
    return race;
  for (const Reads &reads : cell.more)
    if (auto race = unordered(reads))
      return race;
  cell.first.lanes = 0;
  cell.more.clear();
  cell.writeEpoch = epoch;
  cell.writeClock = seen[thread];
  cell.writeLine = line;
  cell.writeThread = uint16_t(thread);
  cell.write = access;
  cell.pending = false;
  return std::nullopt;
}

std::optional<Race> RaceDetector::access(unsigned thread, uint64_t first, uint64_t bytes,
                                         Access access, uint32_t line) {
  for (uint64_t i = first; i < first + bytes; ++i)
    if (auto race = byte(cells[i], thread, access, line))
      return race;
  return std::nullopt;
}

std::optional<Race> RaceDetector::beginCopy(unsigned thread, uint64_t first, uint64_t bytes,
                                            uint32_t line) {
  if (auto race = access(thread, first, bytes, Access::Write, line))
    return race;
  for (uint64_t i = first; i < first + bytes; ++i)
    cells[i].pending = true;
  return std::nullopt;
}

void RaceDetector::endCopy(unsigned thread, uint64_t first, uint64_t bytes) {
  uint32_t clock = clocksOf(thread)[thread];
  for (uint64_t i = first; i < first + bytes; ++i) {
    cells[i].pending = false;
    cells[i].writeEpoch = epoch;
    cells[i].writeClock = clock;
  }
}

} // namespace memformer::emulator
