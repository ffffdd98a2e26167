// Operands as LLVM values: registers, immediates, special registers, and numbers of all formats.

#include "test/emulator/services.h"
#include "test/emulator/translator.h"

#include <bit>
#include <cstddef>

namespace memformer::emulator {

using llvm::ConstantInt;

llvm::Value *Translator::constant(unsigned bits, uint64_t value) {
  return ConstantInt::get(context, llvm::APInt(bits, value, false, true));
}

llvm::Value *Translator::threadPointer(size_t offset) {
  return b.CreateLoad(b.getPtrTy(), b.CreateConstGEP1_64(b.getInt8Ty(), thread, offset));
}

llvm::Value *Translator::threadField(size_t offset, unsigned bits) {
  return b.CreateLoad(b.getIntNTy(bits), b.CreateConstGEP1_64(b.getInt8Ty(), thread, offset));
}

llvm::Value *Translator::call(void *callee, llvm::Type *result, llvm::ArrayRef<Value> arguments) {
  llvm::SmallVector<llvm::Type *> types;
  for (Value argument : arguments)
    types.push_back(argument->getType());
  auto *type = llvm::FunctionType::get(result, types, false);
  Value pointer = b.CreateIntToPtr(constant(64, uint64_t(callee)), b.getPtrTy());
  llvm::CallInst *made = b.CreateCall(type, pointer, llvm::SmallVector<Value>(arguments));
  made->setDoesNotThrow();
  return made;
}

/// The bits of an operand. With `relaxed` a register may be wider (its low bits are taken) or
/// narrower.
llvm::Value *Translator::read(const Operand &operand, unsigned bits, bool relaxed) {
  switch (operand.kind) {
  case Operand::Kind::Register: {
    unsigned own = kernel.registers[operand.reg].bits;
    if (own != bits && !(relaxed && own > 1)) {
      fail("expected a register of " + std::to_string(bits) + " bits, but '" +
           kernel.registers[operand.reg].name + "' has " + std::to_string(own));
      return nullptr;
    }
    Value value = b.CreateLoad(b.getIntNTy(own), registers[operand.reg]);
    if (operand.negated)
      value = b.CreateNot(value);
    return b.CreateZExtOrTrunc(value, b.getIntNTy(bits));
  }
  case Operand::Kind::Integer:
    return constant(bits, operand.value);
  case Operand::Kind::Single:
    return bits == 64 ? constant(64, std::bit_cast<uint64_t>(
                                         double(std::bit_cast<float>(uint32_t(operand.value)))))
                      : constant(bits, operand.value);
  case Operand::Kind::Double:
    return bits == 32
               ? constant(32, std::bit_cast<uint32_t>(float(std::bit_cast<double>(operand.value))))
               : constant(bits, operand.value);
  case Operand::Kind::Special: {
    Value value = special(operand.name);
    return value ? b.CreateZExtOrTrunc(value, b.getIntNTy(bits)) : nullptr;
  }
  case Operand::Kind::Symbol: {
    Value value = variableAddress(operand.name);
    if (!value)
      return nullptr;
    value = b.CreateAdd(value, constant(64, operand.value));
    return b.CreateZExtOrTrunc(value, b.getIntNTy(bits));
  }
  default:
    fail("expected a register or a number");
    return nullptr;
  }
}

llvm::Value *Translator::predicate(const Operand &operand) { return read(operand, 1); }

bool Translator::write(const Operand &operand, Value value, bool isSigned, bool relaxed) {
  if (!value)
    return false;
  if (operand.kind == Operand::Kind::Sink)
    return true;
  if (operand.kind != Operand::Kind::Register)
    return fail("expected a register as the result");
  const PtxRegister &reg = kernel.registers[operand.reg];
  unsigned bits = value->getType()->getIntegerBitWidth();
  if (reg.bits < bits || (reg.bits > bits && !relaxed))
    return fail("expected a register of " + std::to_string(bits) + " bits, but '" + reg.name +
                "' has " + std::to_string(reg.bits));
  llvm::Type *type = b.getIntNTy(reg.bits);
  b.CreateStore(isSigned ? b.CreateSExt(value, type) : b.CreateZExt(value, type),
                registers[operand.reg]);
  return true;
}

llvm::Value *Translator::special(const std::string &name) {
  size_t dot = name.find('.');
  std::string base = name.substr(0, dot);
  unsigned axis = dot == std::string::npos ? 3 : unsigned(name[dot + 1] - 'x');
  auto geometry = [&](size_t offset) {
    Value pointer = threadPointer(offsetof(Thread, geometry));
    return b.CreateLoad(b.getInt32Ty(), b.CreateConstGEP1_64(b.getInt8Ty(), pointer, offset));
  };
  if (axis < 3 && name.size() == dot + 2) {
    if (base == "%tid")
      return threadField(offsetof(Thread, tid) + 4 * axis, 32);
    if (base == "%ntid")
      return geometry(offsetof(Geometry, threads) + 4 * axis);
    if (base == "%ctaid")
      return geometry(offsetof(Geometry, block) + 4 * axis);
    if (base == "%nctaid")
      return geometry(offsetof(Geometry, blocks) + 4 * axis);
  }
  auto lane = [&] { return threadField(offsetof(Thread, lane), 32); };
  auto bit = [&] { return b.CreateShl(constant(32, 1), lane()); };
  auto below = [&] { return b.CreateSub(bit(), constant(32, 1)); };
  if (name == "%laneid")
    return lane();
  if (name == "%warpid")
    return threadField(offsetof(Thread, warp), 32);
  if (name == "WARP_SZ")
    return constant(32, warpSize);
  if (name == "%lanemask_eq")
    return bit();
  if (name == "%lanemask_lt")
    return below();
  if (name == "%lanemask_le")
    return b.CreateOr(bit(), below());
  if (name == "%lanemask_gt")
    return b.CreateNot(b.CreateOr(bit(), below()));
  if (name == "%lanemask_ge")
    return b.CreateNot(below());
  if (name == "%dynamic_smem_size")
    return geometry(offsetof(Geometry, dynamicShared));
  if (name == "%total_smem_size")
    return geometry(offsetof(Geometry, sharedBytes));
  if (name == "%clock" || name == "%clock64" || name == "%globaltimer")
    return call(reinterpret_cast<void *>(&serveClock), b.getInt64Ty(), {});
  fail("unknown register '" + name + "'");
  return nullptr;
}

llvm::Value *Translator::variableAddress(const std::string &name) {
  uint64_t offset = 0;
  for (const Variable &variable : kernel.variables) {
    if (variable.space == Space::Local) {
      offset = (offset + variable.align - 1) / variable.align * variable.align;
      if (variable.name == name)
        return b.CreateAdd(b.CreatePtrToInt(depot, b.getInt64Ty()), constant(64, offset));
      offset += variable.bytes;
    }
  }
  for (const auto &[variable, at] : shared.offsets)
    if (variable == name)
      return constant(64, at);
  for (size_t i = 0; i < module.variables.size(); ++i)
    if (module.variables[i].name == name) {
      Value table = threadPointer(offsetof(Thread, variables));
      return b.CreateLoad(b.getInt64Ty(), b.CreateConstGEP1_64(b.getInt64Ty(), table, i));
    }
  for (const Parameter &parameter : kernel.parameters)
    if (parameter.name == name)
      return constant(64, parameter.offset);
  fail("unknown variable or register '" + name + "'");
  return nullptr;
}

/// The value that bits of a type stand for; narrow formats as f32.
llvm::Value *Translator::number(Value bits, const Type &type) {
  if (!bits)
    return nullptr;
  if (type.kind == Type::Kind::Bfloat)
    return b.CreateBitCast(b.CreateShl(b.CreateZExt(bits, b.getInt32Ty()), 16), b.getFloatTy());
  if (type.bits == 16)
    return b.CreateFPExt(b.CreateBitCast(bits, b.getHalfTy()), b.getFloatTy());
  return b.CreateBitCast(bits, type.bits == 64 ? b.getDoubleTy() : b.getFloatTy());
}

/// The other way, rounded to the nearest.
llvm::Value *Translator::bitsOf(Value number, const Type &type) {
  if (!number)
    return nullptr;
  if (type.kind == Type::Kind::Bfloat)
    return roundToBfloat(number, false);
  if (type.bits == 16)
    return b.CreateBitCast(b.CreateFPTrunc(number, b.getHalfTy()), b.getInt16Ty());
  return b.CreateBitCast(number, b.getIntNTy(type.bits));
}

llvm::Value *Translator::roundToBfloat(Value number, bool towardZero) {
  Value bits = b.CreateBitCast(number, b.getInt32Ty());
  Value high = b.CreateLShr(bits, 16);
  if (!towardZero) {
    Value odd = b.CreateAnd(high, 1);
    high = b.CreateLShr(b.CreateAdd(bits, b.CreateAdd(odd, constant(32, 0x7fff))), 16);
  }
  Value isNan = b.CreateFCmpUNO(number, number);
  return b.CreateTrunc(b.CreateSelect(isNan, constant(32, 0x7fff), high), b.getInt16Ty());
}

llvm::Value *Translator::lane(Value bits, const Type &type, unsigned lane) {
  if (type.lanes == 1)
    return bits;
  return b.CreateTrunc(b.CreateLShr(bits, uint64_t(lane) * type.bits), b.getIntNTy(type.bits));
}

llvm::Value *Translator::joinLanes(llvm::ArrayRef<Value> lanes, const Type &type) {
  if (lanes.size() == 1)
    return lanes[0];
  llvm::Type *wide = b.getIntNTy(type.width());
  return b.CreateOr(b.CreateZExt(lanes[0], wide),
                    b.CreateShl(b.CreateZExt(lanes[1], wide), type.bits));
}

/// Denormals to zero with their sign: `.ftz`.
llvm::Value *Translator::flush(Value number) {
  Value magnitude = b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, number);
  Value small = b.CreateFCmpOLT(magnitude, llvm::ConstantFP::get(b.getFloatTy(), 0x1p-126));
  Value zero = b.CreateBinaryIntrinsic(llvm::Intrinsic::copysign,
                                       llvm::ConstantFP::get(b.getFloatTy(), 0), number);
  return b.CreateSelect(small, zero, number);
}

} // namespace memformer::emulator
