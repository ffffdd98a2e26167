// Cutting functions out of a differentiated segment.

#ifndef MEMFORMER_PASSES_SCHEDULE_CUT_H
#define MEMFORMER_PASSES_SCHEDULE_CUT_H

#include "dialect/memformer/MemformerDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"

#include <optional>
#include <string>

namespace memformer {

/// A value of the replay region, and what it is where a function takes or gives it.
struct Port {
  mlir::Value value;
  llvm::StringRef role;
  std::string name;
};

/// The values of a filled replay region by what they are.
struct DifferentiatedSegment {
  explicit DifferentiatedSegment(RecurrenceOp recurrence);

  mlir::Block &block;
  llvm::SmallVector<Port> states;         // as they arrive
  llvm::SmallVector<Port> inputs;         // the recurrence's, and `reset` where there is a state
  llvm::SmallVector<Port> nextGradients;  // of the next states: arguments
  llvm::SmallVector<Port> stateGradients; // results
  llvm::SmallVector<Port> nextStates;
  llvm::SmallVector<Port> outputs;
  llvm::SmallVector<Port> entering;  // states after `reset`, as outputs
  llvm::SmallVector<Port> loss;      // one or none
  llvm::SmallVector<Port> lossScale; // with the loss
  /// Ops that next states, loss and outputs depend on. The others are the gradient.
  llvm::DenseSet<mlir::Operation *> recomputed;
};

/// The ops of a block on which `results`, and with `effects` the parameters' gradients, depend,
/// given `available`.
llvm::DenseSet<mlir::Operation *> sliceOf(mlir::Block &block, mlir::ValueRange results,
                                          const llvm::DenseSet<mlir::Value> &available,
                                          bool effects);

/// Builds a function that computes `results` (and with `effects` the parameters' gradients) from
/// `arguments`, with the ops of the segment's block that this takes, in their order. Everything
/// else stays out of it.
mlir::func::FuncOp cutFunction(mlir::OpBuilder &builder, mlir::Location location,
                               llvm::StringRef name, mlir::Block &block,
                               llvm::ArrayRef<Port> arguments, llvm::ArrayRef<Port> results,
                               bool effects);

/// What the gradient of a segment reads of its recomputation, but what costs nothing to have again,
/// in program order: the values that backpropagation through time saves.
llvm::SetVector<mlir::Value> valuesToSave(const DifferentiatedSegment &segment);

/// Bytes of a tensor.
int64_t bytesOf(mlir::Value value);

/// Makes dropout the identity in a function.
void removeDropout(mlir::func::FuncOp function);

/// The bounds of integers that index a table or name a class, as the ops that read them imply.
class IntegerBounds {
public:
  /// Entries are in [0, bound), or −1 where `ignored`.
  struct Bound {
    int64_t bound;
    bool ignored;
  };

  /// Of all values of a segment. Fails with a diagnostic at an op whose entries may be others.
  static llvm::FailureOr<IntegerBounds> of(const DifferentiatedSegment &segment);

  /// Marks the inputs and states among a function's arguments.
  void mark(mlir::func::FuncOp function, const DifferentiatedSegment &segment) const;

private:
  std::optional<Bound> find(mlir::Value value) const {
    auto entry = bounds.find(value);
    return entry == bounds.end() ? std::nullopt : std::optional(entry->second);
  }
  bool require(mlir::Value value, Bound bound);
  bool cross(mlir::Operation &op);

  llvm::DenseMap<mlir::Value, Bound> bounds;
};

} // namespace memformer

#endif
