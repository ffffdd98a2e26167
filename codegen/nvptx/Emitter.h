// What every kernel emitter of the nvptx target is given, and what it gives back.

#ifndef MEMFORMER_CODEGEN_NVPTX_EMITTER_H
#define MEMFORMER_CODEGEN_NVPTX_EMITTER_H

#include "codegen/nvptx/Emit.h"
#include "dialect/kernel/KernelDialect.h"

namespace memformer::nvptx {

/// A buffer for each operand and each result of the op (the gradient buffer in the place of an
/// accumulated result; none for a result that is written in an operand's place), of the tensors'
/// shapes. Those of 64 bytes or more are 16-byte aligned.
struct KernelArguments {
  llvm::SmallVector<Buffer> operands;
  llvm::SmallVector<Buffer> results;
};

/// Each emitter sets the number of threads, builds the code of one thread at the insertion point,
/// from arith, scf and llvm ops, and returns the number of blocks. It fails with a diagnostic at
/// the op where it cannot.
mlir::FailureOr<int64_t> emitKernel(Emit &e, mlir::Operation *kernel,
                                    const KernelArguments &arguments);

} // namespace memformer::nvptx

#endif
