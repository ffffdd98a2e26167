// How a matrix product is cut: strips and tiles, blocks of a workgroup, what is copied.

#ifndef MEMFORMER_CODEGEN_HOST_GEMMPLAN_H
#define MEMFORMER_CODEGEN_HOST_GEMMPLAN_H

#include "codegen/host/TileGemm.h"
#include "dialect/kernel/KernelDialect.h"

namespace memformer::host {

/// C [m, n] = A [m, k] · B [k, n]. A workgroup computes a block of `tilesPerBlock` row tiles and
/// `stripsPerBlock` strips; entries are summed in steps of `depth`, each from zero, the steps'
/// sums being added in ascending order. `depth` depends on k alone, so an entry's bits depend on
/// its row, its column and k; of a transposed A also on whether m or n is large.
struct GemmPlan {
  static mlir::FailureOr<GemmPlan> get(kernel::GemmOp op, const HostTarget &target);

  int64_t m, n, k;
  /// Columns of a packed panel, or of B's rows.
  int64_t panel;
  bool packed, transposeA, normalized;
  /// Factors are bf16, in pairs (PairGemm.h); `pairsInPlace`: A lies so in memory.
  bool inPairs, pairsInPlace;
  Strip strip;
  /// Full strips, and the columns of the one after them (0: none).
  int64_t fullStrips, tail;
  RowTiles tiles;
  int64_t tilesPerBlock, stripsPerBlock;
  int64_t depth;

  int64_t strips() const { return fullStrips + (tail != 0); }
  int64_t gridOfRows() const { return (tiles.count + tilesPerBlock - 1) / tilesPerBlock; }
  int64_t gridOfColumns() const { return (strips() + stripsPerBlock - 1) / stripsPerBlock; }
  int64_t rowsOfBlock() const { return tiles.mostRows(tilesPerBlock); }
  /// Whether an entry is summed in several steps, partial sums being kept in scratch.
  bool stepped() const { return depth < k; }
  /// Rows that begin in the same few cache sets evict each other; those of other lengths, columns
  /// of a transposed A and rows of B are read in place, which was measured to be faster.
  bool copiesA() const {
    if (inPairs)
      return !normalized && !pairsInPlace;
    return !normalized && !transposeA && stepped() && k % 256 == 0;
  }
  int64_t pairsOfStep() const { return (depth + 1) / 2; }
};

} // namespace memformer::host

#endif
