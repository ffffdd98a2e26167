// Replaces ops that stand for several ops.

#include "passes/expand/Expand.h"

#include "dialect/memformer/MemformerDialect.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "passes/Passes.h"

namespace memformer {

#define GEN_PASS_DEF_EXPANDPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;

// Erases the ops between `first` (exclusive, null: the block's begin) and `last` (exclusive) that
// nothing uses.
static void eraseUnused(Block *block, Operation *first, Operation *last) {
  for (Operation *op = last->getPrevNode(); op && op != first;) {
    Operation *previous = op->getPrevNode();
    if (isOpTriviallyDead(op))
      op->erase();
    op = previous;
  }
}

int64_t memformer::expandComposites(Operation *root) {
  int64_t expanded = 0;
  SmallVector<ExpandableOpInterface> work;
  do {
    work.clear();
    root->walk([&](ExpandableOpInterface op) { work.push_back(op); });
    for (ExpandableOpInterface composite : work) {
      Operation *op = composite;
      Operation *before = op->getPrevNode();
      OpBuilder builder(op);
      op->replaceAllUsesWith(composite.expand(builder));
      eraseUnused(op->getBlock(), before, op);
      op->erase();
      ++expanded;
    }
  } while (!work.empty());
  return expanded;
}

namespace {

struct ExpandPass : memformer::impl::ExpandPassBase<ExpandPass> {
  void runOnOperation() override { expanded += expandComposites(getOperation()); }
};

} // namespace
