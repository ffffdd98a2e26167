// Kernels from text, each in a context of its own and many at a time.

#ifndef MEMFORMER_CODEGEN_EACHKERNEL_H
#define MEMFORMER_CODEGEN_EACHKERNEL_H

#include "dialect/program/ProgramDialect.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace memformer {

/// Parses `text`, a module with one `program.kernel`, with the dialects of `registry` in a context
/// that shares nothing, and calls `body`. Errors are the diagnostics.
llvm::Error withKernel(llvm::StringRef text, const mlir::DialectRegistry &registry,
                       llvm::function_ref<mlir::LogicalResult(program::KernelOp)> body);

/// The text of a kernel @k of one op, whose operands are named %0, %1, … and have the types
/// `operands` ("tensor<2x3xf32>"), and whose results have the types `results`.
std::string textOfKernel(llvm::StringRef op, llvm::ArrayRef<std::string> operands,
                         llvm::ArrayRef<std::string> results);

/// Calls `body(index, text)` for each kernel, on `threads` threads (0: as many as there are cores).
/// An error is reported at its kernel.
mlir::LogicalResult forEachKernel(llvm::ArrayRef<program::KernelOp> kernels, unsigned threads,
                                  llvm::function_ref<llvm::Error(size_t, llvm::StringRef)> body);

} // namespace memformer

#endif
