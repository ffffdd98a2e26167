// The kernels of a program, each once.

#ifndef MEMFORMER_PASSES_PLAN_KERNELTABLE_H
#define MEMFORMER_PASSES_PLAN_KERNELTABLE_H

#include "dialect/program/ProgramDialect.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace memformer {

class KernelTable {
public:
  /// New kernels are built at the end of the module.
  explicit KernelTable(mlir::ModuleOp module)
      : builder(mlir::OpBuilder::atBlockEnd(module.getBody())) {}

  /// The kernel that is the same op with the same types, attributes and regions; which parameter's
  /// gradient it adds to and the values that it reads are a dispatch's.
  mlir::FlatSymbolRefAttr get(mlir::Operation *op);

  int64_t size() const { return kernels; }

private:
  mlir::OpBuilder builder;
  llvm::DenseMap<size_t, llvm::SmallVector<program::KernelOp>> byHash;
  llvm::StringMap<int64_t> numbers; // of each kind
  int64_t kernels = 0;
};

} // namespace memformer

#endif
