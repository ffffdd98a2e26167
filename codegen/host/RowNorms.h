// Statistics of rows, shared by row kernels and by kernels that normalise in passing, so that both
// give the same bits.

#ifndef MEMFORMER_CODEGEN_HOST_ROWNORMS_H
#define MEMFORMER_CODEGEN_HOST_ROWNORMS_H

#include "codegen/host/Vectors.h"

namespace memformer::host {

/// Scalars of one row: its mean, and 1 / √(variance + epsilon).
struct Moments {
  mlir::Value mean, inverseDeviation;
};
/// Of row `row` of a matrix [rows, width], width being static.
Moments emitMoments(Emit &e, mlir::Value matrix, mlir::Value row, double epsilon);
/// (x − mean) · inverseDeviation, vectors.
mlir::Value emitNormalized(Emit &e, mlir::Value x, mlir::Value mean, mlir::Value inverseDeviation);
/// The same, times scale, plus shift (one fma).
mlir::Value emitScaled(Emit &e, mlir::Value normalized, mlir::Value scale, mlir::Value shift);

/// Σ u² of a row of `width` entries, `vectorAt(column, active)` giving u (0 in inactive lanes); a
/// scalar. The length of the row is its square root.
mlir::Value
emitSquaredLength(Emit &e, int64_t width,
                  llvm::function_ref<mlir::Value(mlir::Value column, int64_t active)> vectorAt);

} // namespace memformer::host

#endif
