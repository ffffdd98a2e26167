// Which values may be stored in a narrower type than kernels compute in.

#include "dialect/kernel/Storage.h"

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace memformer::kernel {

Type narrowTypeOf(OpOperand &operand) {
  Operation *op = operand.getOwner();
  if (auto gemm = dyn_cast<GemmOp>(op)) {
    bool isFactor = operand.getOperandNumber() == 1 ||
                    (operand.getOperandNumber() == 0 && !gemm.getScale()); // normalised in f32
    // Tensors of tf32 there are none.
    Type type = gemm.getOperandType().value_or(Type());
    return isFactor && type && isNarrow(type) ? type : Type();
  }
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return reduce.getOperandType().value_or(Type());
  if (auto attention = dyn_cast<AttentionOp>(op))
    return operand.getOperandNumber() < 3 ? attention.getOperandType().value_or(Type()) : Type();
  if (auto gradient = dyn_cast<AttentionGradientOp>(op))
    return operand.getOperandNumber() < 4 ? gradient.getOperandType().value_or(Type()) : Type();
  if (auto weights = dyn_cast<AttentionWeightsOp>(op))
    return &operand == &weights.getQueryMutable() || &operand == &weights.getKeyMutable()
               ? weights.getOperandType().value_or(Type())
               : Type();
  return {};
}

bool isStoredWeight(OpOperand &operand) {
  auto gemm = dyn_cast<GemmOp>(operand.getOwner());
  return gemm && operand.getOperandNumber() == 1 && gemm.getPacked() && !gemm.getOperandType();
}

bool mayBeNarrow(OpResult result) {
  Operation *op = result.getOwner();
  if (isa<MapOp>(op))
    return isa<FloatType>(cast<ShapedType>(result.getType()).getElementType());
  if (isa<LayerNormGradientOp>(op))
    return result.getResultNumber() + 1 < op->getNumResults(); // not the partial sums
  // Rows of heads that are wider may be summed in memory.
  constexpr int64_t mostColumns = 128;
  if (auto attention = dyn_cast<AttentionOp>(op))
    return attention.getOperandType() && !attention.getNormalize() &&
           result.getResultNumber() == 0 &&
           widthOf(result.getType()) <= mostColumns * int64_t(attention.getHeads());
  if (auto gradient = dyn_cast<AttentionGradientOp>(op))
    return gradient.getOperandType() && result.getResultNumber() < 3 &&
           widthOf(result.getType()) <= mostColumns * int64_t(gradient.getHeads());
  return isa<GemmOp, PackOp, LayerNormOp, GatherOp, CrossEntropyGradientOp>(op);
}

} // namespace memformer::kernel
