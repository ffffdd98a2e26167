// What the threads of a block read and write, around its barriers.

#ifndef MEMFORMER_CODEGEN_NVPTX_TRACE_H
#define MEMFORMER_CODEGEN_NVPTX_TRACE_H

#include "codegen/nvptx/Lanes.h"

#include <map>
#include <vector>

namespace memformer::nvptx {

/// Bytes that threads of a block read or write.
struct MemoryAccess {
  static constexpr uint32_t shared = 0;

  /// `shared`, or 1 + the number of an argument.
  uint32_t memory;
  int32_t firstThread, lastThread;
  bool isWrite;
  /// Whether each of the threads has bytes of its own, `stride` behind those of the thread before;
  /// else any of them, or all, may have these.
  bool isEach;
  uint64_t begin, bytes;
  int64_t stride;

  bool operator==(const MemoryAccess &) const = default;
};

struct Accesses {
  std::vector<MemoryAccess> shared, global;
};

/// One block's: ahead of its first barrier, between that and its last one, and behind it.
struct Trace {
  Accesses first, between, last;
  /// Whether all of its threads meet, whatever the data; else all accesses are the first.
  bool meets = false;
};

/// Follows the code of a kernel: its integers are computed for all threads of a block, and what
/// depends on data may be anything. mbarriers are not looked at, which no kernel uses for anything
/// else.
class Tracer {
public:
  struct Memory {
    uint32_t number;
    uint64_t bytes;
  };
  /// `arguments`: the pointers to memory that is of interest. `sharedBegin` and `sharedEnd`: bytes
  /// of shared memory that the kernel uses.
  Tracer(mlir::Block &code, int64_t threads, const llvm::DenseMap<mlir::Value, Memory> &arguments,
         uint64_t sharedBegin, uint64_t sharedEnd);

  /// Of blocks that run one after the other: of global memory what the barriers of the kernel leave
  /// open to kernels before and behind it, and all of it unless the kernel's threads are all that
  /// these have (`isWhole`); of shared memory also what they leave open to the next block, once
  /// where several blocks follow each other alike.
  std::vector<Trace> trace(int64_t blocks, bool isWhole);

private:
  /// Threads that run some code; uncertain where that depends on data.
  struct Active {
    llvm::SmallVector<bool, 0> lanes;
    size_t count; // of lanes that run
    bool isCertain = true;

    bool any() const { return count > 0; }
    bool all() const { return count == lanes.size(); }
    void stop(size_t lane) {
      count -= lanes[lane];
      lanes[lane] = false;
    }
  };
  enum class Pass { Count, Record };

  const Memory *memoryOf(mlir::Value pointer);
  bool matters(mlir::Operation *op);
  const std::vector<mlir::Operation *> &stepsOf(mlir::Block &block);
  void run();
  void run(mlir::Block &block, const Active &active);
  void follow(mlir::Block &block, const Active &active);
  void step(mlir::Operation *op, const Active &active);
  void runLoop(mlir::Operation *op, const Active &active);
  void runBranches(mlir::Operation *op, const Active &active);
  void runUnknown(mlir::Operation *op, Active active);
  void call(mlir::Operation *op, const Active &active);
  void assembly(mlir::Operation *op, const Active &active);
  void access(mlir::Value pointer, uint64_t bytes, bool isWrite, const Active &active);
  static void leaveOutRepeated(std::vector<Trace> &traces);
  Trace traceOf(int64_t block);
  int64_t count(int64_t block);
  MemoryAccess allShared(bool isWrite) const;
  std::vector<MemoryAccess> *kept(const Memory &memory);

  mlir::Block &code;
  const llvm::DenseMap<mlir::Value, Memory> &arguments;
  Memory shared;
  uint64_t sharedBegin;
  ThreadValues values;
  /// Of each block the ops that are followed.
  std::map<mlir::Block *, std::vector<mlir::Operation *>> steps;
  Pass pass = Pass::Count;
  /// Of the block: how often threads have met, and will have at its end; whether what it does with
  /// global memory is kept ahead of the first meeting, between, and behind the last one.
  int64_t met = 0, meetings = 0;
  bool keepsFirst = true, keepsBetween = true, keepsLast = true;
  Trace current;
};

} // namespace memformer::nvptx

#endif
