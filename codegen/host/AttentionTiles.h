// What attention, its gradient and its weights share: heads, panels of queries, scores.

#ifndef MEMFORMER_CODEGEN_HOST_ATTENTIONTILES_H
#define MEMFORMER_CODEGEN_HOST_ATTENTIONTILES_H

#include "codegen/host/TileGemm.h"

namespace memformer::host {

/// Queries [batch, queries, heads · width] and keys [batch, keys, heads · width]; head h owns the
/// columns from h · width.
struct AttentionShape {
  AttentionShape(mlir::Value query, mlir::Value key, int64_t heads);

  int64_t batch, heads, queries, keys, width;

  int64_t rowStride() const { return heads * width; }
  /// Keys that come before the first query's own where attention is causal.
  int64_t before() const { return keys - queries; }
};

/// Reports shapes that no kernel is built for: empty ones, and heads too wide for scratch.
mlir::LogicalResult checkAttention(mlir::Operation *op, const AttentionShape &shape);

/// One head of a tensor [batch, length, heads · width] as a matrix [length, width].
Matrix headOf(Emit &e, const AttentionShape &shape, mlir::Value tensor, int64_t length,
              mlir::Value batch, mlir::Value head);

/// Queries are worked on in panels of a few vectors, one query in each lane: what belongs to a
/// query is then a lane, and softmax reduces nothing across lanes. A panel of a head is stored
/// transposed: [width, pitch]. Lanes beyond the last query repeat it, so that they compute what it
/// computes and may be stored in its place: one code serves every panel.
struct QueryPanel {
  mlir::Value first;
  /// Queries in all, and lanes of the panel.
  int64_t length;
  Strip lanes;

  int64_t vectors() const { return lanes.vectors(); }
  int64_t pitch() const { return lanes.columns; }
  /// The query in a lane; the queries in the lanes of vector v, as i32; the number of queries.
  mlir::Value query(Emit &e, mlir::Value lane) const;
  mlir::Value queries(Emit &e, int64_t v) const;
  mlir::Value count(Emit &e) const;
  /// Vector v of row c of a transposed panel in a flat scratch.
  mlir::Value load(Emit &e, mlir::Value scratch, mlir::Value row, int64_t v) const;
  void store(Emit &e, mlir::Value vector, mlir::Value scratch, mlir::Value row, int64_t v) const;
};

/// The panels of a length of queries, of at most so many vectors each.
struct QueryPanels {
  QueryPanels(const HostTarget &target, int64_t length, int64_t vectors = 2);

  int64_t length;
  Strip lanes;

  int64_t pitch() const { return lanes.columns; }
  int64_t vectors() const { return lanes.vectors(); }
  int64_t count() const { return (length + pitch() - 1) / pitch(); }
  QueryPanel panel(Emit &e, mlir::Value index) const;
};

/// Rows of a head's matrix, from the panel's first query, into scratch [width, pitch], multiplied
/// by `factor`; and the way back.
void loadTransposed(Emit &e, const AttentionShape &shape, const QueryPanel &panel,
                    const Matrix &rows, mlir::Value scratch, float factor = 1);
void storeTransposed(Emit &e, const AttentionShape &shape, const QueryPanel &panel,
                     mlir::Value scratch, const Matrix &rows);
/// target[c] = factors · source[c], each query by its lane of the vectors `factors`.
void multiplyLanes(Emit &e, const AttentionShape &shape, const QueryPanel &panel,
                   llvm::ArrayRef<mlir::Value> factors, mlir::Value source, mlir::Value target);

/// The panel's entries of lse [B, H, Lq], through scratch [pitch].
llvm::SmallVector<mlir::Value> loadLogs(Emit &e, const AttentionShape &shape,
                                        const QueryPanel &panel, mlir::Value lse, mlir::Value batch,
                                        mlir::Value head, mlir::Value scratch);
void storeLogs(Emit &e, const AttentionShape &shape, const QueryPanel &panel, mlir::Value lse,
               mlir::Value batch, mlir::Value head, mlir::Value scratch,
               llvm::ArrayRef<mlir::Value> values);

/// Keys are worked on in blocks of tiles.
struct KeyBlocks {
  KeyBlocks(const HostTarget &target, int64_t keys, int64_t vectors);

  int64_t keys;
  RowTiles tiles;
  int64_t tilesPerBlock;

  int64_t count() const { return (tiles.count + tilesPerBlock - 1) / tilesPerBlock; }
  int64_t rows() const { return tiles.mostRows(tilesPerBlock); }
  int64_t paddedRows(int64_t lanes) const { return (rows() + lanes - 1) / lanes * lanes; }
  /// The tile after the last; with `causal` after the last that some query of the panel sees.
  mlir::Value end(Emit &e, const QueryPanel &panel, bool causal) const;
  /// `body(first tile, last tile, first key, keys)` for each block, in ascending order, carrying
  /// values; up to `end`.
  Emit::Carried forEach(Emit &e, const QueryPanel &panel, bool causal, mlir::ValueRange init,
                        llvm::function_ref<Emit::Carried(mlir::Value, mlir::Value, mlir::Value,
                                                         mlir::Value, mlir::ValueRange)>
                            body) const;
};

/// Products of keys (rows of `keys`) and the panel's transposed queries, for a block: scratch
/// [key − first key, pitch].
void emitScores(Emit &e, const AttentionShape &shape, const QueryPanel &panel,
                const KeyBlocks &blocks, mlir::Value firstTile, mlir::Value lastTile,
                mlir::Value firstKey, const Matrix &keys, mlir::Value transposed,
                mlir::Value scores);

/// In what panels the scores of a head cost least: lanes of a vector, vectors of a panel.
struct PanelVectors {
  int64_t lanes, vectors;
};
PanelVectors choosePanels(const HostTarget &target, const AttentionShape &shape, bool causal);

/// Σ over c of x[c] · y[c] for each query, of two transposed panels.
llvm::SmallVector<mlir::Value> emitLaneProducts(Emit &e, const AttentionShape &shape,
                                                const QueryPanel &panel, mlir::Value x,
                                                mlir::Value y);

/// Whether a query of vector v sees `key`: vector of i1.
mlir::Value emitVisible(Emit &e, const AttentionShape &shape, const QueryPanel &panel, int64_t v,
                        mlir::Value key);

/// target[c, i] += Σ over `depth` rows of `weights` of a(c, j) · weights(j, i), for the columns c
/// of a head and the queries i of a panel, which are in lanes.
void emitAddToPanel(Emit &e, const AttentionShape &shape, const QueryPanel &panel, const Matrix &a,
                    const Matrix &weights, mlir::Value depth, mlir::Value target);
/// The columns of a head in strips as wide as a panel: `body(first column, strip)`.
void forEachStrip(Emit &e, const AttentionShape &shape, int64_t pitch,
                  llvm::function_ref<void(mlir::Value, const Strip &)> body);
/// target[row + i, column + j] += Σ over k in [0, depth) of a(i, k) · b(k, j), for i < rows and the
/// columns j of a strip.
void emitAddTile(Emit &e, int64_t rows, const Strip &strip, const Matrix &a, const Matrix &b,
                 mlir::Value depth, const Matrix &target, mlir::Value row, mlir::Value column);

/// The dropout of an attention's probabilities, entries being numbered as in [B, H, Lq, Lk].
class ProbabilityDropout {
public:
  ProbabilityDropout(Emit &e, const AttentionShape &shape, mlir::Value key, double probability);

  explicit operator bool() const { return probability > 0; }
  /// For the panel: call before `keep`, outside of loops over keys.
  void begin(Emit &e, const QueryPanel &panel, mlir::Value batch, mlir::Value head);
  mlir::Value keep(Emit &e, int64_t v, mlir::Value key);
  float scale() const;

private:
  const AttentionShape &shape;
  double probability;
  mlir::Value key0, key1;
  /// The entry of key 0, for each query.
  llvm::SmallVector<mlir::Value> firstEntries;
};

} // namespace memformer::host

#endif
