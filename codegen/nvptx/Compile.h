// Kernels compiled for a GPU, each on its own and many at a time.

#ifndef MEMFORMER_CODEGEN_NVPTX_COMPILE_H
#define MEMFORMER_CODEGEN_NVPTX_COMPILE_H

#include "codegen/nvptx/GpuTarget.h"
#include "dialect/program/ProgramDialect.h"
#include <string>
#include <vector>

namespace memformer::nvptx {

/// How far to go: ops of MLIR, LLVM IR, PTX, or PTX and what ptxas makes of it where there is one.
enum class Stage { MLIR, LLVM, PTX, Binary };

struct CompiledKernel {
  std::string symbol;
  /// Blocks of a dispatch, threads of a block, bytes of dynamic shared memory.
  int64_t grid = 0, threads = 0, sharedBytes = 0;
  /// Bytes between memory and L2, of one dispatch, by the model of Traffic.h.
  int64_t movedBytes = 0;
  /// Of one dispatch, those operations of ops that use tensor cores.
  int64_t tensorFlops = 0;
  /// Text.
  std::string code;
  /// What ptxas made, with the registers of a thread and the bytes that they do not hold; empty and
  /// 0 without it.
  std::string binary;
  int64_t registers = 0, spilledBytes = 0;
};

/// `text` is a module with one `program.kernel`. Errors are the diagnostics.
llvm::Expected<CompiledKernel> compileKernel(llvm::StringRef text, const GpuTarget &target,
                                             Stage stage = Stage::PTX);

/// All kernels, in order, on `threads` threads (0: as many as there are cores). An error is
/// reported at its kernel.
mlir::FailureOr<std::vector<CompiledKernel>>
compileKernels(llvm::ArrayRef<program::KernelOp> kernels, const GpuTarget &target, Stage stage,
               unsigned threads = 0);

} // namespace memformer::nvptx

#endif
