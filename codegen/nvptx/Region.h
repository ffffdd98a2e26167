// Epilogues and bodies: a kernel's region of scalars, as one thread's code.

#ifndef MEMFORMER_CODEGEN_NVPTX_REGION_H
#define MEMFORMER_CODEGEN_NVPTX_REGION_H

#include "codegen/nvptx/Emit.h"
#include "mlir/IR/Region.h"

namespace memformer::nvptx {

/// A region computed for the entries of a tensor that has `entries` of them.
class ScalarRegion {
public:
  ScalarRegion(mlir::Region &region, llvm::ArrayRef<Buffer> extras,
               llvm::ArrayRef<int32_t> indexing, int64_t entries)
      : region(region), extras(extras), indexing(indexing), entries(entries) {}

  /// The region's results for the entry of row-major number `linear`. `own` are the kernel's
  /// values. Fails with a diagnostic at an op that has no form here.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>> emit(Emit &e, mlir::ValueRange own,
                                                       mlir::Value linear);

private:
  mlir::Region &region;
  llvm::SmallVector<Buffer> extras;
  llvm::ArrayRef<int32_t> indexing;
  int64_t entries;
};

} // namespace memformer::nvptx

#endif
