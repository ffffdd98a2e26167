// What every form of a matrix product shares: its operands entry by entry, and its epilogue.

#ifndef MEMFORMER_CODEGEN_NVPTX_GEMMBLOCK_H
#define MEMFORMER_CODEGEN_NVPTX_GEMMBLOCK_H

#include "codegen/nvptx/Emitter.h"
#include "codegen/nvptx/Region.h"
#include "codegen/nvptx/RowNorms.h"

namespace memformer::nvptx {

/// C [m, n] = A [m, k] · B [k, n].
struct GemmShape {
  explicit GemmShape(kernel::GemmOp op);

  int64_t m, n, k;
  bool transposeA, packed, normalized;
  /// To which factors are rounded: bf16, f16, tf32, or null.
  mlir::Type operandType;
  /// Whether factors have 16 bits.
  bool isNarrow() const { return operandType && kernel::isNarrow(operandType); }
  /// Columns of a packed panel, 0 without, and how many consecutive k are side by side in it.
  int64_t panel = 0, group = 1;
  /// Rows of a panel, which are of `group` k each.
  int64_t lines() const { return (k + group - 1) / group; }
};

/// The block [rows, columns] of C that a thread block computes; blocks of one row of blocks follow
/// each other.
class GemmBlock {
public:
  /// Call after the number of threads is set.
  GemmBlock(Emit &e, kernel::GemmOp op, const KernelArguments &arguments, int64_t rows,
            int64_t columns);

  int64_t grid() const { return blocksOfRows * blocksOfColumns; }
  /// Finds the moments of the block's rows, where they are normalised, and ends with a barrier.
  void prepare();
  /// A[row, k] and B[k, column], row and column counted in the block; zero for k beyond the depth,
  /// any entry for rows and columns that C does not have. Not rounded.
  mlir::Value entryOfA(mlir::Value row, mlir::Value k);
  mlir::Value entryOfB(mlir::Value k, mlir::Value column);
  /// The epilogue of rows [begin, begin + count) of the block, whose sums all threads have stored
  /// in shared memory [count, pitch]: a barrier is at its beginning.
  void finish(const Buffer &sums, int64_t pitch, int64_t begin, int64_t count);
  bool isSupported() const { return supported; }

  const GemmShape shape;
  mlir::Value firstRow, firstColumn;
  const Buffer &a, &b;

private:
  Emit &e;
  kernel::GemmOp op;
  const KernelArguments &arguments;
  int64_t rows, columns, blocksOfRows, blocksOfColumns;
  mlir::Value blockOfColumns;
  /// Mean and 1 / deviation of each row, where they are normalised.
  Buffer moments;
  bool supported = true;
};

/// The product with f32 multiply-adds; and with tensor cores, for factors that are rounded: by
/// warps, or by warpgroups.
mlir::FailureOr<int64_t> emitFmaGemm(Emit &e, kernel::GemmOp op, const KernelArguments &arguments);
mlir::FailureOr<int64_t> emitMmaGemm(Emit &e, kernel::GemmOp op, const KernelArguments &arguments);
mlir::FailureOr<int64_t> emitWarpgroupGemm(Emit &e, kernel::GemmOp op,
                                           const KernelArguments &arguments);

} // namespace memformer::nvptx

#endif
