// What emitters build kernels from: the thread's place, buffers, arithmetic, loops, reductions.

#ifndef MEMFORMER_CODEGEN_NVPTX_EMIT_H
#define MEMFORMER_CODEGEN_NVPTX_EMIT_H

#include "codegen/nvptx/GpuTarget.h"
#include "dialect/kernel/Shapes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

namespace memformer::nvptx {

/// Dense entries in global or shared memory. Entries of bf16 and f16 are read and
/// written as f32.
struct Buffer {
  mlir::Value pointer;
  mlir::Type element;
  llvm::SmallVector<int64_t> shape;

  bool isNarrow() const { return kernel::isNarrow(element); }
  int64_t entries() const;
  /// Leading dimensions collapsed; the last one (1 for rank 0).
  int64_t rows() const;
  int64_t width() const;
};

/// A builder of one thread's code. Values are scalars: f32, i32 (indices are unsigned, so that
/// buffers have up to 2³² entries), i1. Every thread of a block runs the same code; the emitter of
/// a kernel sets the number of threads first.
class Emit {
public:
  Emit(mlir::OpBuilder &builder, mlir::Location location, const GpuTarget &target)
      : b(builder), loc(location), target(target) {}

  using Carried = llvm::SmallVector<mlir::Value>;

  /// Where a kernel runs that is one of several in a launch.
  struct Place {
    /// The kernel's block, and the part of the batch that it is computed for; null: the block's own
    /// number, and the whole.
    mlir::Value block, part;
    /// Threads that its barriers wait for; 0: all of the block. Others than those of another kernel
    /// that has other threads.
    int64_t threads = 0, barrier = 0;
    /// One block runs the kernel's blocks one after the other.
    bool isLoop = false;
    /// The thread's number; null: as the hardware has it.
    mlir::Value thread = {};
    /// Where its shared memory begins, in bytes; a multiple of 16.
    int64_t sharedBegin = 0;
  };
  void setPlace(const Place &to) {
    place = to;
    allocated = reserved = place.sharedBegin;
    // In chains mbarriers have a place of their own, which no kernel uses for anything else.
    if (place.isLoop && target.hasWarpgroupProducts())
      allocated = reserved = std::max(reserved, mbarrierBytes);
  }
  bool isLoop() const { return place.isLoop; }
  /// The number in the whole batch of what has a number in a part of so many.
  mlir::Value inBatch(mlir::Value number, int64_t ofPart);

  mlir::OpBuilder &b;
  mlir::Location loc;
  const GpuTarget &target;
  static constexpr int64_t warp = GpuTarget::warp;

  /// Threads of a block: a multiple of a warp. Call once, before anything that depends on it.
  void setThreads(int64_t count);
  int64_t threads() const { return threadCount; }
  /// Loops stay as they are written: ptxas otherwise unrolls those that multiply tiles until all
  /// registers are taken.
  void keepLoops() { loopsAreKept = true; }
  bool keepsLoops() const { return loopsAreKept; }
  /// Blocks in a row that share the rows of a product's A, for the model of what a kernel moves.
  void setBlocksAcross(int64_t count) { across = count; }
  int64_t blocksAcross() const { return across; }
  /// Says which of its ways an emitter takes, for those who list kernels.
  void note(llvm::StringRef way) { taken.push_back(way.str()); }
  llvm::ArrayRef<std::string> notes() const { return taken; }
  /// i32: the thread in its block, its lane, its warp, and the block's number.
  mlir::Value thread();
  mlir::Value lane();
  mlir::Value warpIndex();
  mlir::Value block();

  // Constants.
  mlir::Value index(int64_t value);
  mlir::Value integer(int32_t value);
  mlir::Value real(float value);

  // Arithmetic of f32 or i32, by the type of x.
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value div(mlir::Value x, mlir::Value y);
  mlir::Value fma(mlir::Value x, mlir::Value y, mlir::Value z);
  /// The larger or smaller of two numbers; the other where one is NaN.
  mlir::Value max(mlir::Value x, mlir::Value y);
  mlir::Value min(mlir::Value x, mlir::Value y);
  mlir::Value sqrt(mlir::Value x);
  mlir::Value compare(mlir::arith::CmpFPredicate predicate, mlir::Value x, mlir::Value y);
  mlir::Value compareInt(mlir::arith::CmpIPredicate predicate, mlir::Value x, mlir::Value y);
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);
  mlir::Value both(mlir::Value x, mlir::Value y);
  mlir::Value bits(mlir::Value real);
  mlir::Value fromBits(mlir::Value integer);

  // Index arithmetic without overflow, folded where constant.
  mlir::Value addIndex(mlir::Value x, mlir::Value y);
  mlir::Value addIndex(mlir::Value x, int64_t y) { return addIndex(x, index(y)); }
  mlir::Value mulIndex(mlir::Value x, int64_t y);
  mlir::Value divIndex(mlir::Value x, int64_t y);
  mlir::Value remIndex(mlir::Value x, int64_t y);
  mlir::Value minIndex(mlir::Value x, mlir::Value y);
  mlir::Value minIndex(mlir::Value x, int64_t y) { return minIndex(x, index(y)); }
  mlir::Value less(mlir::Value x, mlir::Value y);
  mlir::Value less(mlir::Value x, int64_t y) { return less(x, index(y)); }
  /// row · width + column.
  mlir::Value at(mlir::Value row, int64_t width, mlir::Value column);

  // Memory.
  mlir::Value load(const Buffer &buffer, mlir::Value index);
  void store(mlir::Value value, const Buffer &buffer, mlir::Value index);
  /// The entry where `condition` holds, else `otherwise`; the memory is not touched then.
  mlir::Value loadIf(mlir::Value condition, const Buffer &buffer, mlir::Value index,
                     float otherwise);
  /// Consecutive entries, as one access; `index` is a multiple of `count`, which is 2 or 4.
  llvm::SmallVector<mlir::Value> loadVector(const Buffer &buffer, mlir::Value index, int64_t count);
  void storeVector(mlir::ValueRange values, const Buffer &buffer, mlir::Value index);
  /// The address of an entry.
  mlir::Value pointerTo(const Buffer &buffer, mlir::Value index);
  /// The same memory from an entry on.
  Buffer from(const Buffer &buffer, mlir::Value index);
  /// Uninitialised memory that the threads of a block share, 16-byte aligned.
  Buffer shared(int64_t entries, mlir::Type element = {});
  /// The same bytes, for what is needed at another time.
  Buffer sharedAt(int64_t offset, int64_t entries, mlir::Type element);
  int64_t sharedBytes() const { return allocated > reserved ? allocated : 0; }
  /// Where shared() goes on.
  int64_t sharedEnd() const { return allocated; }
  /// All threads of the block get here before one goes on, and see what the others wrote.
  void barrier();
  /// Code: what is loaded behind this is not taken from loads before it, which costs registers. No
  /// instruction.
  void forgetLoads();

  // Asynchronous copies, for targets that have them. Copies are committed in groups.
  /// 16 bytes to shared memory, or zeros where `condition` (null: always true) does not hold; both
  /// addresses are multiples of 16, and can be read in any case.
  void copyAsync(mlir::Value from, mlir::Value to, mlir::Value condition);
  void commitCopies();
  /// Waits until at most `groups` of this thread's groups are under way.
  void waitForCopies(int64_t groups);

  // Copies in bulk, for sm_90 and later: they complete phases of an mbarrier, 8 bytes of shared
  // memory.
  /// At most 4 of them.
  Buffer mbarriers(int64_t count);
  void initMbarrier(mlir::Value mbarrier);
  void endMbarrier(mlir::Value mbarrier);
  /// The phase under way completes when so many bytes have arrived.
  void expectBytes(mlir::Value mbarrier, int64_t bytes);
  /// To shared memory; addresses and bytes are multiples of 16.
  void copyInBulk(mlir::Value from, mlir::Value to, int64_t bytes, mlir::Value mbarrier);
  /// Until the phase of a parity has completed.
  void waitForPhase(mlir::Value mbarrier, mlir::Value parity);
  /// What threads have written or read is seen so by copies in bulk and by warpgroups' products.
  void fenceProxy();

  // Tensor cores.
  /// Four matrices of 8 × 4 words in shared memory, of which lane i gives the address of row i mod
  /// 8 of matrix i / 8: word i mod 4 of row i / 4 of each. Transposed are 8 × 8 halves of words.
  llvm::SmallVector<mlir::Value> loadMatrices(mlir::Value pointer, bool transposed);
  /// sums + A B: 16 × 16 by 16 × 8 of bf16 or f16, fragments as mma.sync.m16n8k16 has them; 16 × 8
  /// by 8 × 8 of f32 whose low bits are not looked at, as mma.sync.m16n8k8.tf32 has them.
  Carried multiplyMatrices(mlir::Type type, mlir::ValueRange a, mlir::ValueRange b,
                           mlir::ValueRange sums);
  Carried multiplyTF32(mlir::ValueRange a, mlir::ValueRange b, mlir::ValueRange sums);

  /// 64 rows of A times `columns` of B, by a warpgroup: matrices in shared memory, in core
  /// matrices.
  struct CoreMatrices {
    mlir::Value pointer;
    /// Bytes from a core matrix to the next one along the depth, and along rows or columns of C.
    int64_t depthStride, lineStride;
    /// Whether the 16 bytes of a core matrix's row follow each other along the depth.
    bool isDeep;
  };
  /// sums + A B over `depth` entries of k, a multiple of 16. The sums are those of mma.sync's tiles
  /// of 8 columns, of 16 rows for each warp.
  Carried multiplyWarpgroup(const CoreMatrices &a, const CoreMatrices &b, int64_t columns,
                            int64_t depth, mlir::Type type, mlir::ValueRange sums);

  // Narrower types than f32. Beyond the largest number of one is infinity.
  /// The nearest of bf16 or f16, ties to even, or of tf32, ties away from zero.
  mlir::Value rounded(mlir::Value x, mlir::Type type);
  /// The nearest of bf16 or f16 as i16.
  mlir::Value narrowBits(mlir::Value x, mlir::Type type);
  /// Two numbers rounded to bf16 or f16 as i32, the first in the low half.
  mlir::Value narrowPair(mlir::Value low, mlir::Value high, mlir::Type type);
  /// Those numbers as f32; and that of an i16.
  std::pair<mlir::Value, mlir::Value> entriesOf(mlir::Value word, mlir::Type type);
  mlir::Value widened(mlir::Value half, mlir::Type type);

  // Calls of LLVM's intrinsics. `result` is null for none.
  mlir::Value call(llvm::StringRef intrinsic, mlir::Type result, mlir::ValueRange arguments);
  llvm::SmallVector<mlir::Value> callForMany(llvm::StringRef intrinsic,
                                             llvm::ArrayRef<mlir::Type> results,
                                             mlir::ValueRange arguments);

  // Reductions, in one order for any use; every thread gets the result.
  using Combine = llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)>;
  /// The value of the lane whose number differs in the bit `distance`.
  mlir::Value exchange(mlir::Value x, int64_t distance);
  /// Over groups of `lanes` consecutive lanes, a power of two.
  mlir::Value reduceLanes(mlir::Value x, Combine combine, int64_t lanes = warp);
  mlir::Value sumLanes(mlir::Value x, int64_t lanes = warp);
  mlir::Value maxLanes(mlir::Value x, int64_t lanes = warp);
  /// Over the block, all of whose threads must get here: a barrier is inside. In a loop whose body
  /// has no barrier of its own behind it, an even number of times.
  mlir::Value reduceBlock(mlir::Value x, Combine combine);
  mlir::Value sumBlock(mlir::Value x);

  // Control. Bounds are i32; a range that is empty runs nothing.
  void loop(mlir::Value lower, mlir::Value upper, int64_t step,
            llvm::function_ref<void(mlir::Value)> body);
  Carried loop(mlir::Value lower, mlir::Value upper, int64_t step, mlir::ValueRange init,
               llvm::function_ref<Carried(mlir::Value, mlir::ValueRange)> body);
  /// `first`, `first` + `step`, … below `count`: the columns of a thread.
  void strided(mlir::Value first, int64_t count, int64_t step,
               llvm::function_ref<void(mlir::Value)> body);
  Carried strided(mlir::Value first, int64_t count, int64_t step, mlir::ValueRange init,
                  llvm::function_ref<Carried(mlir::Value, mlir::ValueRange)> body);
  void ifThen(mlir::Value condition, llvm::function_ref<void()> yes,
              llvm::function_ref<void()> no = nullptr);
  Carried choose(mlir::Value condition, mlir::TypeRange types, llvm::function_ref<Carried()> yes,
                 llvm::function_ref<Carried()> no);

private:
  mlir::Value special(llvm::StringRef name);
  /// Instructions with side effects on memory, on operands $0, $1, …
  void assembly(llvm::StringRef text, llvm::StringRef constraints, mlir::ValueRange operands);
  mlir::Value fromBitsOf(mlir::Value x);

  Place place;
  int64_t threadCount = 128;
  int64_t across = 1;
  bool loopsAreKept = false;
  llvm::SmallVector<std::string> taken;
  static constexpr int64_t mbarrierBytes = 32;
  int64_t allocated = 0, reserved = 0;
  /// Where the warps' parts of a reduction lie in shared memory; −1: nowhere yet.
  int64_t exchangeOffset = -1;
  int64_t exchangeSlot = 0;
};

/// Rows dealt to warps or to whole blocks.
class RowGroups {
public:
  /// Sets the number of threads. `whole`: each row has a block of its own.
  RowGroups(Emit &e, int64_t rows, bool whole);

  int64_t grid() const { return blocks; }
  /// Threads of a row, and this thread's number among them.
  int64_t size() const { return whole ? e.threads() : Emit::warp; }
  mlir::Value member() { return whole ? e.thread() : e.lane(); }
  /// Runs once for this thread's row.
  void forRow(llvm::function_ref<void(mlir::Value row)> body);
  mlir::Value reduce(mlir::Value x, Emit::Combine combine) {
    return whole ? e.reduceBlock(x, combine) : e.reduceLanes(x, combine);
  }
  mlir::Value sum(mlir::Value x);
  mlir::Value max(mlir::Value x);

private:
  Emit &e;
  int64_t rows, blocks;
  bool whole;
};

} // namespace memformer::nvptx

#endif
