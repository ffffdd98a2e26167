// Whether accesses of one block's threads are in order: what a barrier between two ops is for.

#ifndef MEMFORMER_CODEGEN_NVPTX_HAZARDS_H
#define MEMFORMER_CODEGEN_NVPTX_HAZARDS_H

#include "codegen/nvptx/Trace.h"

namespace memformer::nvptx {

/// What is not in order where blocks follow others.
struct Clashes {
  /// With what was before: in global memory, or in shared memory.
  bool inGlobal = false, inShared = false;
  /// Of one of the blocks with another.
  bool ofBlocks = false;
};

/// What the threads of a block have read and written, and who has met since.
class Hazards {
public:
  void add(const MemoryAccess &access);
  /// The first `threads` threads meet.
  void meet(int64_t threads);
  /// Whether the access, or an earlier one to a byte of it by another thread, is a write, and these
  /// two have not met since. The first `met` threads have.
  bool conflicts(const MemoryAccess &access, int64_t met = 0) const;

  /// Of blocks that the first `threads` threads run one after the other, who meet behind each of
  /// them if they do so there.
  Clashes clashesOf(llvm::ArrayRef<Trace> blocks, int64_t threads, bool meetsBehind) const;
  void add(llvm::ArrayRef<Trace> blocks, int64_t threads, bool meetsBehind);

private:
  /// The last uses of a few bytes, by any threads from the first to the last.
  struct Use {
    int32_t time = -1, firstThread = 0, lastThread = 0;
  };
  struct Uses {
    Use read, write;
  };
  /// Entries have 2 bytes or 4, and begin at multiples of that.
  struct Memory {
    uint64_t granule = 4;
    std::vector<Uses> uses;
  };

  bool isBehind(const Use &use, int32_t thread) const;
  bool isUnordered(const Use &use, int32_t firstThread, int32_t lastThread, int64_t met) const;
  void add(Use &use, int32_t firstThread, int32_t lastThread) const;

  std::vector<Memory> memories;
  /// Threads that have met, and when last.
  llvm::SmallVector<std::pair<int32_t, int32_t>> meetings;
  int32_t time = 0;
};

} // namespace memformer::nvptx

#endif
