// How a matrix product is cut: strips and tiles, blocks of a workgroup, what is copied.

#ifndef MEMFORMER_CODEGEN_HOST_GEMMPLAN_H
#define MEMFORMER_CODEGEN_HOST_GEMMPLAN_H

#include "codegen/host/MatrixTiles.h"
#include "dialect/kernel/KernelDialect.h"

namespace memformer::host {

/// C [m, n] = A [m, k] · B [k, n]. A workgroup computes a block of `tilesPerBlock` row tiles and
/// `stripsPerBlock` strips; entries are summed in steps of `depth`, each from zero, the steps'
/// sums being added in ascending order. `depth` depends on k alone, so an entry's bits depend on
/// its row, its column and k; of a transposed A also on whether m or n is large, and of packed
/// pairs in tile registers on whether the rows are few (MatrixVector.h).
struct GemmPlan {
  static mlir::FailureOr<GemmPlan> get(kernel::GemmOp op, const HostTarget &target);

  int64_t m, n, k;
  /// Columns of a packed panel, or of B's rows.
  int64_t panel;
  bool packed, transposeA, normalized;
  /// Factors are bf16, in pairs (PairGemm.h); `pairsInPlace`: A lies so in memory.
  bool inPairs, pairsInPlace;
  /// Pairs are multiplied in tile registers (MatrixTiles.h): every entry is one chain in ascending
  /// k then, whatever the steps are.
  bool inTiles;
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
  /// Entries that are multiplied at a time: copies of k entries are padded with zeros to a
  /// multiple.
  int64_t unit() const { return inTiles ? registerDepth : inPairs ? 2 : 1; }
  int64_t padded(int64_t entries) const { return (entries + unit() - 1) / unit() * unit(); }
  int64_t pairsOfStep() const { return padded(depth) / 2; }
  /// Packed pairs of k that are too few for a register are copied.
  int64_t pairsOfTail() const { return inTiles && packed ? (k % registerDepth + 1) / 2 : 0; }
};

} // namespace memformer::host

#endif
