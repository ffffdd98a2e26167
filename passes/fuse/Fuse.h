// Fusions of norms, which not every target has.

#ifndef MEMFORMER_PASSES_FUSE_FUSE_H
#define MEMFORMER_PASSES_FUSE_FUSE_H

#include "mlir/IR/Block.h"

#include <cstdint>

namespace memformer {

/// Makes layer norms of at most `mostRows` rows the prologue of the gemms that read them. Where
/// others read the normalised rows too, the first gemm stores them. Returns the number of layer
/// norms that are gone.
int64_t fuseLayerNormIntoGemm(mlir::Block &block, int64_t mostRows);

/// Makes the division of a slot attention's rows by their length part of the attention. Returns how
/// many.
int64_t fuseNormalizeIntoAttention(mlir::Block &block);

} // namespace memformer

#endif
