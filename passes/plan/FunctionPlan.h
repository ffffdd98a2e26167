// The places of every value of one function, and its instructions.

#ifndef MEMFORMER_PASSES_PLAN_FUNCTIONPLAN_H
#define MEMFORMER_PASSES_PLAN_FUNCTIONPLAN_H

#include "dialect/program/Arguments.h"
#include "dialect/program/ProgramDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/plan/Allocate.h"
#include "passes/plan/KernelTable.h"
#include "passes/plan/Launches.h"
#include "passes/plan/ParameterLayout.h"
#include "llvm/ADT/DenseMap.h"

namespace memformer {

/// Where a result of a function goes, and when.
struct Destination {
  program::AddressAttr address;
  program::When when = program::When::Always;
};

/// Arguments, parameters and results have places of their own; all other values lie in @workspace,
/// from the op that computes them to the last that reads them. A result that is computed by a
/// kernel is written to its destination at once where that may be, others are copied at the end.
class FunctionPlan {
public:
  /// `arguments` and `results` have an entry for each of the function's. Offsets in the workspace
  /// begin at `base`. `kindOf` as planLaunches has it.
  FunctionPlan(mlir::func::FuncOp function, const ParameterLayout &layout,
               llvm::ArrayRef<program::AddressAttr> arguments, llvm::ArrayRef<Destination> results,
               int64_t base, const LaunchOptions &options,
               llvm::function_ref<std::string(mlir::Operation *)> kindOf);

  /// Checks, by running it, that each instruction reads what was written for it.
  mlir::LogicalResult check();

  /// Builds the instructions at the builder's insertion point.
  void build(mlir::OpBuilder &builder, KernelTable &kernels);

  /// The end of the function's part of the workspace.
  int64_t workspaceBytes = 0;

private:
  struct Copy {
    program::AddressAttr to, from;
    int64_t bytes;
    program::When when;
    mlir::Value value;
  };

  using DispatchBuilder =
      llvm::function_ref<void(mlir::Operation *, mlir::FlatSymbolRefAttr kernel,
                              llvm::ArrayRef<mlir::Attribute> addresses, bool together)>;
  void buildLaunch(const Launch &launch, KernelTable &kernels, DispatchBuilder dispatch);
  program::AddressAttr addressOf(mlir::Operation *op,
                                 const program::KernelArgument &argument) const;
  bool mayWriteAtOnce(mlir::Value value, const Destination &destination);
  void placeResults(llvm::ArrayRef<Destination> results);
  void placeOthers(int64_t base);
  void planCopies(llvm::ArrayRef<Destination> results);
  program::AddressAttr gradientOf(mlir::Operation *kernel) const;
  program::AddressAttr workspace(int64_t offset) const;

  mlir::func::FuncOp function;
  const ParameterLayout &layout;
  /// Whether the ops of a launch are one kernel.
  bool merge;
  llvm::SmallVector<Launch> launches;
  /// All of them, in the order of the launches.
  llvm::SmallVector<mlir::Operation *> ops;
  /// For each op how many launches come before its own. The terminator, and with it the copies,
  /// comes last.
  llvm::DenseMap<mlir::Operation *, int64_t> groups;
  /// Values that lie in others, which need no instruction.
  llvm::SmallVector<mlir::Value> views;
  llvm::DenseMap<mlir::Value, program::AddressAttr> places;
  /// For each result whether it is copied to its destination.
  llvm::SmallVector<bool> copied;
  llvm::SmallVector<Copy> copies;
};

/// Addresses of bytes that overlap for some segment.
bool overlap(program::AddressAttr a, int64_t aBytes, program::AddressAttr b, int64_t bBytes);

} // namespace memformer

#endif
