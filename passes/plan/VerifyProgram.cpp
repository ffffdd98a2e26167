// Checks that a program reads only what it has written.

#include "dialect/program/Arguments.h"
#include "dialect/program/ProgramDialect.h"
#include "passes/Passes.h"
#include "passes/plan/FunctionPlan.h"

namespace memformer {

#define GEN_PASS_DEF_VERIFYPROGRAMPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;
using program::AddressAttr;

namespace {

// The bytes of the workspace that are certainly written.
class Written {
public:
  void add(AddressAttr place, int64_t bytes) {
    if (place.getSpace().getValue() != "workspace" || bytes == 0)
      return;
    // Merge with what it touches.
    int64_t begin = place.getOffset(), end = begin + bytes;
    llvm::erase_if(ranges, [&](const std::pair<int64_t, int64_t> &range) {
      if (range.second < begin || end < range.first)
        return false;
      begin = std::min(begin, range.first);
      end = std::max(end, range.second);
      return true;
    });
    ranges.push_back({begin, end});
  }

  bool contains(AddressAttr place, int64_t bytes) const {
    return place.getSpace().getValue() != "workspace" ||
           llvm::any_of(ranges, [&](const std::pair<int64_t, int64_t> &range) {
             return range.first <= place.getOffset() && place.getOffset() + bytes <= range.second;
           });
  }

private:
  SmallVector<std::pair<int64_t, int64_t>> ranges;
};

struct VerifyProgramPass : memformer::impl::VerifyProgramPassBase<VerifyProgramPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<program::FunctionOp>()) {
      Written written;
      if (failed(checkBlock(function.getBody().front(), written)))
        return signalPassFailure();
    }
  }

  LogicalResult checkBlock(Block &block, Written &written);
  LogicalResult checkDispatches(program::DispatchOp first, Written &written);
};

} // namespace

// Dispatches that run together: `first` and those that say so after it.
LogicalResult VerifyProgramPass::checkDispatches(program::DispatchOp first, Written &written) {
  struct Access {
    program::DispatchOp dispatch;
    int64_t number;
    AddressAttr place;
    program::KernelArgument argument;
  };
  SmallVector<Access> accesses;
  for (program::DispatchOp dispatch = first; dispatch;
       dispatch = dyn_cast_or_null<program::DispatchOp>(dispatch->getNextNode())) {
    if (dispatch != first && !dispatch.getTogether())
      break;
    auto kernel =
        getOperation().lookupSymbol<program::KernelOp>(dispatch.getKernelAttr().getAttr());
    for (auto [i, argument] : llvm::enumerate(program::argumentsOf(kernel).all))
      accesses.push_back(
          {dispatch, int64_t(i), cast<AddressAttr>(dispatch.getArguments()[i]), argument});
  }
  for (auto [i, access] : llvm::enumerate(accesses)) {
    if (access.argument.isRead && !written.contains(access.place, access.argument.bytes))
      return access.dispatch.emitOpError("expected argument ")
             << access.number << " at " << access.place << " to have been written before";
    if (!access.argument.isWritten)
      continue;
    for (auto [j, other] : llvm::enumerate(accesses)) {
      if (i == j ||
          !overlap(access.place, access.argument.bytes, other.place, other.argument.bytes))
        continue;
      InFlightDiagnostic error = access.dispatch.emitOpError("expected argument ")
                                 << access.number
                                 << ", which is written, apart from the others, but it overlaps "
                                    "argument "
                                 << other.number << " at " << other.place;
      if (other.dispatch != access.dispatch)
        error.attachNote(other.dispatch.getLoc()) << "of this one, which runs together with it";
      return error;
    }
  }
  for (const Access &access : accesses)
    if (access.argument.isWritten)
      written.add(access.place, access.argument.bytes);
  return success();
}

LogicalResult VerifyProgramPass::checkBlock(Block &block, Written &written) {
  for (Operation &op : block) {
    if (auto dispatch = dyn_cast<program::DispatchOp>(op)) {
      if (!dispatch.getTogether() && failed(checkDispatches(dispatch, written)))
        return failure();
    } else if (auto fill = dyn_cast<program::FillOp>(op)) {
      written.add(fill.getTo(), int64_t(fill.getBytes()));
    } else if (auto copy = dyn_cast<program::CopyOp>(op)) {
      // Buffers are copied with their padding, which nobody writes.
      int64_t bytes = int64_t(copy.getBytes());
      int64_t least = std::max<int64_t>(0, bytes - (program::alignment - 1));
      if (!written.contains(copy.getFrom(), least))
        return copy.emitOpError("expected ")
               << copy.getFrom() << " to have been written before it is copied";
      if (copy.getWhen() == program::When::Always)
        written.add(copy.getTo(), bytes);
    } else if (auto loop = dyn_cast<program::LoopOp>(op)) {
      // What a loop writes is not there for what follows: it may run for no segment at all.
      Written inside = written;
      if (failed(checkBlock(loop.getBody().front(), inside)))
        return failure();
    }
  }
  return success();
}
