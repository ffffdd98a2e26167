// Generation: what runs once a segment, and what runs for each of its positions.

#include "passes/Passes.h"
#include "passes/schedule/Cut.h"
#include "passes/schedule/Roles.h"
#include "passes/stream/End.h"
#include "passes/stream/Rows.h"
#include "llvm/ADT/STLExtras.h"

namespace memformer {

#define GEN_PASS_DEF_STREAMPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;

// Whoever begins a segment has only those at hand that it takes.
static void eraseUnusedInputs(func::FuncOp function) {
  for (unsigned i = function.getNumArguments(); i-- > 0;)
    if (function.getArgAttrOfType<StringAttr>(i, roleAttribute) == role::input &&
        function.getArgument(i).use_empty()) {
      LogicalResult erased = function.eraseArgument(i);
      assert(succeeded(erased) && "a function of this dialect may lose any argument");
      (void)erased;
    }
}

namespace {

struct StreamPass : memformer::impl::StreamPassBase<StreamPass> {
  using StreamPassBase::StreamPassBase;

  void runOnOperation() override {
    for (auto recurrence : getOperation().getOps<RecurrenceOp>())
      if (failed(stream(recurrence)))
        return signalPassFailure();
  }

  LogicalResult check(RecurrenceOp recurrence);
  LogicalResult stream(RecurrenceOp recurrence);
};

} // namespace

LogicalResult StreamPass::check(RecurrenceOp recurrence) {
  if (!recurrence.getStreamed())
    return recurrence.emitOpError("expected a streamed input, as generation needs: streamed "
                                  "\"INPUT\" to \"OUTPUT\"");
  if (recurrence.getReplay().empty())
    return recurrence.emitOpError("expected a replay region, but got none: run "
                                  "-memformer-differentiate first");
  for (StringRef name : {function::begin, function::step, function::end})
    if (Operation *taken = SymbolTable::lookupSymbolIn(getOperation(), name))
      return taken->emitOpError("has the name @") << name << ", which generation needs";
  return success();
}

LogicalResult StreamPass::stream(RecurrenceOp recurrence) {
  if (failed(check(recurrence)))
    return failure();
  DifferentiatedSegment segment(recurrence);
  auto bounds = IntegerBounds::of(segment);
  if (failed(bounds))
    return failure();
  auto find = [](ArrayRef<Port> ports, StringRef name) {
    return *llvm::find_if(ports, [&](const Port &port) { return port.name == name; });
  };
  Port streamed = find(segment.inputs, *recurrence.getStreamed());
  Port stepped = find(segment.outputs, *recurrence.getStepped());

  OpBuilder builder(recurrence);
  Location location = recurrence.getLoc();
  auto step =
      func::FuncOp::create(builder, location, function::step, builder.getFunctionType({}, {}));
  RowBuilder rows(step, segment, streamed.value);
  if (failed(rows.build(stepped))) {
    step.erase();
    return failure();
  }

  // What the segment leaves: where it depends on positions, when they are all known.
  SmallVector<Port> results, atEnd, arguments(segment.states);
  for (const Port &state : segment.nextStates)
    (rows.dependsOnStream(state.value) ? atEnd : results).push_back(state);
  if (!atEnd.empty()) {
    builder.setInsertionPointAfter(step);
    func::FuncOp end = buildEnd(builder, location, segment, atEnd, rows);
    removeDropout(end);
    bounds->mark(end, segment);
  }
  results.append(rows.carried);
  results.append(rows.begun);
  llvm::copy_if(segment.inputs, std::back_inserter(arguments),
                [&](const Port &input) { return input.value != streamed.value; });
  builder.setInsertionPoint(step);
  auto begin = cutFunction(builder, location, function::begin, segment.block, arguments, results,
                           /*effects=*/false);
  removeDropout(begin);
  eraseUnusedInputs(begin);
  bounds->mark(begin, segment);
  bounds->mark(step, segment);

  for (const Port &port : rows.carried) {
    ++carriedValues;
    carriedBytes += bytesOf(port.value);
  }
  for (unsigned i = 0; i < step.getNumResults(); ++i)
    if (step.getResultAttrOfType<StringAttr>(i, roleAttribute) == role::cache) {
      ++caches;
      cacheBytes += bytesOf(step.getBody().front().getTerminator()->getOperand(i));
    }
  return success();
}
