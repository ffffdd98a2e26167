// Shapes of kernels, and the checks that verifiers share.

#ifndef MEMFORMER_DIALECT_KERNEL_SHAPES_H
#define MEMFORMER_DIALECT_KERNEL_SHAPES_H

#include "dialect/memformer/MemformerDialect.h"
#include "llvm/ADT/ArrayRef.h"

namespace memformer::kernel {

/// A tensor or a memref, its leading dimensions collapsed.
int64_t rowsOf(mlir::Type type);
/// The last dimension; 1 for rank 0.
int64_t widthOf(mlir::Type type);
int64_t entriesOf(mlir::Type type);
llvm::ArrayRef<int64_t> shapeOf(mlir::Type type);

/// Whether `inner` is the last dimensions of `outer`, or the first.
bool isTrailing(llvm::ArrayRef<int64_t> inner, llvm::ArrayRef<int64_t> outer);
bool isLeading(llvm::ArrayRef<int64_t> inner, llvm::ArrayRef<int64_t> outer);

/// Whether entries of this type have 16 bits, bf16 or f16: kernels round to it and store it, and
/// compute in f32.
bool isNarrow(mlir::Type element);

/// Kernels compute in f32: whatever may be stored in a narrower type is read and written as f32,
/// and everything else is f32 or i32.
mlir::LogicalResult verifyStorage(mlir::Operation *op);
/// The type of an entry in registers and regions: f32 for what is stored narrower.
mlir::Type computedType(mlir::Type stored);

/// `type` must have the shape of `expected` (a name for the message says of what).
mlir::LogicalResult verifyShape(mlir::Operation *op, llvm::StringRef what, mlir::Type type,
                                llvm::ArrayRef<int64_t> expected);

/// What a region computes, as an op's verifier knows it.
struct RegionShape {
  /// The kernel's own values come first: `own` scalars of f32.
  int64_t own = 0;
  mlir::ValueRange extras;
  llvm::ArrayRef<int32_t> indexing;
  /// The shape of the entries that the region is computed for.
  llvm::ArrayRef<int64_t> shape;
  /// The element types that it yields.
  llvm::SmallVector<mlir::Type> yields;
};
mlir::LogicalResult verifyRegion(mlir::Operation *op, mlir::Region &region,
                                 const RegionShape &expected);

/// Whether kernel.attention and its gradient take values less those of the first key: memories that
/// have seen little are alike where scores depend on distances, and differences of what is weighted
/// by equal probabilities would be rounding alone. Probabilities that dropout changes do not sum to
/// one, and those of a self column leave the first key out.
template <typename Attention> bool shiftsValues(Attention op) {
  return op.getRelativeKey() && !op.getSelfKey() && !op.getDropoutKey();
}

/// Floating-point operations of one run of a region.
int64_t regionFlops(mlir::Region &region);

} // namespace memformer::kernel

#endif
