// The way of sums from tensor cores to the epilogue.

#include "codegen/nvptx/GemmTiles.h"

using namespace mlir;

namespace memformer::nvptx {

void finishTiles(Emit &e, GemmBlock &block, const GemmTiles &tiles, ValueRange sums,
                 int64_t begin) {
  int64_t pieceRows = tiles.pieceRows();
  Buffer staged = e.sharedAt(begin, pieceRows * tiles.pitch(), {});
  Value lane = e.lane();
  for (int64_t piece = 0; piece < tiles.rows; piece += pieceRows) {
    if (piece > 0)
      e.barrier();
    auto store = [&] {
      Value row = e.addIndex(e.remIndex(tiles.warpRow, pieceRows), e.divIndex(lane, 4));
      Value column = e.addIndex(tiles.warpColumn, e.mulIndex(e.remIndex(lane, 4), 2));
      for (int64_t i = 0; i < tiles.tilesOfRows(); ++i)
        for (int64_t j = 0; j < tiles.tilesOfColumns(); ++j)
          for (int64_t half = 0; half < 2; ++half) {
            int64_t first = (i * tiles.tilesOfColumns() + j) * 4 + half * 2;
            Value at =
                e.at(e.addIndex(row, i * 16 + half * 8), tiles.pitch(), e.addIndex(column, j * 8));
            e.storeVector(sums.slice(size_t(first), 2), staged, at);
          }
    };
    if (pieceRows == tiles.rows)
      store();
    else
      e.ifThen(e.compareInt(arith::CmpIPredicate::eq, e.divIndex(tiles.warpRow, pieceRows),
                            e.index(piece / pieceRows)),
               store);
    block.finish(staged, tiles.pitch(), piece, pieceRows);
  }
}

} // namespace memformer::nvptx
