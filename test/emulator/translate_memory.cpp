// Loads, stores and copies, with a check in front of each.

#include "test/emulator/services.h"
#include "test/emulator/translator.h"

#include "llvm/IR/MDBuilder.h"

#include <cstddef>

namespace memformer::emulator {

std::optional<Space> Translator::takeSpace() {
  static const std::pair<std::string_view, Space> spaces[] = {
      {"global", Space::Global},         {"shared", Space::Shared},  {"shared::cta", Space::Shared},
      {"local", Space::Local},           {"const", Space::Constant}, {"param", Space::Parameter},
      {"param::entry", Space::Parameter}};
  for (const auto &[name, space] : spaces)
    if (has(name))
      return space;
  return std::nullopt;
}

/// Order, scope and cache hints change nothing here: blocks do not talk to each other, and threads
/// of a block take turns.
void Translator::takeMemoryModifiers() {
  hasAny({"weak",
          "relaxed",
          "acquire",
          "release",
          "acq_rel",
          "volatile",
          "cta",
          "cluster",
          "gpu",
          "sys",
          "ca",
          "cg",
          "cs",
          "lu",
          "cv",
          "wb",
          "wt",
          "nc",
          "L1::evict_normal",
          "L1::evict_unchanged",
          "L1::evict_first",
          "L1::evict_last",
          "L1::no_allocate",
          "L2::64B",
          "L2::128B",
          "L2::256B",
          "L2::evict_last",
          "L2::evict_normal",
          "L2::evict_first",
          "aligned"});
}

unsigned Translator::takeVector() { return has("v2") ? 2 : has("v4") ? 4 : has("v8") ? 8 : 1; }

llvm::Value *Translator::address(const Operand &operand) {
  if (operand.kind != Operand::Kind::Address) {
    fail("expected an address");
    return nullptr;
  }
  Value base;
  if (operand.reg >= 0) {
    unsigned bits = kernel.registers[operand.reg].bits;
    if (bits != 64 && bits != 32) {
      fail("expected an address of 32 or 64 bits");
      return nullptr;
    }
    base = b.CreateLoad(b.getIntNTy(bits), registers[operand.reg]);
    base = b.CreateZExt(base, b.getInt64Ty());
  } else {
    base = operand.name.empty() ? constant(64, 0) : variableAddress(operand.name);
  }
  return base ? b.CreateAdd(base, constant(64, operand.value)) : nullptr;
}

/// Goes on only where `bad` is false.
void Translator::check(Value bad, Value address, unsigned bytes, Access access, Space space) {
  auto *fault = llvm::BasicBlock::Create(context, "", function);
  auto *good = llvm::BasicBlock::Create(context, "", function);
  b.CreateCondBr(bad, fault, good, llvm::MDBuilder(context).createUnlikelyBranchWeights());
  b.SetInsertPoint(fault);
  call(reinterpret_cast<void *>(&serveBadAccess), b.getVoidTy(),
       {thread, address, constant(32, bytes), constant(32, uint64_t(access)),
        constant(32, uint64_t(space)), line()});
  b.CreateUnreachable();
  b.SetInsertPoint(good);
}

/// Where `bytes` at an address are on the host.
llvm::Value *Translator::hostPointer(Space space, Value address, unsigned bytes, Access access) {
  Value kind = constant(32, uint64_t(access)), size = constant(32, bytes);
  if (space == Space::Generic)
    return call(reinterpret_cast<void *>(&serveGeneric), b.getPtrTy(),
                {thread, address, size, kind, line()});
  Value bad = b.CreateICmpNE(b.CreateAnd(address, bytes - 1), constant(64, 0));
  if (space == Space::Shared) {
    Value geometry = threadPointer(offsetof(Thread, geometry));
    Value limit = b.CreateZExt(
        b.CreateLoad(b.getInt32Ty(), b.CreateConstGEP1_64(b.getInt8Ty(), geometry,
                                                          offsetof(Geometry, sharedBytes))),
        b.getInt64Ty());
    bad = b.CreateOr(bad, b.CreateICmpUGE(address, limit));
    bad = b.CreateOr(bad, b.CreateICmpULT(b.CreateSub(limit, address), constant(64, bytes)));
    check(bad, address, bytes, access, space);
    if (modes.races)
      call(reinterpret_cast<void *>(&serveShared), b.getVoidTy(),
           {thread, address, size, kind, line()});
    return b.CreateGEP(b.getInt8Ty(), threadPointer(offsetof(Thread, shared)), address);
  }
  if (space == Space::Local) {
    Value begin = depot ? b.CreatePtrToInt(depot, b.getInt64Ty()) : constant(64, 0);
    Value offset = b.CreateSub(address, begin);
    bad = b.CreateOr(bad, b.CreateICmpUGE(offset, constant(64, depotBytes)));
    bad = b.CreateOr(
        bad, b.CreateICmpULT(b.CreateSub(constant(64, depotBytes), offset), constant(64, bytes)));
    check(bad, address, bytes, access, space);
    return b.CreateIntToPtr(address, b.getPtrTy());
  }
  // The first granule is never allocated: addresses out of range look there.
  Value offset = b.CreateSub(address, constant(64, memory.base()));
  Value inRange = b.CreateICmpULT(offset, constant(64, DeviceMemory::reserved));
  Value granule = b.CreateSelect(inRange, b.CreateLShr(offset, 8), constant(64, 0));
  Value table = b.CreateIntToPtr(constant(64, uint64_t(memory.table())), b.getPtrTy());
  Value valid = b.CreateLoad(b.getInt16Ty(), b.CreateGEP(b.getInt16Ty(), table, granule));
  Value end = b.CreateAdd(b.CreateAnd(offset, DeviceMemory::granule - 1), constant(64, bytes));
  bad = b.CreateOr(bad, b.CreateICmpUGT(end, b.CreateZExt(valid, b.getInt64Ty())));
  check(bad, address, bytes, access, space);
  if (modes.globalRaces)
    call(reinterpret_cast<void *>(&serveGlobal), b.getVoidTy(),
         {thread, address, size, kind, line()});
  return b.CreateIntToPtr(address, b.getPtrTy());
}

bool Translator::writeElements(const Operand &operand, Value loaded, const Type &type,
                               unsigned count) {
  if (count == 1)
    return write(operand, loaded, type.isSigned(), true);
  if (operand.kind != Operand::Kind::Vector || operand.elements.size() != count)
    return fail("expected " + std::to_string(count) + " registers in braces");
  for (unsigned i = 0; i < count; ++i)
    if (!write(operand.elements[i], b.CreateExtractElement(loaded, i), type.isSigned(), true))
      return false;
  return true;
}

bool Translator::loadParameter(const Type &type, unsigned count) {
  const Operand &from = in->operands[1];
  for (const Parameter &parameter : kernel.parameters) {
    if (parameter.name != from.name)
      continue;
    if (from.value > parameter.bytes || parameter.bytes - from.value < type.bits / 8 * count)
      return fail("outside of the parameter, which has " + std::to_string(parameter.bytes) +
                  " bytes");
    Value pointer = b.CreateConstGEP1_64(b.getInt8Ty(), parameters, parameter.offset + from.value);
    llvm::Type *element = b.getIntNTy(type.bits);
    llvm::Type *whole = count == 1 ? element : llvm::FixedVectorType::get(element, count);
    return writeElements(in->operands[0], b.CreateAlignedLoad(whole, pointer, llvm::Align(1)), type,
                         count);
  }
  return fail("unknown parameter '" + from.name + "'");
}

/// Where the parameters at a computed address are: one of several, chosen at run time.
llvm::Value *Translator::parameterPointer(Value from, unsigned bytes) {
  Value bad = b.CreateICmpNE(b.CreateAnd(from, bytes - 1), constant(64, 0));
  bad = b.CreateOr(bad, b.CreateICmpUGT(b.CreateAdd(from, constant(64, bytes)),
                                        constant(64, kernel.parameterBytes)));
  check(bad, from, bytes, Access::Read, Space::Parameter);
  return b.CreateGEP(b.getInt8Ty(), parameters, from);
}

bool Translator::load() {
  bool isVolatile = has("volatile");
  std::optional<Space> space = takeSpace();
  takeMemoryModifiers();
  unsigned count = takeVector();
  Type type;
  if (!expectOperands(2, 3) || !needType(type))
    return false;
  if (space == Space::Parameter && in->operands[1].reg < 0)
    return loadParameter(type, count);
  Value from = address(in->operands[1]);
  if (!from)
    return false;
  unsigned bytes = type.width() / 8 * count;
  Value pointer = space == Space::Parameter
                      ? parameterPointer(from, bytes)
                      : hostPointer(space.value_or(Space::Generic), from, bytes, Access::Read);
  llvm::Type *element = b.getIntNTy(type.width());
  llvm::Type *whole = count == 1 ? element : llvm::FixedVectorType::get(element, count);
  return writeElements(in->operands[0],
                       b.CreateAlignedLoad(whole, pointer, llvm::Align(bytes), isVolatile), type,
                       count);
}

bool Translator::store() {
  bool isVolatile = has("volatile");
  std::optional<Space> space = takeSpace();
  takeMemoryModifiers();
  unsigned count = takeVector();
  Type type;
  if (!expectOperands(2, 3) || !needType(type))
    return false;
  if (space == Space::Constant || space == Space::Parameter)
    return fail("a store where nothing can be stored");
  Value to = address(in->operands[0]);
  if (!to)
    return false;
  const Operand &from = in->operands[1];
  Value value;
  if (count == 1) {
    value = read(from, type.width(), true);
  } else {
    if (from.kind != Operand::Kind::Vector || from.elements.size() != count)
      return fail("expected " + std::to_string(count) + " registers in braces");
    value = llvm::PoisonValue::get(llvm::FixedVectorType::get(b.getIntNTy(type.width()), count));
    for (unsigned i = 0; value && i < count; ++i) {
      Value element = read(from.elements[i], type.width(), true);
      value = element ? b.CreateInsertElement(value, element, i) : nullptr;
    }
  }
  if (!value)
    return false;
  unsigned bytes = type.width() / 8 * count;
  Value pointer = hostPointer(space.value_or(Space::Generic), to, bytes, Access::Write);
  b.CreateAlignedStore(value, pointer, llvm::Align(bytes), isVolatile);
  return true;
}

/// atom and red, on integers: sums of floating-point numbers would depend on the order of threads.
bool Translator::atomic() {
  std::optional<Space> space = takeSpace();
  takeMemoryModifiers();
  using Op = llvm::AtomicRMWInst;
  static const std::pair<std::string_view, Op::BinOp> operations[] = {
      {"add", Op::Add}, {"and", Op::And},      {"or", Op::Or},
      {"xor", Op::Xor}, {"exch", Op::Xchg},    {"min", Op::Min},
      {"max", Op::Max}, {"inc", Op::UIncWrap}, {"dec", Op::UDecWrap}};
  std::optional<Op::BinOp> operation;
  for (const auto &[name, which] : operations)
    if (has(name))
      operation = which;
  bool compares = has("cas"), returns = in->opcode == "atom";
  Type type;
  size_t first = returns ? 1 : 0;
  if (!expectOperands(first + (compares ? 3 : 2), first + (compares ? 3 : 2)) || !needType(type))
    return false;
  if (type.isFloat() || (type.bits != 32 && type.bits != 64) || (!operation && !compares))
    return fail("expected an operation on integers of 32 or 64 bits");
  if (!type.isSigned() && operation == Op::Min)
    operation = Op::UMin;
  if (!type.isSigned() && operation == Op::Max)
    operation = Op::UMax;
  Value to = address(in->operands[first]), value = source(first + 1, type.bits);
  if (!to || !value)
    return false;
  Value pointer = hostPointer(space.value_or(Space::Generic), to, type.bits / 8, Access::Atomic);
  auto order = llvm::AtomicOrdering::SequentiallyConsistent;
  Value old;
  if (compares) {
    Value desired = source(first + 2, type.bits);
    if (!desired)
      return false;
    old = b.CreateExtractValue(b.CreateAtomicCmpXchg(pointer, value, desired,
                                                     llvm::MaybeAlign(type.bits / 8), order, order),
                               0);
  } else {
    old = b.CreateAtomicRMW(*operation, pointer, value, llvm::MaybeAlign(type.bits / 8), order);
  }
  return !returns || write(in->operands[0], old);
}

bool Translator::asyncCopy() {
  if (!has("async"))
    return fail("unknown instruction");
  if (has("bulk"))
    return bulkCopy();
  if (has("commit_group")) {
    call(reinterpret_cast<void *>(&serveCommit), b.getVoidTy(), {thread});
    return true;
  }
  if (has("wait_all")) {
    call(reinterpret_cast<void *>(&serveWait), b.getVoidTy(),
         {thread, constant(32, UINT32_MAX), line()});
    return true;
  }
  if (has("wait_group")) {
    if (!expectOperands(1, 1) || in->operands[0].kind != Operand::Kind::Integer)
      return fail("expected a number of groups");
    call(reinterpret_cast<void *>(&serveWait), b.getVoidTy(),
         {thread, constant(32, in->operands[0].value), line()});
    return true;
  }
  if (!hasAny({"ca", "cg"}) || !hasAny({"shared", "shared::cta"}) || !has("global"))
    return fail("expected 'cp.async' from global to shared memory");
  bool bypassesL1 =
      std::find(in->modifiers.begin(), in->modifiers.end(), "cg") != in->modifiers.end();
  hasAny({"L2::64B", "L2::128B", "L2::256B"});
  if (!expectOperands(3, 4))
    return false;
  if (in->operands[2].kind != Operand::Kind::Integer)
    return fail("expected a number of bytes");
  uint64_t bytes = in->operands[2].value;
  if (bytes != 16 && (bypassesL1 || (bytes != 4 && bytes != 8)))
    return fail("expected 16 bytes, or with '.ca' 4 or 8");
  Value to = address(in->operands[0]), from = address(in->operands[1]);
  Value fromBytes = in->operands.size() == 4 ? source(3, 32) : constant(32, bytes);
  if (!to || !from || !fromBytes)
    return false;
  call(reinterpret_cast<void *>(&serveCopy), b.getVoidTy(),
       {thread, to, from, constant(32, bytes), fromBytes, line()});
  return true;
}

bool Translator::prefetch() {
  used.assign(used.size(), true);
  return true;
}

} // namespace memformer::emulator
