// From the LLVM dialect to machine code.

#ifndef MEMFORMER_CODEGEN_HOST_MACHINECODE_H
#define MEMFORMER_CODEGEN_HOST_MACHINECODE_H

#include "codegen/host/KernelModule.h"
#include "llvm/Support/Error.h"
#include <string>

namespace memformer::host {

enum class CodeKind { LLVM, Assembly, Object };

/// `kernel` lowered to the LLVM dialect, its function `symbol`, as code that exports
/// `void symbol(void *const *arguments, int64_t workgroup)`.
llvm::Expected<std::string> emitMachineCode(const KernelModule &kernel, llvm::StringRef symbol,
                                            const HostTarget &target, CodeKind kind);

} // namespace memformer::host

#endif
