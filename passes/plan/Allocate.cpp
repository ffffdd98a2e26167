// Places for buffers whose lifetimes are known.

#include "passes/plan/Allocate.h"

#include "dialect/program/Arguments.h"
#include "llvm/ADT/STLExtras.h"

#include <limits>

using namespace memformer;

int64_t memformer::allocate(llvm::MutableArrayRef<Buffer> buffers, int64_t base) {
  llvm::SmallVector<Buffer *> order;
  for (Buffer &buffer : buffers)
    order.push_back(&buffer);
  llvm::stable_sort(order, [](Buffer *a, Buffer *b) { return a->bytes > b->bytes; });

  int64_t end = base;
  llvm::SmallVector<Buffer *> placed; // by offset
  for (Buffer *buffer : order) {
    int64_t bytes = program::alignedBytes(buffer->bytes);
    int64_t best = -1, bestGap = std::numeric_limits<int64_t>::max(), cursor = base;
    for (Buffer *other : placed) {
      if (other->last < buffer->first || buffer->last < other->first)
        continue;
      int64_t gap = other->offset - cursor;
      if (gap >= bytes && gap < bestGap) {
        best = cursor;
        bestGap = gap;
      }
      cursor = std::max(cursor, other->offset + program::alignedBytes(other->bytes));
    }
    buffer->offset = best >= 0 ? best : cursor;
    end = std::max(end, buffer->offset + bytes);
    placed.insert(llvm::upper_bound(placed, buffer,
                                    [](Buffer *a, Buffer *b) { return a->offset < b->offset; }),
                  buffer);
  }
  return end;
}
