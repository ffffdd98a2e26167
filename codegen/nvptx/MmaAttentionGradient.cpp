// kernel.attention_gradient of bf16 or f16 on tensor cores: a warp has 16 keys or 16 queries.

#include "codegen/nvptx/MmaAttentionGradient.h"
#include "codegen/nvptx/Math.h"

#include <numbers>

using namespace mlir;

namespace memformer::nvptx {

static int64_t blocksOf(int64_t length, int64_t size) { return (length + size - 1) / size; }

GradientPlan::GradientPlan(const AttentionShape &shape, const GpuTarget &target) {
  columns = tensorColumns(shape);
  // Wide rows leave less room in registers and in shared memory.
  bool isWide = columns > 64, isWidest = columns > 128;
  int64_t mostWarps = isWidest ? 2 : 4, mostOther = isWidest ? 16 : isWide ? 32 : 64;
  divide(shape, mostWarps, mostOther);
  while (sharedBytes() > target.mostSharedBytes && mostWarps > 1) {
    (mostOther > 16 ? mostOther : mostWarps) /= 2;
    divide(shape, mostWarps, mostOther);
  }
  keptColumns = std::min<int64_t>(columns, 128);
  inRegisters = !isWide;
}

void GradientPlan::divide(const AttentionShape &shape, int64_t mostWarps, int64_t mostOther) {
  warps = std::min(mostWarps, blocksOf(std::max(shape.keys, shape.queries), 16));
  inOne = shape.keys <= warps * 16 && columns <= 128;
  other = std::min<int64_t>(mostOther, warps * 16);
  step = columns > 32 ? 16 : std::min<int64_t>(32, other);
  step = other % step == 0 ? step : 16;
  slots = std::max(shape.keys, shape.queries) > other ? 2 : 1;
}

// Of the tiles, and three numbers for each query.
int64_t GradientPlan::sharedBytes() const {
  int64_t rows = 2 * own() + 2 * slots * other, queries = std::max(slots * other, own());
  return NarrowTile::bytes(rows, columns) + (inOne ? NarrowTile::bytes(own(), other) : 0) +
         3 * queries * 4;
}

MmaGradient::MmaGradient(Emit &e, kernel::AttentionGradientOp op, const KernelArguments &arguments)
    : e(e), op(op), arguments(arguments), type(*op.getOperandType()),
      shape(arguments.operands[1], arguments.operands[2], int64_t(op.getHeads())),
      plan(shape, e.target),
      dropout(e, shape, op.getDropoutKey() ? &arguments.operands.back() : nullptr,
              op.getProbability().convertToDouble()),
      scale(float(op.getScale().convertToDouble())) {}

int64_t MmaGradient::emit() {
  e.setThreads(plan.warps * Emit::warp);
  e.keepLoops();
  int64_t ofKeys = blocks(shape.keys, plan.own()), ofQueries = blocks(shape.queries, plan.own());
  int64_t slots = plan.slots;
  for (NarrowTile &tile : ownTiles)
    tile = NarrowTile(e, type, plan.own(), plan.columns);
  for (NarrowTile &tile : otherTiles)
    tile = NarrowTile(e, type, plan.other, plan.columns, slots);
  if (plan.inOne)
    square = NarrowTile(e, type, plan.own(), plan.other);
  int64_t queries = plan.inOne ? slots * plan.other : std::max(slots * plan.other, plan.own());
  logs = e.shared(queries);
  deltas = e.shared(queries);
  if (op.getSelfKey())
    selfScores = e.shared(queries);
  QuadPlace place(e);
  row = place.row;
  column = place.column;
  warpRow = e.mulIndex(e.warpIndex(), 16);

  int64_t blocksOfHead = plan.inOne ? 1 : ofKeys + ofQueries;
  pair = e.divIndex(e.block(), blocksOfHead);
  Value which = e.remIndex(e.block(), blocksOfHead);
  Value batch = e.divIndex(pair, shape.heads), head = e.remIndex(pair, shape.heads);
  takeHeads(e, shape, op, arguments, batch, head);

  auto forKeys = [&](Value block) {
    Value first = e.mulIndex(block, plan.own());
    for (int64_t begin = 0; begin < plan.columns; begin += plan.keptColumns) {
      if (begin > 0 && blocks(shape.queries, plan.other) == 1) // a loop ends with a barrier
        e.barrier();
      emitRows(first, /*ofKeys=*/true, begin);
    }
  };
  if (plan.inOne)
    forKeys(which);
  else
    e.ifThen(
        e.less(which, ofKeys), [&] { forKeys(which); },
        [&] {
          Value block = e.sub(which, e.index(ofKeys));
          emitRows(e.mulIndex(block, plan.own()), /*ofKeys=*/false, 0);
        });
  return shape.batch * shape.heads * blocksOfHead;
}

void MmaGradient::waitForTiles(bool copies) {
  if (copies)
    e.waitForCopies(0);
  e.barrier();
}

// The other side's rows from `first` on, and what is known of queries where these are the rows.
void MmaGradient::fillOther(Value slot, Value first, bool ofKeys, bool copies) {
  otherTiles[0].fill(e, slot, ofKeys ? query : key, first);
  otherTiles[1].fill(e, slot, ofKeys ? gradient : value, first);
  if (copies)
    e.commitCopies();
  if (ofKeys)
    findStatistics(first, plan.other, e.mulIndex(slot, plan.other), /*withSelf=*/plan.inOne);
}

// A block of keys or of queries, and all of the other side that it meets.
void MmaGradient::emitRows(Value first, bool ofKeys, int64_t beginColumn) {
  int64_t length = ofKeys ? shape.queries : shape.keys;
  int64_t tiles = blocks(length, plan.other);
  Value begin = e.index(0), end = e.index(length);
  if (ofKeys && tiles > 1) {
    begin = firstQueryOf(e, shape, op.getCausal(), first);
    begin = e.mulIndex(e.divIndex(begin, plan.other), plan.other);
  }
  if (!ofKeys)
    end = endOfKeys(e, shape, op.getCausal(), first, plan.own());
  auto slotOf = [&](Value of) {
    return tiles == 1 ? e.index(0) : e.remIndex(e.divIndex(of, plan.other), 2);
  };

  auto areCopied = [&](const Head &one, const Head &other) {
    return NarrowTile::isAsync(e, one) || NarrowTile::isAsync(e, other);
  };
  bool copiesOfQueries = areCopied(query, gradient), copiesOfKeys = areCopied(key, value);
  bool copiesAny = copiesOfQueries || copiesOfKeys;
  bool copiesOther = ofKeys ? copiesOfQueries : copiesOfKeys;
  Value zero = e.index(0);
  ownTiles[0].fill(e, zero, ofKeys ? key : query, first);
  ownTiles[1].fill(e, zero, ofKeys ? value : gradient, first);
  fillOther(slotOf(begin), begin, ofKeys, copiesAny);
  if (!ofKeys)
    findStatistics(first, plan.own(), zero, /*withSelf=*/true);
  waitForTiles(copiesAny);
  for (int64_t side = 0; side < 2; ++side) {
    ownFragments[side].clear();
    if (plan.inRegisters)
      for (int64_t k = 0; k < plan.columns; k += 16)
        ownFragments[side].push_back(ownTiles[side].fragment(e, zero, Fragment::A, warpRow, 0, k));
  }

  Rows rows{ofKeys, first, beginColumn, {}};
  int64_t kept = ofKeys ? std::min(plan.keptColumns, plan.columns - beginColumn) : plan.columns;
  rows.sums.assign(size_t((ofKeys ? 2 : 1) * kept / 2), e.real(0));
  if (!ofKeys) {
    for (int64_t half = 0; half < 2; ++half) {
      Value own = e.addIndex(e.addIndex(warpRow, row), half * 8);
      rows.log[half] = e.load(logs, own);
      rows.delta[half] = e.load(deltas, own);
    }
    addSelf(e.addIndex(first, warpRow), warpRow, 0, rows.sums);
  }
  if (tiles == 1) {
    meet(rows, begin, zero);
    finish(rows, kept);
    return;
  }
  rows.sums = e.loop(begin, end, plan.other, rows.sums, [&](Value at, ValueRange carried) {
    rows.sums = Emit::Carried(carried);
    Value slot = slotOf(at), next = e.addIndex(at, plan.other);
    e.ifThen(e.less(next, end),
             [&] { fillOther(e.sub(e.index(1), slot), next, ofKeys, copiesOther); });
    meet(rows, at, slot);
    waitForTiles(copiesOther);
    return rows.sums;
  });
  finish(rows, kept);
}

// Probabilities and the scores' gradients of `step` columns, from `at` of a tile of the other side.
void MmaGradient::findSquares(const Rows &rows, Value firstOther, Value slot, int64_t at,
                              SmallVector<Value> &weights, SmallVector<Value> &slopes) {
  SmallVector<Value> products[2];
  for (int64_t side = 0; side < 2; ++side) {
    products[side].assign(size_t(plan.step / 2), e.real(0));
    for (int64_t k = 0; k < plan.columns; k += 16) {
      SmallVector<Value> a =
          plan.inRegisters ? ownFragments[side][size_t(k / 16)]
                           : ownTiles[side].fragment(e, e.index(0), Fragment::A, warpRow, 0, k);
      for (int64_t j = 0; j < plan.step; j += 16)
        multiplyPair(e, type, a,
                     otherTiles[side].fragment(e, slot, Fragment::B, e.index(0), at + j, k),
                     MutableArrayRef<Value>(products[side]).slice(size_t(j / 2), 8));
    }
  }
  Value exponent = e.real(float(double(scale) * std::numbers::log2e)), zero = e.real(0);
  bool wholeKeys = shape.keys % (rows.ofKeys ? plan.own() : plan.other) == 0;
  bool wholeQueries = shape.queries % (rows.ofKeys ? plan.other : plan.own()) == 0;
  Value firstRow = e.addIndex(e.addIndex(rows.first, warpRow), row);
  for (int64_t j = 0; j < plan.step; j += 8) {
    Value log[2], delta[2];
    if (rows.ofKeys) {
      Value place = e.addIndex(e.addIndex(column, e.mulIndex(slot, plan.other)), at + j);
      llvm::copy(e.loadVector(logs, place, 2), log);
      llvm::copy(e.loadVector(deltas, place, 2), delta);
    }
    for (int64_t i = 0; i < 4; ++i) {
      size_t entry = size_t(j / 2 + i);
      Value own = e.addIndex(firstRow, i / 2 * 8);
      Value met = e.addIndex(e.addIndex(firstOther, column), at + j + i % 2);
      Value k = rows.ofKeys ? own : met, q = rows.ofKeys ? met : own;
      Value ownLog = rows.ofKeys ? log[i % 2] : rows.log[i / 2];
      Value ownDelta = rows.ofKeys ? delta[i % 2] : rows.delta[i / 2];
      Value p = emitExp2(e, e.fma(products[0][entry], exponent, ownLog));
      Value product = products[1][entry], weight = p;
      if (dropout) {
        Value keep = dropout.keep(e, pair, q, k), factor = e.real(dropout.scale());
        product = e.select(keep, e.mul(product, factor), zero);
        weight = e.select(keep, e.mul(p, factor), zero);
      }
      Value slope = e.mul(e.mul(p, e.sub(product, ownDelta)), e.real(scale));
      Value seen;
      auto demand = [&](Value condition) { seen = seen ? e.both(seen, condition) : condition; };
      if (!wholeKeys)
        demand(e.less(k, shape.keys));
      if (!wholeQueries)
        demand(e.less(q, shape.queries));
      if (op.getCausal())
        demand(e.compareInt(arith::CmpIPredicate::ule, k, e.addIndex(q, shape.before())));
      weights.push_back(seen ? e.select(seen, weight, zero) : weight);
      slopes.push_back(seen ? e.select(seen, slope, zero) : slope);
    }
  }
}

// Sums of the block's rows over a tile of the other side.
void MmaGradient::meet(Rows &rows, Value firstOther, Value slot) {
  size_t ofOne = rows.ofKeys ? rows.sums.size() / 2 : rows.sums.size();
  int64_t kept = int64_t(ofOne) * 2;
  for (int64_t at = 0; at < plan.other; at += plan.step) {
    SmallVector<Value> weights, slopes;
    if (!plan.inRegisters && at > 0)
      e.forgetLoads();
    findSquares(rows, firstOther, slot, at, weights, slopes);
    for (int64_t k = 0; k < plan.step; k += 16) {
      SmallVector<Value> a = fragmentOfSums(e, type, ValueRange(slopes).slice(size_t(k / 2), 8));
      auto add = [&](ValueRange factor, const NarrowTile &tile, size_t begin) {
        for (int64_t j = 0; j < kept; j += 16)
          multiplyPair(e, type, factor,
                       tile.fragment(e, slot, Fragment::BTransposed, e.index(0), at + k,
                                     rows.beginColumn + j),
                       MutableArrayRef<Value>(rows.sums).slice(begin + size_t(j / 2), 8));
      };
      add(a, otherTiles[0], 0);
      if (!rows.ofKeys)
        continue;
      add(fragmentOfSums(e, type, ValueRange(weights).slice(size_t(k / 2), 8)), otherTiles[1],
          ofOne);
      if (!plan.inOne)
        continue;
      for (int64_t i = 0; i < 4; ++i) {
        Value line = e.addIndex(e.addIndex(warpRow, row), i % 2 * 8);
        square.storePair(e, line, e.addIndex(column, at + k + i / 2 * 8), a[size_t(i)]);
      }
    }
  }
  if (plan.inOne && rows.ofKeys) {
    e.barrier();
    addQueries(firstOther, slot);
  }
}

// The gradients of a tile's queries, from those of all their scores.
void MmaGradient::addQueries(Value firstQuery, Value slot) {
  constexpr int64_t mostColumns = 64;
  auto body = [&] {
    Value firstRow = e.addIndex(firstQuery, warpRow);
    for (int64_t begin = 0; begin < plan.columns; begin += mostColumns) {
      int64_t count = std::min(mostColumns, plan.columns - begin);
      SmallVector<Value> sums(size_t(count / 2), e.real(0));
      addSelf(firstRow, e.addIndex(e.mulIndex(slot, plan.other), warpRow), begin, sums);
      for (int64_t k = 0; k < plan.own(); k += 16) {
        // The tile is [key, query]: its columns are the product's rows.
        SmallVector<Value> a =
            square.fragment(e, e.index(0), Fragment::ATransposed, e.index(0), k, 0, warpRow);
        for (int64_t j = 0; j < count; j += 16)
          multiplyPair(
              e, type, a,
              ownTiles[0].fragment(e, e.index(0), Fragment::BTransposed, e.index(0), k, begin + j),
              MutableArrayRef<Value>(sums).slice(size_t(j / 2), 8));
      }
      storeRows(queryGradient, firstRow, plan.other, begin, sums);
    }
  };
  if (plan.other == plan.own())
    body();
  else
    e.ifThen(e.less(warpRow, plan.other), body);
}

// Stores the thread's share of 16 rows, one of those that blocks of so many divide a head into, and
// of columns from `begin` on.
void MmaGradient::storeRows(const Head &head, Value firstRow, int64_t blockRows, int64_t begin,
                            ValueRange sums) {
  for (size_t half = 0; half < 2; ++half) {
    Value global = e.addIndex(e.addIndex(firstRow, row), int64_t(half) * 8);
    auto store = [&] {
      for (size_t i = half * 2; i < sums.size(); i += 4)
        storePair(e, head, global, e.addIndex(column, begin + int64_t(i) / 4 * 8), sums[i],
                  sums[i + 1]);
    };
    if (head.length % blockRows == 0)
      store();
    else
      e.ifThen(e.less(global, head.length), store);
  }
}

void MmaGradient::finish(const Rows &rows, int64_t kept) {
  Value firstRow = e.addIndex(rows.first, warpRow);
  ValueRange sums(rows.sums);
  if (!rows.ofKeys) {
    storeRows(queryGradient, firstRow, plan.own(), 0, sums);
    return;
  }
  storeRows(keyGradient, firstRow, plan.own(), rows.beginColumn, sums.take_front(size_t(kept / 2)));
  storeRows(valueGradient, firstRow, plan.own(), rows.beginColumn,
            sums.drop_front(size_t(kept / 2)));
}

int64_t emitMmaAttentionGradient(Emit &e, kernel::AttentionGradientOp op,
                                 const KernelArguments &arguments) {
  return MmaGradient(e, op, arguments).emit();
}

} // namespace memformer::nvptx
