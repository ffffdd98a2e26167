// From what a user writes, a configuration or IR, to a module at the model level.

#ifndef MEMFORMER_FRONTEND_MODEL_H
#define MEMFORMER_FRONTEND_MODEL_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "runtime/configuration.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>

namespace memformer {

/// The dialects that a model may use.
void loadModelDialects(mlir::MLIRContext &context);

/// The Memformer of docs/model.md: parameters, and a recurrence @memformer with state `memory`
/// `[B,K,d]` (none where there are no slots), inputs `encoder_tokens`, `decoder_tokens` and
/// `targets` `[B,L]` (and `dropout_key` where there is dropout), the loss of each target
/// `[B,L]`, and outputs `logits` `[B,L,V]`, `write_attention` `[B,H_w,K,1+S]` (`write_attention.N`
/// of each write before the last) and `prediction` `[B,L]`.
mlir::OwningOpRef<mlir::ModuleOp> buildMemformer(mlir::MLIRContext &context,
                                                 const Configuration &configuration, int64_t batch);

/// The decoder-only Transformer of docs/transformer.md: a recurrence @transformer without a state,
/// whose segment is a whole sequence. Inputs `decoder_tokens` and `targets` `[B,L]` (and
/// `dropout_key`), the loss of each target, outputs `logits` and `prediction` as above.
mlir::OwningOpRef<mlir::ModuleOp>
buildTransformer(mlir::MLIRContext &context, const Configuration &configuration, int64_t batch);

/// The stacked LSTM of docs/lstm.md: a recurrence @lstm with states `hidden.N` and `cell.N`
/// `[B,1,d]`; inputs, loss and outputs as of the Transformer.
mlir::OwningOpRef<mlir::ModuleOp> buildLstm(mlir::MLIRContext &context,
                                            const Configuration &configuration, int64_t batch);

/// The Transformer-XL of docs/transformer-xl.md or the Compressive Transformer of
/// docs/compressive-transformer.md, by the kind: a recurrence @transformer_xl or
/// @compressive_transformer with states `memory.N` `[B,M,d]` and, of the latter,
/// `compressed_memory.N` `[B,C,d]`; inputs, loss and outputs as of the Transformer.
mlir::OwningOpRef<mlir::ModuleOp> buildCachedTransformer(mlir::MLIRContext &context,
                                                         const Configuration &configuration,
                                                         int64_t batch);

/// The model of the configuration's kind.
mlir::OwningOpRef<mlir::ModuleOp> buildModel(mlir::MLIRContext &context,
                                             const Configuration &configuration, int64_t batch);

/// A model as a module and the configuration that goes with it into an artifact.
struct Model {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  Configuration configuration;
};

/// Reads `path`: IR where it ends in `.mlir`, else a TOML configuration (with `overrides` as in
/// parseConfiguration). `batch` is that of the command line, 0 where it names none: a configuration
/// then decides; IR has its own, and another is an error. Failures are diagnostics that name file
/// and line.
mlir::FailureOr<Model> loadModel(mlir::MLIRContext &context, const std::string &path, int64_t batch,
                                 llvm::ArrayRef<std::string> overrides = {});

} // namespace memformer

#endif
