// Finds unordered accesses of the threads of a block to memory.

#ifndef MEMFORMER_TEST_EMULATOR_RACES_H
#define MEMFORMER_TEST_EMULATOR_RACES_H

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace memformer::emulator {

enum class Access : uint8_t { Read, Write, Atomic };

/// Of a block.
inline constexpr unsigned mostMbarriers = 32;

/// Two accesses to one byte that no barrier orders.
struct Race {
  unsigned thread; // of the earlier access
  uint32_t line;
  Access access;
  bool pending; // an asynchronous copy that nobody has waited for
  /// Written through the generic proxy, and read by one that is asynchronous with no fence between.
  bool unfenced = false;
};

/// Threads have vector clocks, which a barrier of the whole block resets: it begins a new epoch,
/// and whatever was before is ordered before all that follows. Each byte remembers its last write
/// and the reads since then, those of a warp at the same time together.
///
/// Copies that complete on an mbarrier are writes of that mbarrier: it has a clock too, its phases,
/// which threads see that wait for it. What the asynchronous proxy accesses (wgmma, bulk copies)
/// must not only be ordered after a thread's write, but have one of its fences between, or one of
/// the accessing thread behind a barrier of the block.
class RaceDetector {
public:
  explicit RaceDetector(uint64_t bytes) : words((bytes + 3) / 4) {}

  void beginBlock(unsigned threads);
  /// The block's barrier.
  void blockBarrier() { ++epoch; }
  /// A barrier of some threads: all before it is ordered before what follows it in `threads`.
  void barrier(std::span<const unsigned> threads) { barrier(threads, threads); }
  void barrier(std::span<const unsigned> arriving, std::span<const unsigned> waiting);

  /// Where an address of global memory is among the bytes that are watched, all of an access of at
  /// most 16 bytes that is aligned to its size.
  uint64_t placeOf(uint64_t address);

  std::optional<Race> access(unsigned thread, uint64_t first, uint64_t bytes, Access access,
                             uint32_t line);
  /// A cp.async of a thread begins, and, later, is seen by that thread.
  std::optional<Race> beginCopy(unsigned thread, uint64_t first, uint64_t bytes, uint32_t line);
  void endCopy(unsigned thread, uint64_t first, uint64_t bytes);

  /// fence.proxy.async of a thread.
  void fence(unsigned thread);
  /// Whether what a thread wrote, at a time that now() gave, is behind a fence for another.
  struct Time {
    uint32_t epoch, fences;
  };
  Time now(unsigned thread) const { return {epoch, uint32_t(fences[thread].size())}; }
  bool isFenced(unsigned writer, Time written, unsigned thread);
  /// A read of the asynchronous proxy, asked for by a thread.
  std::optional<Race> asyncRead(unsigned thread, uint64_t first, uint64_t bytes, uint32_t line);
  /// A bulk copy of a thread begins, and, later, a phase of its mbarrier has completed.
  std::optional<Race> beginBulk(unsigned thread, uint64_t first, uint64_t bytes, uint32_t line);
  void endBulk(unsigned mbarrier, uint32_t phases, uint64_t first, uint64_t bytes);

  /// What threads have told an mbarrier in a phase.
  struct Released {
    uint32_t epoch = 0;
    std::vector<uint32_t> clocks;
  };
  void release(unsigned thread, Released &to);
  /// A thread has waited for phases of an mbarrier.
  void acquire(unsigned thread, const Released &from, unsigned mbarrier, uint32_t phases);

private:
  /// Clocks of mbarriers are behind those of the threads.
  unsigned columns() const { return threads + mostMbarriers; }
  struct Reads { // of lanes of one warp at one time
    uint32_t warp, clock, lanes, line;
  };
  struct Cell {
    uint32_t writeEpoch = 0, writeClock = 0, writeLine = 0, writeFences = 0;
    uint16_t writeThread = 0;
    Access write = Access::Write;
    bool pending = false;
    uint32_t readEpoch = 0;
    Reads first = {};
    uint32_t more = 0; // further reads: 1 + place in `furtherReads`, or 0
  };
  /// A word is one cell until something smaller than it is accessed; then its bytes are.
  struct Word {
    Cell whole;
    uint32_t bytes = 0; // 1 + place in `splitWords`, or 0
  };

  uint32_t *clocksOf(unsigned thread);
  template <typename Each> bool forCells(uint64_t first, uint64_t bytes, Each each);
  bool visit(Cell &cell, unsigned thread, const uint32_t *seen, Access access, uint32_t line);
  bool readsAgain(Cell &cell, const Reads &reads) const;
  void addRead(Cell &cell, const Reads &reads);
  bool unordered(const Reads &reads, unsigned thread, const uint32_t *seen);
  bool isUnfenced(const Cell &cell, unsigned thread);
  /// Remembers a race, which is returned at the end: a flag is all that the way there carries.
  bool found(const Race &what) {
    race = what;
    return true;
  }

  Race race = {};
  /// Pages of global memory that were accessed, behind the shared memory in `words`.
  std::unordered_map<uint64_t, uint64_t> pages;
  uint64_t lastPage = UINT64_MAX, lastPlace = 0;
  std::vector<Word> words;
  std::vector<std::array<Cell, 4>> splitWords;
  std::vector<std::vector<Reads>> furtherReads;
  std::vector<uint32_t> clocks; // [threads, columns]
  struct Fence {
    uint32_t epoch, clock;
  };
  std::vector<std::vector<Fence>> fences; // of each thread
  std::vector<uint32_t> validIn, joined;
  unsigned threads = 0;
  uint32_t epoch = 1, firstEpoch = 1;
};

} // namespace memformer::emulator

#endif
