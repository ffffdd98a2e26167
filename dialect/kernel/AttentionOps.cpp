// Verifiers of attention, its gradients and its weights.

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;
using namespace memformer::kernel;

// Queries [B, Lq, d] and keys [B, Lk, d] of `heads` heads.
static LogicalResult verifyQueryAndKey(Operation *op, Type query, Type key, int64_t heads) {
  ArrayRef<int64_t> q = shapeOf(query), k = shapeOf(key);
  if (q.size() != 3 || k.size() != 3)
    return op->emitOpError("expected query and key to have three dimensions, but got ")
           << query << " and " << key;
  if (q[0] != k[0] || q[2] != k[2])
    return op->emitOpError("expected query and key of one batch and width, but got ")
           << query << " and " << key;
  if (heads < 1 || q[2] % heads != 0)
    return op->emitOpError("expected heads to divide the width ") << q[2] << ", but got " << heads;
  return success();
}

static LogicalResult verifyDropout(Operation *op, Value key, const APFloat &probability) {
  double p = probability.convertToDouble();
  if (!(p >= 0 && p < 1))
    return op->emitOpError("expected a probability in [0, 1), but got ") << p;
  if (p > 0 && !key)
    return op->emitOpError("expected a dropout key with a probability of ") << p;
  return key ? verifyShape(op, "the dropout key", key.getType(), {2}) : success();
}

static LogicalResult verifySelf(Operation *op, Value key, Value value, Type query) {
  if (bool(key) != bool(value))
    return op->emitOpError("expected self key and self value together");
  return success(!key ||
                 (succeeded(verifyShape(op, "the self key", key.getType(), shapeOf(query))) &&
                  succeeded(verifyShape(op, "the self value", value.getType(), shapeOf(query)))));
}

// What scores by distance read: a row for each query, and one for each distance that a key may
// have.
static LogicalResult verifyRelative(Operation *op, Value relativeQuery, Value relativeKey,
                                    ArrayRef<int64_t> query, ArrayRef<int64_t> key, bool causal) {
  if (bool(relativeQuery) != bool(relativeKey))
    return op->emitOpError("expected relative query and key together");
  if (!relativeQuery)
    return success();
  if (!causal)
    return op->emitOpError("expected relative attention to be causal");
  return success(
      succeeded(verifyShape(op, "the relative query", relativeQuery.getType(), query)) &&
      succeeded(verifyShape(op, "the relative key", relativeKey.getType(), {key[1], key[2]})));
}

// A causal query sees the keys up to its own, the last queries' keys being the last.
static LogicalResult verifyCausal(Operation *op, ArrayRef<int64_t> query, ArrayRef<int64_t> key) {
  if (key[1] >= query[1])
    return success();
  return op->emitOpError("expected at least as many keys as queries in causal attention, but got ")
         << key[1] << " keys and " << query[1] << " queries";
}

LogicalResult AttentionOp::verify() {
  Type query = getQuery().getType(), key = getKey().getType();
  int64_t heads = int64_t(getHeads());
  if (failed(verifyStorage(*this)) || failed(verifyQueryAndKey(*this, query, key, heads)) ||
      failed(verifyShape(*this, "value", getValue().getType(), shapeOf(key))) ||
      failed(verifySelf(*this, getSelfKey(), getSelfValue(), query)) ||
      failed(verifyDropout(*this, getDropoutKey(), getProbability())))
    return failure();
  ArrayRef<int64_t> q = shapeOf(query);
  if (failed(verifyRelative(*this, getRelativeQuery(), getRelativeKey(), q, shapeOf(key),
                            getCausal())) ||
      (getCausal() && failed(verifyCausal(*this, q, shapeOf(key)))) ||
      failed(verifyShape(*this, "the result", getResult().getType(), q)) ||
      failed(verifyShape(*this, "lse", getLse().getType(), {q[0], heads, q[1]})))
    return failure();
  if (getNormalize() != bool(getNormalized()))
    return emitOpError("expected normalised rows as a result with `normalize` and only then");
  if (getBias() && !getNormalize())
    return emitOpError("expected `normalize` with a bias");
  if (getBias() && !isTrailing(shapeOf(getBias().getType()), q))
    return emitOpError("expected the bias to have trailing dimensions of ")
           << query << ", but got " << getBias().getType();
  return getNormalize() ? verifyShape(*this, "the normalised rows", getNormalized().getType(), q)
                        : success();
}

LogicalResult AttentionStepOp::verify() {
  Type query = getQuery().getType(), cache = getKeyCache().getType();
  if (failed(verifyStorage(*this)) ||
      failed(verifyQueryAndKey(*this, query, cache, int64_t(getHeads()))) ||
      failed(verifyShape(*this, "the position", getPosition().getType(), {})))
    return failure();
  SmallVector<int64_t> row(shapeOf(query));
  row[1] = 1;
  if (failed(verifyRelative(*this, getRelativeQuery(), getRelativeKey(), row, shapeOf(cache),
                            /*causal=*/true)))
    return failure();
  if (int64_t(getBefore()) < 0 || int64_t(getBefore()) >= shapeOf(cache)[1])
    return emitOpError("expected rows of before the segment to be in [0, ")
           << shapeOf(cache)[1] << "), but got " << int64_t(getBefore());
  for (auto [what, value] : {std::pair<StringRef, Value>{"query", getQuery()},
                             {"key", getKey()},
                             {"value", getValue()},
                             {"the result", getResult()}})
    if (failed(verifyShape(*this, what, value.getType(), row)))
      return failure();
  for (auto [what, value] : {std::pair<StringRef, Value>{"the value cache", getValueCache()},
                             {"the next key cache", getNextKeyCache()},
                             {"the next value cache", getNextValueCache()}})
    if (failed(verifyShape(*this, what, value.getType(), shapeOf(cache))))
      return failure();
  return success();
}

LogicalResult AttentionGradientOp::verify() {
  Type query = getQuery().getType(), key = getKey().getType();
  int64_t heads = int64_t(getHeads());
  if (failed(verifyStorage(*this)) || failed(verifyQueryAndKey(*this, query, key, heads)) ||
      failed(verifySelf(*this, getSelfKey(), getSelfValue(), query)) ||
      failed(verifyDropout(*this, getDropoutKey(), getProbability())))
    return failure();
  ArrayRef<int64_t> q = shapeOf(query), k = shapeOf(key);
  if (failed(verifyRelative(*this, getRelativeQuery(), getRelativeKey(), q, k, getCausal())) ||
      (getCausal() && failed(verifyCausal(*this, q, k))) ||
      failed(verifyShape(*this, "value", getValue().getType(), k)) ||
      failed(verifyShape(*this, "the gradient", getGradient().getType(), q)) ||
      failed(verifyShape(*this, "the attention's result", getResultValue().getType(), q)) ||
      failed(verifyShape(*this, "lse", getLse().getType(), {q[0], heads, q[1]})) ||
      failed(verifyShape(*this, "the query's gradient", getQueryGradient().getType(), q)) ||
      failed(verifyShape(*this, "the key's gradient", getKeyGradient().getType(), k)) ||
      failed(verifyShape(*this, "the value's gradient", getValueGradient().getType(), k)))
    return failure();
  if (bool(getSelfKeyGradient()) != bool(getSelfKey()) ||
      bool(getSelfValueGradient()) != bool(getSelfKey()))
    return emitOpError("expected gradients of self key and self value with a self column and only "
                       "then");
  if (bool(getRelativeQueryGradient()) != bool(getRelativeQuery()) ||
      bool(getRelativeKeyGradient()) != bool(getRelativeKey()))
    return emitOpError("expected gradients of relative query and key with them and only then");
  if (getRelativeKey() && (failed(verifyShape(*this, "the relative query's gradient",
                                              getRelativeQueryGradient().getType(), q)) ||
                           failed(verifyShape(*this, "the relative key's gradient",
                                              getRelativeKeyGradient().getType(), k))))
    return failure();
  return success(!getSelfKey() || (succeeded(verifyShape(*this, "the self key's gradient",
                                                         getSelfKeyGradient().getType(), q)) &&
                                   succeeded(verifyShape(*this, "the self value's gradient",
                                                         getSelfValueGradient().getType(), q))));
}

LogicalResult AttentionWeightsOp::verify() {
  Type query = getQuery().getType(), key = getKey().getType();
  int64_t heads = int64_t(getHeads());
  if (failed(verifyStorage(*this)) || failed(verifyQueryAndKey(*this, query, key, heads)))
    return failure();
  ArrayRef<int64_t> q = shapeOf(query), k = shapeOf(key);
  if (getSelfKey() && failed(verifyShape(*this, "the self key", getSelfKey().getType(), q)))
    return failure();
  return success(succeeded(verifyShape(*this, "lse", getLse().getType(), {q[0], heads, q[1]})) &&
                 succeeded(verifyShape(*this, "the result", getResult().getType(),
                                       {q[0], heads, q[1], k[1] + (getSelfKey() ? 1 : 0)})));
}

LogicalResult AttentionUsageOp::verify() {
  Type query = getQuery().getType(), key = getKey().getType();
  int64_t heads = int64_t(getHeads());
  if (failed(verifyStorage(*this)) || failed(verifyQueryAndKey(*this, query, key, heads)))
    return failure();
  ArrayRef<int64_t> q = shapeOf(query), k = shapeOf(key);
  if ((getCausal() && failed(verifyCausal(*this, q, k))) ||
      failed(verifyRelative(*this, getRelativeQuery(), getRelativeKey(), q, k, getCausal())))
    return failure();
  return success(
      succeeded(verifyShape(*this, "lse", getLse().getType(), {q[0], heads, q[1]})) &&
      succeeded(verifyShape(*this, "the result", getResult().getType(), {q[0], heads, k[1]})));
}

LogicalResult MostUsedOp::verify() {
  if (failed(verifyStorage(*this)))
    return failure();
  ArrayRef<int64_t> usage = shapeOf(getUsage().getType()), result = shapeOf(getResult().getType());
  if (usage.size() != 3 || result.size() != 2 || result[0] != usage[0])
    return emitOpError("expected usage [B, H, N] and a result [B, k], but got ")
           << getUsage().getType() << " and " << getResult().getType();
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
