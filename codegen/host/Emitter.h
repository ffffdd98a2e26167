// What every kernel emitter of the host target is given, and what it gives back.

#ifndef MEMFORMER_CODEGEN_HOST_EMITTER_H
#define MEMFORMER_CODEGEN_HOST_EMITTER_H

#include "codegen/host/HostTarget.h"
#include "dialect/kernel/KernelDialect.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/SmallVector.h"

namespace memformer::host {

/// The values that an emitter builds a kernel's body from: a memref for each operand and each
/// result of the op (the gradient buffer in the place of an accumulated result; none for a result
/// that is written in an operand's place), of the tensors'
/// shapes and identity layout, 64-byte aligned, and the index of the workgroup. Scratch is
/// `memref.alloca`; a kernel may use up to 2 MiB of it.
struct KernelArguments {
  llvm::SmallVector<mlir::Value> operands;
  llvm::SmallVector<mlir::Value> results;
  mlir::Value workgroup;
};

/// Each emitter builds the work of one workgroup at the builder's insertion point, from vector,
/// memref, scf, arith and math ops, and returns the number of workgroups. It fails with a
/// diagnostic at the op where it cannot.
mlir::FailureOr<int64_t> emitKernel(mlir::OpBuilder &builder, mlir::Operation *kernel,
                                    const KernelArguments &arguments, const HostTarget &target);

} // namespace memformer::host

#endif
