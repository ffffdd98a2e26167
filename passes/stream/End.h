// What a segment leaves that depends on the streamed input, once all of its positions are known.

#ifndef MEMFORMER_PASSES_STREAM_END_H
#define MEMFORMER_PASSES_STREAM_END_H

#include "passes/stream/Rows.h"

namespace memformer {

/// Builds `@end`: `states`, which depend on the streamed input, from what the segment's beginning
/// carries and from the caches that the steps have filled; where those keep too little, from the
/// streamed input, all of which is known then, and from no cache.
mlir::func::FuncOp buildEnd(mlir::OpBuilder &builder, mlir::Location location,
                            const DifferentiatedSegment &segment, llvm::ArrayRef<Port> states,
                            RowBuilder &rows);

} // namespace memformer

#endif
