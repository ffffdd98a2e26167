// Fills the replay region of recurrences: the segment once more, then its gradient.

#include "dialect/memformer/MemformerDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/TypeUtilities.h"
#include "passes/Passes.h"
#include "passes/differentiate/ReverseMode.h"
#include "passes/expand/Expand.h"
#include "llvm/ADT/STLExtras.h"

namespace memformer {

#define GEN_PASS_DEF_DIFFERENTIATEPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;

// A state of integers has no gradient.
static bool hasGradient(Value state) {
  return isa<FloatType>(getElementTypeOrSelf(state.getType()));
}

// Clones the ops of `block` and returns what its terminator becomes: the operands under `mapping`.
static YieldOp cloneBody(Block &block, OpBuilder &builder, IRMapping &mapping) {
  for (Operation &op : block.without_terminator())
    builder.clone(op, mapping);
  return cast<YieldOp>(block.getTerminator());
}

static SmallVector<Value> mapped(ValueRange values, const IRMapping &mapping) {
  return llvm::map_to_vector(values, [&](Value value) { return mapping.lookupOrDefault(value); });
}

static LogicalResult fillReplay(RecurrenceOp recurrence, DifferentiationCounts &counts) {
  if (!recurrence.getReplay().empty())
    return recurrence.emitOpError("expected an empty replay region, but this recurrence is "
                                  "differentiated already");
  Block &segment = recurrence.getSegment().front();
  size_t stateCount = recurrence.getStates().size();
  ArrayRef<BlockArgument> states = segment.getArguments().take_front(stateCount);
  ArrayRef<BlockArgument> inputs = segment.getArguments().drop_front(stateCount);
  auto segmentYield = cast<YieldOp>(segment.getTerminator());

  OpBuilder builder(recurrence.getContext());
  Location location = recurrence.getLoc();
  Block *replay = builder.createBlock(&recurrence.getReplay());
  IRMapping mapping;
  SmallVector<Value> arriving, nextGradients; // at the states; of the next states that have one
  for (BlockArgument state : states)
    arriving.push_back(replay->addArgument(state.getType(), state.getLoc()));
  for (BlockArgument input : inputs)
    mapping.map(input, replay->addArgument(input.getType(), input.getLoc()));
  Value reset, lossScale;
  if (!states.empty()) {
    int64_t rows = cast<RankedTensorType>(states.front().getType()).getDimSize(0);
    reset = replay->addArgument(RankedTensorType::get(rows, builder.getI32Type()), location);
  }
  for (Value loss : segmentYield.getLoss())
    lossScale = replay->addArgument(RankedTensorType::get({}, getElementTypeOrSelf(loss.getType())),
                                    location);
  for (BlockArgument state : states)
    if (hasGradient(state))
      nextGradients.push_back(replay->addArgument(state.getType(), state.getLoc()));

  // The segment once more, from the state in which some rows restart.
  builder.setInsertionPointToEnd(replay);
  Block &initial = recurrence.getInitial().front();
  SmallVector<Value> initialStates =
      mapped(cloneBody(initial, builder, mapping).getState(), mapping);
  for (auto [state, first, goingOn] : llvm::zip_equal(states, initialStates, arriving))
    mapping.map(state,
                SelectRowsOp::create(builder, location, state.getType(), reset, first, goingOn));
  cloneBody(segment, builder, mapping);
  SmallVector<Value> nextStates = mapped(segmentYield.getState(), mapping);
  SmallVector<Value> outputs = mapped(segmentYield.getOutputs(), mapping);
  SmallVector<Value> losses = mapped(segmentYield.getLoss(), mapping);

  SmallVector<Seed> seeds;
  for (auto [next, gradient] :
       llvm::zip_equal(llvm::make_filter_range(nextStates, hasGradient), nextGradients))
    seeds.push_back({next, gradient});
  for (Value loss : losses) {
    Value gradient = lossScale;
    if (loss.getType() != lossScale.getType())
      gradient = BroadcastOp::create(builder, location, loss.getType(), lossScale);
    seeds.push_back({loss, gradient});
  }
  auto wanted = llvm::filter_to_vector(arriving, hasGradient);
  auto gradients = differentiate(*replay, seeds, wanted, builder, counts);
  if (failed(gradients)) {
    recurrence.getReplay().getBlocks().clear();
    return failure();
  }
  for (auto [gradient, state] : llvm::zip_equal(*gradients, wanted))
    if (!gradient)
      gradient = arith::ConstantOp::create(builder, location,
                                           cast<TypedAttr>(builder.getZeroAttr(state.getType())));

  // What gradients alone distinguish from its first operand is a matter of this pass alone.
  for (Operation &op : llvm::make_early_inc_range(*replay)) {
    if (!isa<StopGradientOp, AuxiliarySquaredErrorOp>(op))
      continue;
    Value result = op.getResult(0), operand = op.getOperand(0);
    for (SmallVector<Value> *values : {&nextStates, &outputs, &losses})
      llvm::replace(*values, result, operand);
    result.replaceAllUsesWith(operand);
    op.erase();
  }

  SmallVector<Value> observed(nextStates);
  observed.append(outputs);
  YieldOp::create(builder, location, *gradients, losses, observed);
  return success();
}

namespace {

struct DifferentiatePass : memformer::impl::DifferentiatePassBase<DifferentiatePass> {
  void runOnOperation() override {
    expanded += expandComposites(getOperation());
    DifferentiationCounts counts;
    for (RecurrenceOp recurrence : getOperation().getOps<RecurrenceOp>())
      if (failed(fillReplay(recurrence, counts)))
        return signalPassFailure();
    differentiated += counts.differentiated;
    inactive += counts.inactive;
    contributions += counts.contributions;
  }
};

} // namespace
