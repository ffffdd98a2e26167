// Kernels, instruction by instruction; which function translates what; and control flow.

#include "test/emulator/translator.h"

#include "test/emulator/ptx_parser.h"
#include "test/emulator/services.h"

#include <algorithm>
#include <charconv>

namespace memformer::emulator {

std::optional<Type> typeOfName(std::string_view name) {
  using Kind = Type::Kind;
  if (name == "pred")
    return Type{Kind::Predicate, 1};
  if (name == "tf32")
    return Type{Kind::Tf32, 32};
  Kind kind = Kind::Bits;
  size_t digits = 1;
  if (name.substr(0, 2) == "bf") {
    kind = Kind::Bfloat;
    digits = 2;
  } else if (!name.empty() && std::string_view("busf").find(name[0]) != std::string_view::npos) {
    kind = name[0] == 'b'   ? Kind::Bits
           : name[0] == 'u' ? Kind::Unsigned
           : name[0] == 's' ? Kind::Signed
                            : Kind::Float;
  } else {
    return std::nullopt;
  }
  unsigned bits = 0;
  const char *end = name.data() + name.size();
  auto parsed = std::from_chars(name.data() + std::min(digits, name.size()), end, bits);
  if (parsed.ec != std::errc())
    return std::nullopt;
  std::string_view rest(parsed.ptr, size_t(end - parsed.ptr));
  unsigned lanes = rest == "x2" ? 2 : 1;
  bool isWhole = rest.empty() || lanes == 2;
  bool exists = kind == Kind::Bfloat  ? bits == 16
                : kind == Kind::Float ? bits == 16 || bits == 32 || bits == 64
                                      : bits == 8 || bits == 16 || bits == 32 || bits == 64;
  if (!isWhole || !exists || (lanes == 2 && bits == 64))
    return std::nullopt;
  return Type{kind, bits, lanes};
}

SharedLayout layoutShared(const PtxModule &module, const Kernel &kernel, bool adversarial) {
  SharedLayout layout;
  // With adversarial placement nothing is aligned to more than it asks for.
  auto place = [&](uint64_t align) {
    uint64_t at = (layout.bytes + align - 1) / align * align;
    return adversarial && at / align % 2 == 0 ? at + align : at;
  };
  unsigned dynamicAlign = 16;
  for (const auto *variables : {&module.variables, &kernel.variables})
    for (const Variable &variable : *variables) {
      if (variable.space != Space::Shared)
        continue;
      if (variable.dynamic) {
        dynamicAlign = std::max(dynamicAlign, variable.align);
        continue;
      }
      uint64_t at = place(std::max(variable.align, 4u));
      layout.offsets.emplace_back(variable.name, at);
      layout.bytes = at + variable.bytes;
    }
  layout.dynamic = place(dynamicAlign);
  for (const auto *variables : {&module.variables, &kernel.variables})
    for (const Variable &variable : *variables)
      if (variable.space == Space::Shared && variable.dynamic)
        layout.offsets.emplace_back(variable.name, layout.dynamic);
  return layout;
}

const std::pair<std::string_view, Translator::Handler> Translator::handlers[] = {
    {"abs", &Translator::absolute},
    {"add", &Translator::addOrSubtract},
    {"addc", &Translator::carry},
    {"and", &Translator::logic},
    {"atom", &Translator::atomic},
    {"bar", &Translator::barrier},
    {"barrier", &Translator::barrier},
    {"bfe", &Translator::extractField},
    {"bfi", &Translator::insertField},
    {"bfind", &Translator::findBit},
    {"bra", &Translator::branch},
    {"brev", &Translator::reverse},
    {"brx", &Translator::branchIndexed},
    {"clz", &Translator::count},
    {"cnot", &Translator::conditionalNot},
    {"copysign", &Translator::copySign},
    {"cos", &Translator::unaryMath},
    {"cp", &Translator::asyncCopy},
    {"cvt", &Translator::convert},
    {"cvta", &Translator::convertAddress},
    {"div", &Translator::divide},
    {"ex2", &Translator::unaryMath},
    {"exit", &Translator::leave},
    {"fence", &Translator::fence},
    {"fma", &Translator::fused},
    {"griddepcontrol", &Translator::nothing},
    {"isspacep", &Translator::isSpace},
    {"ld", &Translator::load},
    {"ldmatrix", &Translator::loadMatrix},
    {"ldu", &Translator::load},
    {"lg2", &Translator::unaryMath},
    {"lop3", &Translator::lookup},
    {"mad", &Translator::multiplyAdd},
    {"max", &Translator::minimum},
    {"mbarrier", &Translator::mbarrier},
    {"membar", &Translator::fence},
    {"min", &Translator::minimum},
    {"mma", &Translator::mma},
    {"mov", &Translator::move},
    {"mul", &Translator::multiply},
    {"neg", &Translator::negate},
    {"nanosleep", &Translator::nothing},
    {"not", &Translator::complement},
    {"or", &Translator::logic},
    {"popc", &Translator::count},
    {"prefetch", &Translator::prefetch},
    {"prefetchu", &Translator::prefetch},
    {"prmt", &Translator::permute},
    {"rcp", &Translator::unaryMath},
    {"red", &Translator::atomic},
    {"redux", &Translator::reduce},
    {"rem", &Translator::divide},
    {"ret", &Translator::leave},
    {"rsqrt", &Translator::unaryMath},
    {"sad", &Translator::sumOfDifference},
    {"selp", &Translator::select},
    {"set", &Translator::set},
    {"setp", &Translator::setPredicate},
    {"shf", &Translator::funnelShift},
    {"shfl", &Translator::shuffle},
    {"shl", &Translator::shift},
    {"shr", &Translator::shift},
    {"sin", &Translator::unaryMath},
    {"slct", &Translator::selectBySign},
    {"sqrt", &Translator::unaryMath},
    {"st", &Translator::store},
    {"stmatrix", &Translator::storeMatrix},
    {"sub", &Translator::addOrSubtract},
    {"subc", &Translator::carry},
    {"tanh", &Translator::unaryMath},
    {"testp", &Translator::testNumber},
    {"trap", &Translator::trap},
    {"vote", &Translator::vote},
    {"wgmma", &Translator::warpgroup},
    {"xor", &Translator::logic},
};

Translator::Translator(const PtxModule &module, const Kernel &kernel, const Modes &modes,
                       const DeviceMemory &memory, llvm::Module &to,
                       std::deque<Collective> &collectives)
    : module(module), kernel(kernel), modes(modes), memory(memory), collectives(collectives),
      shared(layoutShared(module, kernel, modes.adversarialPlacement)), context(to.getContext()),
      b(context) {
  llvm::Type *pointer = b.getPtrTy();
  function =
      llvm::Function::Create(llvm::FunctionType::get(b.getVoidTy(), {pointer, pointer}, false),
                             llvm::GlobalValue::ExternalLinkage, kernel.name, to);
  function->addFnAttr(llvm::Attribute::NoUnwind);
  thread = function->getArg(0);
  parameters = function->getArg(1);
}

bool Translator::fail(const std::string &message) {
  if (error.empty()) {
    unsigned line = in ? in->line : kernel.line;
    error =
        "line " + std::to_string(line) + ": " + message + ": " + trimmed(module.lines[line - 1]);
  }
  return false;
}

bool Translator::expectOperands(size_t least, size_t most) {
  size_t count = in->operands.size();
  if (count >= least && count <= most)
    return true;
  return fail("expected " + std::to_string(least) +
              (most > least ? " to " + std::to_string(most) : "") + " operands, but got " +
              std::to_string(count));
}

bool Translator::has(std::string_view modifier) {
  for (size_t i = 0; i < in->modifiers.size(); ++i)
    if (in->modifiers[i] == modifier) {
      used[i] = true;
      return true;
    }
  return false;
}

bool Translator::hasAny(std::initializer_list<std::string_view> modifiers) {
  bool any = false;
  for (std::string_view modifier : modifiers)
    any |= has(modifier);
  return any;
}

std::optional<Type> Translator::takeType() {
  for (size_t i = 0; i < in->modifiers.size(); ++i)
    if (!used[i])
      if (auto type = typeOfName(in->modifiers[i])) {
        used[i] = true;
        return type;
      }
  return std::nullopt;
}

bool Translator::needType(Type &type) {
  auto taken = takeType();
  if (!taken)
    return fail("expected a type that is supported");
  type = *taken;
  return true;
}

llvm::BasicBlock *Translator::blockOf(size_t index) {
  if (!blocks[index])
    blocks[index] = llvm::BasicBlock::Create(context, "", function);
  return blocks[index];
}

bool Translator::run() {
  b.SetInsertPoint(llvm::BasicBlock::Create(context, "entry", function));
  for (const PtxRegister &reg : kernel.registers) {
    registers.push_back(b.CreateAlloca(b.getIntNTy(reg.bits)));
    b.CreateStore(llvm::ConstantInt::get(b.getIntNTy(reg.bits), 0), registers.back());
  }
  exchange = b.CreateAlloca(llvm::ArrayType::get(b.getInt32Ty(), 16));
  exchange->setAlignment(llvm::Align(16));
  carryFlag = b.CreateAlloca(b.getInt1Ty());
  b.CreateStore(b.getFalse(), carryFlag);
  uint64_t align = 16;
  for (const Variable &variable : kernel.variables)
    if (variable.space == Space::Local) {
      align = std::max<uint64_t>(align, variable.align);
      depotBytes = (depotBytes + variable.align - 1) / variable.align * variable.align;
      depotBytes += variable.bytes;
    }
  if (depotBytes > StackPool::stackBytes / 2)
    return fail("expected at most " + std::to_string(StackPool::stackBytes / 2) +
                " bytes of local memory, but kernel '" + kernel.name + "' has " +
                std::to_string(depotBytes));
  if (depotBytes) {
    depot = b.CreateAlloca(llvm::ArrayType::get(b.getInt8Ty(), depotBytes));
    depot->setAlignment(llvm::Align(align));
    b.CreateMemSet(depot, b.getInt8(modes.poison ? 0xff : 0), depotBytes, llvm::Align(align));
  }

  size_t count = kernel.instructions.size();
  blocks.assign(count + 1, nullptr);
  for (const Instruction &instruction : kernel.instructions) {
    if (instruction.opcode == "bra" && instruction.operands.size() == 1)
      blockOf(instruction.operands[0].value);
    for (size_t target : instruction.targets)
      blockOf(target);
  }
  for (size_t i = 0; i <= count; ++i) {
    if (blocks[i]) {
      if (!b.GetInsertBlock()->getTerminator())
        b.CreateBr(blocks[i]);
      b.SetInsertPoint(blocks[i]);
    } else if (b.GetInsertBlock()->getTerminator()) {
      b.SetInsertPoint(llvm::BasicBlock::Create(context, "", function));
    }
    if (i < count && !translate(i))
      return false;
  }
  if (!b.GetInsertBlock()->getTerminator())
    b.CreateRetVoid();
  return true;
}

bool Translator::translate(size_t index) {
  in = &kernel.instructions[index];
  used.assign(in->modifiers.size(), false);
  auto found = std::find_if(std::begin(handlers), std::end(handlers),
                            [&](const auto &entry) { return entry.first == in->opcode; });
  if (found == std::end(handlers))
    return fail("unknown instruction '" + in->opcode + "'");
  llvm::BasicBlock *after = nullptr;
  if (in->guard >= 0) {
    Value guard = b.CreateLoad(b.getInt1Ty(), registers[in->guard]);
    if (in->guardNegated)
      guard = b.CreateNot(guard);
    auto *then = llvm::BasicBlock::Create(context, "", function);
    after = llvm::BasicBlock::Create(context, "", function);
    b.CreateCondBr(guard, then, after);
    b.SetInsertPoint(then);
  }
  if (!(this->*found->second)() || !error.empty())
    return fail("not supported"); // keeps an error that was set
  for (size_t i = 0; i < used.size(); ++i)
    if (!used[i])
      return fail("'." + in->modifiers[i] + "' is not supported");
  if (after) {
    if (!b.GetInsertBlock()->getTerminator())
      b.CreateBr(after);
    b.SetInsertPoint(after);
  }
  return true;
}

bool Translator::branch() {
  has("uni");
  if (!expectOperands(1, 1))
    return false;
  b.CreateBr(blockOf(in->operands[0].value));
  return true;
}

bool Translator::branchIndexed() {
  has("idx");
  has("uni");
  if (!expectOperands(2, 2))
    return false;
  Value index = source(0, 32);
  if (!index)
    return false;
  auto *outside = llvm::BasicBlock::Create(context, "", function);
  auto *choice = b.CreateSwitch(index, outside, unsigned(in->targets.size()));
  for (size_t i = 0; i < in->targets.size(); ++i)
    choice->addCase(b.getInt32(uint32_t(i)), blockOf(in->targets[i]));
  b.SetInsertPoint(outside);
  return trap();
}

bool Translator::leave() {
  has("uni");
  b.CreateRetVoid();
  return true;
}

bool Translator::trap() {
  call(reinterpret_cast<void *>(&serveTrap), b.getVoidTy(), {thread, line()});
  b.CreateUnreachable();
  return true;
}

bool Translator::nothing() {
  used.assign(used.size(), true);
  return true;
}

} // namespace memformer::emulator
