// Places for buffers whose lifetimes are known.

#ifndef MEMFORMER_PASSES_PLAN_ALLOCATE_H
#define MEMFORMER_PASSES_PLAN_ALLOCATE_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>

namespace memformer {

/// Bytes that are needed from instruction `first` to instruction `last`, both included.
struct Buffer {
  int64_t bytes = 0;
  int64_t first = 0;
  int64_t last = 0;
  /// The result: a multiple of 64.
  int64_t offset = 0;
};

/// Gives each buffer an offset of at least `base` such that no two that are needed at one time
/// overlap: the largest first, each in the smallest gap that holds it. Returns the end of the last.
int64_t allocate(llvm::MutableArrayRef<Buffer> buffers, int64_t base);

} // namespace memformer

#endif
