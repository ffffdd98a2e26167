// What attention and its gradient share: heads, blocks of queries and keys, scores.

#ifndef MEMFORMER_CODEGEN_NVPTX_ATTENTIONBLOCK_H
#define MEMFORMER_CODEGEN_NVPTX_ATTENTIONBLOCK_H

#include "codegen/nvptx/Emitter.h"
#include "codegen/nvptx/Tiles.h"

namespace memformer::nvptx {

/// Queries [batch, queries, heads · width] and keys [batch, keys, heads · width]; head h owns the
/// columns from h · width.
struct AttentionShape {
  AttentionShape(const Buffer &query, const Buffer &key, int64_t heads);

  int64_t batch, heads, queries, keys, width;

  int64_t rowStride() const { return heads * width; }
  /// Keys that come before the first query's own where attention is causal.
  int64_t before() const { return keys - queries; }
};

/// Reports shapes that no kernel is built for: empty ones.
mlir::LogicalResult checkAttention(mlir::Operation *op, const AttentionShape &shape);

/// One head of a tensor [batch, length, heads · width] as a matrix [length, width].
struct Head {
  Buffer buffer;
  int64_t stride = 0, length = 0, width = 0;
  /// Whether tiles have its rows less the first. Probabilities sum to 1: of values, any row may be
  /// subtracted before the sums and added to them, and the scores' gradients p (g·v − g·o) do not
  /// depend on it. Where rows are alike, as those of a memory that has seen little, what rounding
  /// leaves of that difference adds up over all of them; less the first, they are zero.
  bool isShifted = false;

  Head() = default;
  Head(Emit &e, const AttentionShape &shape, const Buffer &tensor, int64_t length,
       mlir::Value batch, mlir::Value head);
  /// Vectors of 4 entries may be loaded at multiples of 4.
  bool inVectors() const;
  mlir::Value at(Emit &e, mlir::Value row, mlir::Value column) const;
  /// The entry, rounded to a type where there is one.
  mlir::Value load(Emit &e, mlir::Value row, mlir::Value column, mlir::Type rounding) const;
};

/// One head of each tensor of an attention's gradient; `self…` where there is a self column,
/// `relative…` where scores depend on distances.
struct GradientHeads {
  Head gradient, query, key, value, result, selfKey, selfValue, relativeQuery, relativeKey;
  Head queryGradient, keyGradient, valueGradient, selfKeyGradient, selfValueGradient;
  Head relativeQueryGradient, relativeKeyGradient;

protected:
  void takeHeads(Emit &e, const AttentionShape &shape, kernel::AttentionGradientOp op,
                 const KernelArguments &arguments, mlir::Value batch, mlir::Value head);
};

/// How a head is worked on: blocks of queries and of keys, and columns in chunks, one where a
/// head's rows fit into shared memory.
struct AttentionPlan {
  static constexpr int64_t threads = 256, grid = 16;

  int64_t queries, keys;
  /// Columns of a chunk: a multiple of 4, and of 16 · `ownColumns`.
  int64_t chunk, chunks, ownColumns;

  /// `tilesOfQueries` and `tilesOfKeys` [rows, chunk] are in shared memory at a time, and `squares`
  /// [queries, keys].
  AttentionPlan(const GpuTarget &target, const AttentionShape &shape, int64_t tilesOfQueries,
                int64_t tilesOfKeys, int64_t squares);

  int64_t pitch() const { return chunk + 4; }
  int64_t squarePitch() const { return keys + 4; }
  int64_t blocksOfQueries(const AttentionShape &shape) const {
    return (shape.queries + queries - 1) / queries;
  }
  int64_t blocksOfKeys(const AttentionShape &shape) const { return (shape.keys + keys - 1) / keys; }
  /// Scores, and what is summed for each query or for each key.
  BlockTile square() const { return {queries, keys, queries / grid, keys / grid, true}; }
  BlockTile rowsOfQueries() const { return {queries, chunk, queries / grid, ownColumns, true}; }
  BlockTile rowsOfKeys() const { return {keys, chunk, keys / grid, ownColumns, true}; }
  /// Lanes that share a query where scores become probabilities.
  int64_t lanesOfQuery() const { return threads / queries; }
  /// Whether those are the threads that have the query's row of the products too: what is known of
  /// a query then stays in their registers, scores included.
  bool staysWithThread() const { return queries == grid; }
};

/// Rows [first, first + rows), counted modulo 2³², of a chunk of a head to shared memory,
/// less the first row where the head is shifted, multiplied by `factor`; rows beyond the last
/// repeat it, columns beyond the width are zero.
/// `rounding`: to that first, where there is one.
void loadTile(Emit &e, const AttentionPlan &plan, const Head &head, mlir::Value first, int64_t rows,
              int64_t chunk, const Buffer &target, mlir::Type rounding, float factor = 1);

/// Keys below this are all that `count` queries from the first on see.
mlir::Value endOfKeys(Emit &e, const AttentionShape &shape, bool causal, mlir::Value first,
                      int64_t count);
/// The first query that sees a key.
mlir::Value firstQueryOf(Emit &e, const AttentionShape &shape, bool causal, mlir::Value key);
/// Whether a query sees a key, both counted in the head: i1.
mlir::Value emitVisible(Emit &e, const AttentionShape &shape, bool causal, mlir::Value query,
                        mlir::Value key);

/// The dropout of an attention's probabilities, entries being numbered as in [B, H, Lq, Lk].
class ProbabilityDropout {
public:
  ProbabilityDropout(Emit &e, const AttentionShape &shape, const Buffer *key, double probability);

  explicit operator bool() const { return probability > 0; }
  /// x times the scale where the entry is kept, else 0. `pair` is batch · heads + head.
  mlir::Value apply(Emit &e, mlir::Value x, mlir::Value pair, mlir::Value query, mlir::Value key);
  mlir::Value keep(Emit &e, mlir::Value pair, mlir::Value query, mlir::Value key);
  float scale() const;

private:
  const AttentionShape &shape;
  double probability;
  mlir::Value key0, key1;
};

} // namespace memformer::nvptx

#endif
