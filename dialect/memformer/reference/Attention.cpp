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

/// `[B, H, Lq, Lk]`: scale · q kᵀ, −∞ where a causal query does not see the key.
Value buildScores(Tensors &t, Value query, Value key, double scale, bool causal) {
  Value products = t.sumOfProducts("bqhc,bkhc->bhqk", query, key);
  return t.map("bhqk->bhqk", products, [&](Scalars &s, ValueRange v) {
    Value score = s.multiply(v[0], s.constant(scale));
    if (!causal)
      return score;
    Value later = arith::CmpIOp::create(s.builder, s.location, arith::CmpIPredicate::ugt,
                                        s.place(3), s.place(2));
    return s.select(later, s.constant(-std::numeric_limits<double>::infinity()), score);
  });
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

Value add(Tensors &t, StringRef letters, Value a, Value b) {
  return t.map((letters + "," + letters + "->" + letters).str(), {a, b},
               [](Scalars &s, ValueRange v) { return s.add(v[0], v[1]); });
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
  Value scores = buildScores(t, query, key, getScale().convertToDouble(), getCausal());
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

  Value probabilities =
      buildProbabilities(t, buildScores(t, query, key, scale, getCausal()), getLse());
  Value weights = buildDropped(t, builder, getLoc(), probabilities, dropout);
  Value arriving = buildDropped(t, builder, getLoc(),
                                t.sumOfProducts("bqhc,bkhc->bhqk", gradient, value), dropout);
  Value scores = buildScoreGradient(t, probabilities, arriving, buildDelta(t, gradient, result));
  Value dq = scaled(t, "bqhc", t.sumOfProducts("bhqk,bkhc->bqhc", scores, key), scale);
  Value dk = scaled(t, "bkhc", t.sumOfProducts("bhqk,bqhc->bkhc", scores, query), scale);
  Value dv = t.sumOfProducts("bhqk,bqhc->bkhc", weights, gradient);
  return {t.joinHeads(dq), t.joinHeads(dk), t.joinHeads(dv)};
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

SmallVector<Value> AttentionStepOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getQuery());
  int64_t heads = getHeads();
  Value position = tensor::ExtractOp::create(builder, getLoc(), getPosition(), ValueRange{});
  Value keys = insertRow(t, builder, getKeyCache(), getKey(), position);
  Value values = insertRow(t, builder, getValueCache(), getValue(), position);
  Value scores = buildScores(t, t.splitHeads(getQuery(), heads), t.splitHeads(keys, heads),
                             getScale().convertToDouble(), false);
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
