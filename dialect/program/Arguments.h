// What a kernel does with each of its arguments.

#ifndef MEMFORMER_DIALECT_PROGRAM_ARGUMENTS_H
#define MEMFORMER_DIALECT_PROGRAM_ARGUMENTS_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/SmallVector.h"

namespace memformer::program {

struct KernelArgument {
  /// Bytes of the dense tensor, before rounding.
  int64_t bytes;
  bool isRead;
  bool isWritten;
  /// The operand or the result that it is; both null for a gradient buffer.
  mlir::Value operand;
  mlir::Value result;
};

/// The arguments of a kernel's compiled function: its operands, then the gradient buffer that it
/// adds to, then its results.
llvm::SmallVector<KernelArgument> argumentsOf(mlir::Operation *kernel);

/// The parameter whose gradient a kernel adds to, null for none.
mlir::FlatSymbolRefAttr accumulatedParameter(mlir::Operation *kernel);

/// Bytes of a dense tensor.
int64_t bytesOf(mlir::Type type);

/// Buffers begin at multiples of this and are a multiple of this long.
inline constexpr int64_t alignment = 64;
inline int64_t alignedBytes(int64_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

} // namespace memformer::program

#endif
