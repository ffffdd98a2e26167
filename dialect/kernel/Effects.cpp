// Memory effects: kernels are pure, but for gradient buffers and the optimizer's state.

#include "dialect/kernel/KernelDialect.h"

using namespace mlir;
using namespace memformer::kernel;

using Effects = SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>;

// A buffer that no operand names is added to, so that order matters and nothing may be left out.
static void addInPlace(Effects &effects) {
  effects.emplace_back(MemoryEffects::Read::get());
  effects.emplace_back(MemoryEffects::Write::get());
}

void GemmOp::getEffects(Effects &effects) {
  if (getAccumulate())
    addInPlace(effects);
}

void ReduceOp::getEffects(Effects &effects) {
  if (getAccumulate())
    addInPlace(effects);
}

void ScatterAddOp::getEffects(Effects &effects) {
  if (getAccumulate())
    addInPlace(effects);
}

void AdamWOp::getEffects(Effects &effects) { addInPlace(effects); }

void PackOp::getEffects(Effects &) {}
void MapOp::getEffects(Effects &) {}
void LayerNormOp::getEffects(Effects &) {}
void LayerNormGradientOp::getEffects(Effects &) {}
void NormalizeOp::getEffects(Effects &) {}
void NormalizeGradientOp::getEffects(Effects &) {}
void AttentionOp::getEffects(Effects &) {}
// Its caches are values as any others: that they are one place is the plan's business.
void AttentionStepOp::getEffects(Effects &) {}
void AttentionGradientOp::getEffects(Effects &) {}
void AttentionWeightsOp::getEffects(Effects &) {}
void AttentionUsageOp::getEffects(Effects &) {}
void MostUsedOp::getEffects(Effects &) {}
void LstmOp::getEffects(Effects &) {}
void LstmStepOp::getEffects(Effects &) {}
void LstmGradientOp::getEffects(Effects &) {}
void CrossEntropyOp::getEffects(Effects &) {}
void CrossEntropyGradientOp::getEffects(Effects &) {}
void ArgmaxOp::getEffects(Effects &) {}
void GatherOp::getEffects(Effects &) {}
void ConcatOp::getEffects(Effects &) {}
void SliceOp::getEffects(Effects &) {}
void ReshapeOp::getEffects(Effects &) {}
void SquaredNormOp::getEffects(Effects &) {}
