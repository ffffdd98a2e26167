// Kernels compiled for a CPU, each on its own and many at a time.

#ifndef MEMFORMER_CODEGEN_HOST_COMPILE_H
#define MEMFORMER_CODEGEN_HOST_COMPILE_H

#include "codegen/host/HostTarget.h"
#include "dialect/program/ProgramDialect.h"
#include <string>
#include <vector>

namespace memformer::host {

/// How far to go: vector ops of MLIR, LLVM IR, assembly, or an object file.
enum class Stage { MLIR, LLVM, Assembly, Object };

struct CompiledKernel {
  std::string symbol;
  /// Workgroups of one dispatch.
  int64_t grid = 0;
  /// Text, or the object's bytes.
  std::string code;
};

/// `text` is a module with one `program.kernel`. Errors are the diagnostics.
llvm::Expected<CompiledKernel> compileKernel(llvm::StringRef text, const HostTarget &target,
                                             Stage stage = Stage::Object);

/// All kernels, in order, on `threads` threads (0: as many as there are cores). An error is
/// reported at its kernel.
mlir::FailureOr<std::vector<CompiledKernel>>
compileKernels(llvm::ArrayRef<program::KernelOp> kernels, const HostTarget &target, Stage stage,
               unsigned threads = 0);

} // namespace memformer::host

#endif
