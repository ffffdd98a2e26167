// kernel.attention of bf16 or f16 on tensor cores: a warp has 16 queries, scores stay in its
// registers.

#include "codegen/nvptx/Emitters.h"
#include "codegen/nvptx/Math.h"
#include "codegen/nvptx/NarrowTile.h"
#include "codegen/nvptx/RowNorms.h"

#include <limits>
#include <numbers>

using namespace mlir;

namespace memformer::nvptx {

namespace {

class MmaAttention {
public:
  MmaAttention(Emit &e, kernel::AttentionOp op, const KernelArguments &arguments);

  int64_t emit();

private:
  /// Of each of the thread's two rows, g and g + 8: the largest score so far, which the four lanes
  /// of a quad have, and this lane's part of the sum of 2^(score − largest).
  struct Softmax {
    Value largest[2], sum[2];
  };
  /// Values that a loop over keys carries: the sums of weighted values, then the softmax.
  struct State {
    SmallVector<Value> sums;
    Softmax softmax;

    Emit::Carried list() const;
    static State from(ValueRange values);
  };

  void emitHead(Value batch, Value head);
  void fillKeys(Value slot, Value firstKey, bool copies);
  void waitForTiles(bool copies);
  SmallVector<Value> queryFragment(int64_t k);
  State begin();
  State update(Value firstKey, Value slot, State state, bool isOnly);
  void mask(MutableArrayRef<Value> scores, Value firstKey);
  void finish(State state);
  void normalizeRows(Value batch);
  bool isSelf() { return bool(op.getSelfKey()); }

  Emit &e;
  kernel::AttentionOp op;
  const KernelArguments &arguments;
  Type type; // to which what is multiplied is rounded
  AttentionShape shape;
  ProbabilityDropout dropout;
  float factor; // of scores, which become powers of two
  int64_t warps, columns, keysOfTile, tilesOfKeys;

  NarrowTile queryTile, keyTile, valueTile;
  Head query, key, value, selfKey, selfValue, result;
  const Buffer *bias = nullptr;
  Value firstQuery, warpRow, pair;
  /// The thread's two rows, counted in the head, and where entries lie in a result of 8 columns.
  Value rows[2], column, isFirstLane;
  /// A of the warp's queries, for each 16 columns; empty where heads are too wide for registers.
  SmallVector<SmallVector<Value>> queryFragments;
};

MmaAttention::MmaAttention(Emit &e, kernel::AttentionOp op, const KernelArguments &arguments)
    : e(e), op(op), arguments(arguments), type(*op.getOperandType()),
      shape(arguments.operands[0], arguments.operands[1], int64_t(op.getHeads())),
      dropout(e, shape, op.getDropoutKey() ? &arguments.operands.back() : nullptr,
              op.getProbability().convertToDouble()),
      factor(float(op.getScale().convertToDouble() * std::numbers::log2e)),
      columns(tensorColumns(shape)) {
  constexpr int64_t mostWarps = 4, mostKeys = 64, mostColumns = 64;
  warps = std::min(mostWarps, (shape.queries + 15) / 16);
  keysOfTile =
      std::min(columns > mostColumns ? mostKeys / 2 : mostKeys, (shape.keys + 15) / 16 * 16);
  auto sharedBytes = [&] {
    int64_t slots = shape.keys > keysOfTile ? 2 : 1;
    return NarrowTile::bytes(warps * 16 + 2 * slots * keysOfTile, columns);
  };
  while (sharedBytes() > e.target.mostSharedBytes && warps > 1)
    if (keysOfTile > 16)
      keysOfTile = std::max<int64_t>(keysOfTile / 32 * 16, 16);
    else
      warps /= 2;
  tilesOfKeys = (shape.keys + keysOfTile - 1) / keysOfTile;
  if (op.getBias())
    bias = &arguments.operands[op.getSelfKey() ? 5 : 3];
}

Emit::Carried MmaAttention::State::list() const {
  Emit::Carried values(sums);
  for (int64_t half = 0; half < 2; ++half)
    values.append({softmax.largest[half], softmax.sum[half]});
  return values;
}

MmaAttention::State MmaAttention::State::from(ValueRange values) {
  ValueRange last = values.take_back(4);
  return {SmallVector<Value>(values.drop_back(4)), {{last[0], last[2]}, {last[1], last[3]}}};
}

int64_t MmaAttention::emit() {
  e.setThreads(warps * Emit::warp);
  e.keepLoops();
  int64_t rowsOfBlock = warps * 16, slots = tilesOfKeys > 1 ? 2 : 1;
  queryTile = NarrowTile(e, type, rowsOfBlock, columns);
  keyTile = NarrowTile(e, type, keysOfTile, columns, slots);
  valueTile = NarrowTile(e, type, keysOfTile, columns, slots);
  QuadPlace place(e);
  column = place.column;
  isFirstLane = place.isFirst;
  warpRow = e.mulIndex(e.warpIndex(), 16);

  int64_t blocks = (shape.queries + rowsOfBlock - 1) / rowsOfBlock;
  firstQuery = e.mulIndex(e.remIndex(e.block(), blocks), rowsOfBlock);
  rows[0] = e.addIndex(firstQuery, e.addIndex(warpRow, place.row));
  rows[1] = e.addIndex(rows[0], 8);
  Value rest = e.divIndex(e.block(), blocks);
  // Rows are normalised by the block that has all of their heads.
  if (op.getNormalize()) {
    e.loop(e.index(0), e.index(shape.heads), 1, [&](Value head) {
      emitHead(rest, head);
      // Tiles are free again, and the results are there.
      e.barrier();
    });
    normalizeRows(rest);
    return shape.batch * blocks;
  }
  emitHead(e.divIndex(rest, shape.heads), e.remIndex(rest, shape.heads));
  return shape.batch * shape.heads * blocks;
}

void MmaAttention::fillKeys(Value slot, Value firstKey, bool copies) {
  keyTile.fill(e, slot, key, firstKey);
  valueTile.fill(e, slot, value, firstKey);
  if (copies)
    e.commitCopies();
}

// All copies have landed, those of the other threads too.
void MmaAttention::waitForTiles(bool copies) {
  if (copies)
    e.waitForCopies(0);
  e.barrier();
}

void MmaAttention::emitHead(Value batch, Value head) {
  auto headOf = [&](const Buffer &tensor, int64_t length) {
    return Head(e, shape, tensor, length, batch, head);
  };
  query = headOf(arguments.operands[0], shape.queries);
  key = headOf(arguments.operands[1], shape.keys);
  value = headOf(arguments.operands[2], shape.keys);
  result = headOf(arguments.results[0], shape.queries);
  if (isSelf()) {
    selfKey = headOf(arguments.operands[3], shape.queries);
    selfValue = headOf(arguments.operands[4], shape.queries);
  }
  pair = e.addIndex(e.mulIndex(batch, shape.heads), head);
  bool copiesKeys = NarrowTile::isAsync(e, key) || NarrowTile::isAsync(e, value);

  Value zero = e.index(0);
  queryTile.fill(e, zero, query, firstQuery);
  bool copies = copiesKeys || NarrowTile::isAsync(e, query);
  fillKeys(zero, zero, copies);
  waitForTiles(copies);
  constexpr int64_t mostInRegisters = 128;
  queryFragments.clear();
  if (columns <= mostInRegisters)
    for (int64_t k = 0; k < columns; k += 16)
      queryFragments.push_back(queryTile.fragment(e, zero, Fragment::A, warpRow, 0, k));

  State state = begin();
  if (tilesOfKeys == 1)
    return finish(update(zero, zero, state, /*isOnly=*/true));
  Value end = endOfKeys(e, shape, op.getCausal(), firstQuery, warps * 16);
  Emit::Carried last =
      e.loop(zero, end, keysOfTile, state.list(), [&](Value firstKey, ValueRange carried) {
        Value slot = e.remIndex(e.divIndex(firstKey, keysOfTile), 2);
        Value next = e.addIndex(firstKey, keysOfTile);
        e.ifThen(e.less(next, end), [&] { fillKeys(e.sub(e.index(1), slot), next, copiesKeys); });
        State now = update(firstKey, slot, State::from(carried), /*isOnly=*/false);
        waitForTiles(copiesKeys);
        return now.list();
      });
  finish(State::from(last));
}

SmallVector<Value> MmaAttention::queryFragment(int64_t k) {
  if (!queryFragments.empty())
    return queryFragments[size_t(k / 16)];
  return queryTile.fragment(e, e.index(0), Fragment::A, warpRow, 0, k);
}

// Before the first key: nothing seen, or the self column, in f32.
MmaAttention::State MmaAttention::begin() {
  State state;
  state.sums.assign(size_t(columns / 2), e.real(0));
  Value nothing = e.real(-std::numeric_limits<float>::infinity());
  state.softmax = {{nothing, nothing}, {e.real(0), e.real(0)}};
  if (!isSelf())
    return state;
  Value global[2], scores[2] = {e.real(0), e.real(0)};
  for (int64_t half = 0; half < 2; ++half)
    global[half] = e.minIndex(rows[half], shape.queries - 1);
  for (int64_t k = 0; k < columns; k += 16) {
    SmallVector<Value> words = queryFragment(k);
    for (int64_t i = 0; i < 4; ++i) {
      auto [q0, q1] = e.entriesOf(words[i], type);
      auto [k0, k1] = loadPair(e, selfKey, global[i % 2], e.addIndex(column, k + i / 2 * 8));
      scores[i % 2] = e.fma(q0, k0, e.fma(q1, k1, scores[i % 2]));
    }
  }
  for (int64_t half = 0; half < 2; ++half) {
    state.softmax.largest[half] = e.mul(e.sumLanes(scores[half], 4), e.real(factor));
    state.softmax.sum[half] = e.select(isFirstLane, e.real(1), e.real(0));
    for (int64_t j = 0; j < columns; j += 8) {
      auto [x, y] = loadPair(e, selfValue, global[half], e.addIndex(column, j));
      state.sums[size_t(j / 2 + half * 2)] = x;
      state.sums[size_t(j / 2 + half * 2 + 1)] = y;
    }
  }
  return state;
}

// Scores of keys that a query does not see.
void MmaAttention::mask(MutableArrayRef<Value> scores, Value firstKey) {
  bool causal = op.getCausal();
  if (!causal && shape.keys % keysOfTile == 0)
    return;
  Value hidden = e.real(-std::numeric_limits<float>::infinity()), limits[2];
  for (int64_t half = 0; half < 2; ++half)
    limits[half] = endOfKeys(e, shape, causal, rows[half], 1);
  Value first = e.addIndex(firstKey, column);
  for (auto [i, score] : llvm::enumerate(scores)) {
    int64_t j = int64_t(i) / 4 * 8 + int64_t(i) % 2;
    score = e.select(e.less(e.addIndex(first, j), limits[i / 2 % 2]), score, hidden);
  }
}

// A tile of keys: scores, the softmax so far, and the values weighted by it.
MmaAttention::State MmaAttention::update(Value firstKey, Value slot, State state, bool isOnly) {
  SmallVector<Value> scores(size_t(keysOfTile / 2), e.real(0));
  for (int64_t k = 0; k < columns; k += 16) {
    SmallVector<Value> a = queryFragment(k);
    for (int64_t j = 0; j < keysOfTile; j += 16)
      multiplyPair(e, type, a, keyTile.fragment(e, slot, Fragment::B, e.index(0), j, k),
                   MutableArrayRef<Value>(scores).slice(size_t(j / 2), 8));
  }
  // The factor is part of the exponent's multiply-add, unless it turns the order of scores round.
  bool isLate = factor > 0;
  Value multiplier = e.real(factor);
  if (!isLate)
    for (Value &score : scores)
      score = e.mul(score, multiplier);
  mask(scores, firstKey);

  Softmax &softmax = state.softmax;
  bool isFirst = isOnly && !isSelf();
  for (size_t half = 0; half < 2; ++half) {
    Value largest = scores[half * 2], sum;
    auto forRow = [&](llvm::function_ref<void(Value &)> body) {
      for (size_t i = half * 2; i < scores.size(); i += 4) {
        body(scores[i]);
        body(scores[i + 1]);
      }
    };
    forRow([&](Value &score) { largest = e.max(largest, score); });
    largest = e.maxLanes(largest, 4);
    if (isLate)
      largest = e.mul(largest, multiplier);
    if (!isFirst)
      largest = e.max(largest, softmax.largest[half]);
    Value minus = e.sub(e.real(0), largest);
    forRow([&](Value &score) {
      Value exponent = isLate ? e.fma(score, multiplier, minus) : e.add(score, minus);
      score = emitExp2(e, exponent);
      sum = sum ? e.add(sum, score) : score;
    });
    if (!isFirst) {
      Value decay = emitExp2(e, e.add(softmax.largest[half], minus));
      sum = e.fma(softmax.sum[half], decay, sum);
      for (size_t i = half * 2; i < state.sums.size(); i += 4)
        for (size_t next : {i, i + 1})
          state.sums[next] = e.mul(state.sums[next], decay);
    }
    softmax.largest[half] = largest;
    softmax.sum[half] = sum;
  }
  if (dropout)
    for (auto [i, p] : llvm::enumerate(scores)) {
      int64_t j = int64_t(i) / 4 * 8 + int64_t(i) % 2;
      p = dropout.apply(e, p, pair, rows[i / 2 % 2], e.addIndex(e.addIndex(firstKey, column), j));
    }
  for (int64_t k = 0; k < keysOfTile; k += 16) {
    SmallVector<Value> a = fragmentOfSums(e, type, ValueRange(scores).slice(size_t(k / 2), 8));
    for (int64_t j = 0; j < columns; j += 16)
      multiplyPair(e, type, a, valueTile.fragment(e, slot, Fragment::BTransposed, e.index(0), k, j),
                   MutableArrayRef<Value>(state.sums).slice(size_t(j / 2), 8));
  }
  return state;
}

void MmaAttention::finish(State state) {
  for (int64_t half = 0; half < 2; ++half) {
    Value row = rows[half], sum = e.sumLanes(state.softmax.sum[half], 4);
    Value lse =
        e.fma(state.softmax.largest[half], e.real(float(std::numbers::ln2)), emitLog(e, sum));
    Value inverse = e.div(e.real(1), sum);
    e.ifThen(e.less(row, shape.queries), [&] {
      e.ifThen(isFirstLane, [&] {
        e.store(lse, arguments.results[1], e.addIndex(e.mulIndex(pair, shape.queries), row));
      });
      for (int64_t j = 0; j < columns; j += 8) {
        ValueRange entries = ValueRange(state.sums).slice(size_t(j / 2 + half * 2), 2);
        storePair(e, result, row, e.addIndex(column, j), e.mul(entries[0], inverse),
                  e.mul(entries[1], inverse));
      }
    });
  }
}

// (row + bias) / ‖row + bias‖ of the block's rows, all heads of which are stored.
void MmaAttention::normalizeRows(Value batch) {
  e.loop(e.warpIndex(), e.index(warps * 16), warps, [&](Value i) {
    Value row = e.addIndex(firstQuery, i);
    e.ifThen(e.less(row, shape.queries), [&] {
      emitUnitRow(e, {arguments.results[0], bias},
                  e.addIndex(e.mulIndex(batch, shape.queries), row), arguments.results[2]);
    });
  });
}

} // namespace

int64_t emitMmaAttention(Emit &e, kernel::AttentionOp op, const KernelArguments &arguments) {
  return MmaAttention(e, op, arguments).emit();
}

} // namespace memformer::nvptx
