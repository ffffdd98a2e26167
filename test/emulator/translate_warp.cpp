// What threads do together: barriers, shuffles, votes and matrix products.

#include "test/emulator/services.h"
#include "test/emulator/translator.h"

namespace memformer::emulator {

/// bar.sync a{, b}, barrier.sync, their arriving halves, and bar.warp.sync mask.
bool Translator::barrier() {
  if (has("warp")) {
    if (!has("sync") || !expectOperands(1, 1))
      return fail("expected 'bar.warp.sync'");
    Value mask = source(0, 32);
    if (mask)
      meet(newCollective(performWarpBarrier, false), mask, {});
    return mask;
  }
  has("cta");
  bool aligned = has("aligned") || in->opcode == "bar";
  bool waits = has("sync"), arrives = has("arrive");
  if (waits == arrives || !expectOperands(arrives ? 2 : 1, 2))
    return fail("expected '.sync' or '.arrive'");
  Value id = source(0, 32);
  Value count = in->operands.size() == 2 ? source(1, 32) : constant(32, 0);
  if (!id || !count)
    return false;
  call(reinterpret_cast<void *>(&serveBarrier), b.getVoidTy(),
       {thread, id, count, constant(32, aligned), constant(32, waits), line()});
  return true;
}

bool Translator::fence() {
  if (has("proxy")) {
    if (!has("async"))
      hasAny({"async.shared::cta", "async.global"});
    hasAny({"shared::cta", "global"});
    call(reinterpret_cast<void *>(&serveProxyFence), b.getVoidTy(), {thread, line()});
    return true;
  }
  hasAny({"cta", "cluster", "gl", "gpu", "sys", "sc", "acq_rel", "mbarrier_init", "release"});
  return true;
}

Collective &Translator::newCollective(Collective::Perform perform, bool needsAllLanes) {
  return collectives.emplace_back(Collective{perform, in->line, needsAllLanes});
}

/// Brings values of 32 bits to a collective, which leaves its results where they were.
void Translator::meet(Collective &collective, Value mask, llvm::ArrayRef<Value> values) {
  for (size_t i = 0; i < values.size(); ++i)
    b.CreateStore(values[i], b.CreateConstGEP1_64(b.getInt32Ty(), exchange, i));
  Value pointer = b.CreateIntToPtr(constant(64, uint64_t(&collective)), b.getPtrTy());
  call(reinterpret_cast<void *>(&serveMeet), b.getVoidTy(), {thread, pointer, mask, exchange});
}

llvm::Value *Translator::exchanged(unsigned i) {
  return b.CreateLoad(b.getInt32Ty(), b.CreateConstGEP1_64(b.getInt32Ty(), exchange, i));
}

bool Translator::shuffle() {
  static const std::pair<std::string_view, Shuffle> modes[] = {{"up", Shuffle::Up},
                                                               {"down", Shuffle::Down},
                                                               {"bfly", Shuffle::Butterfly},
                                                               {"idx", Shuffle::Index}};
  bool isSync = has("sync");
  std::optional<Shuffle> mode;
  for (const auto &[name, which] : modes)
    if (has(name))
      mode = which;
  Type type;
  if (!isSync || !mode || !expectOperands(5, 5) || !needType(type))
    return fail("expected 'shfl.sync' with a mode");
  Value value = source(1, 32), distance = source(2, 32), clamp = source(3, 32);
  Value mask = source(4, 32);
  if (!value || !distance || !clamp || !mask)
    return false;
  Collective &collective = newCollective(performShuffle, false);
  collective.arguments[0] = uint32_t(*mode);
  meet(collective, mask, {value, distance, clamp});
  if (in->operands[0].other >= 0)
    b.CreateStore(b.CreateTrunc(exchanged(1), b.getInt1Ty()), registers[in->operands[0].other]);
  return write(in->operands[0], exchanged(0));
}

bool Translator::vote() {
  static const std::pair<std::string_view, Vote> modes[] = {
      {"all", Vote::All}, {"any", Vote::Any}, {"uni", Vote::Uniform}, {"ballot", Vote::Ballot}};
  bool isSync = has("sync");
  std::optional<Vote> mode;
  for (const auto &[name, which] : modes)
    if (has(name))
      mode = which;
  Type type;
  if (!isSync || !mode || !expectOperands(3, 3) || !needType(type))
    return fail("expected 'vote.sync' with a mode");
  Value value = predicate(in->operands[1]), mask = value ? source(2, 32) : nullptr;
  if (!mask)
    return false;
  Collective &collective = newCollective(performVote, false);
  collective.arguments[0] = uint32_t(*mode);
  meet(collective, mask, {b.CreateZExt(value, b.getInt32Ty())});
  return write(in->operands[0],
               *mode == Vote::Ballot ? exchanged(0) : b.CreateTrunc(exchanged(0), b.getInt1Ty()));
}

bool Translator::reduce() {
  static const std::pair<std::string_view, Reduction> operations[] = {
      {"add", Reduction::Add}, {"and", Reduction::And}, {"or", Reduction::Or},
      {"xor", Reduction::Xor}, {"min", Reduction::Min}, {"max", Reduction::Max}};
  bool isSync = has("sync");
  std::optional<Reduction> operation;
  for (const auto &[name, which] : operations)
    if (has(name))
      operation = which;
  Type type;
  if (!isSync || !operation || !expectOperands(3, 3) || !needType(type))
    return fail("expected 'redux.sync' with an operation");
  if (type.isFloat() || type.bits != 32)
    return fail("expected integers of 32 bits");
  if (type.isSigned() && *operation == Reduction::Min)
    operation = Reduction::SignedMin;
  if (type.isSigned() && *operation == Reduction::Max)
    operation = Reduction::SignedMax;
  Value value = source(1, 32), mask = source(2, 32);
  if (!value || !mask)
    return false;
  Collective &collective = newCollective(performReduction, false);
  collective.arguments[0] = uint32_t(*operation);
  meet(collective, mask, {value});
  return write(in->operands[0], exchanged(0));
}

bool Translator::registersOf(size_t operand, unsigned count, llvm::SmallVectorImpl<Value> &values) {
  const Operand &from = in->operands[operand];
  bool isVector = from.kind == Operand::Kind::Vector;
  if ((isVector ? from.elements.size() : 1) != count)
    return fail("expected " + std::to_string(count) + " registers as operand " +
                std::to_string(operand));
  for (unsigned i = 0; i < count; ++i) {
    Value value = read(isVector ? from.elements[i] : from, 32);
    if (!value)
      return false;
    values.push_back(value);
  }
  return true;
}

bool Translator::loadMatrix() {
  bool known = has("sync") & has("aligned") & has("m8n8") & has("b16");
  hasAny({"shared", "shared::cta"});
  bool transposed = has("trans");
  unsigned count = has("x1") ? 1 : has("x2") ? 2 : has("x4") ? 4 : 0;
  if (!known || !count || !expectOperands(2, 2))
    return fail("expected 'ldmatrix.sync.aligned.m8n8' of b16");
  Value from = address(in->operands[1]);
  const Operand &to = in->operands[0];
  bool isVector = to.kind == Operand::Kind::Vector;
  if (!from || (isVector ? to.elements.size() : 1) != count)
    return fail("expected " + std::to_string(count) + " registers");
  Collective &collective = newCollective(performLoadMatrix, true);
  collective.arguments[0] = count;
  collective.arguments[1] = transposed;
  meet(
      collective, constant(32, UINT32_MAX),
      {b.CreateTrunc(from, b.getInt32Ty()), b.CreateTrunc(b.CreateLShr(from, 32), b.getInt32Ty())});
  for (unsigned i = 0; i < count; ++i)
    if (!write(isVector ? to.elements[i] : to, exchanged(i)))
      return false;
  return true;
}

bool Translator::storeMatrix() {
  bool known = has("sync") & has("aligned") & has("m8n8") & has("b16");
  hasAny({"shared", "shared::cta"});
  bool transposed = has("trans");
  unsigned count = has("x1") ? 1 : has("x2") ? 2 : has("x4") ? 4 : 0;
  if (!known || !count || !expectOperands(2, 2))
    return fail("expected 'stmatrix.sync.aligned.m8n8' of b16");
  Value to = address(in->operands[0]);
  if (!to)
    return false;
  llvm::SmallVector<Value> values = {b.CreateTrunc(to, b.getInt32Ty()),
                                     b.CreateTrunc(b.CreateLShr(to, 32), b.getInt32Ty())};
  if (!registersOf(1, count, values))
    return false;
  Collective &collective = newCollective(performStoreMatrix, true);
  collective.arguments[0] = count;
  collective.arguments[1] = transposed;
  meet(collective, constant(32, UINT32_MAX), values);
  return true;
}

bool Translator::mma() {
  bool known = has("sync") & has("aligned") & has("row") & has("col");
  unsigned k = has("m16n8k16") ? 16 : has("m16n8k8") ? 8 : has("m16n8k4") ? 4 : 0;
  const std::vector<std::string> &names = in->modifiers;
  if (!known || !k || names.size() < 4 || !expectOperands(4, 4))
    return fail("expected 'mma.sync.aligned' of m16n8k16, m16n8k8 or m16n8k4, row.col");
  // The last four modifiers are the types of D, A, B and C.
  size_t first = names.size() - 4;
  for (size_t i = first; i < names.size(); ++i)
    used[i] = true;
  const std::string &d = names[first], &a = names[first + 1];
  bool isHalf = d == "f16";
  if (names[first + 2] != a || names[first + 3] != d || (d != "f32" && d != "f16") ||
      (a != "bf16" && a != "f16" && a != "tf32") || (isHalf && a != "f16") ||
      (a == "tf32" ? k == 16 : k == 4))
    return fail("expected products of bf16, f16 or tf32 added in f32, or of f16 in f16");
  Element element = a == "bf16" ? Element::Bfloat : a == "f16" ? Element::Half : Element::Tf32;
  MmaRegisters counts = mmaRegisters(element, k, isHalf);
  llvm::SmallVector<Value> values;
  if (!registersOf(1, counts.a, values) || !registersOf(2, counts.b, values) ||
      !registersOf(3, counts.c, values))
    return false;
  const Operand &to = in->operands[0];
  if (to.kind != Operand::Kind::Vector || to.elements.size() != counts.c)
    return fail("expected " + std::to_string(counts.c) + " registers as the result");
  Collective &collective = newCollective(performMma, true);
  collective.arguments[0] = uint32_t(element);
  collective.arguments[1] = k;
  collective.arguments[2] = isHalf;
  meet(collective, constant(32, UINT32_MAX), values);
  for (unsigned i = 0; i < counts.c; ++i)
    if (!write(to.elements[i], exchanged(i)))
      return false;
  return true;
}

} // namespace memformer::emulator
