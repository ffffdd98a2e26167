// Schedules: what is traversed forward, what is saved, what is recomputed.

#include "passes/Passes.h"
#include "passes/schedule/Cut.h"
#include "passes/schedule/Roles.h"
#include "llvm/ADT/STLExtras.h"

namespace memformer {

#define GEN_PASS_DEF_SCHEDULEPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;

static StringRef nameOf(ScheduleKind schedule) {
  switch (schedule) {
  case ScheduleKind::Bptt:
    return "bptt";
  case ScheduleKind::Checkpoint:
    return "checkpoint";
  case ScheduleKind::Mrbp:
    return "mrbp";
  }
  llvm_unreachable("every schedule has a name");
}

static SmallVector<Port> join(std::initializer_list<ArrayRef<Port>> parts) {
  SmallVector<Port> result;
  for (ArrayRef<Port> part : parts)
    result.append(part.begin(), part.end());
  return result;
}

namespace {

struct SchedulePass : memformer::impl::SchedulePassBase<SchedulePass> {
  using SchedulePassBase::SchedulePassBase;

  void runOnOperation() override;
  LogicalResult check(ArrayRef<RecurrenceOp> recurrences);
};

} // namespace

LogicalResult SchedulePass::check(ArrayRef<RecurrenceOp> recurrences) {
  if (recurrences.size() > 1) {
    RecurrenceOp first = recurrences[0], second = recurrences[1];
    InFlightDiagnostic error =
        second.emitOpError("expected one recurrence in a module, but this is another");
    error.attachNote(first.getLoc()) << "the first is here";
    return error;
  }
  RecurrenceOp recurrence = recurrences.front();
  if (recurrence.getReplay().empty())
    return recurrence.emitOpError("expected a replay region, but got none: run "
                                  "-memformer-differentiate first");
  for (StringRef name : {function::forward, function::replay, function::evaluate, function::trace})
    if (Operation *taken = SymbolTable::lookupSymbolIn(getOperation(), name);
        taken && taken != recurrence)
      return taken->emitOpError("has the name @") << name << ", which a schedule's function needs";
  for (StringRef name : recurrence.getOutputs().getAsValueRange<StringAttr>())
    if (name == name::loss)
      return recurrence.emitOpError("expected outputs to have names of their own, but '")
             << name << "' is the loss";
  return success();
}

void SchedulePass::runOnOperation() {
  SmallVector<RecurrenceOp> recurrences(getOperation().getOps<RecurrenceOp>());
  if (recurrences.empty())
    return;
  if (failed(check(recurrences)))
    return signalPassFailure();
  RecurrenceOp recurrence = recurrences.front();
  DifferentiatedSegment segment(recurrence);
  auto bounds = IntegerBounds::of(segment);
  if (failed(bounds))
    return signalPassFailure();

  // The one difference between the schedules: what is saved, and who computes the loss.
  SmallVector<Port> saved;
  if (training && schedule == ScheduleKind::Bptt)
    for (auto [index, value] : llvm::enumerate(valuesToSave(segment))) {
      saved.push_back({value, role::saved, ("saved" + Twine(index)).str()});
      savedBytes += bytesOf(value);
    }
  savedValues += saved.size();
  bool lossForward = schedule != ScheduleKind::Mrbp;

  OpBuilder builder(recurrence);
  Location location = recurrence.getLoc();
  auto cut = [&](StringRef name, ArrayRef<Port> arguments, ArrayRef<Port> results, bool effects) {
    auto function =
        cutFunction(builder, location, name, segment.block, arguments, results, effects);
    bounds->mark(function, segment);
    return function;
  };
  SmallVector<Port> entry = join({segment.states, segment.inputs});
  SmallVector<Port> computed = join({segment.nextStates, segment.loss});
  auto count = [](func::FuncOp function) {
    return int64_t(function.getBody().front().getOperations().size()) - 1;
  };
  if (training) {
    auto forward = cut(function::forward, entry,
                       lossForward ? join({segment.nextStates, saved, segment.loss})
                                   : SmallVector<Port>(segment.nextStates),
                       /*effects=*/false);
    auto replay =
        cut(function::replay, join({entry, saved, segment.nextGradients, segment.lossScale}),
            lossForward ? SmallVector<Port>(segment.stateGradients)
                        : join({segment.stateGradients, computed}),
            /*effects=*/true);
    forwardOps += count(forward);
    forwardDead += int64_t(segment.recomputed.size()) - count(forward);
    replayOps += count(replay);
  }

  SmallVector<Port> predictions;
  for (const Port &output : segment.outputs)
    if (output.name == name::prediction)
      predictions.push_back(output);
  auto evaluate = cut(function::evaluate, entry, join({computed, predictions}), /*effects=*/false);
  auto trace = cut(function::trace, entry,
                   join({segment.nextStates, segment.outputs, segment.loss, segment.entering}),
                   /*effects=*/false);
  removeDropout(evaluate);
  removeDropout(trace);

  getOperation()->setAttr(scheduleAttribute, builder.getStringAttr(nameOf(schedule)));
  getOperation()->setAttr(nameAttribute, recurrence.getSymNameAttr());
  recurrence.erase();
}
