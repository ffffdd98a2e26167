// ptxas, where it is installed.

#ifndef MEMFORMER_CODEGEN_NVPTX_ASSEMBLE_H
#define MEMFORMER_CODEGEN_NVPTX_ASSEMBLE_H

#include "codegen/nvptx/GpuTarget.h"
#include <optional>
#include <string>

namespace memformer::nvptx {

/// The program that the environment variable MEMFORMER_PTXAS names, none where that is empty, or
/// without it ptxas of the PATH.
std::optional<std::string> findAssembler();

/// The same of nvdisasm, by MEMFORMER_NVDISASM.
std::optional<std::string> findDisassembler();

struct Assembly {
  /// A cubin.
  std::string binary;
  /// Of a thread.
  int64_t registers = 0;
  /// Bytes of a thread that its registers do not hold.
  int64_t spilledBytes = 0;
};

/// Errors are what the program says.
llvm::Expected<Assembly> assemble(llvm::StringRef assembler, llvm::StringRef ptx,
                                  const GpuTarget &target);

/// The instructions of a cubin, one a line.
llvm::Expected<std::string> disassemble(llvm::StringRef disassembler, llvm::StringRef binary);

} // namespace memformer::nvptx

#endif
