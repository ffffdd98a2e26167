// What a kernel does with each of its arguments.

#include "dialect/program/Arguments.h"

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;

namespace memformer::program {

int64_t bytesOf(Type type) {
  return kernel::entriesOf(type) * int64_t(cast<ShapedType>(type).getElementTypeBitWidth() / 8);
}

FlatSymbolRefAttr accumulatedParameter(Operation *kernel) {
  return kernel->getAttrOfType<FlatSymbolRefAttr>("accumulate");
}

// Entries of the gradient buffer that a kernel adds to.
static int64_t accumulatedEntries(Operation *op) {
  if (auto gemm = dyn_cast<kernel::GemmOp>(op)) {
    Type a = gemm.getA().getType();
    int64_t rows = gemm.getTransposeA() ? kernel::widthOf(a) : kernel::rowsOf(a);
    return rows * int64_t(gemm.getN());
  }
  if (auto reduce = dyn_cast<kernel::ReduceOp>(op))
    return int64_t(reduce.getEntries());
  auto scatter = cast<kernel::ScatterAddOp>(op);
  return int64_t(scatter.getRows()) * kernel::widthOf(scatter.getInput().getType());
}

OpOperand *operandInPlace(OpResult result) {
  auto step = dyn_cast<kernel::AttentionStepOp>(result.getOwner());
  if (!step || result == step.getResult())
    return nullptr;
  return result == step.getNextKeyCache() ? &step.getKeyCacheMutable()
                                          : &step.getValueCacheMutable();
}

SmallVector<KernelArgument> argumentsOf(Operation *kernel) {
  SmallVector<KernelArgument> arguments;
  auto optimizer = dyn_cast<kernel::AdamWOp>(kernel);
  auto isResult = [&](OpOperand &operand) {
    return llvm::any_of(kernel->getResults(),
                        [&](OpResult result) { return operandInPlace(result) == &operand; });
  };
  for (OpOperand &operand : kernel->getOpOperands()) {
    Value value = operand.get();
    bool written = optimizer && (&operand == &optimizer.getParametersMutable() ||
                                 &operand == &optimizer.getFirstMomentsMutable() ||
                                 &operand == &optimizer.getSecondMomentsMutable());
    written |= isResult(operand);
    arguments.push_back({bytesOf(value.getType()), true, written, value, Value()});
  }
  if (accumulatedParameter(kernel))
    arguments.push_back(
        {accumulatedEntries(kernel) * int64_t(sizeof(float)), true, true, Value(), Value()});
  for (OpResult result : kernel->getResults())
    if (!operandInPlace(result))
      arguments.push_back({bytesOf(result.getType()), false, true, Value(), result});
  return arguments;
}

std::optional<int64_t> viewOffset(Operation *op) {
  auto slice = dyn_cast<kernel::SliceOp>(op);
  // A place that is known at run time only is nowhere in the plan.
  if (!slice || slice.getPosition())
    return std::nullopt;
  ArrayRef<int64_t> shape = kernel::shapeOf(slice.getInput().getType());
  int64_t axis = int64_t(slice.getAxis());
  if (ShapedType::getNumElements(shape.take_front(axis)) != 1)
    return std::nullopt;
  int64_t bytes = bytesOf(slice.getType());
  int64_t extent = kernel::shapeOf(slice.getType())[axis];
  int64_t offset = extent ? bytes / extent * int64_t(slice.getOffset()) : 0;
  if (offset % argumentAlignment(bytes) != 0)
    return std::nullopt;
  return offset;
}

} // namespace memformer::program
