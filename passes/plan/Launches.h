// Which ops of a function run together, and in what order.

#ifndef MEMFORMER_PASSES_PLAN_LAUNCHES_H
#define MEMFORMER_PASSES_PLAN_LAUNCHES_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include <string>

namespace memformer {

/// What a target can do at once.
struct LaunchOptions {
  /// Whether several ops can be one kernel.
  bool merge = false;
  /// Blocks that run at the same time, 0 where ops do not follow each other in one kernel.
  int64_t multiprocessors = 0;
  int64_t batch = 1;
};

/// Ops that run at the same time; with `parts` each part of the batch goes through them in order.
struct Launch {
  llvm::SmallVector<mlir::Operation *> ops;
  int64_t parts = 0;
};

/// `ops` are a function's, in order. Without `merge` they stay so, and each joins the one before it
/// unless it reads what the group computes, both add to one gradient, or one of them writes an
/// argument in place. With it, what only adds to gradients is postponed to the next launch that it
/// may join, or where many wait to one of its own; and ops that have parts form chains, cut where
/// they repeat. `kindOf` is the same for ops that are the same kernel.
llvm::SmallVector<Launch> planLaunches(llvm::ArrayRef<mlir::Operation *> ops,
                                       const LaunchOptions &options,
                                       llvm::function_ref<std::string(mlir::Operation *)> kindOf);

/// Where a value lies that is part of another: that other, and the offset in bytes.
std::pair<mlir::Value, int64_t> storageOf(mlir::Value value);

/// Everything that reads the bytes of a value, through whatever views of them.
llvm::SmallVector<mlir::Operation *> readersOf(mlir::Value value);

} // namespace memformer

#endif
