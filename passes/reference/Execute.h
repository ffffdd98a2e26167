// Runs a program by the reference of its ops, in this process.

#ifndef MEMFORMER_PASSES_REFERENCE_EXECUTE_H
#define MEMFORMER_PASSES_REFERENCE_EXECUTE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace mlir {
class ExecutionEngine;
} // namespace mlir

namespace memformer {

/// A dense row-major tensor of f32, f64 or i32.
struct HostTensor {
  HostTensor(mlir::RankedTensorType type);

  template <typename T> llvm::MutableArrayRef<T> as() {
    return {reinterpret_cast<T *>(bytes.data()), bytes.size() / sizeof(T)};
  }
  template <typename T> llvm::ArrayRef<T> as() const {
    return {reinterpret_cast<const T *>(bytes.data()), bytes.size() / sizeof(T)};
  }

  mlir::RankedTensorType type;
  std::vector<std::byte> bytes; // zeros at first
};

/// What the execution of a program needs to know of its dialects; once for a registry, before its
/// context is made.
void registerExecution(mlir::DialectRegistry &registry);

/// A module of the model, replay or schedule level, compiled by -memformer-reference-pipeline. Its
/// functions are those of the module and, for a recurrence @r, "r.initial", "r.segment" and
/// "r.replay".
class ReferenceProgram {
public:
  /// Changes `module` to the LLVM dialect. Errors have been reported as diagnostics too.
  /// `optimization` is LLVM's level; with 0, large functions of small tensors compile much sooner.
  static llvm::Expected<std::unique_ptr<ReferenceProgram>> compile(mlir::ModuleOp module,
                                                                   unsigned optimization = 1);
  ~ReferenceProgram();

  /// Fails where the function does not exist or the arguments have not its types.
  llvm::Expected<std::vector<HostTensor>> run(llvm::StringRef function,
                                              llvm::ArrayRef<HostTensor> arguments);

  /// The value of parameter `name`, or, with ".gradient" after it, the sum of what was accumulated:
  /// both zero at first, and the caller's to write.
  template <typename T> llvm::Expected<llvm::MutableArrayRef<T>> parameter(llvm::StringRef name) {
    llvm::Expected<void *> data = parameterData(name, sizeof(T));
    if (!data)
      return data.takeError();
    return llvm::MutableArrayRef<T>(static_cast<T *>(*data),
                                    parameters.lookup(name).getNumElements());
  }
  /// Every parameter and gradient by name.
  const llvm::StringMap<mlir::MemRefType> &parameterTypes() const { return parameters; }

private:
  ReferenceProgram();
  llvm::Expected<void *> parameterData(llvm::StringRef name, size_t elementBytes);

  llvm::StringMap<mlir::FunctionType> functions;
  llvm::StringMap<mlir::MemRefType> parameters;
  std::unique_ptr<mlir::ExecutionEngine> engine;
};

/// Replaces f32 by f64 everywhere, for comparisons in which rounding must not matter.
void widenToF64(mlir::ModuleOp module);

} // namespace memformer

#endif
