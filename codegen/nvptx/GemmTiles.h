// What products on tensor cores share: how blocks are chosen, and the way of their sums to the
// epilogue.

#ifndef MEMFORMER_CODEGEN_NVPTX_GEMMTILES_H
#define MEMFORMER_CODEGEN_NVPTX_GEMMTILES_H

#include "codegen/nvptx/GemmBlock.h"

namespace memformer::nvptx {

/// The sums of a warp: tiles of 16 rows and 8 columns, 4 sums of each, as mma.sync has them.
struct GemmTiles {
  int64_t rows, columns; // of the block
  mlir::Value warpRow, warpColumn;
  int64_t warpRows, warpColumns;

  int64_t tilesOfRows() const { return warpRows / 16; }
  int64_t tilesOfColumns() const { return warpColumns / 8; }
  /// The epilogue's pieces of rows, entries of a row of one in shared memory, and its bytes.
  int64_t pieceRows() const { return std::min<int64_t>(rows, 64); }
  int64_t pitch() const { return columns + 8; }
  int64_t stagedBytes() const { return 4 * pieceRows() * pitch(); }
};

/// Runs the epilogue on sums that go through shared memory from `begin` on, a piece of rows at a
/// time.
void finishTiles(Emit &e, GemmBlock &block, const GemmTiles &tiles, mlir::ValueRange sums,
                 int64_t begin);

/// The choice of blocks, of `rows`, `columns` and `efficiency`, that takes the least time.
template <typename Choices>
const auto &leastTime(const Choices &choices, const GemmShape &shape, const GpuTarget &target) {
  auto timeOf = [&](const auto &choice) {
    int64_t blocks = ((shape.m + choice.rows - 1) / choice.rows) *
                     ((shape.n + choice.columns - 1) / choice.columns);
    int64_t rounds = (blocks + target.multiprocessors - 1) / target.multiprocessors;
    return double(rounds * choice.rows * choice.columns) / choice.efficiency;
  };
  return *std::min_element(
      std::begin(choices), std::end(choices),
      [&](const auto &one, const auto &other) { return timeOf(one) < timeOf(other); });
}

} // namespace memformer::nvptx

#endif
