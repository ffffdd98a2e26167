// Narrower types than f32: rounding to bf16, f16 and tf32, and entries of 16 bits in words.

#include "codegen/nvptx/Emit.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace memformer::nvptx {

// bf16, the high half of an f32, as i32 in whose low half it is; the high half is zero.
static Value brainBits(Emit &e, Value x) {
  Value word = e.bits(x);
  Value high = arith::ShRUIOp::create(e.b, e.loc, word, e.integer(16));
  Value odd = arith::AndIOp::create(e.b, e.loc, high, e.integer(1));
  Value rounded = e.add(word, e.add(odd, e.integer(0x7fff)));
  // What is not a number stays so: its bits must not overflow to infinity.
  Value quiet = arith::OrIOp::create(e.b, e.loc, word, e.integer(0x00400000));
  Value isNaN = e.compare(arith::CmpFPredicate::UNO, x, x);
  return arith::ShRUIOp::create(e.b, e.loc, e.select(isNaN, quiet, rounded), e.integer(16));
}

static Value halfOf(Emit &e, Value x) {
  return arith::TruncFOp::create(e.b, e.loc, e.b.getF16Type(), x);
}

static Value ofHalf(Emit &e, Value x) {
  return arith::ExtFOp::create(e.b, e.loc, e.b.getF32Type(), x);
}

Value Emit::narrowBits(Value x, Type type) {
  if (type.isF16())
    return arith::BitcastOp::create(b, loc, b.getI16Type(), halfOf(*this, x));
  return arith::TruncIOp::create(b, loc, b.getI16Type(), brainBits(*this, x));
}

Value Emit::widened(Value half, Type type) {
  if (type.isF16())
    return ofHalf(*this, arith::BitcastOp::create(b, loc, type, half));
  Value word = arith::ExtUIOp::create(b, loc, b.getI32Type(), half);
  return fromBits(arith::ShLIOp::create(b, loc, word, integer(16)));
}

Value Emit::rounded(Value x, Type type) {
  if (type.isF16())
    return ofHalf(*this, halfOf(*this, x));
  if (type.isBF16())
    return fromBits(arith::ShLIOp::create(b, loc, brainBits(*this, x), integer(16)));
  if (target.hasTF32())
    return fromBits(call("llvm.nvvm.f2tf32.rna", b.getI32Type(), {x}));
  // Half of a last place is added, and what is below a place cut off; what is not a number stays.
  Value sum = add(bits(x), integer(0x1000));
  Value cut = fromBits(arith::AndIOp::create(b, loc, sum, integer(int32_t(0xffffe000))));
  return select(compare(arith::CmpFPredicate::UNO, x, x), x, cut);
}

Value Emit::narrowPair(Value low, Value high, Type type) {
  auto pairType = VectorType::get({2}, type);
  if (target.hasPairConversions()) {
    StringRef name = type.isF16() ? "llvm.nvvm.ff2f16x2.rn" : "llvm.nvvm.ff2bf16x2.rn";
    return LLVM::BitcastOp::create(b, loc, b.getI32Type(), call(name, pairType, {high, low}));
  }
  if (type.isF16()) {
    Value pair = LLVM::PoisonOp::create(b, loc, pairType);
    pair = LLVM::InsertElementOp::create(b, loc, pair, halfOf(*this, low), integer(0));
    pair = LLVM::InsertElementOp::create(b, loc, pair, halfOf(*this, high), integer(1));
    return LLVM::BitcastOp::create(b, loc, b.getI32Type(), pair);
  }
  Value shifted = arith::ShLIOp::create(b, loc, brainBits(*this, high), integer(16));
  return arith::OrIOp::create(b, loc, shifted, brainBits(*this, low));
}

std::pair<Value, Value> Emit::entriesOf(Value word, Type type) {
  if (type.isF16()) {
    Value pair = LLVM::BitcastOp::create(b, loc, VectorType::get({2}, type), word);
    auto entry = [&](int32_t i) {
      return ofHalf(*this, LLVM::ExtractElementOp::create(b, loc, pair, integer(i)));
    };
    Value low = entry(0);
    return {low, entry(1)};
  }
  Value low = arith::ShLIOp::create(b, loc, word, integer(16));
  Value high = arith::AndIOp::create(b, loc, word, integer(int32_t(0xffff0000)));
  return {fromBits(low), fromBits(high)};
}

} // namespace memformer::nvptx
