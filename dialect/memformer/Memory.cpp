// Memory read and write: what they stand for. The first pass of every pipeline expands them.

#include "dialect/memformer/Flops.h"
#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/Verify.h"

#include <cmath>

using namespace mlir;
using namespace memformer;

/// 1 / √(d/H).
static double headScale(int64_t width, int64_t heads) {
  return 1.0 / std::sqrt(static_cast<double>(width) / static_cast<double>(heads));
}

/// `[d, d]` and `[d]`; both null where there is no such projection.
static LogicalResult verifyProjection(Operation *op, const std::string &name, Value weight,
                                      Value bias, int64_t width) {
  if (!weight && !bias)
    return success();
  if (!weight || !bias)
    return op->emitOpError("expected ") << name << " to have both weight and bias, but only the "
                                        << (weight ? "weight" : "bias") << " is there";
  if (failed(verifyShape(op, name + "_weight", weight, {width, width}, "[d, d]")))
    return failure();
  return verifyShape(op, name + "_bias", bias, {width}, "[d]");
}

/// Tokens `[B, S, d]` and slots `[B, K, d]`.
static LogicalResult verifyTokensAndSlots(Operation *op, Value tokens, Value slots, int64_t heads) {
  if (failed(verifyElementTypes(op)) || failed(verifyRank(op, "input", tokens, 3, "[B, S, d]")) ||
      failed(verifyRank(op, "memory", slots, 3, "[B, K, d]")))
    return failure();
  ArrayRef<int64_t> shape = shapeOf(tokens);
  if (failed(verifyShape(op, "memory", slots, {shape[0], shapeOf(slots)[1], shape[2]},
                         "batch and width those of the input")))
    return failure();
  return verifyHeads(op, heads, shape[2]);
}

static Value project(OpBuilder &builder, Location location, Value input, Value weight, Value bias) {
  return LinearOp::create(builder, location, input.getType(), input, weight, bias, false);
}

/// Composite ops have no gradient of their own.
static SmallVector<Value> rejectGradient(Operation *op) {
  op->emitOpError("expected to be expanded (-memformer-expand) before differentiation");
  return {};
}

//===-- read
//-------------------------------------------------------------------------------------===//

LogicalResult ReadOp::verify() {
  if (failed(verifyTokensAndSlots(*this, getInput(), getMemory(), getHeads())))
    return failure();
  int64_t width = columns(getInput());
  if (failed(verifyProjection(*this, "query", getQueryWeight(), getQueryBias(), width)) ||
      failed(verifyProjection(*this, "key", getKeyWeight(), getKeyBias(), width)) ||
      failed(verifyProjection(*this, "value", getValueWeight(), getValueBias(), width)) ||
      failed(verifyProjection(*this, "output", getOutputWeight(), getOutputBias(), width)) ||
      failed(verifyDropout(*this, getProbability().convertToDouble(), getDropoutKey())))
    return failure();
  return verifyShape(*this, "result", getResult(), shapeOf(getInput()), "that of the input");
}

SmallVector<Value> ReadOp::expand(OpBuilder &builder) {
  Location location = getLoc();
  Value query = project(builder, location, getInput(), getQueryWeight(), getQueryBias());
  Value key = project(builder, location, getMemory(), getKeyWeight(), getKeyBias());
  Value value = project(builder, location, getMemory(), getValueWeight(), getValueBias());
  RankedTensorType type = tensorType(query);
  int64_t heads = getHeads();
  auto lse =
      RankedTensorType::get({type.getDimSize(0), heads, type.getDimSize(1)}, type.getElementType());
  auto attention = AttentionOp::create(
      builder, location, type, lse, query, key, value, Value(), Value(), getDropoutKey(),
      getHeadsAttr(), builder.getF64FloatAttr(headScale(type.getDimSize(2), heads)), UnitAttr(),
      getProbabilityAttr(), getStreamAttr());
  return {project(builder, location, attention.getResult(), getOutputWeight(), getOutputBias())};
}

int64_t ReadOp::getFlops() {
  ArrayRef<int64_t> tokens = shapeOf(getInput());
  int64_t width = tokens[2];
  int64_t pairs = attentionPairs(tokens[1], shapeOf(getMemory())[1], false);
  return linearFlops(2 * rows(getInput()) + 2 * rows(getMemory()), width, width, true) +
         attentionFlops(tokens[0], getHeads(), pairs, tokens[1], width, !getProbability().isZero(),
                        /*relative=*/false);
}

SmallVector<Value> ReadOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                         ArrayRef<bool> needed) {
  return rejectGradient(*this);
}

//===-- write
//------------------------------------------------------------------------------------===//

LogicalResult WriteOp::verify() {
  if (failed(verifyTokensAndSlots(*this, getInput(), getMemory(), getHeads())) ||
      failed(verifyPositive(*this, "temperature", getTemperature().convertToDouble())))
    return failure();
  int64_t width = columns(getInput());
  if (failed(verifyProjection(*this, "query", getQueryWeight(), getQueryBias(), width)) ||
      failed(verifyProjection(*this, "key", getKeyWeight(), getKeyBias(), width)) ||
      failed(verifyProjection(*this, "value", getValueWeight(), getValueBias(), width)) ||
      failed(
          verifyProjection(*this, "slot_value", getSlotValueWeight(), getSlotValueBias(), width)) ||
      failed(verifyProjection(*this, "output", getOutputWeight(), getOutputBias(), width)) ||
      failed(verifyShape(*this, "result", getResult(), shapeOf(getMemory()), "that of the memory")))
    return failure();
  ArrayRef<int64_t> slots = shapeOf(getMemory());
  int64_t heads = getHeads();
  return verifyShape(*this, "weights", getWeights(),
                     {slots[0], heads, slots[1], 1 + shapeOf(getInput())[1]}, "[B, H, K, 1 + S]");
}

SmallVector<Value> WriteOp::expand(OpBuilder &builder) {
  Location location = getLoc();
  Value memory = getMemory(), input = getInput();
  Value query = project(builder, location, memory, getQueryWeight(), getQueryBias());
  Value selfKey = project(builder, location, memory, getKeyWeight(), getKeyBias());
  Value key = project(builder, location, input, getKeyWeight(), getKeyBias());
  Value value = project(builder, location, input, getValueWeight(), getValueBias());
  Value selfValue = memory;
  if (getSlotValueWeight())
    selfValue = project(builder, location, memory, getSlotValueWeight(), getSlotValueBias());

  RankedTensorType type = tensorType(query);
  int64_t heads = getHeads();
  auto lse =
      RankedTensorType::get({type.getDimSize(0), heads, type.getDimSize(1)}, type.getElementType());
  FloatAttr scale = builder.getF64FloatAttr(headScale(type.getDimSize(2), heads) /
                                            getTemperature().convertToDouble());
  auto attention = SlotAttentionOp::create(builder, location, type, lse, query, selfKey, selfValue,
                                           key, value, getHeadsAttr(), scale);
  Value weights =
      AttentionWeightsOp::create(builder, location, getWeights().getType(), query, selfKey, key,
                                 attention.getLse(), getHeadsAttr(), scale, UnitAttr());
  Value result = attention.getResult();
  if (getOutputWeight())
    result = project(builder, location, result, getOutputWeight(), getOutputBias());
  return {result, weights};
}

// Without the weights, which nothing but an observer asks for.
int64_t WriteOp::getFlops() {
  ArrayRef<int64_t> slots = shapeOf(getMemory());
  int64_t width = slots[2];
  int64_t memoryProjections = 2 + (getSlotValueWeight() ? 1 : 0) + (getOutputWeight() ? 1 : 0);
  int64_t pairs = attentionPairs(slots[1], 1 + shapeOf(getInput())[1], false);
  return linearFlops(memoryProjections * rows(getMemory()) + 2 * rows(getInput()), width, width,
                     true) +
         attentionFlops(slots[0], getHeads(), pairs, slots[1], width, false, false);
}

SmallVector<Value> WriteOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                          ArrayRef<bool> needed) {
  return rejectGradient(*this);
}
