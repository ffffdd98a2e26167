// kernel.attention_gradient of bf16 or f16 on tensor cores: a warp has 16 keys or 16 queries.

#ifndef MEMFORMER_CODEGEN_NVPTX_MMAATTENTIONGRADIENT_H
#define MEMFORMER_CODEGEN_NVPTX_MMAATTENTIONGRADIENT_H

#include "codegen/nvptx/NarrowTile.h"

namespace memformer::nvptx {

/// How a head is divided: a block has 16 rows (keys or queries) for each warp, and meets the other
/// side a tile at a time.
struct GradientPlan {
  GradientPlan(const AttentionShape &shape, const GpuTarget &target);

  int64_t warps, columns;
  /// Rows of a tile of the other side, and how many of these are multiplied at a time.
  int64_t other, step;
  /// Columns of the gradients of keys and values that are summed at a time.
  int64_t keptColumns;
  /// One block has all keys of a head: it finds the gradients of queries too, from the same scores.
  /// Otherwise blocks of keys come first, then blocks of queries.
  bool inOne;
  /// A warp keeps its rows in registers.
  bool inRegisters;

  /// Tiles of the other side: two where there are several.
  int64_t slots;

  int64_t own() const { return warps * 16; }

private:
  void divide(const AttentionShape &shape, int64_t mostWarps, int64_t mostOther);
  int64_t sharedBytes() const;
};

/// The gradients of keys and values are sums over queries, those of queries sums over keys, each in
/// one order. Both are the same work: with X₀, X₁ the block's keys and values and Y₀, Y₁ the
/// queries and the result's gradients, or the other way round, s = X₀ Y₀ᵀ, g = X₁ Y₁ᵀ, and with
/// p and ds of these dX₀ += ds Y₀ and, for keys alone, dX₁ += p Y₁.
class MmaGradient : GradientHeads {
public:
  MmaGradient(Emit &e, kernel::AttentionGradientOp op, const KernelArguments &arguments);

  int64_t emit();

private:
  /// A warp's rows and its sums: of dX₀ [16, columns], then of dX₁ for keys.
  struct Rows {
    bool ofKeys;
    mlir::Value first; // of the block
    int64_t beginColumn;
    Emit::Carried sums;
    /// Of the thread's two queries, where these are the rows.
    mlir::Value log[2] = {}, delta[2] = {};
  };

  void emitRows(mlir::Value first, bool ofKeys, int64_t beginColumn);
  void fillOther(mlir::Value slot, mlir::Value first, bool ofKeys, bool copies);
  void waitForTiles(bool copies);
  void findSquares(const Rows &rows, mlir::Value firstOther, mlir::Value slot, int64_t at,
                   llvm::SmallVector<mlir::Value> &weights, llvm::SmallVector<mlir::Value> &slopes);
  void meet(Rows &rows, mlir::Value firstOther, mlir::Value slot);
  void addQueries(mlir::Value firstQuery, mlir::Value slot);
  void storeRows(const Head &head, mlir::Value firstRow, int64_t blockRows, int64_t begin,
                 mlir::ValueRange sums);
  void finish(const Rows &rows, int64_t kept);

  // What is known of single queries (MmaAttentionRows.cpp).
  void findStatistics(mlir::Value firstQuery, int64_t count, mlir::Value place, bool withSelf);
  void addSelf(mlir::Value firstRow, mlir::Value place, int64_t begin,
               llvm::SmallVectorImpl<mlir::Value> &sums);

  static int64_t blocks(int64_t length, int64_t size) { return (length + size - 1) / size; }

  Emit &e;
  kernel::AttentionGradientOp op;
  const KernelArguments &arguments;
  mlir::Type type; // to which what is multiplied is rounded
  AttentionShape shape;
  GradientPlan plan;
  ProbabilityDropout dropout;
  float scale;

  mlir::Value pair, warpRow, row, column;
  /// In shared memory: X₀ and X₁; Y₀ and Y₁, two tiles of each where there are several; where one
  /// block has all keys, ds [key, query] of a tile; of each query of a tile −lse in powers of two,
  /// g·o, and the gradient of its own score.
  NarrowTile ownTiles[2], otherTiles[2], square;
  Buffer logs, deltas, selfScores;
  /// A of the warp's rows of X₀ and X₁, for each 16 columns.
  llvm::SmallVector<llvm::SmallVector<mlir::Value>> ownFragments[2];
};

} // namespace memformer::nvptx

#endif
