// The memformer dialect: models as differentiable recurrences on tensors.

#ifndef MEMFORMER_DIALECT_MEMFORMER_MEMFORMERDIALECT_H
#define MEMFORMER_DIALECT_MEMFORMER_MEMFORMERDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/memformer/MemformerDialect.h.inc"
#include "dialect/memformer/MemformerEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/memformer/MemformerAttributes.h.inc"

#include "dialect/memformer/MemformerInterfaces.h.inc"

#define GET_OP_CLASSES
#include "dialect/memformer/MemformerOps.h.inc"

namespace memformer {

/// Of a model's module: the type in which matrix products multiply, f32 (where absent), bf16, or
/// where the target has products of them f16 or tf32.
inline constexpr llvm::StringLiteral precisionAttribute = "memformer.precision";
/// The type in which the weights lie that a position of a stream reads, f32, bf16 or i8; absent:
/// that in which products multiply.
inline constexpr llvm::StringLiteral generationWeightsAttribute = "memformer.generation_weights";

} // namespace memformer

#endif
