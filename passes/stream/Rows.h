// What one position of a segment computes, op by op.

#ifndef MEMFORMER_PASSES_STREAM_ROWS_H
#define MEMFORMER_PASSES_STREAM_ROWS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "passes/schedule/Cut.h"
#include "llvm/ADT/MapVector.h"

namespace memformer {

/// Fills `@step` with the ops of a segment that depend on the streamed input, each for one
/// position: a value `[B, L, …]` becomes `[B, 1, …]`. What does not depend on it is an argument;
/// what depends on parameters alone is computed again.
class RowBuilder {
public:
  RowBuilder(mlir::func::FuncOp step, const DifferentiatedSegment &segment, mlir::Value streamed);

  /// Builds what `result` takes, and ends the function with it. Fails with a diagnostic at the op
  /// that cannot be computed one position at a time.
  mlir::LogicalResult build(const Port &result);

  bool dependsOnStream(mlir::Value value) const { return dependent.contains(value); }
  /// The cache that has all positions of a value of the segment once each has been a step; null for
  /// values that no step keeps.
  const Port *cacheOf(mlir::Value value) const {
    auto found = keptWhole.find(value);
    return found == keptWhole.end() ? nullptr : &found->second;
  }
  /// Whether a value of the segment depends on parameters alone.
  bool isFromParameters(mlir::Value value) const;
  /// Makes a value of the segment one that is carried from its beginning; its port.
  Port carry(mlir::Value value);
  /// Values of the segment that positions read: those of arguments and those that are computed.
  llvm::SmallVector<Port> carried;
  /// What caches hold before the first position.
  llvm::SmallVector<Port> begun;

private:
  /// The value of the step that stands for one of the segment which has no positions, or all of
  /// them.
  mlir::Value whole(mlir::Value value);
  /// Its entries at the position, along an axis; null after a diagnostic.
  mlir::Value rowOf(mlir::Operation *op, mlir::Value value, int64_t axis);
  mlir::Value addArgument(mlir::Type type, llvm::StringRef role, const llvm::Twine &name);

  /// The same rows of `op` for those of its first operand that come before the segment.
  void buildBefore(mlir::Operation *op);
  /// A cache of keys or values, and of those of before the segment where there are any.
  mlir::Value addCache(AttentionOp op, mlir::Value value, const llvm::Twine &name);
  mlir::LogicalResult buildRow(mlir::Operation *op);
  mlir::LogicalResult buildElementwise(mlir::Operation *op);
  mlir::LogicalResult buildAttention(AttentionOp op);
  void buildLstm(LstmOp op);
  /// The same op with `operands`, its result being of one position.
  mlir::LogicalResult cloneRow(mlir::Operation *op, mlir::ValueRange operands);
  mlir::LogicalResult refuse(mlir::Operation *op, const llvm::Twine &why);
  /// Whether positions need a result that the step of its op does not have.
  bool isReadByAnother(mlir::Value value) const {
    return llvm::any_of(value.getUsers(),
                        [&](mlir::Operation *user) { return stepped.contains(user); });
  }

  mlir::func::FuncOp step;
  const DifferentiatedSegment &segment;
  mlir::OpBuilder builder;
  mlir::Block &body;
  mlir::Value position;
  /// The ops that the result takes.
  llvm::DenseSet<mlir::Operation *> stepped;
  llvm::DenseSet<mlir::Value> dependent;
  /// Of values of the segment: their rows where they depend on the streamed input, else themselves.
  mlir::IRMapping mapping;
  /// Of values of the segment whose last L rows are its positions: the rows before those.
  llvm::DenseMap<mlir::Value, mlir::Value> before;
  /// Caches as they come out.
  llvm::SmallVector<Port> caches;
  /// Of values of the segment: the cache that is all of it at last.
  llvm::DenseMap<mlir::Value, Port> keptWhole;
};

} // namespace memformer

#endif
