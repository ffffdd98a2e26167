// Products of bf16: the register tile on pairs of entries, and how pairs are made.

#ifndef MEMFORMER_CODEGEN_HOST_PAIRGEMM_H
#define MEMFORMER_CODEGEN_HOST_PAIRGEMM_H

#include "codegen/host/TileGemm.h"

namespace memformer::host {

// Factors lie in memory as bf16, the entries of two consecutive k side by side. A matrix of pairs
// is a `Matrix` whose strides count entries, and whose rows (of B) or columns (of A) are pairs:
// pair (i, k/2) of A begins at `offset + i · rowStride + k/2 · columnStride`, the pairs (k/2, j) of
// B at `offset + k/2 · rowStride + 2 j`.

/// Memory of the kernel's own for entries of bf16, 64-byte aligned.
mlir::Value scratchOfPairs(Emit &e, int64_t entries);

/// A vector of pairs as the CPU multiplies it: itself, or the two entries of each pair as f32.
struct PairFactor {
  mlir::Value pairs;
  mlir::Value low, high;
};
/// The pair at an offset, in every lane.
PairFactor repeatPair(Emit &e, mlir::Value buffer, mlir::Value offset);
/// The pairs of `lanes` columns, `active` of them in the matrix.
PairFactor loadPairs(Emit &e, mlir::Value buffer, mlir::Value offset, int64_t active);
/// sum + a · b of both entries of each pair.
mlir::Value addProducts(Emit &e, const PairFactor &a, const PairFactor &b, mlir::Value sum);

/// As `emitTile`, over `pairs` pairs. Each entry is one chain in ascending k, begun at zero: two
/// products at a time where the CPU has an instruction for that, else one after the other.
llvm::SmallVector<mlir::Value> emitPairTile(Emit &e, int64_t rows, const Strip &strip,
                                            const Matrix &a, const Matrix &b, mlir::Value pairs,
                                            int64_t loaded);

/// `low` (of k) and `high` (of k + 1), each as `Emit::roundToHigh` gives them, as pairs: i32.
mlir::Value pairOf(Emit &e, mlir::Value low, mlir::Value high);
/// Stores `lanes` pairs, as i32 or i16.
void storePairs(Emit &e, mlir::Value pairs, mlir::Value buffer, mlir::Value offset);
/// Entries of a row, as `Emit::roundToHigh` gives them; zero where the mask is.
mlir::Value loadHigh(Emit &e, const Matrix &from, mlir::Value row, mlir::Value column,
                     mlir::Value mask);

/// Rows [k, k + depth) of `from` in pairs: columns [begin, end), whatever vector they end in, to
/// places from 0 on of the pairs `to`. A last row without a partner is paired with zeros.
void copyInPairs(Emit &e, const Matrix &from, mlir::Value k, mlir::Value depth, mlir::Value begin,
                 mlir::Value end, const Matrix &to);
/// The first rows of pairs, `columns` in each, from one matrix of pairs to another, which has
/// places for whole vectors; and zeros to the rows [begin, end).
void copyPairs(Emit &e, const Matrix &from, int64_t pairs, int64_t columns, const Matrix &to);
void zeroPairs(Emit &e, mlir::Value begin, mlir::Value end, int64_t columns, const Matrix &to);

} // namespace memformer::host

#endif
