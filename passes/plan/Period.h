// Where a sequence that repeats is cut.

#ifndef MEMFORMER_PASSES_PLAN_PERIOD_H
#define MEMFORMER_PASSES_PLAN_PERIOD_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

namespace memformer {

/// Lengths of the pieces, of at most `most` each, so that many pieces are equal: the longest
/// stretch that repeats with some period is cut at it, then what is left on either side in the same
/// way. Stretches without a period are cut into as few pieces as may be.
llvm::SmallVector<int64_t> cutAtPeriods(llvm::ArrayRef<int64_t> sequence, int64_t most);

} // namespace memformer

#endif
