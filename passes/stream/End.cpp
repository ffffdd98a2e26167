// What a segment leaves that depends on the streamed input, once all of its positions are known.

#include "passes/stream/End.h"

#include "passes/schedule/Roles.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace memformer;

FailureOr<func::FuncOp> memformer::buildEnd(OpBuilder &builder, Location location,
                                            const DifferentiatedSegment &segment,
                                            ArrayRef<Port> states, RowBuilder &rows) {
  // From the states back to what is there: caches, and values that do not depend on positions.
  DenseSet<Value> available;
  SmallVector<Port> arguments;
  SmallVector<Value> work;
  for (const Port &state : states)
    work.push_back(state.value);
  DenseSet<Value> seen(work.begin(), work.end());
  while (!work.empty()) {
    Value value = work.pop_back_val();
    if (const Port *cache = rows.cacheOf(value)) {
      arguments.push_back(*cache);
      continue;
    }
    if (!rows.dependsOnStream(value)) {
      arguments.push_back(rows.carry(value));
      continue;
    }
    Operation *op = value.getDefiningOp();
    if (!op)
      return emitError(location)
             << "expected the next state to depend on the streamed input through what its "
                "positions keep, but it reads the input itself";
    for (Value operand : op->getOperands())
      if (seen.insert(operand).second)
        work.push_back(operand);
  }
  return cutFunction(builder, location, function::end, segment.block, arguments, states,
                     /*effects=*/false);
}
