// Scores by distance in blocks: query i and key j belong to row j + Lq − 1 − i of relative keys.

#ifndef MEMFORMER_CODEGEN_NVPTX_RELATIVEBLOCK_H
#define MEMFORMER_CODEGEN_NVPTX_RELATIVEBLOCK_H

#include "codegen/nvptx/AttentionBlock.h"

namespace memformer::nvptx {

/// A square [queries, columns] of an attention, as large as its plan says. Its columns are keys,
/// and the other axis is that of relative keys, or the other way round. On the other axis a square
/// is slanted: it meets the rows of a window, which are worked on in pieces of as many rows as the
/// square has columns. Rows are counted modulo 2³²: those before the first are far behind the last,
/// and what they give belongs to no pair that attention has.
class RelativeBlock {
public:
  RelativeBlock(Emit &e, const AttentionShape &shape, const AttentionPlan &plan,
                mlir::Value firstQuery, mlir::Value firstColumn, bool columnsAreKeys);

  int64_t pieces() const;
  /// Rows of a piece that are of use, up to a multiple of 4.
  int64_t rowsOf(int64_t piece) const;
  /// The first row of a piece.
  mlir::Value firstOf(int64_t piece) const;
  /// The key of an entry, given in the block.
  mlir::Value keyOf(mlir::Value query, mlir::Value column) const;

  /// Products [queries, rows of a piece], as square() has them, to the entries that they belong to.
  void store(int64_t piece, mlir::ValueRange products, const Buffer &square) const;
  /// The other way: what a square has for the rows of a piece, zero where that is nothing.
  void gather(int64_t piece, const Buffer &square, const Buffer &rows) const;

private:
  mlir::Value columnOf(int64_t piece, mlir::Value query, mlir::Value row) const;
  /// Whether one piece, which begins with the first row, has them all.
  bool isWhole() const { return shape.keys <= plan.keys; }
  int64_t window() const { return isWhole() ? plan.keys : plan.queries + plan.keys - 1; }

  Emit &e;
  const AttentionShape &shape;
  const AttentionPlan &plan;
  mlir::Value firstQuery, firstColumn;
  bool columnsAreKeys;
};

} // namespace memformer::nvptx

#endif
