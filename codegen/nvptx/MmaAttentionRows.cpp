// What the gradient of attention needs of single queries: g·o, and all of the self column, in f32.

#include "codegen/nvptx/Math.h"
#include "codegen/nvptx/MmaAttentionGradient.h"

#include <numbers>

using namespace mlir;

namespace memformer::nvptx {

// Of queries firstQuery … firstQuery + count − 1, to shared memory from `place` on; eight lanes
// have a query together. With the self column also its gradients: it is one more key that each
// query has for itself.
void MmaGradient::findStatistics(Value firstQuery, int64_t count, Value place, bool withSelf) {
  constexpr int64_t lanes = 8;
  int64_t groups = e.threads() / lanes;
  withSelf &= bool(op.getSelfKey());
  Value lane = e.remIndex(e.thread(), lanes), group = e.divIndex(e.thread(), lanes);
  Value zero = e.real(0);
  bool isShort = shape.width <= 4 * lanes;
  auto findRow = [&](Value own) {
    Value global = e.addIndex(firstQuery, own);
    Value from = e.minIndex(global, shape.queries - 1);
    // Σ g o, Σ q k and Σ g v over the columns of a lane, which are pairs.
    int64_t sumCount = withSelf ? 3 : 1;
    auto entry = [&](const Head &head, Value j) {
      auto [x, y] = loadPair(e, head, from, j);
      return std::pair(x, y);
    };
    auto roundedEntry = [&](const Head &head, Value j) {
      auto [x, y] = loadPair(e, head, from, j);
      return head.buffer.isNarrow() ? std::pair(x, y) : e.entriesOf(e.narrowPair(x, y, type), type);
    };
    auto add = [&](Value j, MutableArrayRef<Value> sums) {
      auto [g0, g1] = roundedEntry(gradient, j);
      auto [o0, o1] = entry(result, j);
      sums[0] = e.fma(g0, o0, e.fma(g1, o1, sums[0]));
      if (!withSelf)
        return;
      auto [q0, q1] = roundedEntry(query, j);
      auto [k0, k1] = entry(selfKey, j);
      auto [v0, v1] = entry(selfValue, j);
      sums[1] = e.fma(q0, k0, e.fma(q1, k1, sums[1]));
      sums[2] = e.fma(g0, v0, e.fma(g1, v1, sums[2]));
    };
    Emit::Carried sums(size_t(sumCount), zero);
    Value first = e.mulIndex(lane, 2);
    if (isShort) {
      for (int64_t j = 0; j < shape.width; j += 2 * lanes)
        add(e.addIndex(first, j), sums);
    } else {
      sums = e.loop(e.index(0), e.index(shape.width), 2 * lanes, sums,
                    [&](Value j, ValueRange carried) {
                      Emit::Carried next(carried);
                      add(e.addIndex(first, j), next);
                      return next;
                    });
    }
    for (Value &sum : sums)
      sum = e.sumLanes(sum, lanes);
    Value lse = e.load(arguments.operands[5], e.addIndex(e.mulIndex(pair, shape.queries), from));
    Value log = e.mul(lse, e.real(float(-std::numbers::log2e))), p, ds;
    if (withSelf) {
      Value exponent = e.real(float(double(scale) * std::numbers::log2e));
      p = emitExp2(e, e.fma(sums[1], exponent, log));
      ds = e.mul(e.mul(p, e.sub(sums[2], sums[0])), e.real(scale));
      e.ifThen(e.both(e.less(own, count), e.less(global, shape.queries)), [&] {
        e.loop(e.index(0), e.index(shape.width), 2 * lanes, [&](Value j) {
          Value at = e.addIndex(first, j);
          auto [q0, q1] = roundedEntry(query, at);
          auto [g0, g1] = roundedEntry(gradient, at);
          storePair(e, selfKeyGradient, global, at, e.mul(ds, q0), e.mul(ds, q1));
          storePair(e, selfValueGradient, global, at, e.mul(p, g0), e.mul(p, g1));
        });
      });
    }
    Value isKept = e.less(lane, 1);
    if (count % groups != 0)
      isKept = e.both(isKept, e.less(own, count));
    e.ifThen(isKept, [&] {
      Value to = e.addIndex(place, own);
      e.store(log, logs, to);
      e.store(sums[0], deltas, to);
      if (withSelf)
        e.store(ds, selfScores, to);
    });
  };
  // Loops that stay loops leave registers to the products.
  if (isShort)
    for (int64_t i = 0; i < count; i += groups)
      findRow(e.addIndex(group, i));
  else
    e.loop(e.index(0), e.index(count), groups, [&](Value i) { findRow(e.addIndex(group, i)); });
}

// The self column's part of the gradients of 16 queries, whose numbers in shared memory begin at
// `place`: the first values of their sums.
void MmaGradient::addSelf(Value firstRow, Value place, int64_t begin,
                          SmallVectorImpl<Value> &sums) {
  if (!op.getSelfKey())
    return;
  for (size_t half = 0; half < 2; ++half) {
    Value own = e.addIndex(row, int64_t(half) * 8);
    Value ds = e.load(selfScores, e.addIndex(place, own));
    Value from = e.minIndex(e.addIndex(firstRow, own), shape.queries - 1);
    for (size_t i = half * 2; i < sums.size(); i += 4) {
      auto [x, y] = loadPair(e, selfKey, from, e.addIndex(column, begin + int64_t(i) / 4 * 8));
      sums[i] = e.mul(ds, x);
      sums[i + 1] = e.mul(ds, y);
    }
  }
}

} // namespace memformer::nvptx
