// kernel.gemm with f32 multiply-adds: exact products, summed in ascending order.

#include "codegen/nvptx/GemmStages.h"
#include "codegen/nvptx/Tiles.h"

using namespace mlir;

namespace memformer::nvptx {

namespace {

/// A block tile with how well it uses the multipliers, against the best.
struct Choice {
  BlockTile tile;
  int64_t depth;
  double efficiency;
};

constexpr Choice choices[] = {
    {{128, 128, 8, 8}, 8, 1.0}, {{128, 64, 8, 4}, 8, 0.9},  {{64, 64, 4, 4}, 16, 0.75},
    {{32, 64, 4, 4}, 16, 0.6},  {{32, 32, 2, 4}, 16, 0.45}, {{16, 32, 2, 2}, 32, 0.3},
    {{8, 32, 1, 2}, 32, 0.2},
};

/// The most bytes of sums that have a place of their own, and not that of the factors: too few to
/// cost a multiprocessor a block.
constexpr int64_t mostBytesBeside = 4096;

// The least time: rounds of blocks over the multiprocessors, each as long as a block's products.
// The order of an entry's sum is that of k, whatever is chosen.
const Choice &choose(const GemmShape &shape, const GpuTarget &target) {
  const Choice *best = nullptr;
  double least = 0;
  for (const Choice &choice : choices) {
    int64_t blocks = ((shape.m + choice.tile.rows - 1) / choice.tile.rows) *
                     ((shape.n + choice.tile.columns - 1) / choice.tile.columns);
    int64_t rounds = (blocks + target.multiprocessors - 1) / target.multiprocessors;
    double time = double(rounds * choice.tile.rows * choice.tile.columns) / choice.efficiency;
    if (!best || time < least) {
      best = &choice;
      least = time;
    }
  }
  return *best;
}

} // namespace

FailureOr<int64_t> emitFmaGemm(Emit &e, kernel::GemmOp op, const KernelArguments &arguments) {
  const Choice &choice = choose(GemmShape(op), e.target);
  const BlockTile &tile = choice.tile;
  int64_t depth = choice.depth;
  e.setThreads(tile.threads());
  e.note("multiply-adds");
  GemmBlock block(e, op, arguments, tile.rows, tile.columns);
  const GemmShape &shape = block.shape;
  block.prepare();
  constexpr int64_t padding = 4;
  int64_t pitch = tile.columns + padding;

  GemmStages stages(e, block,
                    {tile.rows, tile.columns, depth, 1, padding, padding, bool(shape.operandType)});
  auto factor = [&](const GemmStages::Stage &stage, Value slot) {
    Buffer step = e.from(stage.buffer, e.mulIndex(slot, stage.size()));
    return SharedFactor{step, stage.pitch, !stage.isDeep};
  };
  int64_t pieceRows = std::min<int64_t>(tile.rows, 64), entries = pieceRows * pitch;
  // Beside the stages, one block's sums are read while the next one's factors are kept.
  bool areBeside = entries * 4 <= mostBytesBeside;
  Emit::Carried carried =
      stages.sum(tile.zeros(e), areBeside ? 0 : entries * 4, [&](Value slot, ValueRange sums) {
        return tile.multiply(e, factor(stages.a, slot), factor(stages.b, slot), depth, sums);
      });

  Buffer sums = areBeside ? e.shared(entries, {}) : e.sharedAt(stages.begin, entries, {});
  for (int64_t piece = 0; piece < tile.rows; piece += pieceRows) {
    if (piece > 0)
      e.barrier();
    Value mine = tile.row(e, 0);
    auto keepSums = [&] {
      tile.forEach(e, [&](int64_t i, Value row, Value column) {
        e.store(carried[i], sums, e.at(e.sub(row, e.index(piece)), pitch, column));
      });
    };
    if (pieceRows == tile.rows)
      keepSums();
    else
      e.ifThen(e.compareInt(arith::CmpIPredicate::eq, e.divIndex(mine, pieceRows),
                            e.index(piece / pieceRows)),
               keepSums);
    block.finish(sums, pitch, piece, pieceRows);
  }
  return block.isSupported() ? FailureOr<int64_t>(block.grid()) : FailureOr<int64_t>(failure());
}

} // namespace memformer::nvptx
