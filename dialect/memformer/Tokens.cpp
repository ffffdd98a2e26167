// Ops at the two ends of a model, where tokens are: embedding, cross-entropy and argmax.

#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/Verify.h"

using namespace mlir;
using namespace memformer;

//===-- embedding
//--------------------------------------------------------------------------------===//

/// `entries` are `[…, d]` for tokens `[…]` and a table `[V, d]`.
static LogicalResult verifyEmbedding(Operation *op, Value tokens, Value table, StringRef tableName,
                                     Value vectors, StringRef vectorsName) {
  if (failed(verifyElementTypes(op)) || failed(verifyRank(op, tableName, table, 2, "[V, d]")))
    return failure();
  SmallVector<int64_t> shape(shapeOf(tokens));
  shape.push_back(columns(table));
  return verifyShape(op, vectorsName, vectors, shape, "[tokens..., d]");
}

LogicalResult EmbeddingOp::verify() {
  return verifyEmbedding(*this, getTokens(), getTable(), "table", getResult(), "result");
}

int64_t EmbeddingOp::getFlops() { return 0; }

SmallVector<Value> EmbeddingOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                              ArrayRef<bool> needed) {
  if (!needed[1])
    return {Value(), Value()};
  Value gradient = EmbeddingGradientOp::create(builder, getLoc(), getTable().getType(),
                                               resultGradients[0], getTokens());
  return {Value(), gradient};
}

LogicalResult EmbeddingGradientOp::verify() {
  return verifyEmbedding(*this, getTokens(), getResult(), "result", getGradient(), "gradient");
}

int64_t EmbeddingGradientOp::getFlops() { return entries(getGradient()); }

//===-- cross_entropy
//----------------------------------------------------------------------------===//

LogicalResult CrossEntropyOp::verify() {
  if (failed(verifyElementTypes(*this)) ||
      failed(verifyMinimumRank(*this, "logits", getLogits(), 1, "[..., V]")))
    return failure();
  ArrayRef<int64_t> places = shapeOf(getLogits()).drop_back();
  if (failed(verifyShape(*this, "targets", getTargets(), places, "the logits' but for the last")) ||
      failed(verifyShape(*this, "loss", getLoss(), places, "the logits' but for the last")))
    return failure();
  return verifyShape(*this, "lse", getLse(), places, "the logits' but for the last");
}

// For each logit maximum, difference, exponential and sum; for each row the logarithm and two sums.
int64_t CrossEntropyOp::getFlops() { return 4 * entries(getLogits()) + 3 * rows(getLogits()); }

SmallVector<Value> CrossEntropyOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                                 ArrayRef<bool> needed) {
  if (resultGradients[1]) {
    emitOpError("expected the loss to be differentiated through the first result only, but a "
                "gradient arrives at lse");
    return {};
  }
  if (!needed[0])
    return {Value(), Value()};
  Value gradient =
      CrossEntropyGradientOp::create(builder, getLoc(), getLogits().getType(), resultGradients[0],
                                     getLogits(), getTargets(), getLse());
  return {gradient, Value()};
}

LogicalResult CrossEntropyGradientOp::verify() {
  if (failed(verifyElementTypes(*this)) ||
      failed(verifyMinimumRank(*this, "logits", getLogits(), 1, "[..., V]")))
    return failure();
  ArrayRef<int64_t> places = shapeOf(getLogits()).drop_back();
  if (failed(
          verifyShape(*this, "gradient", getGradient(), places, "the logits' but for the last")) ||
      failed(verifyShape(*this, "targets", getTargets(), places, "the logits' but for the last")) ||
      failed(verifyShape(*this, "lse", getLse(), places, "the logits' but for the last")))
    return failure();
  return verifyShape(*this, "result", getResult(), shapeOf(getLogits()), "that of the logits");
}

int64_t CrossEntropyGradientOp::getFlops() { return 3 * entries(getLogits()) + rows(getLogits()); }

//===-- argmax
//-----------------------------------------------------------------------------------===//

LogicalResult ArgmaxOp::verify() {
  if (failed(verifyMinimumRank(*this, "input", getInput(), 1, "[..., V]")))
    return failure();
  return verifyShape(*this, "result", getResult(), shapeOf(getInput()).drop_back(),
                     "the input's but for the last");
}

int64_t ArgmaxOp::getFlops() { return entries(getInput()) - rows(getInput()); }

SmallVector<Value> ArgmaxOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                           ArrayRef<bool> needed) {
  // A step function: its derivative is zero wherever there is one.
  return {Value()};
}
