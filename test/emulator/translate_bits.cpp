// Bits: fields, counts, permutations and tables.

#include "test/emulator/translator.h"

namespace memformer::emulator {

namespace intrinsic = llvm::Intrinsic;

bool Translator::extractField() {
  Type type;
  if (!expectOperands(4, 4) || !needType(type))
    return false;
  Value a = source(1, type.bits), first = source(2, 32), length = source(3, 32);
  if (!a || !first || !length)
    return false;
  first = b.CreateAnd(first, 255);
  length = b.CreateAnd(length, 255);
  Value width = constant(32, type.bits);
  if (type.isSigned()) {
    // Left so that the field's last bit is the highest, then right: a field that leaves the word
    // ends at its sign.
    Value end = b.CreateBinaryIntrinsic(intrinsic::umin, b.CreateAdd(first, length), width);
    Value begin = b.CreateBinaryIntrinsic(intrinsic::umin, first, end);
    Value left = shifted(a, b.CreateSub(width, end), true, false);
    Value down = b.CreateAdd(b.CreateSub(width, end), begin);
    Value result = shifted(left, down, false, true);
    return write(in->operands[0], b.CreateSelect(b.CreateICmpEQ(length, constant(32, 0)),
                                                 constant(type.bits, 0), result));
  }
  Value mask = b.CreateNot(shifted(constant(type.bits, ~uint64_t(0)), length, true, false));
  return write(in->operands[0], b.CreateAnd(shifted(a, first, false, false), mask));
}

bool Translator::insertField() {
  Type type;
  if (!expectOperands(5, 5) || !needType(type))
    return false;
  Value field = source(1, type.bits), into = source(2, type.bits);
  Value first = source(3, 32), length = source(4, 32);
  if (!field || !into || !first || !length)
    return false;
  first = b.CreateAnd(first, 255);
  length = b.CreateAnd(length, 255);
  Value ones = b.CreateNot(shifted(constant(type.bits, ~uint64_t(0)), length, true, false));
  Value mask = shifted(ones, first, true, false);
  Value moved = b.CreateAnd(shifted(field, first, true, false), mask);
  return write(in->operands[0], b.CreateOr(moved, b.CreateAnd(into, b.CreateNot(mask))));
}

bool Translator::count() {
  Type type;
  if (!expectOperands(2, 2) || !needType(type))
    return false;
  Value a = source(1, type.bits);
  if (!a)
    return false;
  Value result = in->opcode == "popc" ? b.CreateUnaryIntrinsic(intrinsic::ctpop, a)
                                      : b.CreateBinaryIntrinsic(intrinsic::ctlz, a, b.getFalse());
  return write(in->operands[0], b.CreateZExtOrTrunc(result, b.getInt32Ty()));
}

bool Translator::findBit() {
  bool asShift = has("shiftamt");
  Type type;
  if (!expectOperands(2, 2) || !needType(type))
    return false;
  Value a = source(1, type.bits);
  if (!a)
    return false;
  if (type.isSigned())
    a = b.CreateXor(a, b.CreateAShr(a, type.bits - 1));
  Value zeros = b.CreateZExtOrTrunc(b.CreateBinaryIntrinsic(intrinsic::ctlz, a, b.getFalse()),
                                    b.getInt32Ty());
  Value result = asShift ? zeros : b.CreateSub(constant(32, type.bits - 1), zeros);
  return write(in->operands[0], b.CreateSelect(b.CreateICmpEQ(a, constant(type.bits, 0)),
                                               constant(32, ~uint64_t(0)), result));
}

bool Translator::reverse() {
  Type type;
  if (!expectOperands(2, 2) || !needType(type))
    return false;
  Value a = source(1, type.bits);
  return a && write(in->operands[0], b.CreateUnaryIntrinsic(intrinsic::bitreverse, a));
}

bool Translator::permute() {
  Type type;
  if (!expectOperands(4, 4) || !needType(type))
    return false;
  Value low = source(1, 32), high = source(2, 32), selector = source(3, 32);
  if (!low || !high || !selector)
    return false;
  llvm::Type *wide = b.getInt64Ty();
  Value bytes = b.CreateOr(b.CreateZExt(low, wide), b.CreateShl(b.CreateZExt(high, wide), 32));
  Value result = constant(32, 0);
  for (unsigned i = 0; i < 4; ++i) {
    Value choice = b.CreateAnd(b.CreateLShr(selector, 4 * i), 15);
    Value by = b.CreateZExt(b.CreateShl(b.CreateAnd(choice, 7), 3), wide);
    Value byte = b.CreateTrunc(b.CreateLShr(bytes, by), b.getInt8Ty());
    Value sign = b.CreateAShr(byte, 7);
    Value isSign = b.CreateICmpNE(b.CreateAnd(choice, 8), constant(32, 0));
    byte = b.CreateSelect(isSign, sign, byte);
    result = b.CreateOr(result, b.CreateShl(b.CreateZExt(byte, b.getInt32Ty()), 8 * i));
  }
  return write(in->operands[0], result);
}

/// lop3: any function of three bits, as a table.
bool Translator::lookup() {
  Type type;
  if (!expectOperands(5, 5) || !needType(type))
    return false;
  if (in->operands[4].kind != Operand::Kind::Integer)
    return fail("expected a number as the table");
  uint64_t table = in->operands[4].value;
  Value x = source(1, 32), y = source(2, 32), z = source(3, 32);
  if (!x || !y || !z)
    return false;
  Value result = constant(32, 0);
  for (unsigned row = 0; row < 8; ++row)
    if (table >> row & 1) {
      Value term = b.CreateAnd(row & 4 ? x : b.CreateNot(x), row & 2 ? y : b.CreateNot(y));
      result = b.CreateOr(result, b.CreateAnd(term, row & 1 ? z : b.CreateNot(z)));
    }
  return write(in->operands[0], result);
}

bool Translator::sumOfDifference() {
  Type type;
  if (!expectOperands(4, 4) || !needType(type))
    return false;
  Value a = source(1, type.bits), c = source(2, type.bits), sum = source(3, type.bits);
  if (!a || !c || !sum)
    return false;
  Value difference =
      b.CreateSub(integerOperation("max", type, a, c), integerOperation("min", type, a, c));
  return write(in->operands[0], b.CreateAdd(sum, difference));
}

} // namespace memformer::emulator
