// Every pass of the compiler: declarations, options and registration.

#ifndef MEMFORMER_PASSES_PASSES_H
#define MEMFORMER_PASSES_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassRegistry.h"

namespace memformer {

/// Which values the forward traversal saves for the replay (docs/levels.md).
enum class ScheduleKind { Bptt, Checkpoint, Mrbp };

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

} // namespace memformer

#endif
