// Several kernels as one: side by side, or one after the other for each part of the batch.

#ifndef MEMFORMER_CODEGEN_NVPTX_LAUNCH_H
#define MEMFORMER_CODEGEN_NVPTX_LAUNCH_H

#include "codegen/nvptx/KernelModule.h"

namespace memformer::nvptx {

/// Builds the code of a thread of a launch of several ops, `pointers` being its arguments, and sets
/// grid, threads, shared memory and operations of `result`.
mlir::LogicalResult emitLaunch(mlir::OpBuilder &builder, program::KernelOp kernel,
                               const program::KernelArguments &described, mlir::ValueRange pointers,
                               const GpuTarget &target, KernelModule &result);

/// What an emitter takes, for a pointer to each argument of an op.
KernelArguments buffersOf(mlir::Operation *op, mlir::ValueRange pointers);

/// The form of an op (dialect/kernel/Form.h), and the ways that its emitter has taken.
std::string formOf(mlir::Operation *op, const Emit &e);

/// Whether there is a product on tensor cores in what was emitted.
bool usesTensorCores(mlir::Operation *emitted);

} // namespace memformer::nvptx

#endif
