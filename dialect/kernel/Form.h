// The form of a kernel: what of its op has code of its own.

#ifndef MEMFORMER_DIALECT_KERNEL_FORM_H
#define MEMFORMER_DIALECT_KERNEL_FORM_H

#include "mlir/IR/Operation.h"
#include <string>

namespace memformer::kernel {

/// The op's name without its dialect, and in brackets its flags, optional operands, narrow types
/// and whether a region computes something: "gemm [packed, accumulate, bf16 operands]". Shapes are
/// no part of it.
std::string formOf(mlir::Operation *kernel);

} // namespace memformer::kernel

#endif
