// Scores that depend on the distance of a query and a key, and their gradients.

#ifndef MEMFORMER_CODEGEN_HOST_RELATIVESCORES_H
#define MEMFORMER_CODEGEN_HOST_RELATIVESCORES_H

#include "codegen/host/AttentionTiles.h"

namespace memformer::host {

/// Products of relative queries p and the rows of relative keys r, for a panel of queries and a
/// block of keys. Query i and key j belong to row j + Lq − 1 − i of r, so that what a block needs
/// are as many rows as it has keys, and one more for each further query of the panel. They are
/// computed as if they were keys, and then every lane is moved by its query's distance from the
/// panel's last: by powers of two, each for the lanes whose number has that bit.
class RelativeScores {
public:
  /// Scratch for panels and blocks of these sizes. Build it outside of loops.
  RelativeScores(Emit &e, const AttentionShape &shape, const QueryPanels &panels,
                 const KeyBlocks &blocks);

  /// For the panel, `rows` being the head of p and `keys` that of r: call outside of loops over
  /// keys. `factor` multiplies p.
  void begin(const QueryPanel &panel, const Matrix &rows, const Matrix &keys, float factor = 1);
  /// scores [keys, pitch] += p · r.
  void add(mlir::Value firstKey, mlir::Value keys, mlir::Value scores);

  /// The scores' gradients [keys, pitch] of a block, and with them dp += dS · r, which `finish`
  /// stores, and `keyGradient` [rows of r, width] += dSᵀ · p.
  void beginGradient();
  void addGradient(mlir::Value firstKey, mlir::Value keys, mlir::Value scoreGradients,
                   const Matrix &keyGradient);
  void finishGradient(const Matrix &queryGradient);

private:
  /// The first row of r that a block needs, and how many.
  struct Rows {
    mlir::Value first, count;
  };
  Rows rowsOf(mlir::Value firstKey, mlir::Value keys);
  /// Rows of `distances`; those in front of it, too, may be read and written.
  mlir::Value place(mlir::Value row) { return e.addIndex(row, front); }
  mlir::Value hasBit(int64_t v, int64_t bit);

  Emit &e;
  const AttentionShape &shape;
  QueryPanels panels;
  /// Rows of a tile; 2^bits is at least the pitch, and `front` at least both.
  int64_t tile, bits, front;
  QueryPanel panel;
  Matrix relativeQuery, relativeKey;
  /// p transposed [width, pitch], the sums of dp, and scores by row of r [front + rows, pitch].
  mlir::Value packed, sums, distances;
  /// Of each vector: by how many rows its lanes are moved, i32.
  llvm::SmallVector<mlir::Value> moves;
};

} // namespace memformer::host

#endif
