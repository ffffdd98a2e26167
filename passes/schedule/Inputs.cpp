// What the ops that read integers say of their entries, back to the inputs and states.

#include "passes/schedule/Cut.h"
#include "passes/schedule/Roles.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace memformer;

bool IntegerBounds::require(Value value, Bound bound) {
  auto [entry, isNew] = bounds.try_emplace(value, bound);
  if (isNew)
    return true;
  Bound met = {std::min(entry->second.bound, bound.bound), entry->second.ignored && bound.ignored};
  bool changed = met.bound != entry->second.bound || met.ignored != entry->second.ignored;
  entry->second = met;
  return changed;
}

// Passes on what is asked of the entries of a result to the operands that they are taken from.
bool IntegerBounds::cross(Operation &op) {
  if (auto embedding = dyn_cast<EmbeddingOp>(op)) {
    int64_t rows = cast<RankedTensorType>(embedding.getTable().getType()).getDimSize(0);
    return require(embedding.getTokens(), {rows, false});
  }
  if (auto loss = dyn_cast<CrossEntropyOp>(op)) {
    int64_t classes = cast<RankedTensorType>(loss.getLogits().getType()).getShape().back();
    return require(loss.getTargets(), {classes, true});
  }
  if (!isa<BroadcastOp, SliceOp, ConcatOp, ReshapeOp, SelectRowsOp>(op))
    return false;
  std::optional<Bound> bound = find(op.getResult(0));
  if (!bound)
    return false;
  bool changed = false;
  for (Value operand : op.getOperands().drop_front(isa<SelectRowsOp>(op) ? 1 : 0))
    changed |= require(operand, *bound);
  return changed;
}

// Whether the op yields nothing but entries that are asked for, or hands the question on.
static LogicalResult check(Operation &op, IntegerBounds::Bound bound) {
  int64_t lowest = bound.ignored ? -1 : 0;
  auto refuse = [&](int64_t entry) {
    return op.emitOpError("expected entries in [")
           << lowest << ", " << bound.bound
           << "), as the table or the loss that they reach needs, but one may be " << entry;
  };
  auto within = [&](int64_t least, int64_t most) -> LogicalResult {
    if (least < lowest)
      return refuse(least);
    return most < bound.bound ? success() : LogicalResult(refuse(most));
  };
  return TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<BroadcastOp, SliceOp, ConcatOp, ReshapeOp, SelectRowsOp>([](auto) { return success(); })
      .Case([&](ClampOp clamp) { return within(int32_t(clamp.getMin()), int32_t(clamp.getMax())); })
      .Case([&](ArgmaxOp argmax) {
        return within(0, cast<RankedTensorType>(argmax.getInput().getType()).getShape().back() - 1);
      })
      .Case([&](MostUsedOp used) {
        ArrayRef<int64_t> usage = cast<RankedTensorType>(used.getUsage().getType()).getShape();
        return within(0, usage[0] * usage[2] - 1);
      })
      .Case([&](arith::ConstantOp constant) -> LogicalResult {
        if (auto entries = dyn_cast<DenseIntElementsAttr>(constant.getValue()))
          for (const APInt &entry : entries.getValues<APInt>())
            if (failed(within(entry.getSExtValue(), entry.getSExtValue())))
              return failure();
        return success();
      })
      .Default([&](Operation *) {
        return op.emitOpError("expected entries in [")
               << lowest << ", " << bound.bound
               << "), as the table or the loss that they reach needs, but nothing limits them: "
                  "'memformer.clamp' does";
      });
}

FailureOr<IntegerBounds> IntegerBounds::of(const DifferentiatedSegment &segment) {
  IntegerBounds result;
  // What a state has to be at the beginning of a segment, it has to be at the end of the one
  // before. Bounds only fall, so this ends.
  for (bool changed = true; changed;) {
    changed = false;
    for (Operation &op : llvm::reverse(segment.block))
      changed |= result.cross(op);
    for (auto [state, next] : llvm::zip_equal(segment.states, segment.nextStates))
      if (std::optional<Bound> bound = result.find(state.value))
        changed |= result.require(next.value, *bound);
  }
  for (Operation &op : segment.block)
    for (Value value : op.getResults())
      if (std::optional<Bound> bound = result.find(value); bound && failed(check(op, *bound)))
        return failure();
  return result;
}

void IntegerBounds::mark(func::FuncOp function, const DifferentiatedSegment &segment) const {
  Builder builder(function.getContext());
  auto markAll = [&](ArrayRef<Port> ports, ArrayRef<StringRef> roles) {
    for (const Port &port : ports) {
      std::optional<Bound> bound = find(port.value);
      if (!bound)
        continue;
      for (unsigned index = 0; index < function.getNumArguments(); ++index) {
        auto role = function.getArgAttrOfType<StringAttr>(index, roleAttribute);
        auto name = function.getArgAttrOfType<StringAttr>(index, nameAttribute);
        if (!llvm::is_contained(roles, role.getValue()) || name != port.name)
          continue;
        function.setArgAttr(index, boundAttribute, builder.getI64IntegerAttr(bound->bound));
        if (bound->ignored)
          function.setArgAttr(index, ignoredAttribute, builder.getUnitAttr());
      }
    }
  };
  markAll(segment.inputs, {role::input, role::stepInput});
  markAll(segment.states, {role::state});
}
