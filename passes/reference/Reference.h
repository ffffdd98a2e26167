// The reference: the meaning of a program, executed by MLIR's own pipeline.

#ifndef MEMFORMER_PASSES_REFERENCE_REFERENCE_H
#define MEMFORMER_PASSES_REFERENCE_REFERENCE_H

#include "mlir/Pass/PassManager.h"

namespace memformer {

struct ReferencePipelineOptions {
  /// Emit a `_mlir_ciface_` wrapper for every function, which the execution engine's packed calls
  /// need.
  bool cInterface = true;
};

/// From a module of the model, replay or schedule level to linalg on tensors: expand, and replace
/// each op by its reference. Parameters become buffers and recurrences functions.
void buildReferenceToLinalg(mlir::OpPassManager &manager);

/// From linalg on tensors to the LLVM dialect: bufferize, loops. Results of functions are returned
/// as memrefs that the caller frees. Slow and obviously right.
void buildLinalgToLLVM(mlir::OpPassManager &manager, const ReferencePipelineOptions &options = {});

/// Both.
void buildReferencePipeline(mlir::OpPassManager &manager,
                            const ReferencePipelineOptions &options = {});

/// `-memformer-reference-pipeline`.
void registerReferencePipeline();

} // namespace memformer

#endif
