// The kernels of a program, each once.

#ifndef MEMFORMER_PASSES_PLAN_KERNELTABLE_H
#define MEMFORMER_PASSES_PLAN_KERNELTABLE_H

#include "dialect/program/ProgramDialect.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallPtrSet.h"
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
  /// The launch of several ops, with `parts` (0: without) as program.kernel has them. Its arguments
  /// are `read`; it returns those results that are in `returned`.
  mlir::FlatSymbolRefAttr get(llvm::ArrayRef<mlir::Operation *> ops, int64_t parts,
                              llvm::ArrayRef<mlir::Value> read,
                              const llvm::SmallPtrSetImpl<mlir::Value> &returned);

  int64_t size() const { return kernels; }

private:
  mlir::FlatSymbolRefAttr keepOne(program::KernelOp kernel);

  mlir::OpBuilder builder;
  llvm::DenseMap<size_t, llvm::SmallVector<program::KernelOp>> byHash;
  llvm::StringMap<int64_t> numbers; // of each kind
  int64_t kernels = 0;
};

} // namespace memformer

#endif
