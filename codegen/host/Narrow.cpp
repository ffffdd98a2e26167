// f32 and bf16: rounding in integer arithmetic, alike on every CPU.

#include "codegen/host/Vectors.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace memformer::host {

// The type of x with other entries.
static Type like(Value x, Type element) {
  auto vector = dyn_cast<VectorType>(x.getType());
  return vector ? Type(vector.clone(element)) : element;
}

static Value integer(Emit &e, Value like, int32_t value) {
  Type type = like.getType();
  TypedAttr attribute = e.b.getI32IntegerAttr(value);
  if (auto vector = dyn_cast<VectorType>(type))
    attribute = DenseElementsAttr::get(vector, Attribute(attribute));
  return arith::ConstantOp::create(e.b, e.loc, attribute);
}

Value Emit::roundToHigh(Value x) {
  Value bits = arith::BitcastOp::create(b, loc, like(x, b.getI32Type()), x);
  Value high = arith::ShRUIOp::create(b, loc, bits, integer(*this, bits, 16));
  Value odd = arith::AndIOp::create(b, loc, high, integer(*this, bits, 1));
  Value half = add(odd, integer(*this, bits, 0x7fff));
  Value rounded = add(bits, half);
  // What is not a number stays so: its bits must not overflow to infinity.
  Value quiet = arith::OrIOp::create(b, loc, bits, integer(*this, bits, 0x00400000));
  Value isNaN = compare(arith::CmpFPredicate::UNO, x, x);
  Value chosen = select(isNaN, quiet, rounded);
  return arith::AndIOp::create(b, loc, chosen, integer(*this, bits, int32_t(0xffff0000)));
}

Value Emit::loadedToHigh(Value x, Value memref) {
  if (cast<MemRefType>(memref.getType()).getElementType().isInteger(16))
    return arith::BitcastOp::create(b, loc, like(x, b.getI32Type()), x);
  return roundToHigh(x);
}

Value Emit::rounded(Value x) {
  return arith::BitcastOp::create(b, loc, x.getType(), roundToHigh(x));
}

Value Emit::narrow(Value x) {
  Value high = roundToHigh(x);
  Value shifted = arith::ShRUIOp::create(b, loc, high, integer(*this, high, 16));
  return arith::TruncIOp::create(b, loc, like(x, b.getI16Type()), shifted);
}

Value Emit::widen(Value x) {
  Value bits = arith::ExtUIOp::create(b, loc, like(x, b.getI32Type()), x);
  Value high = arith::ShLIOp::create(b, loc, bits, integer(*this, bits, 16));
  return arith::BitcastOp::create(b, loc, like(x, b.getF32Type()), high);
}

} // namespace memformer::host
