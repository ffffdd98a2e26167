// Which bytes a kernel moves between memory and the L2 cache, by a model.

#ifndef MEMFORMER_CODEGEN_NVPTX_TRAFFIC_H
#define MEMFORMER_CODEGEN_NVPTX_TRAFFIC_H

#include "codegen/nvptx/GpuTarget.h"
#include "mlir/IR/Operation.h"

namespace memformer::nvptx {

/// An argument as the blocks of a grid touch it: block b touches the whole of part (b / blocks) mod
/// parts, each part having `bytes`.
struct Access {
  int64_t bytes, blocks, parts;
  bool isRead, isWritten;
};

/// As many blocks as there are multiprocessors run at a time, in their order, each part that they
/// touch moving once for all of them; L2 then keeps the parts that were touched last, as many as it
/// has room for, and a part that it keeps does not move again.
int64_t movedBytes(llvm::ArrayRef<Access> accesses, int64_t grid, const GpuTarget &target);

/// Of a kernel of the kernel dialect whose emitter made `grid` blocks; of a product, `across`
/// blocks in a row share rows of A. Where blocks share nothing it is what its arguments have, each
/// once.
int64_t movedBytesOf(mlir::Operation *kernel, int64_t grid, int64_t across,
                     const GpuTarget &target);

} // namespace memformer::nvptx

#endif
