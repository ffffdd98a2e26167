// Floating-point arithmetic. Narrow formats are computed in f32, in which sums and products round
// once more without harm; fused ones need more and are a service. Approximate functions are those
// of the host's library.

#include "test/emulator/services.h"
#include "test/emulator/translator.h"

#include <cmath>

namespace memformer::emulator {

namespace intrinsic = llvm::Intrinsic;

llvm::Value *Translator::mathCall(void *callee, Value a) { return call(callee, a->getType(), {a}); }

/// In [0, 1]; NaN is 0.
llvm::Value *Translator::saturated(Value number) {
  Value zero = llvm::ConstantFP::get(number->getType(), 0);
  Value one = llvm::ConstantFP::get(number->getType(), 1);
  Value low = b.CreateSelect(b.CreateFCmpOGT(number, zero), number, zero);
  return b.CreateSelect(b.CreateFCmpOLT(low, one), low, one);
}

/// One lane of the instruction on the bits of its sources; the bits of its result.
llvm::Value *Translator::floatLane(const Type &type, llvm::ArrayRef<Value> bits) {
  const std::string &name = in->opcode;
  // Signs alone change: no rounding, and NaN stays what it is.
  if (name == "neg" || name == "abs") {
    uint64_t sign = uint64_t(1) << (type.bits - 1);
    Value a = bits[0];
    if (type.bits == 32 && has("ftz"))
      a = b.CreateBitCast(flush(number(a, type)), b.getInt32Ty());
    return name == "neg" ? b.CreateXor(a, constant(type.bits, sign))
                         : b.CreateAnd(a, constant(type.bits, sign - 1));
  }
  bool flushes = has("ftz") && type.bits == 32;
  llvm::SmallVector<Value> a;
  for (Value value : bits) {
    a.push_back(number(value, type));
    if (flushes)
      a.back() = flush(a.back());
  }
  Value result = nullptr;
  if (name == "add")
    result = b.CreateFAdd(a[0], a[1]);
  else if (name == "sub")
    result = b.CreateFSub(a[0], a[1]);
  else if (name == "mul")
    result = b.CreateFMul(a[0], a[1]);
  else if (name == "div")
    result = b.CreateFDiv(a[0], a[1]);
  else if (name == "fma" || name == "mad") {
    if (type.isNarrow()) {
      bool isHalf = type.kind == Type::Kind::Float;
      llvm::SmallVector<Value> wide;
      for (Value value : bits)
        wide.push_back(b.CreateZExt(value, b.getInt32Ty()));
      void *service = isHalf ? reinterpret_cast<void *>(&serveFusedHalf)
                             : reinterpret_cast<void *>(&serveFusedBfloat);
      Value fused = b.CreateTrunc(call(service, b.getInt32Ty(), wide), b.getInt16Ty());
      if (!has("relu"))
        return fused;
      // NaN stays NaN.
      Value negative =
          b.CreateFCmpOLT(number(fused, type), llvm::ConstantFP::get(b.getFloatTy(), 0));
      return b.CreateSelect(negative, constant(16, 0), fused);
    }
    result = b.CreateIntrinsic(intrinsic::fma, {a[0]->getType()}, a);
  } else { // min, max, also of three
    bool keepsNan = has("NaN"), least = name == "min";
    auto which = keepsNan ? (least ? intrinsic::minimum : intrinsic::maximum)
                          : (least ? intrinsic::minimumnum : intrinsic::maximumnum);
    result = a[0];
    for (size_t i = 1; i < a.size(); ++i)
      result = b.CreateBinaryIntrinsic(which, result, a[i]);
  }
  if (has("sat"))
    result = saturated(result);
  if (flushes)
    result = flush(result);
  return bitsOf(result, type);
}

bool Translator::floatOperation(const Type &type) {
  if (type.kind == Type::Kind::Tf32)
    return fail("'.tf32' is not supported");
  hasAny({"rn", "approx", "full"});
  llvm::SmallVector<Value> sources, lanes;
  for (size_t i = 1; i < in->operands.size(); ++i) {
    Value value = source(i, type.width());
    if (!value)
      return false;
    sources.push_back(value);
  }
  for (unsigned i = 0; i < type.lanes; ++i) {
    llvm::SmallVector<Value> parts;
    for (Value value : sources)
      parts.push_back(lane(value, type, i));
    lanes.push_back(floatLane(type, parts));
  }
  return write(in->operands[0], joinLanes(lanes, type));
}

bool Translator::fused() {
  Type type;
  return expectOperands(4, 4) && needType(type) &&
         (type.isFloat() ? floatOperation(type) : fail("expected a floating-point type"));
}

bool Translator::unaryMath() {
  hasAny({"approx", "rn"});
  Type type;
  if (!expectOperands(2, 2) || !needType(type))
    return false;
  if (!type.isFloat() || type.kind == Type::Kind::Tf32)
    return fail("expected a floating-point type");
  bool flushes = has("ftz") && type.bits == 32;
  Value whole = source(1, type.width());
  if (!whole)
    return false;
  using Single = float (*)(float);
  struct Function {
    std::string_view name;
    Single single;
    double (*wide)(double);
  };
  static const Function functions[] = {
      {"ex2", std::exp2, std::exp2}, {"lg2", std::log2, std::log2},  {"sin", std::sin, std::sin},
      {"cos", std::cos, std::cos},   {"tanh", std::tanh, std::tanh},
  };
  llvm::SmallVector<Value> lanes;
  for (unsigned i = 0; i < type.lanes; ++i) {
    Value a = number(lane(whole, type, i), type), result = nullptr;
    if (flushes)
      a = flush(a);
    Value one = llvm::ConstantFP::get(a->getType(), 1);
    if (in->opcode == "rcp")
      result = b.CreateFDiv(one, a);
    else if (in->opcode == "sqrt")
      result = b.CreateUnaryIntrinsic(intrinsic::sqrt, a);
    else if (in->opcode == "rsqrt") {
      Value wide = b.CreateFPExt(a, b.getDoubleTy());
      Value root = b.CreateUnaryIntrinsic(intrinsic::sqrt, wide);
      result = b.CreateFPTrunc(b.CreateFDiv(llvm::ConstantFP::get(b.getDoubleTy(), 1), root),
                               a->getType());
    }
    for (const Function &function : functions)
      if (function.name == in->opcode)
        result = mathCall(type.bits == 64 ? reinterpret_cast<void *>(function.wide)
                                          : reinterpret_cast<void *>(function.single),
                          a);
    if (flushes)
      result = flush(result);
    lanes.push_back(bitsOf(result, type));
  }
  return write(in->operands[0], joinLanes(lanes, type));
}

bool Translator::copySign() {
  Type type;
  if (!expectOperands(3, 3) || !needType(type))
    return false;
  Value sign = source(1, type.bits), magnitude = source(2, type.bits);
  if (!sign || !magnitude)
    return false;
  uint64_t high = uint64_t(1) << (type.bits - 1);
  return write(in->operands[0], b.CreateOr(b.CreateAnd(sign, constant(type.bits, high)),
                                           b.CreateAnd(magnitude, constant(type.bits, high - 1))));
}

bool Translator::testNumber() {
  static const std::pair<std::string_view, unsigned> classes[] = {
      {"finite", llvm::fcFinite},  {"infinite", llvm::fcInf},  {"number", ~llvm::fcNan & 0x3ff},
      {"notanumber", llvm::fcNan}, {"normal", llvm::fcNormal}, {"subnormal", llvm::fcSubnormal}};
  unsigned mask = 0;
  for (const auto &[name, bits] : classes)
    if (has(name))
      mask = bits;
  Type type;
  if (!mask || !expectOperands(2, 2) || !needType(type))
    return fail("expected a class of numbers");
  Value a = number(source(1, type.bits), type);
  return a && write(in->operands[0], b.createIsFPClass(a, mask));
}

} // namespace memformer::emulator
