// What a kernel does with each of its arguments.

#include "dialect/program/Arguments.h"

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"
#include "dialect/program/ProgramDialect.h"
#include "llvm/ADT/DenseMap.h"

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
  if (auto step = dyn_cast<kernel::AttentionStepOp>(result.getOwner()))
    return result == step.getNextKeyCache()     ? &step.getKeyCacheMutable()
           : result == step.getNextValueCache() ? &step.getValueCacheMutable()
                                                : nullptr;
  if (auto step = dyn_cast<kernel::LstmStepOp>(result.getOwner()))
    return result == step.getNextHiddenCache() ? &step.getHiddenCacheMutable()
           : result == step.getNextCellCache() ? &step.getCellCacheMutable()
                                               : nullptr;
  return nullptr;
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

KernelArguments argumentsOf(KernelOp kernel) {
  KernelArguments result;
  if (Operation *single = kernel.getSingle()) {
    result.all = argumentsOf(single);
    auto count = unsigned(result.all.size());
    result.ofOps.push_back(llvm::to_vector(llvm::seq(0u, count)));
    return result;
  }
  llvm::SmallDenseMap<Value, unsigned> numbers;
  for (BlockArgument argument : kernel.getBody().getArguments()) {
    numbers[argument] = unsigned(result.all.size());
    result.all.push_back({bytesOf(argument.getType()), true, false, argument, Value()});
  }
  for (Operation &op : kernel.getKernels()) {
    SmallVector<unsigned> &ofOp = result.ofOps.emplace_back();
    for (const KernelArgument &argument : argumentsOf(&op)) {
      if (argument.operand) {
        unsigned number = numbers.lookup(argument.operand);
        result.all[number].isWritten |= argument.isWritten;
        ofOp.push_back(number);
        continue;
      }
      if (argument.result)
        numbers[argument.result] = unsigned(result.all.size());
      ofOp.push_back(unsigned(result.all.size()));
      result.all.push_back(argument);
    }
  }
  return result;
}

std::optional<int64_t> viewOffset(Operation *op) {
  if (isa<kernel::ReshapeOp>(op))
    return 0;
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
