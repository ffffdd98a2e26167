// Replaces ops that stand for several ops.

#ifndef MEMFORMER_PASSES_EXPAND_EXPAND_H
#define MEMFORMER_PASSES_EXPAND_EXPAND_H

#include "mlir/IR/Operation.h"

#include <cstdint>

namespace memformer {

/// Replaces every op with ExpandableOpInterface inside `root` by what it stands for, until there is
/// none, and erases the ops that thereby have no use. Returns how many were replaced.
int64_t expandComposites(mlir::Operation *root);

} // namespace memformer

#endif
