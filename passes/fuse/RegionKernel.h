// Kernels with a region of scalars, seen alike: maps and the kernels that have an epilogue.

#ifndef MEMFORMER_PASSES_FUSE_REGIONKERNEL_H
#define MEMFORMER_PASSES_FUSE_REGIONKERNEL_H

#include "dialect/kernel/KernelDialect.h"

#include <optional>

namespace memformer {

/// A kernel whose region computes its first results from its own value (if any), extra operands
/// and the index.
struct RegionKernel {
  mlir::Operation *op = nullptr;
  mlir::Region *region = nullptr;
  /// Operands before the extra ones. For a gemm the segments of its operands.
  unsigned fixedOperands = 0;
  /// Block arguments before those of the extra operands.
  unsigned own = 0;
  /// Results that the region yields; others follow them.
  unsigned yielded = 0;
  llvm::ArrayRef<int32_t> indexing;

  /// None for kernels without a region, and for those that add to a gradient.
  static std::optional<RegionKernel> get(mlir::Operation *op);

  mlir::OperandRange extras() const {
    return op->getOperands().slice(fixedOperands, unsigned(indexing.size()));
  }
  bool yields(mlir::OpResult result) const {
    return result.getOwner() == op && result.getResultNumber() < yielded;
  }
};

/// Builds the kernel that `producer` becomes when it computes `consumer`'s results too, at the
/// insertion point of the builder, and replaces both by it. Yielded results of the producer that
/// only the consumer reads disappear. The caller has checked that this is legal.
mlir::Operation *mergeKernels(mlir::OpBuilder &builder, const RegionKernel &producer,
                              kernel::MapOp consumer);

} // namespace memformer

#endif
