// What a segment leaves that depends on the streamed input, once all of its positions are known.

#include "passes/stream/End.h"

#include "passes/schedule/Roles.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace memformer;

// From the states back to what is there. False where the streamed input itself is read although
// caches would have done for the rest.
static bool findArguments(const DifferentiatedSegment &segment, ArrayRef<Port> states,
                          RowBuilder &rows, bool fromCaches, SmallVector<Port> &arguments) {
  SmallVector<Value> work;
  for (const Port &state : states)
    work.push_back(state.value);
  DenseSet<Value> seen(work.begin(), work.end());
  while (!work.empty()) {
    Value value = work.pop_back_val();
    if (const Port *cache = rows.cacheOf(value); cache && fromCaches) {
      arguments.push_back(*cache);
      continue;
    }
    if (!rows.dependsOnStream(value)) {
      arguments.push_back({value, role::carried, ""});
      continue;
    }
    Operation *op = value.getDefiningOp();
    if (!op) {
      if (fromCaches)
        return false;
      arguments.push_back(
          *llvm::find_if(segment.inputs, [&](const Port &input) { return input.value == value; }));
      continue;
    }
    for (Value operand : op->getOperands())
      if (seen.insert(operand).second)
        work.push_back(operand);
  }
  return true;
}

func::FuncOp memformer::buildEnd(OpBuilder &builder, Location location,
                                 const DifferentiatedSegment &segment, ArrayRef<Port> states,
                                 RowBuilder &rows) {
  SmallVector<Port> arguments;
  if (!findArguments(segment, states, rows, /*fromCaches=*/true, arguments)) {
    arguments.clear();
    findArguments(segment, states, rows, /*fromCaches=*/false, arguments);
  }
  // What depends on parameters alone is computed again, as positions do.
  llvm::erase_if(arguments, [&](const Port &port) {
    return port.role == role::carried && rows.isFromParameters(port.value);
  });
  for (Port &port : arguments)
    if (port.role == role::carried)
      port = rows.carry(port.value);
  return cutFunction(builder, location, function::end, segment.block, arguments, states,
                     /*effects=*/false);
}
