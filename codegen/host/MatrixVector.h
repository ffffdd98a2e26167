// Products with few rows: matrix times vector, as generation needs it.

#ifndef MEMFORMER_CODEGEN_HOST_MATRIXVECTOR_H
#define MEMFORMER_CODEGEN_HOST_MATRIXVECTOR_H

#include "codegen/host/Emitter.h"
#include "codegen/host/GemmPlan.h"

namespace memformer::host {

/// Rows for which the register tile of the general product would be mostly empty.
inline constexpr int64_t mostVectorRows = 4;

/// Whether a product has so few rows that reading B is all that it costs.
bool isMatrixVector(const GemmPlan &plan, const HostTarget &target);

/// Emits it: several panels of B are read at a time, each once. Entries are summed in the order of
/// GemmPlan.
mlir::FailureOr<int64_t> emitMatrixVector(Emit &e, kernel::GemmOp op,
                                          const KernelArguments &arguments, const GemmPlan &plan);

} // namespace memformer::host

#endif
