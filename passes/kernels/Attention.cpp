// Lowering to kernels: the attention family.

#include "passes/kernels/Lowering.h"

using namespace mlir;
using namespace memformer;

LogicalResult KernelLowering::lowerAttention(Operation *op) {
  auto flag = [&](bool set) { return set ? builder.getUnitAttr() : UnitAttr(); };
  auto probability = [&](double value) { return builder.getF64FloatAttr(value); };
  auto stream = [&](int32_t value) { return builder.getI32IntegerAttr(value); };
  Operation *result = nullptr;
  if (auto attention = dyn_cast<AttentionOp>(op)) {
    result = kernel::AttentionOp::create(
        builder, location, attention.getResult().getType(), attention.getLse().getType(), Type(),
        attention.getQuery(), attention.getKey(), attention.getValue(), Value(), Value(), Value(),
        attention.getDropoutKey(), attention.getHeadsAttr(), attention.getScaleAttr(),
        flag(attention.getCausal()), UnitAttr(), attention.getProbabilityAttr(),
        attention.getStreamAttr());
    op->getResult(0).replaceAllUsesWith(result->getResult(0));
    op->getResult(1).replaceAllUsesWith(result->getResult(1));
    return success();
  }
  if (auto slots = dyn_cast<SlotAttentionOp>(op)) {
    result = kernel::AttentionOp::create(
        builder, location, slots.getResult().getType(), slots.getLse().getType(), Type(),
        slots.getQuery(), slots.getKey(), slots.getValue(), slots.getSelfKey(),
        slots.getSelfValue(), Value(), Value(), slots.getHeadsAttr(), slots.getScaleAttr(),
        UnitAttr(), UnitAttr(), probability(0), stream(0));
  } else if (auto gradient = dyn_cast<AttentionGradientOp>(op)) {
    result = kernel::AttentionGradientOp::create(
        builder, location, gradient.getQueryGradient().getType(),
        gradient.getKeyGradient().getType(), gradient.getValueGradient().getType(), Type(), Type(),
        gradient.getGradient(), gradient.getQuery(), gradient.getKey(), gradient.getValue(),
        gradient.getResultValue(), gradient.getLse(), Value(), Value(), gradient.getDropoutKey(),
        gradient.getHeadsAttr(), gradient.getScaleAttr(), flag(gradient.getCausal()),
        gradient.getProbabilityAttr(), gradient.getStreamAttr());
  } else if (auto gradient = dyn_cast<SlotAttentionGradientOp>(op)) {
    auto kernel = kernel::AttentionGradientOp::create(
        builder, location, gradient.getQueryGradient().getType(),
        gradient.getKeyGradient().getType(), gradient.getValueGradient().getType(),
        gradient.getSelfKeyGradient().getType(), gradient.getSelfValueGradient().getType(),
        gradient.getGradient(), gradient.getQuery(), gradient.getKey(), gradient.getValue(),
        gradient.getResultValue(), gradient.getLse(), gradient.getSelfKey(),
        gradient.getSelfValue(), Value(), gradient.getHeadsAttr(), gradient.getScaleAttr(),
        UnitAttr(), probability(0), stream(0));
    // The op has the self column's gradients before those of keys and values, the kernel after.
    replace(op,
            {kernel.getQueryGradient(), kernel.getSelfKeyGradient(), kernel.getSelfValueGradient(),
             kernel.getKeyGradient(), kernel.getValueGradient()});
    return success();
  } else if (auto weights = dyn_cast<AttentionWeightsOp>(op)) {
    result = kernel::AttentionWeightsOp::create(
        builder, location, weights.getType(), weights.getQuery(), weights.getSelfKey(),
        weights.getKey(), weights.getLse(), weights.getHeadsAttr(), weights.getScaleAttr(),
        flag(weights.getCausal()));
  }
  replace(op, result->getResults());
  return success();
}
