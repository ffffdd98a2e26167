// Reverse-mode differentiation of a block.

#ifndef MEMFORMER_PASSES_DIFFERENTIATE_REVERSEMODE_H
#define MEMFORMER_PASSES_DIFFERENTIATE_REVERSEMODE_H

#include "mlir/IR/Builders.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/LogicalResult.h"

#include <cstdint>

namespace memformer {

/// A value of the block and the gradient that arrives at it from outside, of the same type.
struct Seed {
  mlir::Value value;
  mlir::Value gradient;
};

/// What differentiation met on its way.
struct DifferentiationCounts {
  int64_t differentiated = 0; // ops whose vector-Jacobian product was built
  int64_t inactive = 0;       // ops that no gradient crosses
  int64_t contributions = 0;  // memformer.accumulate built
};

/// Builds at the builder's insertion point, which must see all of `block`, the gradients of the
/// values in `wanted` (arguments or results of the block): sum over seeds of the seed's gradient
/// times the derivative of its value. Returns one value for each, null where nothing arrives.
///
/// Ops are taken in reverse order, and the contributions to a value are added in the order in which
/// they are produced. What reaches a `memformer.load_param` becomes a `memformer.accumulate` where
/// it is produced, one for each contribution. An op is crossed only where a seed depends on it and
/// it depends on a parameter or a wanted value; one that then lacks DifferentiableOpInterface is an
/// error at that op.
llvm::FailureOr<llvm::SmallVector<mlir::Value>>
differentiate(mlir::Block &block, llvm::ArrayRef<Seed> seeds, llvm::ArrayRef<mlir::Value> wanted,
              mlir::OpBuilder &builder, DifferentiationCounts &counts);

} // namespace memformer

#endif
