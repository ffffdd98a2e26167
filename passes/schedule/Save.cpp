// Which values backpropagation through time saves.

#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "passes/schedule/Cut.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace memformer;

int64_t memformer::bytesOf(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getNumElements() * llvm::divideCeil(type.getElementTypeBitWidth(), 8);
}

// Ops that move or repeat entries: to have their result again costs about what loading it would.
static bool isMovement(Operation *op) {
  return isa<BroadcastOp, SliceOp, ConcatOp, ReshapeOp, SelectRowsOp>(op);
}

namespace {

class Chooser {
public:
  explicit Chooser(const DifferentiatedSegment &segment) {
    for (Operation &op : segment.block)
      if (segment.recomputed.contains(&op) && isFromParameters(&op))
        fromParameters.insert(&op);
  }

  // Whether a value can be had in the replay without saving anything more.
  bool isAvailable(Value value) const {
    Operation *op = value.getDefiningOp();
    return !op || saved.contains(value) || fromParameters.contains(op) ||
           (isMovement(op) &&
            llvm::all_of(op->getOperands(), [&](Value operand) { return isAvailable(operand); }));
  }

  // Saves a value, or what it is moved from where that is smaller.
  void save(Value value) {
    if (isAvailable(value))
      return;
    Operation *op = value.getDefiningOp();
    if (isMovement(op)) {
      int64_t bytes = 0;
      for (Value operand : op->getOperands())
        if (!isAvailable(operand))
          bytes += bytesOf(operand);
      if (bytes < bytesOf(value)) {
        for (Value operand : op->getOperands())
          save(operand);
        return;
      }
    }
    saved.insert(value);
  }

  SetVector<Value> saved;

private:
  bool isFromParameters(Operation *op) const {
    return isa<LoadParamOp>(op) ||
           (isPure(op) && llvm::all_of(op->getOperands(), [&](Value operand) {
              return operand.getDefiningOp() && fromParameters.contains(operand.getDefiningOp());
            }));
  }

  DenseSet<Operation *> fromParameters; // and constants
};

} // namespace

SetVector<Value> memformer::valuesToSave(const DifferentiatedSegment &segment) {
  // What the gradient's ops read, in program order; those that cannot be moved from others first.
  SmallVector<Value> read;
  for (Operation &op : segment.block) {
    if (!segment.recomputed.contains(&op))
      continue;
    for (Value result : op.getResults())
      if (llvm::any_of(result.getUses(), [&](OpOperand &use) {
            if (auto yield = dyn_cast<YieldOp>(use.getOwner()))
              return use.getOperandNumber() < yield.getState().size();
            return !segment.recomputed.contains(use.getOwner());
          }))
        read.push_back(result);
  }
  Chooser chooser(segment);
  for (Value value : read)
    if (!isMovement(value.getDefiningOp()))
      chooser.save(value);
  for (Value value : read)
    chooser.save(value);
  return std::move(chooser.saved);
}
