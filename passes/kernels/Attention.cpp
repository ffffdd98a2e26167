// Lowering to kernels: the attention family.

#include "dialect/memformer/Random.h"
#include "passes/kernels/Lowering.h"

using namespace mlir;
using namespace memformer;

// Streams that a table has room for; what is beyond has a kernel of its own.
static constexpr int32_t mostStreams = 4096;

// Words of the key for streams [first, first + count): [2 · count], both halves of each stream.
static Value buildKeyTable(OpBuilder &builder, Location location, Value key, int32_t first,
                           int32_t count) {
  auto type = RankedTensorType::get({2 * int64_t(count)}, builder.getI32Type());
  auto map = kernel::MapOp::create(builder, location, TypeRange{type}, key,
                                   builder.getDenseI32ArrayAttr({int32_t(OperandIndexing::Whole)}));
  OpBuilder::InsertionGuard guard(builder);
  Type word = builder.getI32Type();
  Block *body =
      builder.createBlock(&map.getBody(), {}, {word, word, word}, {location, location, location});
  auto constant = [&](int32_t value) -> Value {
    return arith::ConstantOp::create(builder, location, builder.getI32IntegerAttr(value));
  };
  Value entry = body->getArgument(2), one = constant(1);
  Value half = arith::AndIOp::create(builder, location, entry, one);
  Value isSecond = arith::CmpIOp::create(builder, location, arith::CmpIPredicate::eq, half, one);
  Value chosen = arith::SelectOp::create(builder, location, isSecond, body->getArgument(1),
                                         body->getArgument(0));
  Value stream = arith::ShRUIOp::create(builder, location, entry, one);
  stream = arith::AddIOp::create(builder, location, stream, constant(first));
  kernel::KernelYieldOp::create(builder, location,
                                buildStreamWord(builder, location, chosen, stream));
  return map.getResult(0);
}

Value KernelLowering::keyOfStream(Value key, int32_t stream) {
  if (stream < 0 || stream >= mostStreams)
    return buildKeyTable(builder, location, key, stream, 1);
  Value &table = keyTables[key];
  if (!table) {
    int32_t count = 0;
    function.walk([&](Operation *op) {
      auto other = op->getAttrOfType<IntegerAttr>("stream");
      if (int64_t number = other ? other.getInt() : -1; number >= 0 && number < mostStreams)
        count = std::max(count, int32_t(number) + 1);
    });
    OpBuilder::InsertionGuard guard(builder);
    if (Operation *definition = key.getDefiningOp())
      builder.setInsertionPointAfter(definition);
    else
      builder.setInsertionPointToStart(&function.getBody().front());
    table = buildKeyTable(builder, location, key, 0, count);
  }
  auto type = RankedTensorType::get({2}, builder.getI32Type());
  return kernel::SliceOp::create(builder, location, type, table, /*position=*/Value(), /*axis=*/0,
                                 /*offset=*/2 * uint64_t(stream));
}

LogicalResult KernelLowering::lowerAttention(Operation *op) {
  auto flag = [&](bool set) { return set ? builder.getUnitAttr() : UnitAttr(); };
  auto probability = [&](double value) { return builder.getF64FloatAttr(value); };
  auto keyOf = [&](Value key, uint32_t stream) {
    return key ? keyOfStream(key, int32_t(stream)) : key;
  };
  auto typeOf = [](Value value) { return value ? value.getType() : Type(); };
  TypeAttr operands = options.attentionType;
  // Where scores depend on distances, products are of f32.
  auto typeFor = [&](Value relativeKey) { return relativeKey ? TypeAttr() : operands; };
  Operation *result = nullptr;
  if (auto attention = dyn_cast<AttentionOp>(op)) {
    result = kernel::AttentionOp::create(
        builder, location, attention.getResult().getType(), attention.getLse().getType(), Type(),
        attention.getQuery(), attention.getKey(), attention.getValue(), Value(), Value(), Value(),
        attention.getRelativeQuery(), attention.getRelativeKey(),
        keyOf(attention.getDropoutKey(), attention.getStream()), attention.getHeadsAttr(),
        attention.getScaleAttr(), flag(attention.getCausal()), UnitAttr(),
        attention.getProbabilityAttr(), typeFor(attention.getRelativeKey()));
    op->getResult(0).replaceAllUsesWith(result->getResult(0));
    op->getResult(1).replaceAllUsesWith(result->getResult(1));
    return success();
  }
  if (auto slots = dyn_cast<SlotAttentionOp>(op)) {
    result = kernel::AttentionOp::create(
        builder, location, slots.getResult().getType(), slots.getLse().getType(), Type(),
        slots.getQuery(), slots.getKey(), slots.getValue(), slots.getSelfKey(),
        slots.getSelfValue(), Value(), Value(), Value(), Value(), slots.getHeadsAttr(),
        slots.getScaleAttr(), UnitAttr(), UnitAttr(), probability(0), operands);
  } else if (auto step = dyn_cast<AttentionStepOp>(op)) {
    result = kernel::AttentionStepOp::create(
        builder, location, step->getResultTypes(), step.getQuery(), step.getKey(), step.getValue(),
        step.getKeyCache(), step.getValueCache(), step.getPosition(), step.getRelativeQuery(),
        step.getRelativeKey(), step.getHeadsAttr(), step.getScaleAttr(), step.getBeforeAttr());
  } else if (auto gradient = dyn_cast<AttentionGradientOp>(op)) {
    result = kernel::AttentionGradientOp::create(
        builder, location, gradient.getQueryGradient().getType(),
        gradient.getKeyGradient().getType(), gradient.getValueGradient().getType(), Type(), Type(),
        typeOf(gradient.getRelativeQueryGradient()), typeOf(gradient.getRelativeKeyGradient()),
        gradient.getGradient(), gradient.getQuery(), gradient.getKey(), gradient.getValue(),
        gradient.getResultValue(), gradient.getLse(), Value(), Value(), gradient.getRelativeQuery(),
        gradient.getRelativeKey(), keyOf(gradient.getDropoutKey(), gradient.getStream()),
        gradient.getHeadsAttr(), gradient.getScaleAttr(), flag(gradient.getCausal()),
        gradient.getProbabilityAttr(), typeFor(gradient.getRelativeKey()));
  } else if (auto gradient = dyn_cast<SlotAttentionGradientOp>(op)) {
    auto kernel = kernel::AttentionGradientOp::create(
        builder, location, gradient.getQueryGradient().getType(),
        gradient.getKeyGradient().getType(), gradient.getValueGradient().getType(),
        gradient.getSelfKeyGradient().getType(), gradient.getSelfValueGradient().getType(), Type(),
        Type(), gradient.getGradient(), gradient.getQuery(), gradient.getKey(), gradient.getValue(),
        gradient.getResultValue(), gradient.getLse(), gradient.getSelfKey(),
        gradient.getSelfValue(), Value(), Value(), Value(), gradient.getHeadsAttr(),
        gradient.getScaleAttr(), UnitAttr(), probability(0), operands);
    // The op has the self column's gradients before those of keys and values, the kernel after.
    replace(op,
            {kernel.getQueryGradient(), kernel.getSelfKeyGradient(), kernel.getSelfValueGradient(),
             kernel.getKeyGradient(), kernel.getValueGradient()});
    return success();
  } else if (auto weights = dyn_cast<AttentionWeightsOp>(op)) {
    result = kernel::AttentionWeightsOp::create(
        builder, location, weights.getType(), weights.getQuery(), weights.getSelfKey(),
        weights.getKey(), weights.getLse(), weights.getHeadsAttr(), weights.getScaleAttr(),
        flag(weights.getCausal()), operands);
  } else if (auto usage = dyn_cast<AttentionUsageOp>(op)) {
    result = kernel::AttentionUsageOp::create(
        builder, location, usage.getType(), usage.getQuery(), usage.getKey(), usage.getLse(),
        usage.getRelativeQuery(), usage.getRelativeKey(), usage.getHeadsAttr(),
        usage.getScaleAttr(), flag(usage.getCausal()));
  }
  replace(op, result->getResults());
  return success();
}
