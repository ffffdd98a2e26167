// What the threads of a block read and write.

#include "codegen/nvptx/Trace.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"

#include <set>

using namespace mlir;

namespace memformer::nvptx {

Tracer::Tracer(Block &code, int64_t threads, const DenseMap<Value, Memory> &arguments,
               uint64_t sharedBegin, uint64_t sharedEnd)
    : code(code), arguments(arguments), shared{MemoryAccess::shared, sharedEnd},
      sharedBegin(sharedBegin), values(threads) {}

std::vector<Trace> Tracer::trace(int64_t blocks, bool isWhole) {
  std::vector<int64_t> meetingsOf;
  for (int64_t block = 0; block < blocks; ++block)
    meetingsOf.push_back(count(block));
  auto meet = [](int64_t meetings) { return meetings > 0; };
  int64_t firstThatMeets = llvm::find_if(meetingsOf, meet) - meetingsOf.begin();
  int64_t lastThatMeets = blocks - 1;
  while (lastThatMeets >= 0 && meetingsOf[size_t(lastThatMeets)] == 0)
    --lastThatMeets;
  std::vector<Trace> traces;
  for (int64_t block = 0; block < blocks; ++block) {
    meetings = meetingsOf[size_t(block)];
    keepsBetween = !isWhole;
    keepsFirst = !isWhole || block <= firstThatMeets || block > lastThatMeets;
    keepsLast = !isWhole || block >= lastThatMeets || block < firstThatMeets;
    traces.push_back(traceOf(block));
  }
  if (blocks > 1 && llvm::all_of(meetingsOf, meet))
    leaveOutRepeated(traces);
  return traces;
}

// Shared memory is in order between all blocks that follow each other if it is between one pair of
// each kind; the first block and the last one are what other kernels meet.
void Tracer::leaveOutRepeated(std::vector<Trace> &traces) {
  std::vector<size_t> kinds; // by number, the first block of each kind
  std::vector<size_t> kindOf;
  for (const Trace &trace : traces) {
    auto isSame = [&](size_t kind) {
      return traces[kind].first.shared == trace.first.shared &&
             traces[kind].last.shared == trace.last.shared;
    };
    const auto *known = llvm::find_if(ArrayRef(kinds), isSame);
    kindOf.push_back(size_t(known - kinds.data()));
    if (kindOf.back() == kinds.size())
      kinds.push_back(kindOf.size() - 1);
  }
  std::vector<bool> stays(traces.size(), false);
  stays.front() = stays.back() = true;
  std::set<std::pair<size_t, size_t>> pairs;
  for (size_t i = 1; i < traces.size(); ++i)
    if (pairs.emplace(kindOf[i - 1], kindOf[i]).second)
      stays[i - 1] = stays[i] = true;
  for (size_t i = 0; i < traces.size(); ++i)
    if (!stays[i])
      for (Accesses *accesses : {&traces[i].first, &traces[i].between, &traces[i].last})
        accesses->shared.clear();
}

int64_t Tracer::count(int64_t block) {
  pass = Pass::Count;
  met = 0;
  values.setBlock(block);
  run();
  return met;
}

Trace Tracer::traceOf(int64_t block) {
  pass = Pass::Record;
  met = 0;
  values.setBlock(block);
  current = {};
  run();
  current.meets = meetings > 0;
  if (keepsBetween && meetings > 1 && shared.bytes > sharedBegin)
    current.between.shared.push_back(allShared(/*isWrite=*/true));
  return std::move(current);
}

// Null for what is of no interest.
const Tracer::Memory *Tracer::memoryOf(Value pointer) {
  while (auto element = pointer.getDefiningOp<LLVM::GEPOp>())
    pointer = element.getBase();
  if (pointer.getDefiningOp<LLVM::AddressOfOp>())
    return &shared;
  auto found = arguments.find(pointer);
  return found == arguments.end() ? nullptr : &found->second;
}

static bool isBarrier(StringRef intrinsic) { return intrinsic.starts_with("llvm.nvvm.barrier."); }

bool Tracer::matters(Operation *op) {
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](LLVM::LoadOp load) { return memoryOf(load.getAddr()) != nullptr; })
      .Case([&](LLVM::StoreOp store) { return memoryOf(store.getAddr()) != nullptr; })
      .Case([&](LLVM::CallIntrinsicOp call) {
        return isBarrier(call.getIntrin()) || llvm::any_of(call.getArgs(), [](Value argument) {
                 return isa<LLVM::LLVMPointerType>(argument.getType());
               });
      })
      .Case([&](LLVM::InlineAsmOp assembly) {
        return assembly.getAsmString().contains("cp.async.bulk") ||
               assembly.getAsmString().contains("wgmma.mma");
      })
      .Default([&](Operation *other) {
        return llvm::any_of(other->getRegions(), [&](Region &region) {
          return llvm::any_of(region, [&](Block &block) { return !stepsOf(block).empty(); });
        });
      });
}

const std::vector<Operation *> &Tracer::stepsOf(Block &block) {
  auto found = steps.find(&block);
  if (found != steps.end())
    return found->second;
  std::vector<Operation *> those;
  for (Operation &op : block)
    if (matters(&op))
      those.push_back(&op);
  return steps[&block] = std::move(those);
}

void Tracer::run() {
  size_t threads = size_t(values.threadCount());
  values.enter(code);
  for (const auto &[pointer, memory] : arguments)
    values.set(pointer, Lanes(0));
  follow(code, {SmallVector<bool, 0>(threads, true), threads});
}

void Tracer::run(Block &block, const Active &active) {
  values.enter(block);
  follow(block, active);
}

void Tracer::follow(Block &block, const Active &active) {
  for (Operation *op : stepsOf(block))
    step(op, active);
}

void Tracer::step(Operation *op, const Active &active) {
  auto bytesOf = [](Type type) {
    auto vector = dyn_cast<VectorType>(type);
    int64_t entries = vector ? vector.getNumElements() : 1;
    return uint64_t(entries) * (getElementTypeOrSelf(type).getIntOrFloatBitWidth() / 8);
  };
  TypeSwitch<Operation *>(op)
      .Case([&](LLVM::LoadOp load) {
        access(load.getAddr(), bytesOf(load.getType()), /*isWrite=*/false, active);
      })
      .Case([&](LLVM::StoreOp store) {
        access(store.getAddr(), bytesOf(store.getValue().getType()), /*isWrite=*/true, active);
      })
      .Case([&](LLVM::CallIntrinsicOp) { call(op, active); })
      .Case([&](LLVM::InlineAsmOp) { assembly(op, active); })
      .Case([&](scf::ForOp) { runLoop(op, active); })
      .Case([&](scf::IfOp) { runBranches(op, active); })
      .Default([&](Operation *) { runUnknown(op, active); });
}

// Once, with values that may be anything.
void Tracer::runUnknown(Operation *op, Active active) {
  active.isCertain = false;
  for (Region &region : op->getRegions())
    for (Block &block : region)
      run(block, active);
  for (Value result : op->getResults())
    values.set(result, {});
}

void Tracer::runLoop(Operation *op, const Active &active) {
  auto loop = cast<scf::ForOp>(op);
  const Lanes lower = values.of(loop.getLowerBound()), upper = values.of(loop.getUpperBound());
  const Lanes stride = values.of(loop.getStep());
  if (!lower.isKnown() || !upper.isKnown() || !stride.isKnown())
    return runUnknown(op, active);
  SmallVector<Lanes> carried;
  for (Value init : loop.getInitArgs())
    carried.push_back(values.of(init));
  Block &body = *loop.getBody();
  auto yield = cast<scf::YieldOp>(body.getTerminator());
  bool isUniform = lower.isUniform() && upper.isUniform() && stride.isUniform();
  Active running = active;
  for (uint64_t turn = 0;; ++turn) {
    auto inductionOf = [&](size_t i) { return lower[i] + turn * stride[i]; };
    if (isUniform && inductionOf(0) >= upper[0])
      break;
    for (size_t i = 0; !isUniform && i < running.lanes.size(); ++i)
      if (inductionOf(i) >= upper[i])
        running.stop(i);
    if (!running.any())
      break;
    values.enter(body);
    Lanes induction(inductionOf(0));
    if (!lower.isUniform() || !stride.isUniform()) {
      SmallVector<uint64_t, 1> ofEach;
      for (size_t i = 0; i < running.lanes.size(); ++i)
        ofEach.push_back(inductionOf(i));
      induction = Lanes(std::move(ofEach));
    }
    values.set(loop.getInductionVar(), std::move(induction));
    for (auto [argument, lanes] : llvm::zip_equal(loop.getRegionIterArgs(), carried))
      values.set(argument, lanes);
    follow(body, running);
    for (auto [lanes, next] : llvm::zip_equal(carried, yield.getResults()))
      lanes = running.all() ? values.of(next)
                            : values.blend(running.lanes, values.of(next), Lanes(lanes));
  }
  for (auto [result, lanes] : llvm::zip_equal(loop.getResults(), carried))
    values.set(result, lanes);
}

void Tracer::runBranches(Operation *op, const Active &active) {
  auto choice = cast<scf::IfOp>(op);
  const Lanes condition = values.of(choice.getCondition());
  if (!condition.isKnown())
    return runUnknown(op, active);
  Active yes = active, no = active;
  for (size_t i = 0; i < active.lanes.size(); ++i)
    (condition[i] != 0 ? no : yes).stop(i);
  if (yes.any())
    run(*choice.thenBlock(), yes);
  if (choice.elseBlock() && no.any())
    run(*choice.elseBlock(), no);
  for (auto [i, result] : llvm::enumerate(choice.getResults())) {
    auto yieldedBy = [&](Block *block) { return block->getTerminator()->getOperand(unsigned(i)); };
    if (!no.any())
      values.set(result, values.of(yieldedBy(choice.thenBlock())));
    else if (!yes.any())
      values.set(result, values.of(yieldedBy(choice.elseBlock())));
    else
      values.set(result, values.blend(yes.lanes, values.of(yieldedBy(choice.thenBlock())),
                                      values.of(yieldedBy(choice.elseBlock()))));
  }
}

void Tracer::call(Operation *op, const Active &active) {
  auto intrinsic = cast<LLVM::CallIntrinsicOp>(op);
  StringRef name = intrinsic.getIntrin();
  if (isBarrier(name)) {
    met += active.isCertain && active.all();
    return;
  }
  constexpr uint64_t line = 16; // bytes of a copy, and of a matrix's row
  if (name.starts_with("llvm.nvvm.cp.async.")) {
    access(intrinsic.getArgs()[1], line, /*isWrite=*/false, active);
    access(intrinsic.getArgs()[0], line, /*isWrite=*/true, active);
    return;
  }
  assert(name.starts_with("llvm.nvvm.ldmatrix.") && "only these take addresses");
  access(intrinsic.getArgs()[0], line, /*isWrite=*/false, active);
}

void Tracer::assembly(Operation *op, const Active &active) {
  auto assembly = cast<LLVM::InlineAsmOp>(op);
  if (assembly.getAsmString().contains("cp.async.bulk")) {
    const Lanes bytes = values.of(assembly.getOperand(2));
    access(assembly.getOperand(1), bytes[0], /*isWrite=*/false, active);
    access(assembly.getOperand(0), bytes[0], /*isWrite=*/true, active);
    return;
  }
  // Products of warpgroups are told by descriptors where to read.
  if (std::vector<MemoryAccess> *place = kept(shared))
    place->push_back(allShared(/*isWrite=*/false));
}

MemoryAccess Tracer::allShared(bool isWrite) const {
  int32_t last = int32_t(values.threadCount() - 1);
  return {MemoryAccess::shared,       0, last, isWrite, /*isEach=*/false, sharedBegin,
          shared.bytes - sharedBegin, 0};
}

// Where an access is kept now; null: nowhere.
std::vector<MemoryAccess> *Tracer::kept(const Memory &memory) {
  if (pass == Pass::Count)
    return nullptr;
  bool isFirst = met == 0, isLast = met == meetings;
  if (memory.number == MemoryAccess::shared)
    return isFirst ? &current.first.shared : isLast ? &current.last.shared : nullptr;
  if (isFirst && isLast)
    return &current.first.global;
  bool isKept = isFirst ? keepsFirst : isLast ? keepsLast : keepsBetween;
  Accesses &part = isFirst ? current.first : isLast ? current.last : current.between;
  return isKept ? &part.global : nullptr;
}

// As few accesses as there are runs of threads whose bytes are at equal distances.
void Tracer::access(Value pointer, uint64_t bytes, bool isWrite, const Active &active) {
  const Memory *memory = memoryOf(pointer);
  std::vector<MemoryAccess> *place = memory ? kept(*memory) : nullptr;
  if (!place)
    return;
  const Lanes &address = values.of(pointer);
  if (!address.isKnown()) {
    uint64_t begin = memory->number == MemoryAccess::shared ? sharedBegin : 0;
    place->push_back({memory->number, 0, int32_t(values.threadCount() - 1), isWrite,
                      /*isEach=*/false, begin, memory->bytes - begin, 0});
    return;
  }
  size_t count = active.lanes.size();
  for (size_t first = 0; first < count;) {
    if (!active.lanes[first]) {
      ++first;
      continue;
    }
    size_t last = first;
    auto stride = [&](size_t i) { return int64_t(address[i + 1] - address[i]); };
    while (last + 1 < count && active.lanes[last + 1] && stride(last) == stride(first))
      ++last;
    int64_t distance = last > first ? stride(first) : 0;
    bool isEach = distance != 0 || last == first;
    place->push_back({memory->number, int32_t(first), int32_t(last), isWrite, isEach,
                      address[first], bytes, distance});
    first = last + 1;
  }
}

} // namespace memformer::nvptx
