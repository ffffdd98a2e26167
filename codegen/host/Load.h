// Kernels compiled and loaded into this process: for tests and measurements.

#ifndef MEMFORMER_CODEGEN_HOST_LOAD_H
#define MEMFORMER_CODEGEN_HOST_LOAD_H

#include "codegen/host/HostTarget.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace memformer::host {

/// The code of one kernel; it stays loaded until the process ends.
struct LoadedKernel {
  using Function = void (*)(void *const *arguments, int64_t workgroup);

  Function function = nullptr;
  /// Workgroups of one dispatch.
  int64_t grid = 0;

  void run(void *const *arguments) const {
    for (int64_t i = 0; i < grid; ++i)
      function(arguments, i);
  }
};

/// Compiles the op `body` of the kernel dialect, in text, whose operands are named %0, %1, … and
/// have the types `operands` ("tensor<2x3xf32>"), and whose results have the types `results`.
llvm::Expected<LoadedKernel> loadKernel(llvm::StringRef body, llvm::ArrayRef<std::string> operands,
                                        llvm::ArrayRef<std::string> results,
                                        const HostTarget &target);

} // namespace memformer::host

#endif
