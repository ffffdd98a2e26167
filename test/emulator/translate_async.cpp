// wgmma, mbarriers and bulk copies.

#include "test/emulator/services.h"
#include "test/emulator/translator.h"

#include <charconv>

namespace memformer::emulator {

bool Translator::warpgroup() {
  if (!module.architectureSpecific || module.architecture != 90)
    return fail("wgmma is of sm_90a alone");
  if (!(has("sync") & has("aligned")))
    return fail("expected '.sync.aligned'");
  if (has("mma_async"))
    return warpgroupProduct();
  Value all = constant(32, UINT32_MAX);
  if (has("fence") && expectOperands(0, 0)) {
    meet(newCollective(performWarpgroupFence, true), all, {});
  } else if (has("commit_group") && expectOperands(0, 0)) {
    meet(newCollective(performWarpgroupCommit, true), all, {});
  } else if (has("wait_group") && expectOperands(1, 1)) {
    if (in->operands[0].kind != Operand::Kind::Integer)
      return fail("expected a number of groups");
    Collective &wait = newCollective(performWarpgroupWait, true);
    wait.arguments[0] = uint32_t(in->operands[0].value);
    meet(wait, all, {});
  } else {
    return fail("expected wgmma's mma_async, fence, commit_group or wait_group");
  }
  return true;
}

/// The addresses of the registers of a list.
llvm::Value *Translator::registerTable(const Operand &operand) {
  std::vector<int> numbers;
  for (const Operand &element : operand.elements) {
    if (element.kind != Operand::Kind::Register || kernel.registers[element.reg].bits != 32) {
      fail("expected registers of 32 bits");
      return nullptr;
    }
    numbers.push_back(element.reg);
  }
  llvm::AllocaInst *&table = registerTables[numbers];
  if (!table) {
    llvm::IRBuilder<>::InsertPointGuard guard(b);
    b.SetInsertPoint(exchange->getNextNode());
    table = b.CreateAlloca(llvm::ArrayType::get(b.getPtrTy(), numbers.size()));
    for (size_t i = 0; i < numbers.size(); ++i)
      b.CreateStore(registers[numbers[i]], b.CreateConstGEP1_64(b.getPtrTy(), table, i));
  }
  return table;
}

/// wgmma.mma_async.sync.aligned.m64nNk16.f32.T.T {D}, A, B, scaleD, ±1, ±1, transposes of A and B,
/// with A and B as descriptors.
bool Translator::warpgroupProduct() {
  unsigned n = 0;
  for (size_t i = 0; i < in->modifiers.size(); ++i) {
    const std::string &name = in->modifiers[i];
    size_t end = name.rfind("k16");
    if (name.rfind("m64n", 0) != 0 || end == std::string::npos || end + 3 != name.size())
      continue;
    std::from_chars(name.data() + 4, name.data() + end, n);
    used[i] = true;
  }
  if (n % 8 || n < 8 || n > 256 || !has("f32") || !expectOperands(8, 8))
    return fail("expected m64nNk16 with sums of f32, from shared memory");
  bool isBfloat = has("bf16"), isHalf = has("f16");
  // Both factors have the type.
  for (size_t i = 0; i < used.size(); ++i)
    used[i] = used[i] || in->modifiers[i] == (isBfloat ? "bf16" : "f16");
  const Operand &to = in->operands[0];
  if (isBfloat == isHalf || to.kind != Operand::Kind::Vector || to.elements.size() != n / 2)
    return fail("expected factors of bf16 or f16 and " + std::to_string(n / 2) + " registers");
  for (size_t i = 4; i < 8; ++i)
    if (in->operands[i].kind != Operand::Kind::Integer)
      return fail("expected numbers for the signs and transposes");
  Value a = source(1, 64), factor = source(2, 64), accumulates = predicate(in->operands[3]);
  Value table = registerTable(to);
  if (!a || !factor || !accumulates || !table)
    return false;
  Collective &collective = newCollective(performWarpgroupProduct, true);
  auto isNegative = [&](size_t i) { return uint32_t(int64_t(in->operands[i].value) < 0); };
  collective.arguments[0] = uint32_t(isBfloat ? Element::Bfloat : Element::Half);
  collective.arguments[1] = n;
  collective.arguments[2] = uint32_t(in->operands[6].value | in->operands[7].value << 1);
  collective.arguments[3] = isNegative(4) | isNegative(5) << 1;
  llvm::SmallVector<Value> values;
  auto addWide = [&](Value wide) {
    values.push_back(b.CreateTrunc(wide, b.getInt32Ty()));
    values.push_back(b.CreateTrunc(b.CreateLShr(wide, 32), b.getInt32Ty()));
  };
  addWide(a);
  addWide(factor);
  values.push_back(b.CreateZExt(accumulates, b.getInt32Ty()));
  values.push_back(constant(32, 0));
  addWide(b.CreatePtrToInt(table, b.getInt64Ty()));
  meet(collective, constant(32, UINT32_MAX), values);
  return true;
}

bool Translator::mbarrier() {
  hasAny({"shared", "shared::cta", "release", "acquire", "cta"});
  has("b64");
  bool tests = has("try_wait") || has("test_wait");
  size_t place = tests || (has("arrive") && in->operands.size() > 1) ? 1 : 0;
  if (in->operands.size() <= place)
    return fail("expected the address of an mbarrier");
  Value at = address(in->operands[place]);
  if (!at)
    return false;
  auto serve = [&](auto *function, Value number) {
    call(reinterpret_cast<void *>(function), b.getVoidTy(), {thread, at, number, line()});
    return true;
  };
  if (has("init"))
    return expectOperands(2, 2) && source(1, 32) && serve(&serveInitMbarrier, source(1, 32));
  if (has("inval")) {
    call(reinterpret_cast<void *>(&serveEndMbarrier), b.getVoidTy(), {thread, at, line()});
    return expectOperands(1, 1);
  }
  if (tests) {
    // A wait that is tried goes on when it succeeds: nothing is gained by trying again.
    Value parity = has("parity") && expectOperands(3, 4) ? source(2, 32) : nullptr;
    if (!parity)
      return fail("expected '.parity'");
    serve(&servePhase, parity);
    return write(in->operands[0], b.getTrue());
  }
  if (!has("arrive"))
    return fail("expected init, inval, arrive, test_wait or try_wait");
  bool expects = has("expect_tx");
  if (!expectOperands(expects ? 3 : 2, expects ? 3 : 2) ||
      in->operands[0].kind != Operand::Kind::Sink)
    return fail("expected '_' in place of the state of the mbarrier");
  Value bytes = expects ? source(2, 32) : constant(32, 0);
  return bytes && serve(&serveArrive, bytes);
}

/// cp.async.bulk from global to shared memory.
bool Translator::bulkCopy() {
  bool isKnown = hasAny({"shared::cluster", "shared::cta"}) & has("global") &
                 has("mbarrier::complete_tx::bytes");
  if (!isKnown || !expectOperands(4, 4))
    return fail("expected 'cp.async.bulk' from global to shared memory with an mbarrier");
  Value to = address(in->operands[0]), from = address(in->operands[1]);
  Value bytes = source(2, 32), mbarrier = address(in->operands[3]);
  if (!to || !from || !bytes || !mbarrier)
    return false;
  call(reinterpret_cast<void *>(&serveBulkCopy), b.getVoidTy(),
       {thread, to, from, bytes, mbarrier, line()});
  return true;
}

} // namespace memformer::emulator
