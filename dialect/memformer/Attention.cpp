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
  if (causal && shapeOf(key)[1] != shape[1])
    return op->emitOpError("expected as many keys as queries in causal attention, but got ")
           << shapeOf(key)[1] << " keys and " << shape[1] << " queries";
  return verifyShape(op, "lse", lse, {shape[0], heads, shape[1]}, "[B, H, Lq]");
}

/// `value` has the shape of `like`.
static LogicalResult verifyLike(Operation *op, StringRef name, Value value, StringRef likeName,
                                Value like) {
  return verifyShape(op, name, value, shapeOf(like), "that of " + likeName.str());
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
                        query[2], !getProbability().isZero());
}

SmallVector<Value> AttentionOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                              ArrayRef<bool> needed) {
  if (failed(verifyNoLseGradient(*this, resultGradients)))
    return {};
  if (!llvm::is_contained(needed.take_front(3), true))
    return SmallVector<Value>(getNumOperands());
  auto gradient = AttentionGradientOp::create(
      builder, getLoc(), getQuery().getType(), getKey().getType(), getValue().getType(),
      resultGradients[0], getQuery(), getKey(), getValue(), getResult(), getLse(), getDropoutKey(),
      getHeadsAttr(), getScaleAttr(), getCausalAttr(), getProbabilityAttr(), getStreamAttr());
  return pick(gradient, needed);
}

LogicalResult AttentionGradientOp::verify() {
  if (failed(verifyAttention(*this, getQuery(), getKey(), getLse(), getHeads(), getScale(),
                             getCausal())) ||
      failed(verifyLike(*this, "value", getValue(), "the key", getKey())) ||
      failed(verifyDropout(*this, getProbability().convertToDouble(), getDropoutKey())) ||
      failed(verifyLike(*this, "gradient", getGradient(), "the query", getQuery())) ||
      failed(verifyLike(*this, "result_value", getResultValue(), "the query", getQuery())) ||
      failed(verifyLike(*this, "query_gradient", getQueryGradient(), "the query", getQuery())) ||
      failed(verifyLike(*this, "key_gradient", getKeyGradient(), "the key", getKey())))
    return failure();
  return verifyLike(*this, "value_gradient", getValueGradient(), "the value", getValue());
}

int64_t AttentionGradientOp::getFlops() {
  ArrayRef<int64_t> query = shapeOf(getQuery());
  return attentionGradientFlops(query[0], getHeads(),
                                attentionPairs(query[1], shapeOf(getKey())[1], getCausal()),
                                query[1], query[2], !getProbability().isZero());
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
                        query[2], false);
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
                                query[2], false);
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
