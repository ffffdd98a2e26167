// Tiles of bf16 or f16 in shared memory, and the fragments of them that tensor cores multiply.

#ifndef MEMFORMER_CODEGEN_NVPTX_NARROWTILE_H
#define MEMFORMER_CODEGEN_NVPTX_NARROWTILE_H

#include "codegen/nvptx/AttentionBlock.h"

namespace memformer::nvptx {

/// What a fragment is of a tile: A, or B of two neighbouring products, whose depth runs along the
/// tile's rows or across them.
enum class Fragment {
  A,           // tile [row, depth]
  ATransposed, // tile [depth, row]
  B,           // tile [column, depth]
  BTransposed, // tile [depth, column]
};

/// `slots` tiles [rows, columns] of a type of 16 bits, both multiples of 16. Rows are padded so
/// that eight of them, 16 bytes each, lie in different banks.
class NarrowTile {
public:
  NarrowTile() = default;
  NarrowTile(Emit &e, mlir::Type type, int64_t rows, int64_t columns, int64_t slots = 1);

  static int64_t bytes(int64_t rows, int64_t columns) { return rows * pitchOf(columns) * 4; }

  /// Rows [first, first + rows) of a head, rounded; zeros beyond its last row and column. Call with
  /// all threads of the block.
  void fill(Emit &e, mlir::Value slot, const Head &head, mlir::Value first) const;
  /// Whether `fill` leaves copies under way, to be committed and waited for.
  static bool isAsync(Emit &e, const Head &head);
  /// Four words of the 16 × 16 entries from (row + firstRow, column + across), an even column: A as
  /// mma.sync.m16n8k16 takes it, or B of two products, eight columns of each.
  llvm::SmallVector<mlir::Value> fragment(Emit &e, mlir::Value slot, Fragment form, mlir::Value row,
                                          int64_t firstRow, int64_t column,
                                          mlir::Value across = {}) const;
  /// Stores entries (row, column) and (row, column + 1), column even.
  void storePair(Emit &e, mlir::Value row, mlir::Value column, mlir::Value word) const;

  int64_t rows = 0, columns = 0;

private:
  static int64_t pitchOf(int64_t columns) { return columns / 2 + 4; }

  mlir::Type type;
  Buffer words; // i32
  int64_t pitch = 0;
};

/// The part of a result [16, 8 · n] that a thread has: of tile j the entries (g, 8 j + 2 t), (g,
/// 8 j + 2 t + 1) and those of row g + 8, where g = lane / 4 and t = lane mod 4. Lanes of equal g
/// are a quad.
struct QuadPlace {
  explicit QuadPlace(Emit &e);

  mlir::Value row, column; // g, 2 t
  mlir::Value isFirst;     // t = 0
};

/// A of 16 × 16 from the sums of two neighbouring products [16, 8], rounded.
llvm::SmallVector<mlir::Value> fragmentOfSums(Emit &e, mlir::Type type, mlir::ValueRange sums);

/// sums[j] += A B for the columns of a pair of products: 8 values of `sums` from `first` on.
void multiplyPair(Emit &e, mlir::Type type, mlir::ValueRange a, mlir::ValueRange b,
                  llvm::MutableArrayRef<mlir::Value> sums);

/// Entries (row, column) and (row, column + 1) of a head, column even and `first` + an even Value;
/// zero from the head's width on. The row is inside.
std::pair<mlir::Value, mlir::Value> loadPair(Emit &e, const Head &head, mlir::Value row,
                                             mlir::Value column);
/// Stores those that are inside.
void storePair(Emit &e, const Head &head, mlir::Value row, mlir::Value column, mlir::Value x,
               mlir::Value y);

/// Columns of a head on tensor cores; heads beyond the limits are multiplied in f32.
inline int64_t tensorColumns(const AttentionShape &shape) { return (shape.width + 15) / 16 * 16; }
bool fitsTensorCores(const Emit &e, mlir::Type type, const AttentionShape &shape);

/// The forms of attention with `operands bf16` or `f16` for heads that fit.
int64_t emitMmaAttention(Emit &e, kernel::AttentionOp op, const KernelArguments &arguments);
int64_t emitMmaAttentionGradient(Emit &e, kernel::AttentionGradientOp op,
                                 const KernelArguments &arguments);

} // namespace memformer::nvptx

#endif
