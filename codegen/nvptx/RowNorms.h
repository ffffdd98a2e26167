// Statistics of rows, shared by row kernels and by kernels that normalise in passing.

#ifndef MEMFORMER_CODEGEN_NVPTX_ROWNORMS_H
#define MEMFORMER_CODEGEN_NVPTX_ROWNORMS_H

#include "codegen/nvptx/Emit.h"

namespace memformer::nvptx {

struct Moments {
  mlir::Value mean, inverseDeviation;
};

/// Of a row of a matrix, computed by the lanes of one warp: the same bits wherever it is done.
Moments emitMoments(Emit &e, const Buffer &matrix, mlir::Value row, double epsilon);
mlir::Value emitNormalized(Emit &e, mlir::Value x, const Moments &moments);

/// Sums over the columns of a row by the lanes of one warp: `body(column, sums)` gives the next
/// sums, which begin at zero.
Emit::Carried emitRowSums(Emit &e, int64_t width, int64_t count,
                          llvm::function_ref<Emit::Carried(mlir::Value, mlir::ValueRange)> body);

/// u = x + b of the rows of a matrix, or x: b is the trailing dimensions of x's, null for none.
struct BiasedRows {
  const Buffer &input;
  const Buffer *bias;

  mlir::Value load(Emit &e, mlir::Value row, mlir::Value column) const;
};
/// ‖u‖, and u / ‖u‖, by the lanes of one warp.
mlir::Value emitLength(Emit &e, const BiasedRows &u, mlir::Value row);
void emitUnitRow(Emit &e, const BiasedRows &u, mlir::Value row, const Buffer &result);

} // namespace memformer::nvptx

#endif
