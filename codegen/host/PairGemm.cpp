// Products of bf16: the register tile on pairs of entries, and how pairs are made.

#include "codegen/host/PairGemm.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace memformer::host {

static VectorType pairsOf(Emit &e, int64_t count) {
  return VectorType::get({2 * count}, e.b.getI16Type());
}

Value scratchOfPairs(Emit &e, int64_t entries) {
  return memref::AllocaOp::create(e.b, e.loc, MemRefType::get({entries}, e.b.getI16Type()),
                                  e.b.getI64IntegerAttr(64));
}

// Two products at a time, in one instruction.
static bool hasPairProduct(const HostTarget &target) {
  return target.lanes == 16 && llvm::is_contained(target.features, "avx512bf16");
}

static PairFactor factorOf(Emit &e, Value pairs) {
  if (hasPairProduct(e.target))
    return {pairs, {}, {}};
  Value bits = vector::BitCastOp::create(e.b, e.loc, e.vector(e.b.getI32Type()), pairs);
  Value low = arith::ShLIOp::create(e.b, e.loc, bits, e.splatInt(16));
  Value high = arith::AndIOp::create(e.b, e.loc, bits, e.splatInt(int32_t(0xffff0000)));
  auto toFloat = [&](Value x) { return arith::BitcastOp::create(e.b, e.loc, e.floats(), x); };
  return {{}, toFloat(low), toFloat(high)};
}

Value addProducts(Emit &e, const PairFactor &a, const PairFactor &b, Value sum) {
  if (hasPairProduct(e.target)) {
    auto type = VectorType::get({2 * e.lanes}, e.b.getBF16Type());
    auto pairs = [&](Value x) { return vector::BitCastOp::create(e.b, e.loc, type, x); };
    return x86vector::DotBF16Op::create(e.b, e.loc, e.floats(), sum, pairs(a.pairs),
                                        pairs(b.pairs));
  }
  return e.fma(a.high, b.high, e.fma(a.low, b.low, sum));
}

PairFactor repeatPair(Emit &e, Value buffer, Value offset) {
  Value pair = vector::LoadOp::create(e.b, e.loc, pairsOf(e, 1), buffer, offset);
  Value whole = vector::BitCastOp::create(e.b, e.loc, VectorType::get({1}, e.b.getF32Type()), pair);
  Value scalar = vector::ExtractOp::create(e.b, e.loc, whole, int64_t(0));
  Value lanes = vector::BitCastOp::create(e.b, e.loc, pairsOf(e, e.lanes), e.broadcast(scalar));
  return factorOf(e, lanes);
}

// The pairs of `active` columns, and zeros.
static Value loadLanes(Emit &e, Value buffer, Value offset, int64_t active) {
  VectorType type = pairsOf(e, e.lanes);
  if (active >= e.lanes)
    return vector::LoadOp::create(e.b, e.loc, type, buffer, offset);
  SmallVector<bool> lanes(size_t(2 * e.lanes));
  std::fill_n(lanes.begin(), 2 * active, true);
  auto maskType = VectorType::get({2 * e.lanes}, e.b.getI1Type());
  Value mask = arith::ConstantOp::create(e.b, e.loc,
                                         DenseElementsAttr::get(maskType, ArrayRef<bool>(lanes)));
  Value zeros = arith::ConstantOp::create(
      e.b, e.loc, DenseElementsAttr::get(type, Attribute(e.b.getI16IntegerAttr(0))));
  return vector::MaskedLoadOp::create(e.b, e.loc, type, buffer, offset, mask, zeros);
}

PairFactor loadPairs(Emit &e, Value buffer, Value offset, int64_t active) {
  return factorOf(e, loadLanes(e, buffer, offset, active));
}

SmallVector<Value> emitPairTile(Emit &e, int64_t rows, const Strip &strip, const Matrix &a,
                                const Matrix &b, Value pairs, int64_t loaded) {
  constexpr int64_t unroll = 2;
  const int64_t vectors = strip.vectors();
  auto step = [&](Value k, int64_t ahead, MutableArrayRef<Value> sums) {
    Value rowOfB = e.addIndex(b.offset, e.mulIndex(k, b.rowStride));
    SmallVector<PairFactor> columns;
    for (int64_t v = 0; v < vectors; ++v)
      columns.push_back(loadPairs(e, b.buffer,
                                  e.addIndex(rowOfB, ahead * b.rowStride + 2 * v * e.lanes),
                                  std::min(e.lanes, loaded - v * e.lanes)));
    Value columnOfA = e.addIndex(a.offset, e.mulIndex(k, a.columnStride));
    for (int64_t i = 0; i < rows; ++i) {
      Value at = e.addIndex(columnOfA, ahead * a.columnStride + i * a.rowStride);
      PairFactor entry = repeatPair(e, a.buffer, at);
      for (int64_t v = 0; v < vectors; ++v)
        sums[i * vectors + v] = addProducts(e, entry, columns[v], sums[i * vectors + v]);
    }
  };

  SmallVector<Value> sums(rows * vectors, e.splat(0));
  Value unrolled = e.mulIndex(e.divIndex(pairs, unroll), unroll);
  auto run = [&](Value lower, Value upper, int64_t steps) {
    sums = e.loop(lower, upper, steps, sums, [&](Value k, ValueRange carried) {
      Emit::Carried next(carried);
      for (int64_t ahead = 0; ahead < steps; ++ahead)
        step(k, ahead, next);
      return next;
    });
  };
  run(e.index(0), unrolled, unroll);
  if (std::optional<int64_t> known = getConstantIntValue(pairs)) {
    for (int64_t ahead = 0; ahead < *known % unroll; ++ahead)
      step(unrolled, ahead, sums);
    return sums;
  }
  run(unrolled, pairs, 1);
  return sums;
}

Value pairOf(Emit &e, Value low, Value high) {
  Value shifted = arith::ShRUIOp::create(e.b, e.loc, low, e.splatInt(16));
  return arith::OrIOp::create(e.b, e.loc, shifted, high);
}

void storePairs(Emit &e, Value pairs, Value buffer, Value offset) {
  Value entries = vector::BitCastOp::create(e.b, e.loc, pairsOf(e, e.lanes), pairs);
  vector::StoreOp::create(e.b, e.loc, entries, buffer, offset);
}

Value loadHigh(Emit &e, const Matrix &from, Value row, Value column, Value mask) {
  Type element = cast<MemRefType>(from.buffer.getType()).getElementType();
  VectorType type = e.vector(element);
  Value rest = arith::ConstantOp::create(
      e.b, e.loc, DenseElementsAttr::get(type, Attribute(e.b.getZeroAttr(element))));
  Value x = vector::MaskedLoadOp::create(e.b, e.loc, type, from.buffer,
                                         from.from(e, row, column).offset, mask, rest);
  return e.loadedToHigh(element.isInteger(16) ? e.widen(x) : x, from.buffer);
}

void copyInPairs(Emit &e, const Matrix &from, Value k, Value depth, Value begin, Value end,
                 const Matrix &to) {
  Value two = e.index(2), zero = e.index(0);
  e.loop(begin, end, e.lanes, [&](Value column) {
    Value active = distance(e, column, end);
    Value mask = vector::CreateMaskOp::create(e.b, e.loc, e.vector(e.b.getI1Type()), active);
    Value place = e.addIndex(to.offset, e.mulIndex(distance(e, begin, column), 2));
    auto load = [&](Value row) { return loadHigh(e, from, row, column, mask); };
    Value pairs = arith::DivUIOp::create(e.b, e.loc, depth, two);
    e.loop(zero, pairs, 1, [&](Value pair) {
      Value row = e.addIndex(k, e.mulIndex(pair, 2));
      storePairs(e, pairOf(e, load(row), load(e.addIndex(row, 1))), to.buffer,
                 e.addIndex(place, e.mulIndex(pair, to.rowStride)));
    });
    Value odd = arith::RemUIOp::create(e.b, e.loc, depth, two);
    e.ifThen(e.compareInt(arith::CmpIPredicate::ne, odd, zero), [&] {
      Value last = load(e.addIndex(k, e.mulIndex(pairs, 2)));
      storePairs(e, pairOf(e, last, e.splatInt(0)), to.buffer,
                 e.addIndex(place, e.mulIndex(pairs, to.rowStride)));
    });
  });
}

void copyPairs(Emit &e, const Matrix &from, int64_t pairs, int64_t columns, const Matrix &to) {
  e.loop(e.index(0), e.index(pairs), 1, [&](Value pair) {
    for (int64_t j = 0; j < columns; j += e.lanes)
      storePairs(e, loadLanes(e, from.buffer, from.from(e, pair, e.index(j)).offset, columns - j),
                 to.buffer, to.from(e, pair, e.index(j)).offset);
  });
}

void zeroPairs(Emit &e, Value begin, Value end, int64_t columns, const Matrix &to) {
  e.loop(begin, end, 1, [&](Value pair) {
    for (int64_t j = 0; j < columns; j += e.lanes)
      storePairs(e, e.splatInt(0), to.buffer, to.from(e, pair, e.index(j)).offset);
  });
}

} // namespace memformer::host
