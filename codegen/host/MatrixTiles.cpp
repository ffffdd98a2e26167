// Tile registers by the intrinsics that name them, and products of 2 × 2 of them.

#include "codegen/host/MatrixTiles.h"
#include "codegen/host/PairGemm.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace memformer::host {

namespace {

constexpr int64_t registerCount = 8;
constexpr int64_t registerBytes = registerColumns * 4;
// Four sums, row by row of the block; then the rows of A and the columns of B.
constexpr unsigned firstA = 4, firstB = 6;

int64_t bytesOf(Value buffer) {
  return cast<MemRefType>(buffer.getType()).getElementTypeBitWidth() / 8;
}

Value pointerTo(Emit &e, Value buffer, Value offset) {
  Type word = e.b.getI64Type();
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(e.b, e.loc, buffer);
  Value address = arith::IndexCastOp::create(e.b, e.loc, word, base);
  auto type = LLVM::LLVMPointerType::get(e.b.getContext());
  Value pointer = LLVM::IntToPtrOp::create(e.b, e.loc, type, address);
  Value bytes = arith::IndexCastOp::create(e.b, e.loc, word, e.mulIndex(offset, bytesOf(buffer)));
  return LLVM::GEPOp::create(e.b, e.loc, type, e.b.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

void call(Emit &e, StringRef intrinsic, ValueRange arguments) {
  LLVM::CallIntrinsicOp::create(e.b, e.loc, e.b.getStringAttr("llvm.x86." + intrinsic), arguments);
}

Value numberOf(Emit &e, unsigned number) {
  return arith::ConstantOp::create(e.b, e.loc, e.b.getI8IntegerAttr(int8_t(number)));
}

} // namespace

TileRegisters::TileRegisters(Emit &e) : e(e) {
  if (e.target.tiles == TileSupport::Emulated) {
    pairs = scratchOfPairs(e, registerCount * registerRows * registerDepth);
    sums = e.scratch({registerCount * registerRows * registerColumns});
    return;
  }
  configuration = memref::AllocaOp::create(e.b, e.loc, MemRefType::get({64}, e.b.getI8Type()),
                                           e.b.getI64IntegerAttr(64));
}

void TileRegisters::configure(ArrayRef<Shape> wanted) {
  shapes.assign(wanted.begin(), wanted.end());
  shapes.resize(registerCount);
  if (!configuration)
    return;
  // Palette 1; from byte 16 on the bytes of a row (two bytes each), from byte 48 on the rows.
  SmallVector<int8_t> bytes(64, 0);
  bytes[0] = 1;
  for (auto [number, shape] : llvm::enumerate(shapes)) {
    bytes[16 + 2 * number] = int8_t(shape.columns * 4);
    bytes[48 + number] = int8_t(shape.rows);
  }
  auto type = VectorType::get({64}, e.b.getI8Type());
  Value constant =
      arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(type, ArrayRef<int8_t>(bytes)));
  Value none = e.index(0);
  vector::StoreOp::create(e.b, e.loc, constant, configuration, none);
  call(e, "ldtilecfg", pointerTo(e, configuration, none));
}

// Register `number` in memory, row by row.
static Value placeOf(Emit &e, unsigned number, Value row, Value column, int64_t rowEntries) {
  Value place = e.addIndex(e.mulIndex(row, rowEntries), column);
  return e.addIndex(place, int64_t(number) * registerRows * rowEntries);
}

// `body(row, column)` for each entry of [rows, columns].
static void forEachEntry(Emit &e, int64_t rows, int64_t columns,
                         function_ref<void(Value, Value)> body) {
  Value zero = e.index(0);
  e.loop(zero, e.index(rows), 1, [&](Value row) {
    e.loop(zero, e.index(columns), 1, [&](Value column) { body(row, column); });
  });
}

void TileRegisters::zero(unsigned number) {
  if (configuration)
    return call(e, "tilezero", numberOf(e, number));
  forEachEntry(e, registerRows, registerColumns, [&](Value row, Value column) {
    e.storeScalar(e.constant(0), sums, placeOf(e, number, row, column, registerColumns));
  });
}

void TileRegisters::load(unsigned number, Value buffer, Value offset, int64_t stride) {
  if (configuration) {
    Value bytes =
        arith::ConstantOp::create(e.b, e.loc, e.b.getI64IntegerAttr(stride * bytesOf(buffer)));
    return call(e, "tileloadd64", {numberOf(e, number), pointerTo(e, buffer, offset), bytes});
  }
  const int64_t entries = 4 / bytesOf(buffer);
  Value registers = entries == 1 ? sums : pairs;
  forEachEntry(e, shapes[number].rows, shapes[number].columns * entries,
               [&](Value row, Value column) {
                 Value from = e.addIndex(e.addIndex(offset, e.mulIndex(row, stride)), column);
                 Value entry = memref::LoadOp::create(e.b, e.loc, buffer, from);
                 Value to = placeOf(e, number, row, column, registerColumns * entries);
                 memref::StoreOp::create(e.b, e.loc, entry, registers, to);
               });
}

void TileRegisters::store(unsigned number, Value buffer, Value offset, int64_t stride) {
  if (configuration) {
    Value bytes =
        arith::ConstantOp::create(e.b, e.loc, e.b.getI64IntegerAttr(stride * bytesOf(buffer)));
    return call(e, "tilestored64", {numberOf(e, number), pointerTo(e, buffer, offset), bytes});
  }
  forEachEntry(e, shapes[number].rows, shapes[number].columns, [&](Value row, Value column) {
    Value entry = e.loadScalar(sums, placeOf(e, number, row, column, registerColumns));
    e.storeScalar(entry, buffer, e.addIndex(e.addIndex(offset, e.mulIndex(row, stride)), column));
  });
}

void TileRegisters::multiply(unsigned sum, unsigned a, unsigned b) {
  assert(shapes[sum].rows == shapes[a].rows && shapes[sum].columns == shapes[b].columns &&
         shapes[a].columns == shapes[b].rows);
  if (configuration)
    return call(e, "tdpbf16ps", {numberOf(e, sum), numberOf(e, a), numberOf(e, b)});
  auto entryOf = [&](unsigned number, Value row, Value column, int64_t which) {
    Value at = placeOf(e, number, row, e.mulIndex(column, 2), registerDepth);
    return e.loadScalar(pairs, e.addIndex(at, which));
  };
  forEachEntry(e, shapes[sum].rows, shapes[sum].columns, [&](Value row, Value column) {
    Emit::Carried none(2, e.constant(0));
    Value end = e.index(shapes[a].columns);
    Emit::Carried halves = e.loop(e.index(0), end, 1, none, [&](Value pair, ValueRange before) {
      Emit::Carried next;
      for (int64_t which : {0, 1})
        next.push_back(e.fma(entryOf(a, row, pair, which), entryOf(b, pair, column, which),
                             before[size_t(which)]));
      return next;
    });
    Value at = placeOf(e, sum, row, column, registerColumns);
    e.storeScalar(e.add(e.loadScalar(sums, at), e.add(halves[0], halves[1])), sums, at);
  });
}

void TileRegisters::release() {
  if (configuration)
    call(e, "tilerelease", {});
}

void TileBlock::configure() {
  SmallVector<TileRegisters::Shape> shapes;
  for (int64_t i : {0, 1})
    for (int64_t j : {0, 1})
      shapes.push_back({rowsOf(i), columnsOf(j)});
  for (int64_t i : {0, 1})
    shapes.push_back({rowsOf(i), registerDepth / 2});
  for (int64_t j : {0, 1})
    shapes.push_back({registerDepth / 2, columnsOf(j)});
  // A register of no rows has no columns either.
  for (TileRegisters::Shape &shape : shapes)
    if (shape.rows == 0 || shape.columns == 0)
      shape = {};
  registers.configure(shapes);
}

void TileBlock::multiply(Emit &e, int64_t columns, ArrayRef<TileFactors> factors,
                         const Matrix &result, bool continued) {
  const int64_t down = (rows + registerRows - 1) / registerRows;
  const int64_t across = (columns + registerColumns - 1) / registerColumns;
  auto forEachSum = [&](function_ref<void(unsigned, Value)> body) {
    for (int64_t i = 0; i < down; ++i)
      for (int64_t j = 0; j < across; ++j)
        body(unsigned(2 * i + j),
             e.addIndex(result.offset, i * registerRows * result.rowStride + j * registerColumns));
  };
  forEachSum([&](unsigned number, Value place) {
    continued ? registers.load(number, result.buffer, place, result.rowStride)
              : registers.zero(number);
  });
  for (const TileFactors &factor : factors)
    e.loop(e.index(0), factor.chunks, 1, [&](Value chunk) {
      const Matrix &a = factor.a, &b = factor.b;
      Value placeOfA = e.addIndex(a.offset, e.mulIndex(chunk, registerDepth));
      Value placeOfB = e.addIndex(b.offset, e.mulIndex(chunk, registerDepth / 2 * b.rowStride));
      for (int64_t i = 0; i < down; ++i) {
        registers.load(firstA + unsigned(i), a.buffer,
                       e.addIndex(placeOfA, i * registerRows * a.rowStride), a.rowStride);
        for (int64_t j = 0; j < across; ++j) {
          if (i == 0)
            registers.load(firstB + unsigned(j), b.buffer,
                           e.addIndex(placeOfB, 2 * j * registerColumns), b.rowStride);
          registers.multiply(unsigned(2 * i + j), firstA + unsigned(i), firstB + unsigned(j));
        }
      }
    });
  forEachSum([&](unsigned number, Value place) {
    registers.store(number, result.buffer, place, result.rowStride);
  });
}

void copyTransposedInPairs(Emit &e, const Matrix &from, Value k, Value depth, int64_t odd,
                           Value begin, Value end, const Matrix &to) {
  const int64_t square = 2 * e.lanes;
  e.loop(begin, end, e.lanes, [&](Value column) {
    Value active = distance(e, column, end);
    Value mask = vector::CreateMaskOp::create(e.b, e.loc, e.vector(e.b.getI1Type()), active);
    Value row = distance(e, begin, column);
    // Lanes of 32 bits are pairs of k; a square of them is turned.
    auto turn = [&](Value first, int64_t depths) {
      SmallVector<Value> pairs;
      for (int64_t i = 0; i < square; i += 2) {
        auto load = [&](int64_t ahead) {
          if (ahead >= depths)
            return e.splatInt(0);
          return loadHigh(e, from, e.addIndex(e.addIndex(k, first), ahead), column, mask);
        };
        pairs.push_back(pairOf(e, load(i), load(i + 1)));
      }
      e.transpose(pairs);
      for (int64_t i = 0; i < e.lanes; ++i)
        storePairs(e, pairs[size_t(i)], to.buffer, to.from(e, e.addIndex(row, i), first).offset);
    };
    Value whole = e.mulIndex(e.divIndex(depth, square), square);
    e.loop(e.index(0), whole, square, [&](Value first) { turn(first, square); });
    if (odd)
      e.ifThen(e.compareInt(arith::CmpIPredicate::ne, whole, depth), [&] { turn(whole, odd); });
  });
}

} // namespace memformer::host
