// Integers as the threads of a block have them.

#include "codegen/nvptx/Lanes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace memformer::nvptx {

template <typename Function>
static Lanes combine(const Lanes &x, const Lanes &y, Function function) {
  if (!x.isKnown() || !y.isKnown())
    return {};
  SmallVector<uint64_t, 1> numbers(std::max(x.size(), y.size()));
  for (size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = function(x[i], y[i]);
  return Lanes(std::move(numbers));
}

static bool compares(arith::CmpIPredicate predicate, uint64_t x, uint64_t y, unsigned width) {
  int64_t a = llvm::SignExtend64(x, width), b = llvm::SignExtend64(y, width);
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return x == y;
  case arith::CmpIPredicate::ne:
    return x != y;
  case arith::CmpIPredicate::slt:
    return a < b;
  case arith::CmpIPredicate::sle:
    return a <= b;
  case arith::CmpIPredicate::sgt:
    return a > b;
  case arith::CmpIPredicate::sge:
    return a >= b;
  case arith::CmpIPredicate::ult:
    return x < y;
  case arith::CmpIPredicate::ule:
    return x <= y;
  case arith::CmpIPredicate::ugt:
    return x > y;
  case arith::CmpIPredicate::uge:
    return x >= y;
  }
  llvm_unreachable("a predicate that MLIR does not have");
}

void ThreadValues::set(Value value, Lanes lanes) {
  std::unique_ptr<Kept> &place = kept[value];
  if (!place)
    place = std::make_unique<Kept>();
  place->lanes = std::move(lanes);
  place->entry = entryOf(value);
}

const Lanes &ThreadValues::of(Value value) {
  static const Lanes unknown;
  if (!value.getType().isInteger() && !isa<LLVM::LLVMPointerType>(value.getType()))
    return unknown;
  auto found = kept.find(value);
  if (found != kept.end() && found->second->entry == entryOf(value))
    return found->second->lanes;
  // What is not set here depends on data.
  Operation *op = value.getDefiningOp();
  set(value, op && op->getNumRegions() == 0 ? compute(op) : Lanes());
  return kept[value]->lanes;
}

Lanes ThreadValues::blend(ArrayRef<bool> lanes, const Lanes &one, const Lanes &other) const {
  if (!one.isKnown() || !other.isKnown())
    return {};
  SmallVector<uint64_t, 1> numbers(size_t(threads), 0);
  for (size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = lanes[i] ? one[i] : other[i];
  return Lanes(std::move(numbers));
}

// Every index is a multiple of the size of its element.
Lanes ThreadValues::addressOf(Operation *op) {
  auto element = cast<LLVM::GEPOp>(op);
  Lanes address = of(element.getBase());
  Type type = element.getElemType();
  uint64_t bytes = isa<LLVM::LLVMPointerType>(type) ? 8 : type.getIntOrFloatBitWidth() / 8;
  for (auto index : element.getIndices()) {
    auto value = dyn_cast<Value>(index);
    Lanes number =
        value ? of(value) : Lanes(uint64_t(cast<IntegerAttr>(index).getValue().getSExtValue()));
    address = combine(address, number, [&](uint64_t x, uint64_t y) { return x + y * bytes; });
  }
  return address;
}

Lanes ThreadValues::compute(Operation *op) {
  unsigned width = 64;
  Type type = op->getResult(0).getType();
  if (auto integer = dyn_cast<IntegerType>(type))
    width = integer.getWidth();
  auto binary = [&](auto function) {
    return combine(of(op->getOperand(0)), of(op->getOperand(1)), [&](uint64_t x, uint64_t y) {
      return function(x, y) & llvm::maskTrailingOnes<uint64_t>(width);
    });
  };
  return TypeSwitch<Operation *, Lanes>(op)
      .Case([&](arith::ConstantOp constant) {
        auto number = dyn_cast<IntegerAttr>(constant.getValue());
        return number ? Lanes(number.getValue().getZExtValue()) : Lanes();
      })
      .Case([&](arith::AddIOp) { return binary([](uint64_t x, uint64_t y) { return x + y; }); })
      .Case([&](arith::SubIOp) { return binary([](uint64_t x, uint64_t y) { return x - y; }); })
      .Case([&](arith::MulIOp) { return binary([](uint64_t x, uint64_t y) { return x * y; }); })
      .Case([&](arith::DivUIOp) {
        return binary([](uint64_t x, uint64_t y) { return y == 0 ? 0 : x / y; });
      })
      .Case([&](arith::RemUIOp) {
        return binary([](uint64_t x, uint64_t y) { return y == 0 ? 0 : x % y; });
      })
      .Case([&](arith::MinUIOp) {
        return binary([](uint64_t x, uint64_t y) { return std::min(x, y); });
      })
      .Case([&](arith::AndIOp) { return binary([](uint64_t x, uint64_t y) { return x & y; }); })
      .Case([&](arith::OrIOp) { return binary([](uint64_t x, uint64_t y) { return x | y; }); })
      .Case([&](arith::ShLIOp) {
        return binary([](uint64_t x, uint64_t y) { return y > 63 ? 0 : x << y; });
      })
      .Case([&](arith::ShRUIOp) {
        return binary([](uint64_t x, uint64_t y) { return y > 63 ? 0 : x >> y; });
      })
      .Case([&](arith::ExtUIOp wide) { return of(wide.getIn()); })
      .Case([&](arith::TruncIOp narrow) {
        const Lanes &x = of(narrow.getIn());
        return combine(x, x, [&](uint64_t value, uint64_t) {
          return value & llvm::maskTrailingOnes<uint64_t>(width);
        });
      })
      .Case([&](arith::CmpIOp comparison) {
        unsigned compared = comparison.getLhs().getType().getIntOrFloatBitWidth();
        return binary([&](uint64_t x, uint64_t y) {
          return uint64_t(compares(comparison.getPredicate(), x, y, compared));
        });
      })
      .Case([&](arith::SelectOp choice) {
        const Lanes &condition = of(choice.getCondition());
        if (!condition.isKnown())
          return Lanes();
        if (condition.isUniform())
          return of(condition[0] ? choice.getTrueValue() : choice.getFalseValue());
        const Lanes &yes = of(choice.getTrueValue()), &no = of(choice.getFalseValue());
        SmallVector<bool> lanes;
        for (int64_t i = 0; i < threads; ++i)
          lanes.push_back(condition[size_t(i)] != 0);
        return blend(lanes, yes, no);
      })
      .Case([&](LLVM::AddressOfOp) { return Lanes(0); })
      .Case([&](LLVM::GEPOp element) { return addressOf(element); })
      .Case([&](LLVM::CallIntrinsicOp call) {
        if (call.getIntrin() == "llvm.nvvm.read.ptx.sreg.ctaid.x")
          return Lanes(block);
        if (call.getIntrin() != "llvm.nvvm.read.ptx.sreg.tid.x")
          return Lanes();
        SmallVector<uint64_t, 1> numbers;
        for (int64_t i = 0; i < threads; ++i)
          numbers.push_back(uint64_t(i));
        return Lanes(std::move(numbers));
      })
      .Default([](Operation *) { return Lanes(); });
}

} // namespace memformer::nvptx
