// Threads, arithmetic and memory of kernels.

#include "codegen/nvptx/Emit.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace memformer::nvptx {

int64_t Buffer::entries() const { return ShapedType::getNumElements(shape); }
int64_t Buffer::width() const { return shape.empty() ? 1 : shape.back(); }
int64_t Buffer::rows() const {
  return shape.empty() ? 1 : ShapedType::getNumElements(ArrayRef<int64_t>(shape).drop_back());
}

//===-- the thread's place
//------------------------------------------------------------------------===//

void Emit::setThreads(int64_t count) { threadCount = count; }

Value Emit::special(StringRef name) {
  return call(("llvm.nvvm.read.ptx.sreg." + name).str(), b.getI32Type(), {});
}

Value Emit::thread() { return place.thread ? place.thread : special("tid.x"); }
Value Emit::block() { return place.block ? place.block : special("ctaid.x"); }
Value Emit::lane() { return remIndex(thread(), warp); }
Value Emit::inBatch(Value number, int64_t ofPart) {
  return place.part ? add(number, mul(place.part, index(ofPart))) : number;
}
Value Emit::warpIndex() { return divIndex(thread(), warp); }

//===-- arithmetic
//--------------------------------------------------------------------------------===//

Value Emit::index(int64_t value) { return integer(int32_t(uint32_t(value))); }

Value Emit::integer(int32_t value) {
  return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value));
}

Value Emit::real(float value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
}

static bool isReal(Value x) { return isa<FloatType>(x.getType()); }

Value Emit::add(Value x, Value y) {
  return isReal(x) ? arith::AddFOp::create(b, loc, x, y).getResult()
                   : arith::AddIOp::create(b, loc, x, y).getResult();
}

Value Emit::sub(Value x, Value y) {
  return isReal(x) ? arith::SubFOp::create(b, loc, x, y).getResult()
                   : arith::SubIOp::create(b, loc, x, y).getResult();
}

Value Emit::mul(Value x, Value y) {
  return isReal(x) ? arith::MulFOp::create(b, loc, x, y).getResult()
                   : arith::MulIOp::create(b, loc, x, y).getResult();
}

Value Emit::div(Value x, Value y) { return arith::DivFOp::create(b, loc, x, y); }

Value Emit::fma(Value x, Value y, Value z) {
  return call("llvm.fma.f32", b.getF32Type(), {x, y, z});
}

Value Emit::max(Value x, Value y) { return arith::MaxNumFOp::create(b, loc, x, y); }

Value Emit::min(Value x, Value y) { return arith::MinNumFOp::create(b, loc, x, y); }

Value Emit::sqrt(Value x) { return call("llvm.sqrt.f32", b.getF32Type(), {x}); }

Value Emit::compare(arith::CmpFPredicate predicate, Value x, Value y) {
  return arith::CmpFOp::create(b, loc, predicate, x, y);
}

Value Emit::compareInt(arith::CmpIPredicate predicate, Value x, Value y) {
  return arith::CmpIOp::create(b, loc, predicate, x, y);
}

Value Emit::select(Value condition, Value yes, Value no) {
  return arith::SelectOp::create(b, loc, condition, yes, no);
}

Value Emit::both(Value x, Value y) { return arith::AndIOp::create(b, loc, x, y); }

Value Emit::bits(Value x) { return arith::BitcastOp::create(b, loc, b.getI32Type(), x); }
Value Emit::fromBits(Value x) { return arith::BitcastOp::create(b, loc, b.getF32Type(), x); }

static std::optional<int64_t> constantOf(Value x) {
  std::optional<int64_t> value = getConstantIntValue(x);
  return value ? std::optional<int64_t>(uint32_t(*value)) : std::nullopt;
}

// Without overflow: what is added to an address can then be part of the instruction.
static constexpr arith::IntegerOverflowFlags inRange = arith::IntegerOverflowFlags::nuw;

Value Emit::addIndex(Value x, Value y) {
  std::optional<int64_t> cx = constantOf(x), cy = constantOf(y);
  if (cx && cy)
    return index(*cx + *cy);
  if (cx && *cx == 0)
    return y;
  if (cy && *cy == 0)
    return x;
  return arith::AddIOp::create(b, loc, x, y, inRange);
}

Value Emit::mulIndex(Value x, int64_t y) {
  if (std::optional<int64_t> cx = constantOf(x))
    return index(*cx * y);
  return y == 1 ? x : y == 0 ? index(0) : arith::MulIOp::create(b, loc, x, index(y), inRange);
}

Value Emit::divIndex(Value x, int64_t y) {
  if (std::optional<int64_t> cx = constantOf(x))
    return index(*cx / y);
  return y == 1 ? x : arith::DivUIOp::create(b, loc, x, index(y)).getResult();
}

Value Emit::remIndex(Value x, int64_t y) {
  if (std::optional<int64_t> cx = constantOf(x))
    return index(*cx % y);
  return y == 1 ? index(0) : arith::RemUIOp::create(b, loc, x, index(y)).getResult();
}

Value Emit::minIndex(Value x, Value y) { return arith::MinUIOp::create(b, loc, x, y); }

Value Emit::less(Value x, Value y) { return compareInt(arith::CmpIPredicate::ult, x, y); }

Value Emit::at(Value row, int64_t width, Value column) {
  return addIndex(mulIndex(row, width), column);
}

//===-- memory
//------------------------------------------------------------------------------------===//

static Type storedType(OpBuilder &b, const Buffer &buffer) {
  return buffer.isNarrow() ? Type(b.getI16Type()) : buffer.element;
}

static unsigned bytesOf(const Buffer &buffer) { return buffer.isNarrow() ? 2 : 4; }

Value Emit::pointerTo(const Buffer &buffer, Value index) {
  if (constantOf(index) == 0)
    return buffer.pointer;
  Value wide = arith::ExtUIOp::create(b, loc, b.getI64Type(), index);
  return LLVM::GEPOp::create(b, loc, buffer.pointer.getType(), storedType(b, buffer),
                             buffer.pointer, ValueRange{wide}, LLVM::GEPNoWrapFlags::inbounds);
}

Buffer Emit::from(const Buffer &buffer, Value index) {
  Buffer part = buffer;
  part.pointer = pointerTo(buffer, index);
  return part;
}

Value Emit::load(const Buffer &buffer, Value index) {
  Value x = LLVM::LoadOp::create(b, loc, storedType(b, buffer), pointerTo(buffer, index),
                                 bytesOf(buffer));
  return buffer.isNarrow() ? widened(x, buffer.element) : x;
}

void Emit::store(Value value, const Buffer &buffer, Value index) {
  if (buffer.isNarrow())
    value = narrowBits(value, buffer.element);
  LLVM::StoreOp::create(b, loc, value, pointerTo(buffer, index), bytesOf(buffer));
}

Value Emit::loadIf(Value condition, const Buffer &buffer, Value index, float otherwise) {
  Type type = buffer.isNarrow() ? Type(b.getF32Type()) : buffer.element;
  return choose(
      condition, type, [&] { return Carried{load(buffer, index)}; },
      [&] { return Carried{type.isInteger() ? integer(int32_t(otherwise)) : real(otherwise)}; })[0];
}

SmallVector<Value> Emit::loadVector(const Buffer &buffer, Value index, int64_t count) {
  unsigned alignment = unsigned(count) * bytesOf(buffer);
  Value pointer = pointerTo(buffer, index);
  int64_t words = int64_t(alignment) / 4;
  Type element = buffer.isNarrow() ? Type(b.getI32Type()) : buffer.element;
  SmallVector<Value> loaded;
  if (words == 1) {
    loaded.push_back(LLVM::LoadOp::create(b, loc, element, pointer, alignment));
  } else {
    Value vector =
        LLVM::LoadOp::create(b, loc, VectorType::get({words}, element), pointer, alignment);
    for (int64_t i = 0; i < words; ++i)
      loaded.push_back(LLVM::ExtractElementOp::create(b, loc, vector, integer(int32_t(i))));
  }
  if (!buffer.isNarrow())
    return loaded;
  SmallVector<Value> values;
  for (Value word : loaded) {
    auto [low, high] = entriesOf(word, buffer.element);
    values.append({low, high});
  }
  return values;
}

void Emit::storeVector(ValueRange values, const Buffer &buffer, Value index) {
  unsigned alignment = unsigned(values.size()) * bytesOf(buffer);
  SmallVector<Value> words(values);
  if (buffer.isNarrow()) {
    words.clear();
    for (size_t i = 0; i < values.size(); i += 2)
      words.push_back(narrowPair(values[i], values[i + 1], buffer.element));
  }
  Value pointer = pointerTo(buffer, index), stored = words[0];
  if (words.size() > 1) {
    auto type = VectorType::get({int64_t(words.size())}, words[0].getType());
    stored = LLVM::PoisonOp::create(b, loc, type);
    for (auto [i, word] : llvm::enumerate(words))
      stored = LLVM::InsertElementOp::create(b, loc, stored, word, integer(int32_t(i)));
  }
  LLVM::StoreOp::create(b, loc, stored, pointer, alignment);
}

Buffer Emit::sharedAt(int64_t offset, int64_t entries, Type element) {
  Buffer buffer;
  buffer.element = element ? element : b.getF32Type();
  buffer.shape = {entries};
  auto type = LLVM::LLVMPointerType::get(b.getContext(), 3);
  buffer.pointer = LLVM::AddressOfOp::create(b, loc, type, "shared_memory");
  if (offset != 0)
    buffer.pointer = LLVM::GEPOp::create(b, loc, type, b.getI8Type(), buffer.pointer,
                                         ArrayRef<LLVM::GEPArg>{int32_t(offset)},
                                         LLVM::GEPNoWrapFlags::inbounds);
  allocated =
      std::max(allocated, offset + int64_t(llvm::alignTo(uint64_t(entries) * bytesOf(buffer), 16)));
  return buffer;
}

Buffer Emit::shared(int64_t entries, Type element) { return sharedAt(allocated, entries, element); }

void Emit::barrier() {
  if (place.threads == 0)
    call("llvm.nvvm.barrier.cta.sync.aligned.all", {}, {integer(0)});
  else
    call("llvm.nvvm.barrier.cta.sync.aligned.count", {},
         {integer(int32_t(place.barrier)), integer(int32_t(place.threads))});
}

} // namespace memformer::nvptx
