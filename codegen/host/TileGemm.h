// The one micro-kernel of matrix products: a tile of C in registers.

#ifndef MEMFORMER_CODEGEN_HOST_TILEGEMM_H
#define MEMFORMER_CODEGEN_HOST_TILEGEMM_H

#include "codegen/host/Vectors.h"

namespace memformer::host {

/// A matrix in memory: entry (i, j) is `buffer[offset + i · rowStride + j · columnStride]`, the
/// buffer being a memref of one dimension and the offset an index.
struct Matrix {
  mlir::Value buffer;
  mlir::Value offset;
  int64_t rowStride = 1;
  int64_t columnStride = 1;

  /// The same matrix without its first rows and columns.
  Matrix from(Emit &e, mlir::Value row, mlir::Value column) const;
  /// `lanes` entries of a row, `active` of them in the matrix; the columns have to be contiguous.
  mlir::Value load(Emit &e, mlir::Value row, mlir::Value column, int64_t active) const;
  void store(Emit &e, mlir::Value vector, mlir::Value row, mlir::Value column,
             int64_t active) const;
};

/// Columns that a strip of a product computes at once: whole vectors, but for the last.
struct Strip {
  /// Lanes of a vector, columns of the strip.
  int64_t lanes, columns;

  int64_t vectors() const { return (columns + lanes - 1) / lanes; }
  /// Columns of the strip in vector v.
  int64_t active(int64_t v) const { return std::min(lanes, columns - v * lanes); }
};

/// to − from, of type index.
mlir::Value distance(Emit &e, mlir::Value from, mlir::Value to);

/// Rows of a tile that leaves the target registers for `vectors` columns of B and a broadcast.
int64_t tileRows(const HostTarget &target, int64_t vectors);

/// Rows cut in tiles of at most a given number, as equal as can be: the first `large` tiles have
/// `size` + 1 rows, the others `size`.
struct RowTiles {
  RowTiles(int64_t rows, int64_t most);
  /// Tiles of one size where some size not much smaller than `most` divides the rows: less code.
  static RowTiles even(int64_t rows, int64_t most);

  int64_t count, size, large;

  /// The most rows that `tiles` consecutive tiles have.
  int64_t mostRows(int64_t tiles) const { return tiles * size + std::min(tiles, large); }
  mlir::Value firstRow(Emit &e, mlir::Value tile) const;
  /// `body(begin, end, rows)` for each size, with the tiles of that size that are in [begin, end).
  void forEachSize(Emit &e, mlir::Value begin, mlir::Value end,
                   llvm::function_ref<void(mlir::Value, mlir::Value, int64_t)> body) const;
  /// `body(tile, first row, rows)` for tiles in [begin, end), built once for each size.
  void forEach(Emit &e, mlir::Value begin, mlir::Value end,
               llvm::function_ref<void(mlir::Value, mlir::Value, int64_t)> body) const;
};

/// What is fetched for each k: `entries` from `offset` + k · `stride` on.
struct Prefetch {
  mlir::Value buffer;
  mlir::Value offset;
  int64_t stride = 0;
  int64_t entries = 0;
};

/// Σ over k in [0, depth) of A(i, k) · B(k, j) for i < rows and the columns j of a strip: rows ·
/// vectors accumulators, a row's one after the other. Each entry is one chain of fma in ascending
/// k, begun at zero, so that its bits depend neither on the tile nor on the other rows. `loaded`:
/// columns of B that may be read, at least the strip's (a panel is padded).
llvm::SmallVector<mlir::Value> emitTile(Emit &e, int64_t rows, const Strip &strip, const Matrix &a,
                                        const Matrix &b, mlir::Value depth, int64_t loaded,
                                        llvm::ArrayRef<Prefetch> ahead = {});

} // namespace memformer::host

#endif
