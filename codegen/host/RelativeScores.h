// Scores that depend on the distance of a query and a key, and their gradients.

#ifndef MEMFORMER_CODEGEN_HOST_RELATIVESCORES_H
#define MEMFORMER_CODEGEN_HOST_RELATIVESCORES_H

#include "codegen/host/AttentionTiles.h"

namespace memformer::host {

/// Products of relative queries p and the rows of relative keys r, for a panel of queries and
/// blocks of keys. Query i and key j belong to row j + Lq − 1 − i of r: each query needs as many
/// rows as there are keys, beginning one earlier than those of the query before it. Products lie by
/// query, [queries of the panel, columns], so that keys with queries in lanes are transposed
/// squares whose rows begin one column earlier each. Column `front` + j − l of the panel's query l
/// belongs to key j of the block; what is in front of column `front` comes from the block before,
/// so that no product is computed twice.
class RelativeScores {
public:
  /// Scratch for panels and blocks of these sizes. Build it outside of loops.
  RelativeScores(Emit &e, const AttentionShape &shape, const QueryPanels &panels,
                 const KeyBlocks &blocks, bool gradient);

  /// For the panel, `queries` being the head of p and `keys` that of r: call outside of loops over
  /// keys. `factor` multiplies p. The blocks of keys follow in ascending order, from key 0 on.
  void begin(const QueryPanel &panel, const Matrix &queries, const Matrix &keys, float factor = 1);
  /// scores [keys, pitch] += p · r. Rows up to a multiple of the lanes are written.
  void add(mlir::Value firstKey, mlir::Value keys, mlir::Value scores);

  /// Begins sums, to which the scores' gradients [keys, pitch] of blocks are added: dp += dS · r,
  /// which is stored at the end, and `keyGradient` [rows of r, width] += dSᵀ · p. Rows of `dS` up
  /// to a multiple of the lanes are written. `end`: the key after the last block's.
  void beginGradient();
  void addGradient(mlir::Value firstKey, mlir::Value keys, mlir::Value scoreGradients,
                   const Matrix &keyGradient);
  void finishGradient(mlir::Value end, const Matrix &queryGradient, const Matrix &keyGradient);

private:
  /// A scratch of rows by query: of p and dp, and of products and gradients.
  Matrix ofWidth(mlir::Value scratch) { return {scratch, e.index(0), shape.width, 1}; }
  Matrix ofColumns(mlir::Value scratch) { return {scratch, e.index(0), pitch, 1}; }
  /// The row of r, or of none, that column 0 belongs to in a block that begins with this key.
  mlir::Value firstRow(mlir::Value firstKey);
  void forEachSquare(
      mlir::Value keys,
      llvm::function_ref<void(mlir::Value, mlir::Value, llvm::ArrayRef<mlir::Value>)> body);
  void clear(mlir::Value scratch, mlir::Value begin, mlir::Value end);
  void advance(mlir::Value keys, mlir::Value scratch);
  void addColumns(mlir::Value row, mlir::Value columns, const Matrix &keyGradient);

  Emit &e;
  const AttentionShape &shape;
  QueryPanels panels;
  const KeyBlocks &blocks;
  /// Of products: columns and rows.
  Strip strip;
  RowTiles tiles;
  int64_t front, pitch;
  QueryPanel panel;
  Matrix relativeKey;
  /// p and the sums of dp [queries, width]; products and gradients [queries, pitch], gradients of
  /// columns that no key has reached being zero; rows of r for a strip, transposed.
  mlir::Value relativeQuery, sums, products, gradients, packed;
};

} // namespace memformer::host

#endif
