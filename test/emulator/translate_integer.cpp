// Moves, integer arithmetic and logic.

#include "test/emulator/translator.h"

namespace memformer::emulator {

using llvm::Intrinsic::ID;
namespace intrinsic = llvm::Intrinsic;

bool Translator::move() {
  Type type;
  if (!expectOperands(2, 2) || !needType(type))
    return false;
  const Operand &to = in->operands[0], &from = in->operands[1];
  unsigned bits = type.width();
  if (from.kind == Operand::Kind::Vector) { // pack
    unsigned part = bits / unsigned(from.elements.size());
    Value whole = constant(bits, 0);
    for (size_t i = 0; i < from.elements.size(); ++i) {
      Value element = read(from.elements[i], part);
      if (!element)
        return false;
      whole = b.CreateOr(whole, b.CreateShl(b.CreateZExt(element, b.getIntNTy(bits)), i * part));
    }
    return write(to, whole);
  }
  bool narrows = from.kind == Operand::Kind::Special;
  Value value = read(from, bits, narrows);
  if (to.kind != Operand::Kind::Vector)
    return write(to, value);
  unsigned part = bits / unsigned(to.elements.size());
  for (size_t i = 0; value && i < to.elements.size(); ++i)
    if (!write(to.elements[i], b.CreateTrunc(b.CreateLShr(value, i * part), b.getIntNTy(part))))
      return false;
  return value;
}

bool Translator::convertAddress() {
  bool toSpace = has("to");
  std::optional<Space> space = takeSpace();
  Type type;
  if (!space || !expectOperands(2, 2) || !needType(type))
    return fail("expected a space");
  Value value = source(1, type.bits);
  if (!value)
    return false;
  uint64_t tag = *space == Space::Shared ? sharedTag : *space == Space::Local ? localTag : 0;
  if (tag && type.bits != 64)
    return fail("expected addresses of 64 bits");
  if (tag)
    value = toSpace ? b.CreateSub(value, constant(64, tag)) : b.CreateAdd(value, constant(64, tag));
  return write(in->operands[0], value);
}

bool Translator::isSpace() {
  std::optional<Space> space = takeSpace();
  if (!space || !expectOperands(2, 2))
    return fail("expected a space");
  Value value = source(1, 64);
  if (!value)
    return false;
  uint64_t tag = *space == Space::Shared ? sharedTag : *space == Space::Local ? localTag : 0;
  return write(in->operands[0], b.CreateICmpEQ(b.CreateLShr(value, 56), constant(64, tag >> 56)));
}

llvm::Value *Translator::integerOperation(std::string_view name, const Type &type, Value a,
                                          Value c) {
  bool isSigned = type.isSigned();
  if (name == "add")
    return b.CreateAdd(a, c);
  if (name == "sub")
    return b.CreateSub(a, c);
  if (name == "min")
    return b.CreateBinaryIntrinsic(isSigned ? intrinsic::smin : intrinsic::umin, a, c);
  if (name == "max")
    return b.CreateBinaryIntrinsic(isSigned ? intrinsic::smax : intrinsic::umax, a, c);
  if (name == "and")
    return b.CreateAnd(a, c);
  if (name == "or")
    return b.CreateOr(a, c);
  if (name == "xor")
    return b.CreateXor(a, c);
  // Division: neither by zero nor with an overflow is an error on the device.
  Value zero = constant(type.bits, 0), ones = constant(type.bits, ~uint64_t(0));
  Value byZero = b.CreateICmpEQ(c, zero);
  bool quotient = name == "div";
  Value special = byZero, result = quotient ? ones : a;
  if (isSigned) {
    Value byMinusOne = b.CreateICmpEQ(c, ones);
    special = b.CreateOr(special, byMinusOne);
    result = b.CreateSelect(byMinusOne, quotient ? b.CreateNeg(a) : zero, result);
  }
  Value divisor = b.CreateSelect(special, constant(type.bits, 1), c);
  Value divided = quotient ? (isSigned ? b.CreateSDiv(a, divisor) : b.CreateUDiv(a, divisor))
                           : (isSigned ? b.CreateSRem(a, divisor) : b.CreateURem(a, divisor));
  return b.CreateSelect(special, result, divided);
}

bool Translator::addOrSubtract() {
  bool setsCarry = has("cc"), saturates = false;
  if (setsCarry)
    return carry();
  Type type;
  if (!expectOperands(3, 3) || !needType(type))
    return false;
  if (type.isFloat())
    return floatOperation(type);
  saturates = type.isSigned() && type.bits == 32 && has("sat");
  Value a = source(1, type.width()), c = source(2, type.width());
  if (!a || !c)
    return false;
  if (saturates)
    return write(in->operands[0],
                 b.CreateBinaryIntrinsic(
                     in->opcode == "add" ? intrinsic::sadd_sat : intrinsic::ssub_sat, a, c));
  llvm::SmallVector<Value> lanes;
  for (unsigned i = 0; i < type.lanes; ++i)
    lanes.push_back(integerOperation(in->opcode, type, lane(a, type, i), lane(c, type, i)));
  return write(in->operands[0], joinLanes(lanes, type));
}

/// add.cc, addc, sub.cc and subc are for numbers of several registers.
bool Translator::carry() {
  bool setsCarry = has("cc");
  Type type;
  if (!expectOperands(3, 3) || !needType(type))
    return false;
  Value a = source(1, type.bits), c = source(2, type.bits);
  if (!a || !c)
    return false;
  bool adds = in->opcode[0] == 'a', takes = in->opcode.back() == 'c' && in->opcode.size() == 4;
  llvm::Type *wide = b.getIntNTy(type.bits + 1);
  Value x = b.CreateZExt(a, wide), y = b.CreateZExt(c, wide);
  Value incoming = takes ? b.CreateZExt(b.CreateLoad(b.getInt1Ty(), carryFlag), wide)
                         : llvm::ConstantInt::get(wide, 0);
  Value result =
      adds ? b.CreateAdd(b.CreateAdd(x, y), incoming) : b.CreateSub(b.CreateSub(x, y), incoming);
  if (setsCarry)
    b.CreateStore(b.CreateTrunc(b.CreateLShr(result, type.bits), b.getInt1Ty()), carryFlag);
  return write(in->operands[0], b.CreateTrunc(result, b.getIntNTy(type.bits)));
}

llvm::Value *Translator::product(const Type &type, Value a, Value c, bool &wide) {
  wide = has("wide");
  bool high = has("hi");
  if (!wide && !high) {
    has("lo");
    return b.CreateMul(a, c);
  }
  llvm::Type *twice = b.getIntNTy(2 * type.bits);
  bool isSigned = type.isSigned();
  Value x = isSigned ? b.CreateSExt(a, twice) : b.CreateZExt(a, twice);
  Value y = isSigned ? b.CreateSExt(c, twice) : b.CreateZExt(c, twice);
  Value whole = b.CreateMul(x, y);
  return wide ? whole : b.CreateTrunc(b.CreateLShr(whole, type.bits), a->getType());
}

bool Translator::multiply() {
  Type type;
  if (!expectOperands(3, 3) || !needType(type))
    return false;
  if (type.isFloat())
    return floatOperation(type);
  Value a = source(1, type.bits), c = source(2, type.bits);
  bool wide;
  return a && c && write(in->operands[0], product(type, a, c, wide));
}

bool Translator::multiplyAdd() {
  Type type;
  if (!expectOperands(4, 4) || !needType(type))
    return false;
  if (type.isFloat())
    return floatOperation(type);
  Value a = source(1, type.bits), c = source(2, type.bits);
  if (!a || !c)
    return false;
  bool wide;
  Value whole = product(type, a, c, wide);
  Value added = source(3, wide ? 2 * type.bits : type.bits);
  return added && write(in->operands[0], b.CreateAdd(whole, added));
}

bool Translator::divide() {
  Type type;
  if (!expectOperands(3, 3) || !needType(type))
    return false;
  if (type.isFloat())
    return floatOperation(type);
  Value a = source(1, type.bits), c = source(2, type.bits);
  return a && c && write(in->operands[0], integerOperation(in->opcode, type, a, c));
}

bool Translator::minimum() {
  Type type;
  if (!expectOperands(3, 4) || !needType(type))
    return false;
  return type.isFloat() ? floatOperation(type) : logic();
}

/// and, or, xor, and min and max of integers.
bool Translator::logic() {
  std::optional<Type> type = takeType();
  for (const std::string &modifier : in->modifiers) // min and max took theirs before
    if (!type)
      type = typeOfName(modifier);
  if (!type || !expectOperands(3, 3))
    return fail("expected a type");
  if (has("relu"))
    return fail("'.relu' is not supported");
  Value a = source(1, type->width()), c = source(2, type->width());
  if (!a || !c)
    return false;
  llvm::SmallVector<Value> lanes;
  for (unsigned i = 0; i < type->lanes; ++i)
    lanes.push_back(integerOperation(in->opcode, *type, lane(a, *type, i), lane(c, *type, i)));
  return write(in->operands[0], joinLanes(lanes, *type));
}

bool Translator::absolute() {
  Type type;
  if (!expectOperands(2, 2) || !needType(type))
    return false;
  if (type.isFloat())
    return floatOperation(type);
  Value a = source(1, type.bits);
  return a && write(in->operands[0], b.CreateBinaryIntrinsic(intrinsic::abs, a, b.getFalse()));
}

bool Translator::negate() {
  Type type;
  if (!expectOperands(2, 2) || !needType(type))
    return false;
  if (type.isFloat())
    return floatOperation(type);
  Value a = source(1, type.bits);
  return a && write(in->operands[0], b.CreateNeg(a));
}

bool Translator::complement() {
  Type type;
  if (!expectOperands(2, 2) || !needType(type))
    return false;
  Value a = source(1, type.bits);
  return a && write(in->operands[0], b.CreateNot(a));
}

bool Translator::conditionalNot() {
  Type type;
  if (!expectOperands(2, 2) || !needType(type))
    return false;
  Value a = source(1, type.bits);
  return a && write(in->operands[0],
                    b.CreateZExt(b.CreateICmpEQ(a, constant(type.bits, 0)), a->getType()));
}

/// Amounts beyond the width shift everything out.
llvm::Value *Translator::shifted(Value a, Value amount, bool left, bool isSigned) {
  unsigned bits = a->getType()->getIntegerBitWidth();
  Value most = constant(32, bits - 1);
  Value inside = b.CreateBinaryIntrinsic(intrinsic::umin, amount, most);
  Value by = b.CreateZExtOrTrunc(inside, a->getType());
  if (isSigned)
    return b.CreateAShr(a, by);
  Value result = left ? b.CreateShl(a, by) : b.CreateLShr(a, by);
  return b.CreateSelect(b.CreateICmpUGT(amount, most), constant(bits, 0), result);
}

bool Translator::shift() {
  Type type;
  if (!expectOperands(3, 3) || !needType(type))
    return false;
  Value a = source(1, type.bits), amount = source(2, 32);
  return a && amount &&
         write(in->operands[0], shifted(a, amount, in->opcode == "shl", type.isSigned()));
}

bool Translator::funnelShift() {
  bool left = has("l"), right = has("r"), clamps = has("clamp"), wraps = has("wrap");
  Type type;
  if (left == right || clamps == wraps || !expectOperands(4, 4) || !needType(type))
    return fail("expected '.l' or '.r' and '.clamp' or '.wrap'");
  Value low = source(1, 32), high = source(2, 32), amount = source(3, 32);
  if (!low || !high || !amount)
    return false;
  amount = clamps ? b.CreateBinaryIntrinsic(intrinsic::umin, amount, constant(32, 32))
                  : b.CreateAnd(amount, 31);
  Value whole = b.CreateOr(b.CreateZExt(low, b.getInt64Ty()),
                           b.CreateShl(b.CreateZExt(high, b.getInt64Ty()), 32));
  Value by = b.CreateZExt(amount, b.getInt64Ty());
  Value result = left ? b.CreateLShr(b.CreateShl(whole, by), 32) : b.CreateLShr(whole, by);
  return write(in->operands[0], b.CreateTrunc(result, b.getInt32Ty()));
}

} // namespace memformer::emulator
