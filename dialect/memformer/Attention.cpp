// Attention, slot attention and their probabilities: verifiers, costs and gradients.

#include "dialect/memformer/Flops.h"
#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/Verify.h"

using namespace mlir;
using namespace memformer;

/// `[B, L, d]` with B and d those of the query.
static LogicalResult verifySequence(Operation *op, StringRef name, Value value, Value query) {
  if (failed(verifyRank(op, name, value, 3, "[B, L, d]")))
    return failure();
  ArrayRef<int64_t> shape = shapeOf(query);
  return verifyShape(op, name, value, {shape[0], shapeOf(value)[1], shape[2]},
                     "batch and width those of the query");
}

/// What all attention ops share: query `[B, Lq, d]`, key `[B, Lk, d]`, lse `[B, H, Lq]`, heads,
/// scale, causality.
static LogicalResult verifyAttention(Operation *op, Value query, Value key, Value lse,
                                     int64_t heads, const APFloat &scale, bool causal) {
  if (failed(verifyElementTypes(op)) || failed(verifyRank(op, "query", query, 3, "[B, Lq, d]")) ||
      failed(verifySequence(op, "key", key, query)))
    return failure();
  ArrayRef<int64_t> shape = shapeOf(query);
  if (failed(verifyHeads(op, heads, shape[2])) ||
      failed(verifyPositive(op, "scale", scale.convertToDouble())))
    return failure();
  if (causal && shapeOf(key)[1] < shape[1])
    return op->emitOpError(
               "expected at least as many keys as queries in causal attention, but got ")
           << shapeOf(key)[1] << " keys and " << shape[1] << " queries";
  return verifyShape(op, "lse", lse, {shape[0], heads, shape[1]}, "[B, H, Lq]");
}

/// `value` has the shape of `like`.
static LogicalResult verifyLike(Operation *op, StringRef name, Value value, StringRef likeName,
                                Value like) {
  return verifyShape(op, name, value, shapeOf(like), "that of " + likeName.str());
}

/// What `relative` takes: both or none, `[B, Lq, d]` and `[Lk, d]`.
static LogicalResult verifyRelative(Operation *op, Value relativeQuery, Value relativeKey,
                                    Value query, Value key, bool causal) {
  if (bool(relativeQuery) != bool(relativeKey))
    return op->emitOpError("expected relative query and key together");
  if (!relativeQuery)
    return success();
  if (!causal)
    return op->emitOpError("expected relative attention to be causal");
  if (failed(verifyLike(op, "relative_query", relativeQuery, "the query", query)))
    return failure();
  return verifyShape(op, "relative_key", relativeKey, {shapeOf(key)[1], shapeOf(key)[2]},
                     "[Lk, d]: a row for each distance");
}

/// Attention does not differentiate the logarithm of its denominator.
static LogicalResult verifyNoLseGradient(Operation *op, ValueRange resultGradients) {
  if (!resultGradients[1])
    return success();
  return op->emitOpError("expected attention to be differentiated through the first result only, "
                         "but a gradient arrives at lse");
}

/// The results of `gradient` that are needed, in the order of the first operands.
static SmallVector<Value> pick(Operation *gradient, ArrayRef<bool> needed) {
  SmallVector<Value> gradients(needed.size());
  for (unsigned i = 0; i < gradient->getNumResults(); ++i)
    if (needed[i])
      gradients[i] = gradient->getResult(i);
  return gradients;
}

//===-- attention
//--------------------------------------------------------------------------------===//

LogicalResult AttentionOp::verify() {
  if (failed(verifyAttention(*this, getQuery(), getKey(), getLse(), getHeads(), getScale(),
                             getCausal())) ||
      failed(verifyLike(*this, "value", getValue(), "the key", getKey())) ||
      failed(verifyRelative(*this, getRelativeQuery(), getRelativeKey(), getQuery(), getKey(),
                            getCausal())) ||
      failed(verifyDropout(*this, getProbability().convertToDouble(), getDropoutKey())))
    return failure();
  return verifyLike(*this, "result", getResult(), "the query", getQuery());
}

LogicalResult AttentionOp::fold(FoldAdaptor adaptor, SmallVectorImpl<OpFoldResult> &results) {
  // Nothing is dropped with probability 0: the key is not read.
  if (!getDropoutKey() || !getProbability().isZero())
    return failure();
  getDropoutKeyMutable().clear();
  setStream(0);
  return success();
}

int64_t AttentionOp::getFlops() {
  ArrayRef<int64_t> query = shapeOf(getQuery());
  return attentionFlops(query[0], getHeads(),
                        attentionPairs(query[1], shapeOf(getKey())[1], getCausal()), query[1],
                        query[2], !getProbability().isZero(), bool(getRelativeKey()));
}

SmallVector<Value> AttentionOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                              ArrayRef<bool> needed) {
  if (failed(verifyNoLseGradient(*this, resultGradients)))
    return {};
  if (!llvm::is_contained(needed, true))
    return SmallVector<Value>(getNumOperands());
  SmallVector<Type> ofRelative;
  if (getRelativeKey()) {
    SmallVector<int64_t> each(shapeOf(getRelativeKey()));
    each.insert(each.begin(), shapeOf(getQuery())[0]);
    ofRelative = {getRelativeQuery().getType(), tensorType(getRelativeKey()).clone(each)};
  }
  auto gradient = AttentionGradientOp::create(
      builder, getLoc(), getQuery().getType(), getKey().getType(), getValue().getType(), ofRelative,
      resultGradients[0], getQuery(), getKey(), getValue(), getResult(), getLse(),
      getRelativeQuery(), getRelativeKey(), getDropoutKey(), getHeadsAttr(), getScaleAttr(),
      getCausalAttr(), getProbabilityAttr(), getStreamAttr());
  SmallVector<Value> gradients = pick(gradient, needed);
  // The distances are the same in every row of the batch.
  if (getRelativeKey() && needed[4])
    gradients[4] = SumLeadingOp::create(builder, getLoc(), getRelativeKey().getType(),
                                        gradient.getRelativeKeyGradient());
  return gradients;
}

LogicalResult AttentionGradientOp::verify() {
  if (failed(verifyAttention(*this, getQuery(), getKey(), getLse(), getHeads(), getScale(),
                             getCausal())) ||
      failed(verifyLike(*this, "value", getValue(), "the key", getKey())) ||
      failed(verifyRelative(*this, getRelativeQuery(), getRelativeKey(), getQuery(), getKey(),
                            getCausal())) ||
      failed(verifyDropout(*this, getProbability().convertToDouble(), getDropoutKey())) ||
      failed(verifyLike(*this, "gradient", getGradient(), "the query", getQuery())) ||
      failed(verifyLike(*this, "result_value", getResultValue(), "the query", getQuery())) ||
      failed(verifyLike(*this, "query_gradient", getQueryGradient(), "the query", getQuery())) ||
      failed(verifyLike(*this, "key_gradient", getKeyGradient(), "the key", getKey())))
    return failure();
  if (getRelativeGradients().size() != (getRelativeKey() ? 2 : 0))
    return emitOpError("expected gradients of relative query and key with them and only then");
  if (getRelativeKey() &&
      (failed(verifyLike(*this, "relative_query_gradient", getRelativeQueryGradient(), "the query",
                         getQuery())) ||
       failed(verifyLike(*this, "relative_key_gradient", getRelativeKeyGradient(), "the key",
                         getKey()))))
    return failure();
  return verifyLike(*this, "value_gradient", getValueGradient(), "the value", getValue());
}

int64_t AttentionGradientOp::getFlops() {
  ArrayRef<int64_t> query = shapeOf(getQuery());
  return attentionGradientFlops(
      query[0], getHeads(), attentionPairs(query[1], shapeOf(getKey())[1], getCausal()), query[1],
      query[2], !getProbability().isZero(), bool(getRelativeKey()));
}

//===-- slot_attention
//---------------------------------------------------------------------------===//

LogicalResult SlotAttentionOp::verify() {
  if (failed(
          verifyAttention(*this, getQuery(), getKey(), getLse(), getHeads(), getScale(), false)) ||
      failed(verifyLike(*this, "self_key", getSelfKey(), "the query", getQuery())) ||
      failed(verifyLike(*this, "self_value", getSelfValue(), "the query", getQuery())) ||
      failed(verifyLike(*this, "value", getValue(), "the key", getKey())))
    return failure();
  return verifyLike(*this, "result", getResult(), "the query", getQuery());
}

int64_t SlotAttentionOp::getFlops() {
  ArrayRef<int64_t> query = shapeOf(getQuery());
  return attentionFlops(query[0], getHeads(),
                        attentionPairs(query[1], 1 + shapeOf(getKey())[1], false), query[1],
                        query[2], false, false);
}

SmallVector<Value> SlotAttentionOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                                  ArrayRef<bool> needed) {
  if (failed(verifyNoLseGradient(*this, resultGradients)))
    return {};
  if (!llvm::is_contained(needed, true))
    return SmallVector<Value>(getNumOperands());
  auto gradient = SlotAttentionGradientOp::create(
      builder, getLoc(), getOperandTypes(), resultGradients[0], getQuery(), getSelfKey(),
      getSelfValue(), getKey(), getValue(), getResult(), getLse(), getHeadsAttr(), getScaleAttr());
  return pick(gradient, needed);
}

LogicalResult SlotAttentionGradientOp::verify() {
  if (failed(verifyAttention(*this, getQuery(), getKey(), getLse(), getHeads(), getScale(), false)))
    return failure();
  auto like = [&](StringRef likeName, Value reference,
                  ArrayRef<std::pair<StringRef, Value>> values) -> LogicalResult {
    for (auto [name, value] : values)
      if (failed(verifyLike(*this, name, value, likeName, reference)))
        return failure();
    return success();
  };
  if (failed(like("the query", getQuery(),
                  {{"gradient", getGradient()},
                   {"self_key", getSelfKey()},
                   {"self_value", getSelfValue()},
                   {"result_value", getResultValue()},
                   {"query_gradient", getQueryGradient()},
                   {"self_key_gradient", getSelfKeyGradient()},
                   {"self_value_gradient", getSelfValueGradient()}})))
    return failure();
  return like("the key", getKey(),
              {{"value", getValue()},
               {"key_gradient", getKeyGradient()},
               {"value_gradient", getValueGradient()}});
}

int64_t SlotAttentionGradientOp::getFlops() {
  ArrayRef<int64_t> query = shapeOf(getQuery());
  return attentionGradientFlops(query[0], getHeads(),
                                attentionPairs(query[1], 1 + shapeOf(getKey())[1], false), query[1],
                                query[2], false, false);
}

//===-- attention_weights
//------------------------------------------------------------------------===//

LogicalResult AttentionWeightsOp::verify() {
  if (failed(verifyAttention(*this, getQuery(), getKey(), getLse(), getHeads(), getScale(),
                             getCausal())))
    return failure();
  if (getSelfKey() && getCausal())
    return emitOpError("expected either a self key or causal, but got both");
  if (getSelfKey() && failed(verifyLike(*this, "self_key", getSelfKey(), "the query", getQuery())))
    return failure();
  ArrayRef<int64_t> lse = shapeOf(getLse());
  int64_t keys = shapeOf(getKey())[1] + (getSelfKey() ? 1 : 0);
  return verifyShape(*this, "result", getResult(), {lse[0], lse[1], lse[2], keys},
                     getSelfKey() ? "[B, H, Lq, 1 + Lk]" : "[B, H, Lq, Lk]");
}

int64_t AttentionWeightsOp::getFlops() {
  ArrayRef<int64_t> query = shapeOf(getQuery());
  int64_t heads = getHeads();
  int64_t pairs = attentionPairs(query[1], columns(getResult()), getCausal());
  return query[0] * pairs * (2 * query[2] + 3 * heads);
}

SmallVector<Value> AttentionWeightsOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                                     ArrayRef<bool> needed) {
  emitOpError("expected attention weights to be observed only, but the loss or the next state "
              "depends on them");
  return {};
}

//===-- attention_usage
//--------------------------------------------------------------------------===//

LogicalResult AttentionUsageOp::verify() {
  if (failed(verifyAttention(*this, getQuery(), getKey(), getLse(), getHeads(), getScale(),
                             getCausal())) ||
      failed(verifyRelative(*this, getRelativeQuery(), getRelativeKey(), getQuery(), getKey(),
                            getCausal())))
    return failure();
  ArrayRef<int64_t> lse = shapeOf(getLse());
  return verifyShape(*this, "result", getResult(), {lse[0], lse[1], shapeOf(getKey())[1]},
                     "[B, H, Lk]");
}

// For each pair its products, scale, difference, exponential and sum.
int64_t AttentionUsageOp::getFlops() {
  ArrayRef<int64_t> query = shapeOf(getQuery());
  int64_t pairs = attentionPairs(query[1], shapeOf(getKey())[1], getCausal());
  return query[0] * pairs * ((getRelativeKey() ? 4 : 2) * query[2] + 4 * int64_t(getHeads()));
}

SmallVector<Value> AttentionUsageOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                                   ArrayRef<bool> needed) {
  emitOpError("expected the attention that keys receive to be behind a stop_gradient, but the loss "
              "or the next state depends on it");
  return {};
}

//===-- most_used
//--------------------------------------------------------------------------------===//

LogicalResult MostUsedOp::verify() {
  if (failed(verifyElementTypes(*this)) ||
      failed(verifyRank(*this, "usage", getUsage(), 3, "[B, H, N]")) ||
      failed(verifyRank(*this, "result", getResult(), 2, "[B, k]")))
    return failure();
  ArrayRef<int64_t> usage = shapeOf(getUsage()), result = shapeOf(getResult());
  if (failed(verifyShape(*this, "result", getResult(), {usage[0], result[1]}, "[B, k]")))
    return failure();
  if (result[1] < 1 || result[1] > usage[2])
    return emitOpError("expected 1 to ") << usage[2] << " rows to choose, but got " << result[1];
  // Counts that f32 has exactly.
  constexpr int64_t most = 1 << 24;
  if (int64_t(getSeen()) < usage[2] || int64_t(getSeen()) > most)
    return emitOpError("expected each of ")
           << usage[2] << " rows to have been seen: seen of " << usage[2] << " to " << most
           << ", but got " << int64_t(getSeen());
  return success();
}

// For each row the sum over heads, the average, and the comparison with all others.
int64_t MostUsedOp::getFlops() {
  ArrayRef<int64_t> usage = shapeOf(getUsage());
  return usage[0] * usage[2] * (usage[1] + usage[2]);
}

SmallVector<Value> MostUsedOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                             ArrayRef<bool> needed) {
  // A step function: its derivative is zero wherever there is one.
  return {Value()};
}
