// Several kernels as one: side by side, or one after the other for each part of the batch.

#include "codegen/nvptx/Launch.h"

#include "codegen/nvptx/Hazards.h"
#include "codegen/nvptx/Traffic.h"
#include "dialect/kernel/Flops.h"
#include "dialect/kernel/Partition.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/OperationSupport.h"

#include <map>

using namespace mlir;

namespace memformer::nvptx {

namespace {

// An op of a launch: of one part, where the launch has parts.
struct Member {
  Operation *op = nullptr;
  /// The numbers of its arguments among the launch's, and the bytes from one part to the next of
  /// each (0 where it is whole).
  SmallVector<unsigned> arguments;
  SmallVector<int64_t> strides;
  int64_t grid = 0, threads = 0, sharedBytes = 0;
  /// The barrier of its threads, where they are not all of the block's.
  int64_t barrier = 0;
};

/// Of where shared memory begins, in bytes.
constexpr int64_t alignmentOfShared = 128;

/// How a member of a chain follows those before it.
struct Order {
  /// Where its shared memory begins.
  int64_t begin = 0;
  /// Whether all threads meet before it, and its own behind each of its blocks.
  bool meetsBefore = false, meetsBehind = false;
  /// Of each of its blocks.
  std::vector<Trace> blocks;
};

class LaunchEmitter {
public:
  LaunchEmitter(OpBuilder &builder, program::KernelOp kernel,
                const program::KernelArguments &described, ValueRange pointers,
                const GpuTarget &target, KernelModule &result)
      : b(builder), loc(kernel.getLoc()), kernel(kernel), described(described), pointers(pointers),
        target(target), result(result) {
    // One block has a chain's kernels to itself.
    if (kernel.getParts())
      this->target.multiprocessors = 1;
  }

  LogicalResult emit();

private:
  void addMember(Operation *op, ArrayRef<unsigned> arguments);
  LogicalResult measure(Member &member, int64_t flops);
  LogicalResult emitChain();
  LogicalResult emitSideBySide();
  LogicalResult emitMember(const Member &member, ValueRange arguments, Emit::Place place);
  int64_t sharedRoom() const;
  std::vector<Trace> traceBlocks(const Member &member, int64_t sharedBegin) const;
  Order orderOf(const Member &member, const Hazards &before, int64_t room) const;
  void numberBarriers();
  void setThreads(const Member &member, Emit::Place &place) const;
  void emitWithThreads(const Member &member, llvm::function_ref<void()> body);
  Value ownThread();

  OpBuilder &b;
  Location loc;
  program::KernelOp kernel;
  const program::KernelArguments &described;
  ValueRange pointers;
  GpuTarget target;
  KernelModule &result;
  /// Holds the ops of one part.
  Block parts;
  /// The numbers of arguments that a member of a chain writes.
  llvm::DenseSet<unsigned> written;
  std::vector<Member> members;
};

} // namespace

// The op of one part, on values of its own.
void LaunchEmitter::addMember(Operation *op, ArrayRef<unsigned> arguments) {
  Member member;
  member.op = op;
  member.arguments.assign(arguments.begin(), arguments.end());
  member.strides.assign(arguments.size(), 0);
  if (std::optional<uint64_t> count = kernel.getParts()) {
    kernel::Partition partition = *kernel::partitionOf(op, int64_t(*count));
    Operation *part = op->clone();
    for (OpOperand &operand : part->getOpOperands()) {
      Type type = operand.get().getType();
      if (partition.operands[operand.getOperandNumber()])
        type = kernel::partOf(type, int64_t(*count));
      operand.set(parts.addArgument(type, loc));
    }
    for (Value value : part->getResults())
      value.setType(kernel::partOf(value.getType(), int64_t(*count)));
    parts.push_back(part);
    member.op = part;
    for (auto [i, argument] : llvm::enumerate(program::argumentsOf(part)))
      if (argument.bytes != described.all[arguments[i]].bytes)
        member.strides[i] = argument.bytes;
  }
  members.push_back(std::move(member));
}

// Emits the op elsewhere, to know its blocks, threads and shared memory.
LogicalResult LaunchEmitter::measure(Member &member, int64_t flops) {
  OwningOpRef<ModuleOp> scratch = ModuleOp::create(loc);
  OpBuilder builder = OpBuilder::atBlockBegin(scratch->getBody());
  Emit e(builder, loc, target);
  e.setPlace({{}, {}, 0, 0, kernel.getParts().has_value()});
  SmallVector<Value> arguments;
  auto type = LLVM::LLVMPointerType::get(b.getContext(), 1);
  for (size_t i = 0; i < member.arguments.size(); ++i)
    arguments.push_back(LLVM::UndefOp::create(builder, loc, type));
  FailureOr<int64_t> grid = emitKernel(e, member.op, buffersOf(member.op, arguments));
  if (failed(grid))
    return failure();
  member.grid = *grid;
  member.threads = e.threads();
  member.sharedBytes = e.sharedBytes();
  result.threads = std::max(result.threads, member.threads);
  result.sharedBytes = std::max(result.sharedBytes, member.sharedBytes);
  result.keepsLoops |= e.keepsLoops();
  result.forms.push_back(formOf(member.op, e));
  // Of a chain, a block has what it has written and read in the caches.
  if (!kernel.getParts()) {
    int64_t once = 0;
    for (const program::KernelArgument &argument : program::argumentsOf(member.op))
      once += argument.passedBytes();
    result.movedBytes += movedBytesOf(member.op, member.grid, e.blocksAcross(), target) - once;
  }
  if (usesTensorCores(*scratch))
    result.tensorFlops += flops;
  return success();
}

LogicalResult LaunchEmitter::emitMember(const Member &member, ValueRange arguments,
                                        Emit::Place place) {
  setThreads(member, place);
  Emit e(b, loc, target);
  e.setPlace(place);
  return success(succeeded(emitKernel(e, member.op, buffersOf(member.op, arguments))));
}

// Members with other threads meet at other barriers: one where some still wait must not be met at
// by another number of threads. Barrier 0 is that of all.
void LaunchEmitter::numberBarriers() {
  std::map<int64_t, int64_t> numbers;
  for (Member &member : members)
    if (member.threads < result.threads)
      member.barrier =
          numbers.try_emplace(member.threads, int64_t(numbers.size()) + 1).first->second;
}

void LaunchEmitter::setThreads(const Member &member, Emit::Place &place) const {
  if (member.threads == result.threads)
    return;
  place.threads = member.threads;
  place.barrier = member.barrier;
}

// The first threads, as many as the member has.
void LaunchEmitter::emitWithThreads(const Member &member, llvm::function_ref<void()> body) {
  Emit e(b, loc, target);
  if (member.threads == result.threads)
    body();
  else
    e.ifThen(e.less(e.thread(), member.threads), body);
}

// The thread's number as nobody else has it: what a member computes from it is not kept in
// registers for the members after it.
Value LaunchEmitter::ownThread() {
  return LLVM::InlineAsmOp::create(b, loc, b.getI32Type(), ValueRange(),
                                   /*asm_string=*/"mov.u32 $0, %tid.x;", /*constraints=*/"=r",
                                   /*has_side_effects=*/true, /*is_align_stack=*/false,
                                   LLVM::TailCallKind::None, LLVM::AsmDialectAttr(),
                                   /*operand_attrs=*/ArrayAttr())
      .getResult(0);
}

// Shared memory that two members, one after the other, have places in; of which a multiprocessor of
// any GPU has room for two blocks.
int64_t LaunchEmitter::sharedRoom() const {
  int64_t both = 0, last = 0;
  for (const Member &member : members)
    if (member.sharedBytes > 0) {
      both = std::max(
          both, last + int64_t(llvm::alignTo(uint64_t(member.sharedBytes), alignmentOfShared)));
      last = member.sharedBytes;
    }
  int64_t most = std::min(target.sharedBytes, target.sharedBytesOfMultiprocessor / 2);
  return std::max(result.sharedBytes, std::min(both, most));
}

// What each of a member's blocks does, found on code of its own.
std::vector<Trace> LaunchEmitter::traceBlocks(const Member &member, int64_t sharedBegin) const {
  OwningOpRef<ModuleOp> scratch = ModuleOp::create(loc);
  OpBuilder builder = OpBuilder::atBlockBegin(scratch->getBody());
  Emit e(builder, loc, target);
  e.setPlace({{}, {}, 0, 0, /*isLoop=*/true, {}, sharedBegin});
  auto type = LLVM::LLVMPointerType::get(b.getContext(), 1);
  SmallVector<Value> pointers;
  DenseMap<Value, Tracer::Memory> memories;
  for (auto [number, argument] :
       llvm::zip_equal(member.arguments, program::argumentsOf(member.op))) {
    pointers.push_back(LLVM::UndefOp::create(builder, loc, type));
    if (written.contains(number))
      memories[pointers.back()] = {1 + number, uint64_t(argument.bytes)};
  }
  if (failed(emitKernel(e, member.op, buffersOf(member.op, pointers))))
    return {}; // told where the member is emitted
  Tracer tracer(*scratch->getBody(), e.threads(), memories, uint64_t(sharedBegin),
                uint64_t(std::max(sharedBegin, e.sharedBytes())));
  return tracer.trace(member.grid, /*isWhole=*/member.threads == result.threads);
}

// All threads meet where a member would otherwise read or write what another still writes or reads,
// or where there is no place for its shared memory at either end of all that there is.
Order LaunchEmitter::orderOf(const Member &member, const Hazards &before, int64_t room) const {
  Order order;
  order.blocks = traceBlocks(member, 0);
  auto clashes = [&](const Order &order) {
    return before.clashesOf(order.blocks, member.threads, order.meetsBehind);
  };
  Clashes found = clashes(order);
  if (found.ofBlocks) {
    order.meetsBehind = true;
    found = clashes(order);
  }
  if (found.inShared && !found.inGlobal) {
    Order other;
    other.begin = (room - member.sharedBytes) / alignmentOfShared * alignmentOfShared;
    other.meetsBehind = order.meetsBehind;
    other.blocks = traceBlocks(member, other.begin);
    Clashes left = clashes(other);
    if (!left.inShared && !left.inGlobal)
      return other;
  }
  order.meetsBefore = found.inShared || found.inGlobal;
  return order;
}

LogicalResult LaunchEmitter::emitChain() {
  result.grid = int64_t(*kernel.getParts());
  Emit e(b, loc, target);
  Value part = e.block();
  Value wide = arith::ExtUIOp::create(b, loc, b.getI64Type(), part);
  for (const Member &member : members)
    for (auto [number, argument] :
         llvm::zip_equal(member.arguments, program::argumentsOf(member.op)))
      if (argument.isWritten)
        written.insert(number);
  Hazards hazards;
  const int64_t room = sharedRoom();
  bool supported = true;
  for (const Member &member : members) {
    const Order order = orderOf(member, hazards, room);
    if (order.meetsBefore) {
      e.barrier();
      hazards.meet(result.threads);
    }
    result.sharedBytes = std::max(result.sharedBytes, order.begin + member.sharedBytes);
    SmallVector<Value> arguments;
    for (auto [number, stride] : llvm::zip_equal(member.arguments, member.strides)) {
      Value pointer = pointers[number];
      if (stride != 0) {
        Value bytes = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(stride));
        Value offset = arith::MulIOp::create(b, loc, wide, bytes, arith::IntegerOverflowFlags::nuw);
        pointer = LLVM::GEPOp::create(b, loc, pointer.getType(), b.getI8Type(), pointer,
                                      ValueRange{offset}, LLVM::GEPNoWrapFlags::inbounds);
      }
      arguments.push_back(pointer);
    }
    emitWithThreads(member, [&] {
      auto body = [&](Value block) {
        supported &= succeeded(
            emitMember(member, arguments, {block, part, 0, 0, true, ownThread(), order.begin}));
      };
      if (member.grid == 1)
        return body(e.index(0));
      e.loop(e.index(0), e.index(member.grid), 1, [&](Value block) {
        body(block);
        if (!order.meetsBehind)
          return;
        Emit inner(b, loc, target);
        Emit::Place place{{}, {}, 0, 0, true};
        setThreads(member, place);
        inner.setPlace(place);
        inner.barrier();
      });
    });
    hazards.add(order.blocks, member.threads, order.meetsBehind);
  }
  return success(supported);
}

// Equal but for the tensors that they work on; within regions, every scalar is read where its
// counterpart is (x − y is not y − x).
static bool areEqual(Operation *a, Operation *b) {
  auto flags = OperationEquivalence::IgnoreLocations;
  return OperationEquivalence::isEquivalentTo(a, b, OperationEquivalence::ignoreValueEquivalence,
                                              nullptr, flags) &&
         llvm::all_of(llvm::zip_equal(a->getRegions(), b->getRegions()), [&](auto regions) {
           auto [one, other] = regions;
           return OperationEquivalence::isRegionEquivalentTo(&one, &other, flags);
         });
}

// Blocks of the first member, then those of the second. Equal members that follow each other have
// their code once, which picks its arguments by the number of the block.
LogicalResult LaunchEmitter::emitSideBySide() {
  Emit e(b, loc, target);
  Value block = e.block();
  bool supported = true;
  for (ArrayRef<Member> rest = members; !rest.empty();) {
    ArrayRef<Member> equal =
        rest.take_while([&](const Member &other) { return areEqual(rest[0].op, other.op); });
    rest = rest.drop_front(equal.size());
    const Member &first = equal[0];
    int64_t begin = result.grid;
    result.grid += int64_t(equal.size()) * first.grid;
    Value inside = e.less(block, result.grid);
    if (begin > 0) {
      Value after = e.compareInt(arith::CmpIPredicate::uge, block, e.index(begin));
      inside = e.both(after, inside);
    }
    e.ifThen(inside, [&] {
      Value own = begin > 0 ? e.sub(block, e.index(begin)) : block;
      Value which = e.divIndex(own, first.grid);
      SmallVector<Value> arguments;
      for (auto [i, number] : llvm::enumerate(first.arguments)) {
        Value pointer = pointers[number];
        bool isShared = llvm::all_of(
            equal, [&](const Member &member) { return member.arguments[i] == number; });
        for (size_t j = 1; j < equal.size() && !isShared; ++j) {
          Value isOther = e.compareInt(arith::CmpIPredicate::eq, which, e.index(int64_t(j)));
          pointer = e.select(isOther, pointers[equal[j].arguments[i]], pointer);
        }
        arguments.push_back(pointer);
      }
      emitWithThreads(first, [&] {
        supported &=
            succeeded(emitMember(first, arguments, {e.remIndex(own, first.grid), {}, 0, 0, false}));
      });
    });
  }
  return success(supported);
}

LogicalResult LaunchEmitter::emit() {
  // What the members read again of each other's operands is still in L2.
  result.movedBytes = int64_t(kernel.getBytes());
  for (auto [op, arguments] : llvm::zip_equal(kernel.getKernels(), described.ofOps)) {
    addMember(&op, arguments);
    Member &member = members.back();
    if (failed(measure(member, kernel::productFlops(&op))))
      return failure();
  }
  numberBarriers();
  return kernel.getParts() ? emitChain() : emitSideBySide();
}

LogicalResult emitLaunch(OpBuilder &builder, program::KernelOp kernel,
                         const program::KernelArguments &described, ValueRange pointers,
                         const GpuTarget &target, KernelModule &result) {
  return LaunchEmitter(builder, kernel, described, pointers, target, result).emit();
}

} // namespace memformer::nvptx
