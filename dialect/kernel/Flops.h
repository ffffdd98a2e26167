// Which operations of a kernel are those of matrix products.

#ifndef MEMFORMER_DIALECT_KERNEL_FLOPS_H
#define MEMFORMER_DIALECT_KERNEL_FLOPS_H

#include "mlir/IR/Operation.h"

namespace memformer::kernel {

/// Of a kernel's operations those that its matrix products are made of: what tensor cores do where
/// they are used. Softmax, epilogues, prologues and an attention's self column are not among them.
int64_t productFlops(mlir::Operation *op);

} // namespace memformer::kernel

#endif
