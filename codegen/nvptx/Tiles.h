// Products of matrices in shared memory, of which each thread has entries in its registers.

#ifndef MEMFORMER_CODEGEN_NVPTX_TILES_H
#define MEMFORMER_CODEGEN_NVPTX_TILES_H

#include "codegen/nvptx/Emit.h"

namespace memformer::nvptx {

/// A factor in shared memory: rows of the product along its rows, or with `depthOuter` along its
/// columns. Its rows begin every `pitch` entries, a multiple of 4.
struct SharedFactor {
  Buffer buffer;
  int64_t pitch;
  bool depthOuter;
};

/// C [rows, columns] of a block, of which a thread has `ownRows` × `ownColumns` entries: rows /
/// ownRows · columns / ownColumns threads. They are consecutive, or with `interleaved` as far from
/// each other as they can be, which is for factors whose depth is inner.
struct BlockTile {
  int64_t rows, columns, ownRows, ownColumns;
  bool interleaved = false;

  int64_t gridRows() const { return rows / ownRows; }
  int64_t gridColumns() const { return columns / ownColumns; }
  int64_t threads() const { return gridRows() * gridColumns(); }
  int64_t own() const { return ownRows * ownColumns; }
  /// Row and column of the thread's entry i, row-major.
  mlir::Value row(Emit &e, int64_t i) const;
  mlir::Value column(Emit &e, int64_t i) const;

  /// sums + A Bᵀ, where both are [rows or columns, depth], summed in ascending order. `depth` is a
  /// multiple of 4 where one of them has its depth inside.
  Emit::Carried multiply(Emit &e, const SharedFactor &a, const SharedFactor &b, int64_t depth,
                         mlir::ValueRange sums) const;
  Emit::Carried zeros(Emit &e) const { return Emit::Carried(own(), e.real(0)); }
  /// Calls `body(i, row, column)` for each entry i of the thread.
  void forEach(Emit &e, llvm::function_ref<void(int64_t, mlir::Value, mlir::Value)> body) const;

private:
  mlir::Value place(Emit &e, mlir::Value first, int64_t grid, int64_t own, int64_t i) const;
};

} // namespace memformer::nvptx

#endif
