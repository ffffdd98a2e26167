// From the program level to an artifact.

#ifndef MEMFORMER_CODEGEN_COMPILE_H
#define MEMFORMER_CODEGEN_COMPILE_H

#include "codegen/host/HostTarget.h"
#include "codegen/nvptx/GpuTarget.h"
#include "mlir/IR/BuiltinOps.h"

#include <cstddef>
#include <string>
#include <vector>

namespace memformer {

struct CompileOptions {
  /// Who compiles: "memformer-compile 0.1.0".
  std::string producer;
  /// The text of the TOML file, or "" for a model given as IR.
  std::string configuration;
  /// 0: as many as there are cores.
  unsigned threads = 0;
  /// Without it nothing is compiled for the host: there the artifact is a plan, whose kernels have
  /// no code and grids of 0, and it has no section `host`.
  bool code = true;
};

/// The model's program as it was planned for a GPU.
struct DeviceProgram {
  mlir::ModuleOp program;
  nvptx::GpuTarget target;
};

/// The bytes of an artifact with the program's kernels compiled for a CPU, and those of each device
/// for it. Failures are diagnostics at the program or at the kernel.
mlir::FailureOr<std::vector<std::byte>> compileArtifact(mlir::ModuleOp program,
                                                        const host::HostTarget &target,
                                                        llvm::ArrayRef<DeviceProgram> devices,
                                                        const CompileOptions &options);

} // namespace memformer

#endif
