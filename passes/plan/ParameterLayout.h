// Where each parameter lies in the one vector of all parameters.

#ifndef MEMFORMER_PASSES_PLAN_PARAMETERLAYOUT_H
#define MEMFORMER_PASSES_PLAN_PARAMETERLAYOUT_H

#include "dialect/memformer/MemformerDialect.h"
#include "llvm/ADT/MapVector.h"

namespace memformer {

/// Parameters in the module's order, those that are trained before those that are fixed, each at a
/// multiple of 64 bytes. The bytes between them are zero and stay so, so that the optimizer runs
/// over one vector, of those that are trained. Gradients and each of the optimizer's moments have
/// the layout of that.
struct ParameterLayout {
  explicit ParameterLayout(mlir::ModuleOp module);

  /// In bytes.
  llvm::MapVector<mlir::StringAttr, int64_t> offsets;
  int64_t bytes = 0, trainedBytes = 0;
  /// Of the vector of those that are trained, padding included.
  int64_t entries() const { return trainedBytes / int64_t(sizeof(float)); }
};

} // namespace memformer

#endif
