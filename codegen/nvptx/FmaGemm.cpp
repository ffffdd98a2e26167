// kernel.gemm with f32 multiply-adds: exact products, summed in ascending order.

#include "codegen/nvptx/GemmBlock.h"
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
  int64_t threads = tile.threads(), depth = choice.depth;
  e.setThreads(threads);
  GemmBlock block(e, op, arguments, tile.rows, tile.columns);
  const GemmShape &shape = block.shape;
  block.prepare();

  // A and B of a step, both with k in rows; the sums take their place at the end.
  constexpr int64_t padding = 4;
  int64_t pitchA = tile.rows + padding, pitchB = tile.columns + padding;
  int64_t begin = e.sharedBytes();
  Buffer sharedA = e.shared(depth * pitchA), sharedB = e.shared(depth * pitchB);

  // Neighbouring threads read neighbouring entries.
  int64_t countA = tile.rows * depth / threads, countB = tile.columns * depth / threads;
  auto placeOfA = [&](int64_t i) {
    Value entry = e.addIndex(e.thread(), i * threads);
    int64_t inner = shape.transposeA ? tile.rows : depth;
    Value x = e.remIndex(entry, inner), y = e.divIndex(entry, inner);
    return shape.transposeA ? std::pair(x, y) : std::pair(y, x); // row, k
  };
  auto placeOfB = [&](int64_t i) {
    Value entry = e.addIndex(e.thread(), i * threads);
    return std::pair(e.divIndex(entry, tile.columns), e.remIndex(entry, tile.columns)); // k, column
  };
  auto fetch = [&](Value k) {
    Emit::Carried values;
    for (int64_t i = 0; i < countA; ++i) {
      auto [row, depthOf] = placeOfA(i);
      values.push_back(block.entryOfA(row, e.addIndex(k, depthOf)));
    }
    for (int64_t i = 0; i < countB; ++i) {
      auto [depthOf, column] = placeOfB(i);
      values.push_back(block.entryOfB(e.addIndex(k, depthOf), column));
    }
    return values;
  };
  auto keep = [&](ValueRange values) {
    auto factor = [&](Value x, const Buffer &from) {
      return shape.rounds && !from.isNarrow() ? e.rounded(x) : x;
    };
    for (int64_t i = 0; i < countA; ++i) {
      auto [row, k] = placeOfA(i);
      e.store(factor(values[i], block.a), sharedA, e.at(k, pitchA, row));
    }
    for (int64_t i = 0; i < countB; ++i) {
      auto [k, column] = placeOfB(i);
      e.store(factor(values[countA + i], block.b), sharedB, e.at(k, pitchB, column));
    }
  };

  Emit::Carried carried = tile.zeros(e);
  llvm::append_range(carried, fetch(e.index(0)));
  carried = e.loop(e.index(0), e.index(shape.k), depth, carried, [&](Value k, ValueRange values) {
    keep(values.drop_front(tile.own()));
    e.barrier();
    // What the next step needs is on its way while this one multiplies.
    Emit::Carried next = fetch(e.addIndex(k, depth));
    Emit::Carried sums =
        tile.multiply(e, {sharedA, pitchA, /*depthOuter=*/true}, {sharedB, pitchB, true}, depth,
                      values.take_front(tile.own()));
    e.barrier();
    llvm::append_range(sums, next);
    return sums;
  });

  int64_t pieceRows = std::min<int64_t>(tile.rows, 64);
  Buffer sums = e.sharedAt(begin, pieceRows * pitchB, {});
  for (int64_t piece = 0; piece < tile.rows; piece += pieceRows) {
    if (piece > 0)
      e.barrier();
    Value mine = tile.row(e, 0);
    auto keepSums = [&] {
      tile.forEach(e, [&](int64_t i, Value row, Value column) {
        e.store(carried[i], sums, e.at(e.sub(row, e.index(piece)), pitchB, column));
      });
    };
    if (pieceRows == tile.rows)
      keepSums();
    else
      e.ifThen(e.compareInt(arith::CmpIPredicate::eq, e.divIndex(mine, pieceRows),
                            e.index(piece / pieceRows)),
               keepSums);
    e.barrier();
    block.finish(sums, pitchB, piece, pieceRows);
  }
  return block.isSupported() ? FailureOr<int64_t>(block.grid()) : FailureOr<int64_t>(failure());
}

} // namespace memformer::nvptx
