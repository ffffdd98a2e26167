// Transcendental functions of vectors by short polynomials. Each is one sequence of operations, so
// that it gives the same bits wherever it is fused.

#ifndef MEMFORMER_CODEGEN_HOST_MATH_H
#define MEMFORMER_CODEGEN_HOST_MATH_H

#include "codegen/host/Vectors.h"

namespace memformer::host {

/// f32 vectors of any length. NaN gives NaN; results below the smallest normal number are 0.
/// Relative errors, measured over all binades: see test/codegen/math_test.cpp.
mlir::Value emitExp2(Emit &e, mlir::Value x);
/// The same for x ≤ 0 and what rounding leaves above it, in fewer instructions.
mlir::Value emitExp2OfNegative(Emit &e, mlir::Value x);
mlir::Value emitExp(Emit &e, mlir::Value x);
/// −∞ at 0, NaN below.
mlir::Value emitLog(Emit &e, mlir::Value x);
mlir::Value emitTanh(Emit &e, mlir::Value x);

/// The same of a scalar: lane 0 of the vector form, so the same bits.
mlir::Value emitExpScalar(Emit &e, mlir::Value x);
mlir::Value emitLogScalar(Emit &e, mlir::Value x);

} // namespace memformer::host

#endif
