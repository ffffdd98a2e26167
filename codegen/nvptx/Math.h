// Transcendental functions of one thread's numbers. Each is one sequence of operations, so that it
// gives the same bits wherever it is fused.

#ifndef MEMFORMER_CODEGEN_NVPTX_MATH_H
#define MEMFORMER_CODEGEN_NVPTX_MATH_H

#include "codegen/nvptx/Emit.h"

namespace memformer::nvptx {

/// 2ˣ by ex2.approx: a relative error of 2⁻²², results below the smallest normal number are 0.
mlir::Value emitExp2(Emit &e, mlir::Value x);
/// eˣ within 2⁻²¹ for all x: the product with log₂ e keeps its low part.
mlir::Value emitExp(Emit &e, mlir::Value x);
/// −∞ at 0, NaN below.
mlir::Value emitLog(Emit &e, mlir::Value x);
mlir::Value emitTanh(Emit &e, mlir::Value x);

} // namespace memformer::nvptx

#endif
