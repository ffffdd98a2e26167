// From a kernel op to a function in the LLVM dialect.

#ifndef MEMFORMER_CODEGEN_HOST_KERNELMODULE_H
#define MEMFORMER_CODEGEN_HOST_KERNELMODULE_H

#include "codegen/host/HostTarget.h"
#include "dialect/program/ProgramDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace memformer::host {

/// The dialects that kernels are written in and lowered through.
void registerKernelDialects(mlir::DialectRegistry &registry);

/// A module with one function of memrefs and the workgroup's index, in vector, memref, scf, arith
/// and math ops.
struct KernelModule {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  int64_t grid = 0;
  /// Of each argument but the last: its bytes, and whether the kernel writes it.
  struct Argument {
    int64_t bytes;
    bool isWritten;
  };
  llvm::SmallVector<Argument> arguments;
};
/// Diagnostics are at the kernel's op.
mlir::FailureOr<KernelModule> buildKernelModule(program::KernelOp kernel, const HostTarget &target);

/// Lowers it to the LLVM dialect: a function of pointers and an i64.
mlir::LogicalResult lowerToLLVM(mlir::ModuleOp module);

} // namespace memformer::host

#endif
