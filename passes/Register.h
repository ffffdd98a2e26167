// One place that registers dialects, passes and pipelines, for every tool.

#ifndef MEMFORMER_PASSES_REGISTER_H
#define MEMFORMER_PASSES_REGISTER_H

#include "mlir/IR/DialectRegistry.h"

namespace memformer {

/// The dialects of all levels, the upstream ones that they are lowered through, and what those need
/// to be bufferized and translated to LLVM IR.
void registerDialects(mlir::DialectRegistry &registry);

/// Every pass and pipeline of the compiler, and the upstream passes that tests combine them with.
/// Once in a process.
void registerPasses();

} // namespace memformer

#endif
