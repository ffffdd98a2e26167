// What the verifiers of the memformer dialect have in common: checks that say what was expected and
// what was found.

#ifndef MEMFORMER_DIALECT_MEMFORMER_VERIFY_H
#define MEMFORMER_DIALECT_MEMFORMER_VERIFY_H

#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"

namespace memformer {

/// `[8, 56, 128]`, `[]` for rank 0.
std::string describeShape(llvm::ArrayRef<int64_t> shape);

/// `0.25`, to six digits.
std::string describeNumber(double number);

/// All floating-point operands and results have one element type.
llvm::LogicalResult verifyElementTypes(mlir::Operation *op);

/// The values have one element type, be it of integers or of numbers.
llvm::LogicalResult verifyOneElementType(mlir::Operation *op, mlir::ValueRange values);

/// `value` has the shape `expected`; `why` may say where that shape comes from.
llvm::LogicalResult verifyShape(mlir::Operation *op, llvm::StringRef name, mlir::Value value,
                                llvm::ArrayRef<int64_t> expected, llvm::StringRef why = "");

/// `value` has at least, or exactly, `rank` dimensions. `dimensions` names them: "[B, L, d]".
llvm::LogicalResult verifyMinimumRank(mlir::Operation *op, llvm::StringRef name, mlir::Value value,
                                      int64_t rank, llvm::StringRef dimensions);
llvm::LogicalResult verifyRank(mlir::Operation *op, llvm::StringRef name, mlir::Value value,
                               int64_t rank, llvm::StringRef dimensions);

/// The shape of `value` is the last dimensions of `whole`.
llvm::LogicalResult verifyTrailing(mlir::Operation *op, llvm::StringRef name, mlir::Value value,
                                   llvm::ArrayRef<int64_t> whole, llvm::StringRef wholeName);

/// `heads` is positive and divides `width`.
llvm::LogicalResult verifyHeads(mlir::Operation *op, int64_t heads, int64_t width);

/// `value` is a finite number above 0.
llvm::LogicalResult verifyPositive(mlir::Operation *op, llvm::StringRef name, double value);

/// `probability` is in [0, 1), and `key` (null where there is none) holds two numbers and is there
/// where entries are dropped.
llvm::LogicalResult verifyDropout(mlir::Operation *op, double probability, mlir::Value key);

} // namespace memformer

#endif
