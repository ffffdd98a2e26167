// Comparisons, selections and conversions.

#include "test/emulator/services.h"
#include "test/emulator/translator.h"

namespace memformer::emulator {

namespace intrinsic = llvm::Intrinsic;
using llvm::CmpInst;

llvm::Value *Translator::compare(std::string_view name, const Type &type, Value a, Value c) {
  struct Comparison {
    std::string_view name;
    CmpInst::Predicate real, isSigned, isUnsigned;
  };
  constexpr auto none = CmpInst::BAD_ICMP_PREDICATE;
  static const Comparison comparisons[] = {
      {"eq", CmpInst::FCMP_OEQ, CmpInst::ICMP_EQ, CmpInst::ICMP_EQ},
      {"ne", CmpInst::FCMP_ONE, CmpInst::ICMP_NE, CmpInst::ICMP_NE},
      {"lt", CmpInst::FCMP_OLT, CmpInst::ICMP_SLT, CmpInst::ICMP_ULT},
      {"le", CmpInst::FCMP_OLE, CmpInst::ICMP_SLE, CmpInst::ICMP_ULE},
      {"gt", CmpInst::FCMP_OGT, CmpInst::ICMP_SGT, CmpInst::ICMP_UGT},
      {"ge", CmpInst::FCMP_OGE, CmpInst::ICMP_SGE, CmpInst::ICMP_UGE},
      {"equ", CmpInst::FCMP_UEQ, none, none},
      {"neu", CmpInst::FCMP_UNE, none, none},
      {"ltu", CmpInst::FCMP_ULT, none, none},
      {"leu", CmpInst::FCMP_ULE, none, none},
      {"gtu", CmpInst::FCMP_UGT, none, none},
      {"geu", CmpInst::FCMP_UGE, none, none},
      {"num", CmpInst::FCMP_ORD, none, none},
      {"nan", CmpInst::FCMP_UNO, none, none},
      {"lo", CmpInst::BAD_FCMP_PREDICATE, none, CmpInst::ICMP_ULT},
      {"ls", CmpInst::BAD_FCMP_PREDICATE, none, CmpInst::ICMP_ULE},
      {"hi", CmpInst::BAD_FCMP_PREDICATE, none, CmpInst::ICMP_UGT},
      {"hs", CmpInst::BAD_FCMP_PREDICATE, none, CmpInst::ICMP_UGE},
  };
  for (const Comparison &comparison : comparisons) {
    if (comparison.name != name)
      continue;
    auto predicate = type.isFloat()    ? comparison.real
                     : type.isSigned() ? comparison.isSigned
                                       : comparison.isUnsigned;
    if (predicate == none || predicate == CmpInst::BAD_FCMP_PREDICATE)
      break;
    if (!type.isFloat())
      return b.CreateICmp(predicate, a, c);
    Value x = number(a, type), y = number(c, type);
    if (type.bits == 32 && has("ftz")) {
      x = flush(x);
      y = flush(y);
    }
    return b.CreateFCmp(predicate, x, y);
  }
  fail("expected a comparison that its type has");
  return nullptr;
}

/// The comparison of a lane, combined with a third source as `.and`, `.or` or `.xor` says.
llvm::Value *Translator::compared(const Type &type, unsigned at) {
  Value a = source(1, type.width()), c = source(2, type.width());
  if (!a || !c)
    return nullptr;
  used[0] = true;
  Value result = compare(in->modifiers[0], type, lane(a, type, at), lane(c, type, at));
  bool isAnd = has("and"), isOr = has("or"), isXor = has("xor");
  if (!result || in->operands.size() < 4)
    return result;
  Value other = predicate(in->operands[3]);
  if (!other)
    return nullptr;
  if (isAnd)
    return b.CreateAnd(result, other);
  if (isOr)
    return b.CreateOr(result, other);
  if (isXor)
    return b.CreateXor(result, other);
  fail("expected '.and', '.or' or '.xor'");
  return nullptr;
}

bool Translator::setPredicate() {
  Type type;
  if (!expectOperands(3, 4) || in->modifiers.empty() || !needType(type))
    return false;
  const Operand &to = in->operands[0];
  Value result = compared(type, 0);
  if (!result)
    return false;
  Value second = type.lanes == 2 ? compared(type, 1) : b.CreateNot(result);
  if (!second)
    return false;
  if (to.other >= 0)
    b.CreateStore(second, registers[to.other]);
  return write(to, result);
}

bool Translator::set() {
  Type to, type;
  if (!expectOperands(3, 4) || in->modifiers.empty() || !needType(to) || !needType(type))
    return false;
  Value result = compared(type, 0);
  if (!result || type.lanes != 1)
    return fail("expected a type of one number");
  return write(in->operands[0],
               to.isFloat() ? b.CreateSelect(result, constant(32, 0x3f800000), constant(32, 0))
                            : b.CreateSExt(result, b.getIntNTy(to.bits)));
}

bool Translator::select() {
  Type type;
  if (!expectOperands(4, 4) || !needType(type))
    return false;
  Value a = source(1, type.width()), c = source(2, type.width());
  Value choice = a && c ? predicate(in->operands[3]) : nullptr;
  return choice && write(in->operands[0], b.CreateSelect(choice, a, c));
}

bool Translator::selectBySign() {
  has("ftz");
  Type type, decides;
  if (!expectOperands(4, 4) || !needType(type) || !needType(decides))
    return false;
  Value a = source(1, type.bits), c = source(2, type.bits), by = source(3, decides.bits);
  if (!a || !c || !by)
    return false;
  Value choice = decides.isFloat() ? b.CreateFCmpOGE(number(by, decides),
                                                     llvm::ConstantFP::get(b.getFloatTy(), 0))
                                   : b.CreateICmpSGE(by, constant(decides.bits, 0));
  return write(in->operands[0], b.CreateSelect(choice, a, c));
}

/// Rounds to an integer that is still a floating-point number: .rni, .rzi, .rmi, .rpi.
llvm::Value *Translator::integral(Value number) {
  static const std::pair<std::string_view, intrinsic::ID> roundings[] = {{"rni", intrinsic::rint},
                                                                         {"rzi", intrinsic::trunc},
                                                                         {"rmi", intrinsic::floor},
                                                                         {"rpi", intrinsic::ceil}};
  for (const auto &[name, which] : roundings)
    if (has(name))
      return b.CreateUnaryIntrinsic(which, number);
  return nullptr;
}

llvm::Value *Translator::toInteger(const Type &to, const Type &from, Value bits) {
  llvm::Type *type = b.getIntNTy(to.bits);
  if (from.isFloat()) {
    Value value = number(bits, from);
    if (from.bits == 32 && has("ftz"))
      value = flush(value);
    has("sat"); // conversions to integers always stay in range
    value = integral(value);
    if (!value) {
      fail("expected a rounding to an integer");
      return nullptr;
    }
    auto which = to.isSigned() ? intrinsic::fptosi_sat : intrinsic::fptoui_sat;
    return b.CreateIntrinsic(which, {type, value->getType()}, {value});
  }
  if (!has("sat"))
    return from.isSigned() ? b.CreateSExtOrTrunc(bits, type) : b.CreateZExtOrTrunc(bits, type);
  // In 128 bits all integers compare.
  llvm::Type *wide = b.getIntNTy(128);
  Value value = from.isSigned() ? b.CreateSExt(bits, wide) : b.CreateZExt(bits, wide);
  llvm::APInt least =
      to.isSigned() ? llvm::APInt::getSignedMinValue(to.bits).sext(128) : llvm::APInt(128, 0);
  llvm::APInt most = to.isSigned() ? llvm::APInt::getSignedMaxValue(to.bits).zext(128)
                                   : llvm::APInt::getMaxValue(to.bits).zext(128);
  value = b.CreateBinaryIntrinsic(intrinsic::smax, value, llvm::ConstantInt::get(wide, least));
  value = b.CreateBinaryIntrinsic(intrinsic::smin, value, llvm::ConstantInt::get(wide, most));
  return b.CreateTrunc(value, type);
}

llvm::Value *Translator::toNumber(const Type &to, const Type &from, Value bits) {
  bool towardZero = has("rz");
  has("rn");
  bool flushes = has("ftz"), relu = has("relu"), saturates = has("sat");
  llvm::Type *wide = b.getDoubleTy();
  Value value;
  if (!from.isFloat()) {
    // Through a double, which holds all but the longest integers.
    llvm::Type *direct = to.bits == 32 ? b.getFloatTy() : wide;
    if (towardZero) {
      fail("'.rz' of an integer is not supported");
      return nullptr;
    }
    value = from.isSigned() ? b.CreateSIToFP(bits, direct) : b.CreateUIToFP(bits, direct);
  } else {
    value = number(bits, from);
    if (from.bits == 32 && flushes)
      value = flush(value);
    if (from.bits == to.bits && from.kind == to.kind)
      if (Value rounded = integral(value))
        value = rounded;
  }
  if (saturates)
    value = saturated(value);
  if (relu) // NaN stays NaN
    value = b.CreateSelect(b.CreateFCmpOLT(value, llvm::ConstantFP::get(value->getType(), 0)),
                           llvm::ConstantFP::get(value->getType(), 0), value);
  bool isDouble = value->getType()->isDoubleTy();
  if (to.kind == Type::Kind::Bfloat && !isDouble)
    return roundToBfloat(value, towardZero);
  if (to.isNarrow() && (isDouble || towardZero)) {
    void *service = to.kind == Type::Kind::Bfloat ? reinterpret_cast<void *>(&serveBfloat)
                                                  : reinterpret_cast<void *>(&serveHalf);
    Value rounded =
        call(service, b.getInt32Ty(), {b.CreateFPExt(value, wide), constant(32, towardZero)});
    return b.CreateTrunc(rounded, b.getInt16Ty());
  }
  if (to.isNarrow())
    return bitsOf(value, to);
  if (to.bits == 64)
    return bitsOf(b.CreateFPExt(value, wide), to);
  if (isDouble) {
    value = towardZero ? call(reinterpret_cast<void *>(&serveTowardZero), b.getFloatTy(), {value})
                       : b.CreateFPTrunc(value, b.getFloatTy());
    if (flushes)
      value = flush(value);
  } else if (flushes) {
    value = flush(value);
  }
  return bitsOf(value, to);
}

llvm::Value *Translator::convertNumber(const Type &to, const Type &from, Value bits) {
  if (to.kind != Type::Kind::Tf32)
    return to.isFloat() ? toNumber(to, from, bits) : toInteger(to, from, bits);
  // Ten bits of the significand stay; rna: ties away from zero, rn: to even.
  bool toEven = has("rn"), towardZero = has("rz");
  if (!has("rna") && !toEven && !towardZero) {
    fail("expected '.rna', '.rn' or '.rz'");
    return nullptr;
  }
  has("satfinite");
  Value half = constant(32, towardZero ? 0 : 0x1000);
  if (toEven)
    half = b.CreateAdd(constant(32, 0xfff), b.CreateAnd(b.CreateLShr(bits, 13), 1));
  Value rounded = b.CreateAnd(b.CreateAdd(bits, half), constant(32, 0xffffe000));
  Value magnitude = b.CreateAnd(bits, constant(32, 0x7fffffff));
  Value isSpecial = b.CreateICmpUGE(magnitude, constant(32, 0x7f800000));
  Value isNan = b.CreateICmpUGT(magnitude, constant(32, 0x7f800000));
  return b.CreateSelect(isNan, constant(32, 0x7fffffff), b.CreateSelect(isSpecial, bits, rounded));
}

/// cvt.rn.bf16x2.f32 d, a, b: a is the upper half.
bool Translator::convertPair(const Type &to) {
  Type from;
  if (!expectOperands(3, 3) || !needType(from))
    return false;
  Value high = source(1, from.bits), low = source(2, from.bits);
  if (!high || !low)
    return false;
  Type one = to;
  one.lanes = 1;
  Value lanes[] = {convertNumber(one, from, low), convertNumber(one, from, high)};
  return lanes[0] && lanes[1] && write(in->operands[0], joinLanes(lanes, to));
}

bool Translator::convert() {
  Type to, from;
  if (!needType(to))
    return false;
  if (to.lanes == 2)
    return convertPair(to);
  if (!expectOperands(2, 2) || !needType(from))
    return false;
  Value bits = read(in->operands[1], from.bits, true);
  Value result = bits ? convertNumber(to, from, bits) : nullptr;
  return result && write(in->operands[0], result, to.isSigned(), true);
}

} // namespace memformer::emulator
