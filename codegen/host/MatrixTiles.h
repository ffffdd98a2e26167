// Tile registers, which multiply matrices of bf16: AMX's, or memory in their place.

#ifndef MEMFORMER_CODEGEN_HOST_MATRIXTILES_H
#define MEMFORMER_CODEGEN_HOST_MATRIXTILES_H

#include "codegen/host/TileGemm.h"

namespace memformer::host {

/// Rows of a tile register, its columns of four bytes, and the entries of bf16 in one of its rows.
inline constexpr int64_t registerRows = 16, registerColumns = 16, registerDepth = 32;
/// Rows of C that are computed together: the sums of 2 × 2 registers.
inline constexpr int64_t tileRowsTogether = 2 * registerRows;

/// Eight registers, by number. They have no values of their own in the IR: what uses them stays in
/// the order in which it is built.
class TileRegisters {
public:
  /// Rows, and columns of four bytes: a sum, or a pair of entries.
  struct Shape {
    int64_t rows = 0, columns = 0;
  };

  /// Allocates: build it outside of loops.
  explicit TileRegisters(Emit &e);

  /// Gives each register its shape, and zeroes all.
  void configure(llvm::ArrayRef<Shape> shapes);
  void zero(unsigned number);
  /// Rows begin at `offset` and every `stride` entries on, in a buffer of bf16 or, for sums, f32.
  void load(unsigned number, mlir::Value buffer, mlir::Value offset, int64_t stride);
  void store(unsigned number, mlir::Value buffer, mlir::Value offset, int64_t stride);
  /// sums[i, j] += Σ_p a[i, p] · b[p, j] over pairs p: the products of first entries and those of
  /// second ones are two chains of fma in ascending p, which are added to each other, then to the
  /// sum. As many rows of b as columns of a.
  void multiply(unsigned sums, unsigned a, unsigned b);
  /// To be called at the end: without it the CPU goes on keeping the registers.
  void release();

private:
  Emit &e;
  llvm::SmallVector<Shape> shapes;
  /// What ldtilecfg reads; or, emulated, the registers [8, 16, 16], as pairs and as sums.
  mlir::Value configuration, pairs, sums;
};

/// Factors of `chunks` · 32 k: A by rows of bf16, B as pairs (PairGemm.h).
struct TileFactors {
  Matrix a, b;
  mlir::Value chunks;
};

/// The registers of a block of `rows` ≤ 32 by `columns` ≤ 32 of C.
class TileBlock {
public:
  /// `loaded` columns of B can be read, and of the sums written.
  TileBlock(TileRegisters &registers, int64_t rows, int64_t loaded)
      : registers(registers), rows(rows), loaded(loaded) {}

  void configure();
  /// Writes to `result` what the factors, one after the other, add to zero or, with `continued`, to
  /// what is there. Its rows are written to a multiple of 16 columns from `columns` on.
  void multiply(Emit &e, int64_t columns, llvm::ArrayRef<TileFactors> factors, const Matrix &result,
                bool continued);

private:
  int64_t rowsOf(int64_t i) const {
    return std::clamp<int64_t>(rows - i * registerRows, 0, registerRows);
  }
  int64_t columnsOf(int64_t j) const {
    return std::clamp<int64_t>(loaded - j * registerColumns, 0, registerColumns);
  }

  TileRegisters &registers;
  int64_t rows, loaded;
};

/// Columns [begin, end) of `from`, of which it has the rows [k, k + depth), as rows of bf16 of
/// `to`, from row 0 on; whatever vector they end in. `odd`: what `depth` may be beyond a multiple
/// of two vectors.
void copyTransposedInPairs(Emit &e, const Matrix &from, mlir::Value k, mlir::Value depth,
                           int64_t odd, mlir::Value begin, mlir::Value end, const Matrix &to);

} // namespace memformer::host

#endif
