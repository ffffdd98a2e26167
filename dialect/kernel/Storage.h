// Which values may be stored in a narrower type than kernels compute in.

#ifndef MEMFORMER_DIALECT_KERNEL_STORAGE_H
#define MEMFORMER_DIALECT_KERNEL_STORAGE_H

#include "mlir/IR/Operation.h"

namespace memformer::kernel {

/// The type to which a kernel rounds the entries of an operand before anything else, so that they
/// may be stored in it; null where it reads f32.
mlir::Type narrowTypeOf(mlir::OpOperand &operand);

/// Whether an operand is a packed weight that its kernel reads as f32, of whatever type it is.
bool isStoredWeight(mlir::OpOperand &operand);

/// Whether a kernel writes each entry of a result once and never reads it back, so that it may be
/// rounded as it is written.
bool mayBeNarrow(mlir::OpResult result);

} // namespace memformer::kernel

#endif
