// Shape arithmetic that verifiers, passes and kernels share.

#ifndef MEMFORMER_DIALECT_MEMFORMER_SHAPES_H
#define MEMFORMER_DIALECT_MEMFORMER_SHAPES_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"

namespace memformer {

/// The type of a value that is known to be a ranked tensor.
inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

/// The shape of a value that is known to be a ranked tensor.
inline llvm::ArrayRef<int64_t> shapeOf(mlir::Value value) { return tensorType(value).getShape(); }

/// The number of entries of a static shape; 1 for rank 0.
inline int64_t entries(llvm::ArrayRef<int64_t> shape) {
  int64_t product = 1;
  for (int64_t extent : shape)
    product *= extent;
  return product;
}
inline int64_t entries(mlir::Value value) { return entries(shapeOf(value)); }

/// A tensor `[…, n]` seen as a matrix of `rows` × `columns`: n columns, and one row for each place
/// of the leading dimensions. Rank 0 is 1 × 1.
inline int64_t columns(llvm::ArrayRef<int64_t> shape) { return shape.empty() ? 1 : shape.back(); }
inline int64_t columns(mlir::Value value) { return columns(shapeOf(value)); }
inline int64_t rows(llvm::ArrayRef<int64_t> shape) {
  return shape.empty() ? 1 : entries(shape.drop_back());
}
inline int64_t rows(mlir::Value value) { return rows(shapeOf(value)); }

/// Whether `shape` is the last dimensions of `whole` (all of them, some, or none).
inline bool isTrailingShape(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> whole) {
  return shape.size() <= whole.size() && whole.take_back(shape.size()) == shape;
}

/// Whether `shape` is the first dimensions of `whole` (all of them, some, or none).
inline bool isLeadingShape(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> whole) {
  return shape.size() <= whole.size() && whole.take_front(shape.size()) == shape;
}

} // namespace memformer

#endif
