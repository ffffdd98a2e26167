// What emitters build kernels from: constants, arithmetic, flat views, memory.

#include "codegen/host/Vectors.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/bit.h"

using namespace mlir;

namespace memformer::host {

VectorType Emit::vector(Type element) const { return VectorType::get({lanes}, element); }

Value Emit::index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }

Value Emit::constant(float value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
}

Value Emit::splatOf(Attribute value, Type element) {
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(vector(element), value));
}

Value Emit::splat(float value) { return splatOf(b.getF32FloatAttr(value), b.getF32Type()); }

Value Emit::constantInt(int32_t value) {
  return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value));
}

Value Emit::splatInt(int32_t value) { return splatOf(b.getI32IntegerAttr(value), b.getI32Type()); }

Value Emit::iota() {
  SmallVector<int32_t> values;
  for (int64_t i = 0; i < lanes; ++i)
    values.push_back(int32_t(i));
  return arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(vector(b.getI32Type()), ArrayRef<int32_t>(values)));
}

Value Emit::mask(int64_t active) {
  SmallVector<bool> values;
  for (int64_t i = 0; i < lanes; ++i)
    values.push_back(i < active);
  return arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(vector(b.getI1Type()), ArrayRef<bool>(values)));
}

Value Emit::broadcast(Value scalar) {
  return vector::BroadcastOp::create(b, loc, vector(scalar.getType()), scalar);
}

static bool isInteger(Value value) { return getElementTypeOrSelf(value).isInteger(); }

Value Emit::add(Value x, Value y) {
  return isInteger(x) ? arith::AddIOp::create(b, loc, x, y).getResult()
                      : arith::AddFOp::create(b, loc, x, y).getResult();
}

Value Emit::sub(Value x, Value y) {
  return isInteger(x) ? arith::SubIOp::create(b, loc, x, y).getResult()
                      : arith::SubFOp::create(b, loc, x, y).getResult();
}

Value Emit::mul(Value x, Value y) {
  return isInteger(x) ? arith::MulIOp::create(b, loc, x, y).getResult()
                      : arith::MulFOp::create(b, loc, x, y).getResult();
}

Value Emit::div(Value x, Value y) { return arith::DivFOp::create(b, loc, x, y); }

// Not vector.fma: that is lowered to two roundings wherever contraction is off.
Value Emit::fma(Value x, Value y, Value z) { return math::FmaOp::create(b, loc, x, y, z); }

Value Emit::max(Value x, Value y) { return select(compare(arith::CmpFPredicate::OGT, x, y), x, y); }

Value Emit::sqrt(Value x) { return math::SqrtOp::create(b, loc, x); }

Value Emit::compare(arith::CmpFPredicate predicate, Value x, Value y) {
  return arith::CmpFOp::create(b, loc, predicate, x, y);
}

Value Emit::compareInt(arith::CmpIPredicate predicate, Value x, Value y) {
  return arith::CmpIOp::create(b, loc, predicate, x, y);
}

Value Emit::select(Value condition, Value yes, Value no) {
  return arith::SelectOp::create(b, loc, condition, yes, no);
}

static std::optional<int64_t> constantOf(Value value) { return getConstantIntValue(value); }

Value Emit::addIndex(Value x, Value y) {
  if (auto constant = constantOf(y))
    return addIndex(x, *constant);
  if (auto constant = constantOf(x))
    return addIndex(y, *constant);
  return arith::AddIOp::create(b, loc, x, y);
}

Value Emit::addIndex(Value x, int64_t y) {
  if (auto constant = constantOf(x))
    return index(*constant + y);
  return y == 0 ? x : arith::AddIOp::create(b, loc, x, index(y)).getResult();
}

Value Emit::mulIndex(Value x, int64_t y) {
  if (auto constant = constantOf(x))
    return index(*constant * y);
  return y == 1 ? x : arith::MulIOp::create(b, loc, x, index(y)).getResult();
}

Value Emit::divIndex(Value x, int64_t y) {
  if (auto constant = constantOf(x))
    return index(*constant / y);
  return y == 1 ? x : arith::DivUIOp::create(b, loc, x, index(y)).getResult();
}

Value Emit::remIndex(Value x, int64_t y) {
  if (auto constant = constantOf(x))
    return index(*constant % y);
  return y == 1 ? index(0) : arith::RemUIOp::create(b, loc, x, index(y)).getResult();
}

Value Emit::minIndex(Value x, int64_t y) {
  if (auto constant = constantOf(x))
    return index(std::min(*constant, y));
  return arith::MinSIOp::create(b, loc, x, index(y));
}

Value Emit::toInt(Value index) { return arith::IndexCastOp::create(b, loc, b.getI32Type(), index); }

Value Emit::toIndex(Value integer) {
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), integer);
}

// A dense view of another shape.
static Value view(Emit &e, Value memref, ArrayRef<int64_t> shape) {
  auto type = cast<MemRefType>(memref.getType());
  if (type.getShape() == shape)
    return memref;
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i > 1; --i)
    strides[i - 2] = strides[i - 1] * shape[i - 1];
  auto result = MemRefType::get(shape, type.getElementType());
  return memref::ReinterpretCastOp::create(e.b, e.loc, result, memref, 0, shape, strides);
}

Value Emit::flat(Value memref) {
  return view(*this, memref, {cast<MemRefType>(memref.getType()).getNumElements()});
}

Value Emit::matrix(Value memref, int64_t rows, int64_t width) {
  return view(*this, memref, {rows, width});
}

Value Emit::rows(Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  int64_t width = type.getRank() == 0 ? 1 : type.getShape().back();
  return matrix(memref, type.getNumElements() / width, width);
}

Value Emit::scratch(ArrayRef<int64_t> shape) {
  return memref::AllocaOp::create(b, loc, MemRefType::get(shape, b.getF32Type()),
                                  b.getI64IntegerAttr(64));
}

static Type elementOf(Value memref) { return cast<MemRefType>(memref.getType()).getElementType(); }

static bool isNarrow(Value memref) { return elementOf(memref).isInteger(16); }

// What was loaded, as kernels compute with it.
static Value computed(Emit &e, Value loaded, Value memref) {
  if (isNarrow(memref))
    return e.widen(loaded);
  if (!elementOf(memref).isInteger(8))
    return loaded;
  Value whole = arith::ExtSIOp::create(e.b, e.loc, e.vector(e.b.getI32Type()), loaded);
  return arith::SIToFPOp::create(e.b, e.loc, e.floats(), whole);
}

Value Emit::load(Value memref, ValueRange indices) {
  Value loaded = vector::LoadOp::create(b, loc, vector(elementOf(memref)), memref, indices);
  return computed(*this, loaded, memref);
}

Value Emit::load(Value memref, ValueRange indices, int64_t active, float fill) {
  if (active >= lanes)
    return load(memref, indices);
  Type element = elementOf(memref);
  Attribute rest = b.getFloatAttr(b.getF32Type(), fill);
  if (isNarrow(memref))
    rest = b.getIntegerAttr(element, int16_t(llvm::bit_cast<uint32_t>(fill) >> 16));
  else if (isa<IntegerType>(element))
    rest = b.getIntegerAttr(element, int64_t(fill));
  Value loaded = vector::MaskedLoadOp::create(b, loc, vector(element), memref, indices,
                                              mask(active), splatOf(rest, element));
  return computed(*this, loaded, memref);
}

Value Emit::loadScalar(Value memref, ValueRange indices) {
  Value loaded = memref::LoadOp::create(b, loc, memref, indices);
  return isNarrow(memref) ? widen(loaded) : loaded;
}

void Emit::store(Value vector, Value memref, ValueRange indices) {
  Value stored = isNarrow(memref) ? narrow(vector) : vector;
  vector::StoreOp::create(b, loc, stored, memref, indices);
}

void Emit::store(Value vector, Value memref, ValueRange indices, int64_t active) {
  if (active >= lanes)
    return store(vector, memref, indices);
  Value stored = isNarrow(memref) ? narrow(vector) : vector;
  // LLVM 22 makes a store of four bytes of one lane of a narrowed vector.
  if (isNarrow(memref) && active == 1) {
    Value first = vector::ExtractOp::create(b, loc, stored, int64_t(0));
    memref::StoreOp::create(b, loc, first, memref, indices);
    return;
  }
  vector::MaskedStoreOp::create(b, loc, memref, indices, mask(active), stored);
}

void Emit::storeScalar(Value scalar, Value memref, ValueRange indices) {
  Value stored = isNarrow(memref) ? narrow(scalar) : scalar;
  memref::StoreOp::create(b, loc, stored, memref, indices);
}

void Emit::prefetch(Value memref, ValueRange indices) {
  memref::PrefetchOp::create(b, loc, memref, indices, /*isWrite=*/false, /*localityHint=*/3,
                             /*isDataCache=*/true);
}

} // namespace memformer::host
