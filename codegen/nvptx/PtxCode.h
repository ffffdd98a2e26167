// From the LLVM dialect to PTX.

#ifndef MEMFORMER_CODEGEN_NVPTX_PTXCODE_H
#define MEMFORMER_CODEGEN_NVPTX_PTXCODE_H

#include "codegen/nvptx/KernelModule.h"
#include "llvm/Support/Error.h"
#include <string>

namespace memformer::nvptx {

enum class CodeKind { LLVM, PTX };

/// `kernel` lowered to the LLVM dialect, its function `symbol`, as optimised LLVM IR or as a PTX
/// module with the entry `symbol`.
llvm::Expected<std::string> emitCode(const KernelModule &kernel, llvm::StringRef symbol,
                                     const GpuTarget &target, CodeKind kind);

} // namespace memformer::nvptx

#endif
