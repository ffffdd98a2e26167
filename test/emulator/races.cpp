// Vector clocks over the barriers of a block, and what they say of two accesses.

#include "test/emulator/races.h"

#include <algorithm>

namespace memformer::emulator {

namespace {
constexpr unsigned lanesOfWarp = 32;
}

void RaceDetector::beginBlock(unsigned count) {
  firstEpoch = ++epoch;
  for (std::vector<Fence> &ofThread : fences)
    ofThread.clear();
  if (count == threads)
    return;
  threads = count;
  clocks.assign(size_t(count) * columns(), 0);
  validIn.assign(count, 0);
  joined.assign(columns(), 0);
  fences.assign(count, {});
}

uint64_t RaceDetector::placeOf(uint64_t address) {
  constexpr uint64_t page = 1024;
  if (address / page != lastPage) {
    lastPage = address / page;
    auto [place, isNew] = pages.try_emplace(lastPage, words.size() * 4);
    if (isNew)
      words.resize(words.size() + page / 4);
    lastPlace = place->second;
  }
  return lastPlace + address % page;
}

uint32_t *RaceDetector::clocksOf(unsigned thread) {
  uint32_t *row = &clocks[size_t(thread) * columns()];
  if (validIn[thread] != epoch) {
    validIn[thread] = epoch;
    std::fill(row, row + columns(), 0);
    row[thread] = 1;
  }
  return row;
}

void RaceDetector::barrier(std::span<const unsigned> arriving, std::span<const unsigned> waiting) {
  std::fill(joined.begin(), joined.end(), 0);
  for (unsigned thread : arriving) {
    const uint32_t *row = clocksOf(thread);
    for (unsigned i = 0; i < columns(); ++i)
      joined[i] = std::max(joined[i], row[i]);
  }
  for (unsigned thread : waiting) {
    uint32_t *row = clocksOf(thread);
    for (unsigned i = 0; i < columns(); ++i)
      row[i] = std::max(row[i], joined[i]);
  }
  for (unsigned thread : arriving)
    ++clocksOf(thread)[thread];
}

void RaceDetector::addRead(Cell &cell, const Reads &reads) {
  auto merge = [&](Reads &other) {
    if (other.warp != reads.warp || other.clock != reads.clock)
      return false;
    other.lanes |= reads.lanes;
    return true;
  };
  if (!cell.first.lanes) {
    cell.first = reads;
    return;
  }
  if (merge(cell.first))
    return;
  if (!cell.more) {
    furtherReads.emplace_back();
    cell.more = uint32_t(furtherReads.size());
  }
  std::vector<Reads> &further = furtherReads[cell.more - 1];
  if (std::none_of(further.begin(), further.end(), merge))
    further.push_back(reads);
}

/// Whether a thread has not seen some of the reads.
bool RaceDetector::unordered(const Reads &reads, unsigned thread, const uint32_t *seen) {
  for (uint32_t lanes = reads.lanes; lanes; lanes &= lanes - 1) {
    unsigned reader = reads.warp * lanesOfWarp + unsigned(__builtin_ctz(lanes));
    if (reader != thread && reads.clock > seen[reader])
      return found({reader, reads.line, Access::Read, false});
  }
  return false;
}

/// The common case: a lane reads what was written before the last barrier of the block, and what
/// others of its warp have read since.
inline bool RaceDetector::readsAgain(Cell &cell, const Reads &reads) const {
  bool settled = cell.writeEpoch < firstEpoch || (cell.writeEpoch < epoch && !cell.pending);
  bool again = settled && cell.readEpoch == epoch && cell.first.lanes &&
               cell.first.warp == reads.warp && cell.first.clock == reads.clock;
  if (again)
    cell.first.lanes |= reads.lanes;
  return again;
}

bool RaceDetector::visit(Cell &cell, unsigned thread, const uint32_t *seen, Access access,
                         uint32_t line) {
  if (cell.writeEpoch >= firstEpoch) {
    if (cell.pending)
      return found({cell.writeThread, cell.writeLine, Access::Write, true});
    bool bothAtomic = access == Access::Atomic && cell.write == Access::Atomic;
    if (cell.writeEpoch == epoch && cell.writeThread != thread &&
        cell.writeClock > seen[cell.writeThread] && !bothAtomic)
      return found({cell.writeThread, cell.writeLine, cell.write, false});
  }
  if (cell.readEpoch != epoch) {
    cell.readEpoch = epoch;
    cell.first.lanes = 0;
    if (cell.more)
      furtherReads[cell.more - 1].clear();
  }
  if (access == Access::Read) {
    addRead(cell, {thread / lanesOfWarp, seen[thread], uint32_t(1) << thread % lanesOfWarp, line});
    return false;
  }
  if (unordered(cell.first, thread, seen))
    return true;
  cell.first.lanes = 0;
  if (cell.more) {
    for (const Reads &reads : furtherReads[cell.more - 1])
      if (unordered(reads, thread, seen))
        return true;
    furtherReads[cell.more - 1].clear();
  }
  cell.writeEpoch = epoch;
  cell.writeClock = seen[thread];
  cell.writeLine = line;
  cell.writeThread = uint16_t(thread);
  cell.writeFences = uint32_t(fences[thread].size());
  cell.write = access;
  cell.pending = false;
  return false;
}

/// Visits what an access covers: words, or bytes of those that were accessed in parts.
template <typename Each> bool RaceDetector::forCells(uint64_t first, uint64_t bytes, Each each) {
  for (uint64_t at = first; at < first + bytes;) {
    Word &word = words[at / 4];
    uint64_t end = std::min(first + bytes, (at / 4 + 1) * 4);
    bool isWhole = end - at == 4;
    if (isWhole && !word.bytes) {
      if (each(word.whole))
        return true;
      at = end;
      continue;
    }
    if (!word.bytes) {
      std::array<Cell, 4> parts;
      parts.fill(word.whole);
      for (Cell &part : parts)
        if (part.more) { // each has its own
          furtherReads.push_back(furtherReads[word.whole.more - 1]);
          part.more = uint32_t(furtherReads.size());
        }
      splitWords.push_back(parts);
      word.bytes = uint32_t(splitWords.size());
    }
    for (; at < end; ++at)
      if (each(splitWords[word.bytes - 1][at % 4]))
        return true;
  }
  return false;
}

std::optional<Race> RaceDetector::access(unsigned thread, uint64_t first, uint64_t bytes,
                                         Access access, uint32_t line) {
  const uint32_t *seen = clocksOf(thread);
  Reads reads{thread / lanesOfWarp, seen[thread], uint32_t(1) << thread % lanesOfWarp, line};
  bool isRace = forCells(first, bytes, [&](Cell &cell) {
    if (access == Access::Read && readsAgain(cell, reads))
      return false;
    return visit(cell, thread, seen, access, line);
  });
  return isRace ? std::optional(race) : std::nullopt;
}

std::optional<Race> RaceDetector::beginCopy(unsigned thread, uint64_t first, uint64_t bytes,
                                            uint32_t line) {
  const uint32_t *seen = clocksOf(thread);
  bool isRace = forCells(first, bytes, [&](Cell &cell) {
    bool isRace = visit(cell, thread, seen, Access::Write, line);
    cell.pending = true;
    return isRace;
  });
  return isRace ? std::optional(race) : std::nullopt;
}

void RaceDetector::endCopy(unsigned thread, uint64_t first, uint64_t bytes) {
  uint32_t clock = clocksOf(thread)[thread];
  forCells(first, bytes, [&](Cell &cell) {
    cell.pending = false;
    cell.writeEpoch = epoch;
    cell.writeClock = clock;
    cell.writeFences = uint32_t(fences[thread].size());
    return false;
  });
}

void RaceDetector::fence(unsigned thread) {
  uint32_t &clock = clocksOf(thread)[thread];
  fences[thread].push_back({epoch, clock});
  ++clock; // what the thread writes now is behind it
}

bool RaceDetector::isFenced(unsigned writer, Time written, unsigned thread) {
  const std::vector<Fence> &ofWriter = fences[writer], &own = fences[thread];
  if (written.fences < ofWriter.size()) {
    const Fence &first = ofWriter[written.fences];
    if (writer == thread || first.epoch < epoch || first.clock <= clocksOf(thread)[writer])
      return true;
  }
  return !own.empty() && own.back().epoch > written.epoch;
}

bool RaceDetector::isUnfenced(const Cell &cell, unsigned thread) {
  if (cell.writeEpoch < firstEpoch || cell.pending || cell.writeThread >= threads ||
      isFenced(cell.writeThread, {cell.writeEpoch, cell.writeFences}, thread))
    return false;
  return found({cell.writeThread, cell.writeLine, cell.write, false, true});
}

std::optional<Race> RaceDetector::asyncRead(unsigned thread, uint64_t first, uint64_t bytes,
                                            uint32_t line) {
  if (auto race = access(thread, first, bytes, Access::Read, line))
    return race;
  bool isRace = forCells(first, bytes, [&](Cell &cell) { return isUnfenced(cell, thread); });
  return isRace ? std::optional(race) : std::nullopt;
}

std::optional<Race> RaceDetector::beginBulk(unsigned thread, uint64_t first, uint64_t bytes,
                                            uint32_t line) {
  bool isRace = forCells(first, bytes, [&](Cell &cell) { return isUnfenced(cell, thread); });
  return isRace ? std::optional(race) : beginCopy(thread, first, bytes, line);
}

void RaceDetector::endBulk(unsigned mbarrier, uint32_t phases, uint64_t first, uint64_t bytes) {
  forCells(first, bytes, [&](Cell &cell) {
    cell.pending = false;
    cell.writeEpoch = epoch;
    cell.writeThread = uint16_t(threads + mbarrier);
    cell.writeClock = phases;
    return false;
  });
}

void RaceDetector::release(unsigned thread, Released &to) {
  uint32_t *row = clocksOf(thread);
  if (to.epoch != epoch)
    to.clocks.assign(columns(), 0);
  to.epoch = epoch;
  for (unsigned i = 0; i < columns(); ++i)
    to.clocks[i] = std::max(to.clocks[i], row[i]);
  ++row[thread];
}

void RaceDetector::acquire(unsigned thread, const Released &from, unsigned mbarrier,
                           uint32_t phases) {
  uint32_t *row = clocksOf(thread);
  // What was released before the block's last barrier is ordered already.
  for (unsigned i = 0; from.epoch == epoch && i < columns(); ++i)
    row[i] = std::max(row[i], from.clocks[i]);
  row[threads + mbarrier] = std::max(row[threads + mbarrier], phases);
}

} // namespace memformer::emulator
