// Attention of a single query: scores of as many keys as a vector has lanes at a time.

#include "codegen/host/AttentionRow.h"
#include "codegen/host/Math.h"

#include <algorithm>
#include <limits>
#include <numbers>

using namespace mlir;

namespace memformer::host {

static constexpr float lowest = -std::numeric_limits<float>::infinity();

int64_t AttentionRow::scratchOf(Emit &e, int64_t most) {
  return (most + e.lanes - 1) / e.lanes * e.lanes;
}

int64_t headsOfWorkgroup(int64_t heads, int64_t keys, int64_t width) {
  constexpr int64_t enough = 128 * 1024;
  int64_t bytes = 2 * keys * width * int64_t(sizeof(float));
  return std::clamp<int64_t>(enough / bytes, 1, heads);
}

// Products of a row and the rows first … first + lanes − 1 of `keys`, lane i being row first + i.
// Those beyond `last` repeat it.
static Value emitProducts(Emit &e, const AttentionRow &row, const Matrix &one, const Matrix &keys,
                          Value first, Value last) {
  SmallVector<Value> offsets;
  for (int64_t i = 0; i < e.lanes; ++i) {
    Value key = e.addIndex(first, i);
    if (last)
      key = arith::MinSIOp::create(e.b, e.loc, key, last);
    offsets.push_back(keys.from(e, key, e.index(0)).offset);
  }
  auto add = [&](Value column, int64_t active, ValueRange sums) {
    Value query = one.load(e, e.index(0), column, active);
    Emit::Carried next;
    for (auto [offset, sum] : llvm::zip_equal(offsets, sums))
      next.push_back(e.fma(query, e.load(keys.buffer, e.addIndex(offset, column), active), sum));
    return next;
  };
  Emit::Carried sums(e.lanes, e.splat(0));
  int64_t full = row.width / e.lanes * e.lanes;
  if (full <= 4 * e.lanes) {
    for (int64_t column = 0; column < full; column += e.lanes)
      sums = add(e.index(column), e.lanes, sums);
  } else {
    sums = e.loop(e.index(0), e.index(full), e.lanes, sums,
                  [&](Value column, ValueRange carried) { return add(column, e.lanes, carried); });
  }
  if (full < row.width)
    sums = add(e.index(full), row.width - full, sums);
  return e.sumEach(sums);
}

// Columns column … column + vectors · lanes − 1 (the last vector has `active`) of Σ p[j] V[j], over
// the keys that are seen. Several keys take turns in accumulators of their own.
static void emitValues(Emit &e, const AttentionRow &row, Value scores, Value column,
                       int64_t vectors, int64_t active, Value factor) {
  const int64_t turns = vectors <= 2 ? 4 : 2;
  auto activeOf = [&](int64_t v) { return v + 1 == vectors ? active : e.lanes; };
  auto add = [&](Value key, int64_t turn, MutableArrayRef<Value> sums) {
    Value weight = e.broadcast(e.loadScalar(scores, key));
    for (int64_t v = 0; v < vectors; ++v) {
      Value &sum = sums[turn * vectors + v];
      Value entries = row.values.load(e, key, e.addIndex(column, v * e.lanes), activeOf(v));
      sum = e.fma(weight, entries, sum);
    }
  };
  Emit::Carried sums(turns * vectors, e.splat(0));
  Value whole = e.mulIndex(e.divIndex(row.count, turns), turns);
  sums = e.loop(e.index(0), whole, turns, sums, [&](Value key, ValueRange carried) {
    Emit::Carried next(carried);
    for (int64_t turn = 0; turn < turns; ++turn)
      add(e.addIndex(key, turn), turn, next);
    return next;
  });
  sums = e.loop(whole, row.count, 1, sums, [&](Value key, ValueRange carried) {
    Emit::Carried next(carried);
    add(key, 0, next);
    return next;
  });
  for (int64_t v = 0; v < vectors; ++v) {
    Value sum = sums[v];
    for (int64_t turn = 1; turn < turns; ++turn)
      sum = e.add(sum, sums[turn * vectors + v]);
    row.result.store(e, e.mul(sum, factor), e.index(0), e.addIndex(column, v * e.lanes),
                     activeOf(v));
  }
}

Value emitAttentionRow(Emit &e, const AttentionRow &row, Value scores) {
  // Scores are powers of two.
  Value factor = e.splat(float(row.scale * std::numbers::log2e));
  Value count = e.broadcast(e.toInt(row.count));
  Emit::Carried largest =
      e.loop(e.index(0), row.count, e.lanes, {e.splat(lowest)}, [&](Value first, ValueRange seen) {
        Value last = row.most % e.lanes != 0 ? e.index(row.most - 1) : Value();
        Value product = emitProducts(e, row, row.query, row.keys, first, last);
        if (row.relative)
          product = e.add(product, emitProducts(e, row, row.relative->first, row.relative->second,
                                                first, e.addIndex(row.count, -1)));
        Value score = e.mul(product, factor);
        Value key = e.add(e.broadcast(e.toInt(first)), e.iota());
        Value isSeen = e.compareInt(arith::CmpIPredicate::slt, key, count);
        score = e.select(isSeen, score, e.splat(lowest));
        e.store(score, scores, first);
        return Emit::Carried{e.max(seen[0], score)};
      });
  Value most = e.maxLanes(largest[0]), origin = e.broadcast(most);
  Emit::Carried sums =
      e.loop(e.index(0), row.count, e.lanes, {e.splat(0)}, [&](Value first, ValueRange sums) {
        Value weight = emitExp2OfNegative(e, e.sub(e.load(scores, first), origin));
        e.store(weight, scores, first);
        return Emit::Carried{e.add(sums[0], weight)};
      });
  Value sum = e.sumLanes(sums[0]);
  Value inverse = e.broadcast(e.div(e.constant(1), sum));

  constexpr int64_t vectors = 4;
  const int64_t chunk = vectors * e.lanes, chunks = row.width / chunk;
  auto wide = [&](Value column) { emitValues(e, row, scores, column, vectors, e.lanes, inverse); };
  if (chunks == 1)
    wide(e.index(0));
  else if (chunks > 1)
    e.loop(e.index(0), e.index(chunks * chunk), chunk, wide);
  if (int64_t rest = row.width - chunks * chunk; rest > 0) {
    int64_t count = (rest + e.lanes - 1) / e.lanes;
    emitValues(e, row, scores, e.index(chunks * chunk), count, rest - (count - 1) * e.lanes,
               inverse);
  }
  return e.add(e.mul(most, e.constant(float(std::numbers::ln2))), emitLogScalar(e, sum));
}

} // namespace memformer::host
