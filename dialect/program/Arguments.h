// What a kernel does with each of its arguments.

#ifndef MEMFORMER_DIALECT_PROGRAM_ARGUMENTS_H
#define MEMFORMER_DIALECT_PROGRAM_ARGUMENTS_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace memformer::program {

class KernelOp;

struct KernelArgument {
  /// Bytes of the dense tensor, before rounding.
  int64_t bytes;
  bool isRead;
  bool isWritten;
  /// The operand or the result that it is; both null for a gradient buffer.
  mlir::Value operand;
  mlir::Value result;

  /// Bytes that pass, once for reading and once for writing.
  int64_t passedBytes() const { return bytes * (int64_t(isRead) + int64_t(isWritten)); }
};

/// The arguments of a kernel's compiled function: its operands, then the gradient buffer that it
/// adds to, then its results.
llvm::SmallVector<KernelArgument> argumentsOf(mlir::Operation *kernel);

/// The arguments of a compiled kernel: for a single op those of the op. A launch has its block
/// arguments, then for each op the gradient buffer that it adds to and its results.
struct KernelArguments {
  llvm::SmallVector<KernelArgument> all;
  /// For each op, for each of `argumentsOf(op)` its number in `all`.
  llvm::SmallVector<llvm::SmallVector<unsigned>> ofOps;
};
KernelArguments argumentsOf(KernelOp kernel);

/// The operand in whose place a kernel writes a result, which then has no argument of its own; null
/// for a result that has one.
mlir::OpOperand *operandInPlace(mlir::OpResult result);

/// The parameter whose gradient a kernel adds to, null for none.
mlir::FlatSymbolRefAttr accumulatedParameter(mlir::Operation *kernel);

/// Where the result of an op begins in its operand, in bytes, if it is one stretch of the operand's
/// bytes and begins where an argument may: such an op is no dispatch, its result lies in the
/// operand.
std::optional<int64_t> viewOffset(mlir::Operation *op);

/// Bytes of a dense tensor.
int64_t bytesOf(mlir::Type type);

/// Buffers begin at multiples of this and are a multiple of this long.
inline constexpr int64_t alignment = 64;
/// What a kernel may take the beginning of an argument of `bytes` to be a multiple of.
inline int64_t argumentAlignment(int64_t bytes) { return bytes < alignment ? 4 : alignment; }
inline int64_t alignedBytes(int64_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

} // namespace memformer::program

#endif
