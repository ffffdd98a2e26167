// Kernels that can be computed a part of the batch at a time.

#ifndef MEMFORMER_DIALECT_KERNEL_PARTITION_H
#define MEMFORMER_DIALECT_KERNEL_PARTITION_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace memformer::kernel {

/// What a part of an op reads: of an operand in parts the same stretch of its first dimension as of
/// all results, of others (weights, tables, scalars) everything.
struct Partition {
  llvm::SmallVector<bool> operands;
};

/// How the op is computed in `parts` equal parts along the first dimension of its results; none
/// where an entry depends on entries of several parts, where parts would be unequal, or where one
/// would not begin at a multiple of `partAlignment` bytes (of 4 where it is shorter than an aligned
/// argument is, 64 bytes).
std::optional<Partition> partitionOf(mlir::Operation *op, int64_t parts);

/// Vectors of 16 bytes may be read at the beginning of a part.
inline constexpr int64_t partAlignment = 16;

/// The type of one of `parts` parts of a tensor.
mlir::Type partOf(mlir::Type type, int64_t parts);

} // namespace memformer::kernel

#endif
