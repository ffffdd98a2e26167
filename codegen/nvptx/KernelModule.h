// From a kernel op to a function of one thread in the LLVM dialect.

#ifndef MEMFORMER_CODEGEN_NVPTX_KERNELMODULE_H
#define MEMFORMER_CODEGEN_NVPTX_KERNELMODULE_H

#include "codegen/nvptx/Emitter.h"
#include "codegen/nvptx/GpuTarget.h"
#include "dialect/program/Arguments.h"
#include "dialect/program/ProgramDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace memformer::nvptx {

/// The dialects that kernels are written in and lowered through.
void registerKernelDialects(mlir::DialectRegistry &registry);

/// A module with one `llvm.func` of global pointers, of arith, scf and llvm ops.
struct KernelModule {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// Blocks, threads of a block, and bytes of dynamic shared memory.
  int64_t grid = 0, threads = 0, sharedBytes = 0;
  /// Bytes between memory and L2, of one dispatch, by the model of Traffic.h.
  int64_t movedBytes = 0;
  /// Of each op its form, and the ways that its emitter has taken.
  std::vector<std::string> forms;
  /// Whether no loop is to be unrolled any more.
  bool keepsLoops = false;
  /// Of one dispatch, those operations of ops that use tensor cores.
  int64_t tensorFlops = 0;
  /// Of each argument: its bytes, and whether the kernel writes it.
  struct Argument {
    int64_t bytes;
    bool isWritten;
  };
  llvm::SmallVector<Argument> arguments;
};
/// Diagnostics are at the kernel's op.
mlir::FailureOr<KernelModule> buildKernelModule(program::KernelOp kernel, const GpuTarget &target);

/// Lowers it to the LLVM dialect alone.
mlir::LogicalResult lowerToLLVM(mlir::ModuleOp module);

} // namespace memformer::nvptx

#endif
