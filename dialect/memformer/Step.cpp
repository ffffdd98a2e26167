// Ops of one position of a segment: verifiers and costs.

#include "dialect/memformer/Flops.h"
#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/Verify.h"

using namespace mlir;
using namespace memformer;

static LogicalResult verifyPosition(Operation *op, Value position) {
  return verifyShape(op, "position", position, {}, "one number");
}

LogicalResult RowOp::verify() {
  int64_t axis = getAxis();
  ArrayRef<int64_t> input = shapeOf(getInput());
  if (failed(verifyOneElementType(*this, {getInput(), getResult()})) ||
      failed(verifyPosition(*this, getPosition())))
    return failure();
  if (axis < 0 || axis >= int64_t(input.size()))
    return emitOpError("expected axis to be in [0, ")
           << input.size() << ") for an operand of shape " << describeShape(input) << ", but got "
           << axis;
  SmallVector<int64_t> expected(input);
  expected[axis] = 1;
  return verifyShape(*this, "result", getResult(), expected,
                     "the operand's with one entry along the axis");
}

int64_t RowOp::getFlops() { return 0; }

LogicalResult AttentionStepOp::verify() {
  if (failed(verifyElementTypes(*this)) || failed(verifyPosition(*this, getPosition())) ||
      failed(verifyRank(*this, "query", getQuery(), 3, "[B, 1, d]")) ||
      failed(verifyRank(*this, "key_cache", getKeyCache(), 3, "[B, L, d]")))
    return failure();
  int64_t batch = shapeOf(getQuery())[0], width = shapeOf(getQuery())[2];
  SmallVector<int64_t> row = {batch, 1, width};
  SmallVector<int64_t> cache = {batch, shapeOf(getKeyCache())[1], width};
  if (int64_t(getBefore()) < 0 || int64_t(getBefore()) >= cache[1])
    return emitOpError("expected rows of before the segment to be in [0, ")
           << cache[1] << "), but got " << int64_t(getBefore());
  if (bool(getRelativeQuery()) != bool(getRelativeKey()))
    return emitOpError("expected relative query and key together");
  if (failed(verifyHeads(*this, getHeads(), width)) ||
      failed(verifyPositive(*this, "scale", getScale().convertToDouble())))
    return failure();
  StringRef ofRow = "one position", ofCache = "batch and width those of the query";
  if (getRelativeKey() &&
      (failed(verifyShape(*this, "relative_query", getRelativeQuery(), row, ofRow)) ||
       failed(verifyShape(*this, "relative_key", getRelativeKey(), {cache[1], width},
                          "a row for each distance"))))
    return failure();
  return success(
      succeeded(verifyShape(*this, "query", getQuery(), row, ofRow)) &&
      succeeded(verifyShape(*this, "key", getKey(), row, ofRow)) &&
      succeeded(verifyShape(*this, "value", getValue(), row, ofRow)) &&
      succeeded(verifyShape(*this, "result", getResult(), row, ofRow)) &&
      succeeded(verifyShape(*this, "key_cache", getKeyCache(), cache, ofCache)) &&
      succeeded(verifyShape(*this, "value_cache", getValueCache(), cache, ofCache)) &&
      succeeded(verifyShape(*this, "next_key_cache", getNextKeyCache(), cache, ofCache)) &&
      succeeded(verifyShape(*this, "next_value_cache", getNextValueCache(), cache, ofCache)));
}

// Of the last position, which sees all keys.
int64_t AttentionStepOp::getFlops() {
  ArrayRef<int64_t> cache = shapeOf(getKeyCache());
  return attentionFlops(cache[0], getHeads(), cache[1], 1, cache[2], false, bool(getRelativeKey()));
}
