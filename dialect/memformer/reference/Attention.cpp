// References of attention, slot attention, their probabilities and their gradients: every score in
// memory.

#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Random.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/reference/Build.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace memformer;
using namespace memformer::reference;

// Letters: b batch, h head, q query or slot, k key, c column of a head.
namespace {

Value scaled(Tensors &t, StringRef letters, Value value, double scale) {
  return t.map((letters + "->" + letters).str(), value,
               [&](Scalars &s, ValueRange v) { return s.multiply(v[0], s.constant(scale)); });
}

Value add(Tensors &t, StringRef letters, Value a, Value b) {
  return t.map((letters + "," + letters + "->" + letters).str(), {a, b},
               [](Scalars &s, ValueRange v) { return s.add(v[0], v[1]); });
}

/// `[B, H, Lq, Lk]`: scale · (q kᵀ + `more`), −∞ where a causal query does not see the key.
Value buildScores(Tensors &t, Value query, Value key, double scale, bool causal, Value more = {}) {
  Value products = t.sumOfProducts("bqhc,bkhc->bhqk", query, key);
  if (more)
    products = add(t, "bhqk", products, more);
  // Queries are the last positions of the keys.
  int64_t before = shapeOf(key)[1] - shapeOf(query)[1];
  return t.map("bhqk->bhqk", products, [&](Scalars &s, ValueRange v) {
    Value score = s.multiply(v[0], s.constant(scale));
    if (!causal)
      return score;
    Value last = s.place(2);
    if (before != 0)
      last = arith::AddIOp::create(s.builder, s.location, last,
                                   arith::ConstantIndexOp::create(s.builder, s.location, before));
    Value later =
        arith::CmpIOp::create(s.builder, s.location, arith::CmpIPredicate::ugt, s.place(3), last);
    return s.select(later, s.constant(-std::numeric_limits<double>::infinity()), score);
  });
}

/// Between scores by distance `[B, H, Lq, Lk]` (row Lq − 1 − i + j of the table, distances of more
/// than any key has beyond it) and by key: entry (i, j) of the result is entry (i, j + shift(i)) of
/// the operand, or 0 where there is none.
Value shifted(Tensors &t, OpBuilder &builder, Location loc, Value scores, bool toKeys) {
  ArrayRef<int64_t> shape = shapeOf(scores);
  int64_t queries = shape[2], keys = shape[3];
  return t.map("bhqk->bhqk", scores, [&](Scalars &s, ValueRange) {
    auto index = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(s.builder, s.location, value);
    };
    Value shift = arith::SubIOp::create(s.builder, s.location, index(queries - 1), s.place(2));
    Value at = toKeys ? Value(arith::AddIOp::create(s.builder, s.location, s.place(3), shift))
                      : Value(arith::SubIOp::create(s.builder, s.location, s.place(3), shift));
    // A negative place is a large unsigned one.
    Value inside =
        arith::CmpIOp::create(s.builder, s.location, arith::CmpIPredicate::ult, at, index(keys));
    Value safe = arith::SelectOp::create(s.builder, s.location, inside, at, index(0));
    Value entry = tensor::ExtractOp::create(s.builder, s.location, scores,
                                            ValueRange{s.place(0), s.place(1), s.place(2), safe});
    return s.select(inside, entry, s.constant(0));
  });
}

/// `[B, H, Lq, Lk]`: p_i · r of the distance of query i and key j.
Value buildRelativeScores(Tensors &t, OpBuilder &builder, Location loc, Value relativeQuery,
                          Value relativeKey) {
  Value byDistance = t.sumOfProducts("bqhc,khc->bhqk", relativeQuery, relativeKey);
  return shifted(t, builder, loc, byDistance, /*toKeys=*/true);
}

/// `[B, H, Lq]`: scale · q_i · k_self_i.
Value buildSelfScores(Tensors &t, Value query, Value selfKey, double scale) {
  return scaled(t, "bhq", t.sumOfProducts("bqhc,bqhc->bhq", query, selfKey), scale);
}

/// exp(score − lse), for scores `[B, H, Lq, Lk]` and lse `[B, H, Lq]`.
Value buildProbabilities(Tensors &t, Value scores, Value lse) {
  return t.map("bhqk,bhq->bhqk", {scores, lse},
               [](Scalars &s, ValueRange v) { return s.exponential(s.subtract(v[0], v[1])); });
}
Value buildSelfProbabilities(Tensors &t, Value scores, Value lse) {
  return t.map("bhq,bhq->bhq", {scores, lse},
               [](Scalars &s, ValueRange v) { return s.exponential(s.subtract(v[0], v[1])); });
}

/// log Σ exp(score) over the keys, and over the self score where there is one.
Value buildLse(Tensors &t, Value scores, Value selfScores) {
  Value largest = t.maximum("bhqk->bhq", scores);
  if (selfScores)
    largest = t.map("bhq,bhq->bhq", {largest, selfScores},
                    [](Scalars &s, ValueRange v) { return s.maximum(v[0], v[1]); });
  Value total = t.sum("bhqk->bhq", buildProbabilities(t, scores, largest));
  if (selfScores)
    total = add(t, "bhq", total, buildSelfProbabilities(t, selfScores, largest));
  return t.map("bhq,bhq->bhq", {largest, total},
               [](Scalars &s, ValueRange v) { return s.add(v[0], s.logarithm(v[1])); });
}

/// The dropout of an attention op.
struct Dropout {
  Value key; // null: none
  double probability;
  int32_t stream;
};

/// x · D: kept entries of `[B, H, Lq, Lk]` over (1 − p), others 0. An entry's index is its
/// row-major place in that shape.
Value buildDropped(Tensors &t, OpBuilder &builder, Location loc, Value x, Dropout dropout) {
  if (!dropout.key || dropout.probability == 0)
    return x;
  SmallVector<int64_t> shape(shapeOf(x));
  SmallVector<Value> key;
  for (int64_t i = 0; i < 2; ++i)
    key.push_back(tensor::ExtractOp::create(
        builder, loc, dropout.key, ValueRange{arith::ConstantIndexOp::create(builder, loc, i)}));
  return t.map("bhqk->bhqk", x, [&](Scalars &s, ValueRange v) {
    Value index = s.constant32(0);
    for (auto [loop, extent] : llvm::enumerate(shape)) {
      index = arith::MulIOp::create(s.builder, s.location, index, s.constant32(extent));
      index = arith::AddIOp::create(s.builder, s.location, index, s.place32(loop));
    }
    Value keep = buildKeep(s.builder, s.location, index, key[0], key[1], dropout.stream,
                           dropout.probability);
    Value kept = s.multiply(v[0], s.constant(keepScale(dropout.probability)));
    return s.select(keep, kept, s.constant(0));
  });
}

/// `[B, H, Lq]`: δ_i = Σ g_i o_i.
Value buildDelta(Tensors &t, Value gradient, Value result) {
  return t.sumOfProducts("bqhc,bqhc->bhq", gradient, result);
}

/// dS = P (G − δ), for G `[B, H, Lq, Lk]`.
Value buildScoreGradient(Tensors &t, Value probabilities, Value arriving, Value delta) {
  return t.map("bhqk,bhqk,bhq->bhqk", {probabilities, arriving, delta},
               [](Scalars &s, ValueRange v) { return s.multiply(v[0], s.subtract(v[1], v[2])); });
}

} // namespace

//===-- attention ----------------------------------------------------------------------------===//

SmallVector<Value> AttentionOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getQuery());
  int64_t heads = getHeads();
  Value query = t.splitHeads(getQuery(), heads), key = t.splitHeads(getKey(), heads);
  Value value = t.splitHeads(getValue(), heads);
  Value relative;
  if (getRelativeKey())
    relative = buildRelativeScores(t, builder, getLoc(), t.splitHeads(getRelativeQuery(), heads),
                                   t.splitHeads(getRelativeKey(), heads));
  Value scores = buildScores(t, query, key, getScale().convertToDouble(), getCausal(), relative);
  Value lse = buildLse(t, scores, {});
  Dropout dropout{getDropoutKey(), getProbability().convertToDouble(), int32_t(getStream())};
  Value weights = buildDropped(t, builder, getLoc(), buildProbabilities(t, scores, lse), dropout);
  return {t.joinHeads(t.sumOfProducts("bhqk,bkhc->bqhc", weights, value)), lse};
}

SmallVector<Value> AttentionGradientOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getQuery());
  int64_t heads = getHeads();
  double scale = getScale().convertToDouble();
  Value query = t.splitHeads(getQuery(), heads), key = t.splitHeads(getKey(), heads);
  Value value = t.splitHeads(getValue(), heads), gradient = t.splitHeads(getGradient(), heads);
  Value result = t.splitHeads(getResultValue(), heads);
  Dropout dropout{getDropoutKey(), getProbability().convertToDouble(), int32_t(getStream())};

  Value relativeQuery, relativeKey, relative;
  if (getRelativeKey()) {
    relativeQuery = t.splitHeads(getRelativeQuery(), heads);
    relativeKey = t.splitHeads(getRelativeKey(), heads);
    relative = buildRelativeScores(t, builder, getLoc(), relativeQuery, relativeKey);
  }
  Value probabilities =
      buildProbabilities(t, buildScores(t, query, key, scale, getCausal(), relative), getLse());
  Value weights = buildDropped(t, builder, getLoc(), probabilities, dropout);
  Value arriving = buildDropped(t, builder, getLoc(),
                                t.sumOfProducts("bqhc,bkhc->bhqk", gradient, value), dropout);
  Value scores = buildScoreGradient(t, probabilities, arriving, buildDelta(t, gradient, result));
  Value dq = scaled(t, "bqhc", t.sumOfProducts("bhqk,bkhc->bqhc", scores, key), scale);
  Value dk = scaled(t, "bkhc", t.sumOfProducts("bhqk,bqhc->bkhc", scores, query), scale);
  Value dv = t.sumOfProducts("bhqk,bqhc->bkhc", weights, gradient);
  SmallVector<Value> results = {t.joinHeads(dq), t.joinHeads(dk), t.joinHeads(dv)};
  if (relativeKey) {
    Value distances = shifted(t, builder, getLoc(), scores, /*toKeys=*/false);
    Value dp = scaled(t, "bqhc", t.sumOfProducts("bhqk,khc->bqhc", distances, relativeKey), scale);
    Value dr =
        scaled(t, "bkhc", t.sumOfProducts("bhqk,bqhc->bkhc", distances, relativeQuery), scale);
    results.append({t.joinHeads(dp), t.joinHeads(dr)});
  }
  return results;
}

//===-- slot_attention -----------------------------------------------------------------------===//

SmallVector<Value> SlotAttentionOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getQuery());
  int64_t heads = getHeads();
  double scale = getScale().convertToDouble();
  Value query = t.splitHeads(getQuery(), heads), selfKey = t.splitHeads(getSelfKey(), heads);
  Value scores = buildScores(t, query, t.splitHeads(getKey(), heads), scale, false);
  Value selfScores = buildSelfScores(t, query, selfKey, scale);
  Value lse = buildLse(t, scores, selfScores);
  Value tokens = t.sumOfProducts("bhqk,bkhc->bqhc", buildProbabilities(t, scores, lse),
                                 t.splitHeads(getValue(), heads));
  Value self = t.sumOfProducts("bhq,bqhc->bqhc", buildSelfProbabilities(t, selfScores, lse),
                               t.splitHeads(getSelfValue(), heads));
  return {t.joinHeads(add(t, "bqhc", self, tokens)), lse};
}

SmallVector<Value> SlotAttentionGradientOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getQuery());
  int64_t heads = getHeads();
  double scale = getScale().convertToDouble();
  Value query = t.splitHeads(getQuery(), heads), selfKey = t.splitHeads(getSelfKey(), heads);
  Value selfValue = t.splitHeads(getSelfValue(), heads), key = t.splitHeads(getKey(), heads);
  Value value = t.splitHeads(getValue(), heads), gradient = t.splitHeads(getGradient(), heads);
  Value delta = buildDelta(t, gradient, t.splitHeads(getResultValue(), heads));

  Value probabilities = buildProbabilities(t, buildScores(t, query, key, scale, false), getLse());
  Value scores = buildScoreGradient(t, probabilities,
                                    t.sumOfProducts("bqhc,bkhc->bhqk", gradient, value), delta);
  Value self = buildSelfProbabilities(t, buildSelfScores(t, query, selfKey, scale), getLse());
  Value selfArriving = t.sumOfProducts("bqhc,bqhc->bhq", gradient, selfValue);
  Value selfScores =
      t.map("bhq,bhq,bhq->bhq", {self, selfArriving, delta},
            [](Scalars &s, ValueRange v) { return s.multiply(v[0], s.subtract(v[1], v[2])); });

  Value dq = add(t, "bqhc", t.sumOfProducts("bhqk,bkhc->bqhc", scores, key),
                 t.sumOfProducts("bhq,bqhc->bqhc", selfScores, selfKey));
  Value dSelfKey = t.sumOfProducts("bhq,bqhc->bqhc", selfScores, query);
  Value dSelfValue = t.sumOfProducts("bhq,bqhc->bqhc", self, gradient);
  Value dk = t.sumOfProducts("bhqk,bqhc->bkhc", scores, query);
  Value dv = t.sumOfProducts("bhqk,bqhc->bkhc", probabilities, gradient);
  return {t.joinHeads(scaled(t, "bqhc", dq, scale)),
          t.joinHeads(scaled(t, "bqhc", dSelfKey, scale)), t.joinHeads(dSelfValue),
          t.joinHeads(scaled(t, "bkhc", dk, scale)), t.joinHeads(dv)};
}

//===-- attention_step -----------------------------------------------------------------------===//

/// A cache `[B, L, d]` with the row `[B, 1, d]` at a position (i32).
static Value insertRow(Tensors &t, OpBuilder &builder, Value cache, Value row, Value position) {
  ArrayRef<int64_t> shape = shapeOf(row);
  auto flat = RankedTensorType::get({shape[0], shape[2]}, t.elementType());
  row = tensor::CollapseShapeOp::create(builder, row.getLoc(), flat, row,
                                        ArrayRef<ReassociationIndices>{{0}, {1, 2}});
  return t.map("bkc,bc->bkc", {cache, row}, [&](Scalars &s, ValueRange v) {
    return s.select(s.equal(s.place32(1), position), v[1], v[0]);
  });
}

/// `[B, H, 1, Lk]`: p · r of the distance of the row `row` (i32) and each key, anything beyond it.
static Value buildStepScores(Tensors &t, OpBuilder &builder, Location loc, Value relativeQuery,
                             Value relativeKey, Value row) {
  Value byDistance = t.sumOfProducts("bqhc,khc->bhqk", relativeQuery, relativeKey);
  int64_t keys = shapeOf(byDistance)[3];
  return t.map("bhqk->bhqk", byDistance, [&](Scalars &s, ValueRange) {
    Value at = arith::SubIOp::create(
        s.builder, s.location,
        arith::AddIOp::create(s.builder, s.location, s.place32(3), s.constant32(int32_t(keys - 1))),
        row);
    at = arith::MinSIOp::create(s.builder, s.location, at, s.constant32(int32_t(keys - 1)));
    at = arith::IndexCastOp::create(s.builder, s.location, s.builder.getIndexType(), at);
    return tensor::ExtractOp::create(s.builder, s.location, byDistance,
                                     ValueRange{s.place(0), s.place(1), s.place(2), at});
  });
}

SmallVector<Value> AttentionStepOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getQuery());
  int64_t heads = getHeads();
  Value position = tensor::ExtractOp::create(builder, getLoc(), getPosition(), ValueRange{});
  if (getBefore() != 0)
    position = arith::AddIOp::create(
        builder, getLoc(), position,
        arith::ConstantOp::create(builder, getLoc(),
                                  builder.getI32IntegerAttr(int32_t(getBefore()))));
  Value keys = insertRow(t, builder, getKeyCache(), getKey(), position);
  Value values = insertRow(t, builder, getValueCache(), getValue(), position);
  Value relative;
  if (getRelativeKey())
    relative = buildStepScores(t, builder, getLoc(), t.splitHeads(getRelativeQuery(), heads),
                               t.splitHeads(getRelativeKey(), heads), position);
  Value scores = buildScores(t, t.splitHeads(getQuery(), heads), t.splitHeads(keys, heads),
                             getScale().convertToDouble(), false, relative);
  scores = t.map("bhqk->bhqk", scores, [&](Scalars &s, ValueRange v) {
    Value later = arith::CmpIOp::create(s.builder, s.location, arith::CmpIPredicate::sgt,
                                        s.place32(3), position);
    return s.select(later, s.constant(-std::numeric_limits<double>::infinity()), v[0]);
  });
  Value weights = buildProbabilities(t, scores, buildLse(t, scores, {}));
  // Rows beyond the position may hold anything: zero times it need not be zero.
  Value seen = t.map("bkc->bkc", values, [&](Scalars &s, ValueRange v) {
    Value later = arith::CmpIOp::create(s.builder, s.location, arith::CmpIPredicate::sgt,
                                        s.place32(1), position);
    return s.select(later, s.constant(0), v[0]);
  });
  Value result =
      t.joinHeads(t.sumOfProducts("bhqk,bkhc->bqhc", weights, t.splitHeads(seen, heads)));
  return {result, keys, values};
}

//===-- attention_weights --------------------------------------------------------------------===//

SmallVector<Value> AttentionWeightsOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getQuery());
  int64_t heads = getHeads();
  double scale = getScale().convertToDouble();
  Value query = t.splitHeads(getQuery(), heads), key = t.splitHeads(getKey(), heads);
  Value weights = buildProbabilities(t, buildScores(t, query, key, scale, getCausal()), getLse());
  if (!getSelfKey())
    return {weights};
  Value selfScores = buildSelfScores(t, query, t.splitHeads(getSelfKey(), heads), scale);
  Value self = buildSelfProbabilities(t, selfScores, getLse());
  SmallVector<int64_t> column(shapeOf(self));
  column.push_back(1);
  self = tensor::ExpandShapeOp::create(builder, getLoc(),
                                       RankedTensorType::get(column, t.elementType()), self,
                                       ArrayRef<ReassociationIndices>{{0}, {1}, {2, 3}});
  return {t.join(self, weights, 3, tensorType(getResult()))};
}

//===-- attention_usage, most_used -----------------------------------------------------------===//

SmallVector<Value> AttentionUsageOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getQuery());
  int64_t heads = getHeads();
  Value query = t.splitHeads(getQuery(), heads), key = t.splitHeads(getKey(), heads), relative;
  if (getRelativeKey())
    relative = buildRelativeScores(t, builder, getLoc(), t.splitHeads(getRelativeQuery(), heads),
                                   t.splitHeads(getRelativeKey(), heads));
  Value scores = buildScores(t, query, key, getScale().convertToDouble(), getCausal(), relative);
  return {t.sum("bhqk->bhk", buildProbabilities(t, scores, getLse()))};
}

SmallVector<Value> MostUsedOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getUsage());
  ArrayRef<int64_t> shape = shapeOf(getUsage());
  auto ofRows = RankedTensorType::get({shape[0], shape[2]}, builder.getI32Type());
  Value average =
      t.map("bn->bn", t.sum("bhn->bn", getUsage()), [&](Scalars &s, ValueRange v) -> Value {
        Value seen = arith::SubIOp::create(s.builder, s.location, s.constant32(int32_t(getSeen())),
                                           s.place32(1));
        return s.divide(v[0], arith::SIToFPOp::create(s.builder, s.location, s.type, seen));
      });
  auto compare = [](Scalars &s, arith::CmpFPredicate predicate, Value a, Value b) -> Value {
    return arith::CmpFOp::create(s.builder, s.location, predicate, a, b);
  };
  auto count = [](Scalars &s, Value condition, Value so) -> Value {
    return arith::AddIOp::create(
        s.builder, s.location, so,
        arith::ExtUIOp::create(s.builder, s.location, s.builder.getI32Type(), condition));
  };
  // How many rows go before each; and how many before it are chosen.
  Value rank =
      t.fold(ofRows, "bn,bm->bn", {average, average}, builder.getI32IntegerAttr(0),
             [&](Scalars &s, ValueRange v) {
               Value first = arith::CmpIOp::create(s.builder, s.location, arith::CmpIPredicate::slt,
                                                   s.place32(2), s.place32(1));
               Value equal = compare(s, arith::CmpFPredicate::OEQ, v[1], v[0]);
               Value goes = arith::OrIOp::create(
                   s.builder, s.location, compare(s, arith::CmpFPredicate::OGT, v[1], v[0]),
                   arith::AndIOp::create(s.builder, s.location, equal, first));
               return count(s, goes, v[2]);
             });
  auto isChosen = [&](Scalars &s, Value rank) -> Value {
    return arith::CmpIOp::create(s.builder, s.location, arith::CmpIPredicate::slt, rank,
                                 s.constant32(int32_t(shapeOf(getResult())[1])));
  };
  Value place = t.fold(
      ofRows, "bm,bn->bn", {rank, rank}, builder.getI32IntegerAttr(0),
      [&](Scalars &s, ValueRange v) {
        Value before = arith::CmpIOp::create(s.builder, s.location, arith::CmpIPredicate::slt,
                                             s.place32(2), s.place32(1));
        return count(s, arith::AndIOp::create(s.builder, s.location, before, isChosen(s, v[0])),
                     v[2]);
      });
  return {t.fold(tensorType(getResult()), "bn,bn->bk", {rank, place}, builder.getI32IntegerAttr(0),
                 [&](Scalars &s, ValueRange v) -> Value {
                   Value here = arith::AndIOp::create(s.builder, s.location, isChosen(s, v[0]),
                                                      s.equal(v[1], s.place32(1)));
                   Value number = arith::MulIOp::create(s.builder, s.location, s.place32(0),
                                                        s.constant32(int32_t(shape[2])));
                   number = arith::AddIOp::create(s.builder, s.location, number, s.place32(2));
                   return s.select(here, number, v[2]);
                 })};
}
