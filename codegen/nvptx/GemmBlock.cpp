// What every form of a matrix product shares: its operands entry by entry, and its epilogue.

#include "codegen/nvptx/GemmBlock.h"
#include "codegen/nvptx/Emitters.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;

namespace memformer::nvptx {

GemmShape::GemmShape(kernel::GemmOp op) {
  Type a = op.getA().getType();
  transposeA = op.getTransposeA();
  packed = op.getPacked();
  normalized = bool(op.getScale());
  operandType = op.getOperandType().value_or(Type());
  m = transposeA ? kernel::widthOf(a) : kernel::rowsOf(a);
  k = transposeA ? kernel::rowsOf(a) : kernel::widthOf(a);
  n = int64_t(op.getN());
  if (packed) {
    ArrayRef<int64_t> shape = kernel::shapeOf(op.getB().getType());
    panel = shape[2];
    group = shape.size() == 4 ? shape[3] : 1;
  }
}

GemmBlock::GemmBlock(Emit &e, kernel::GemmOp op, const KernelArguments &arguments, int64_t rows,
                     int64_t columns)
    : shape(op), a(arguments.operands[0]), b(arguments.operands[1]), e(e), op(op),
      arguments(arguments), rows(rows), columns(columns), blocksOfRows((shape.m + rows - 1) / rows),
      blocksOfColumns((shape.n + columns - 1) / columns) {
  e.setBlocksAcross(blocksOfColumns);
  blockOfColumns = e.remIndex(e.block(), blocksOfColumns);
  firstRow = e.mulIndex(e.divIndex(e.block(), blocksOfColumns), rows);
  firstColumn = e.mulIndex(blockOfColumns, columns);
}

void GemmBlock::prepare() {
  if (!shape.normalized)
    return;
  moments = e.shared(2 * rows);
  e.loop(e.warpIndex(), e.index(rows), e.threads() / Emit::warp, [&](Value row) {
    Value place = e.minIndex(e.addIndex(firstRow, row), shape.m - 1);
    Moments found = emitMoments(e, a, place, op.getEpsilon().convertToDouble());
    e.ifThen(e.less(e.lane(), 1), [&] {
      e.store(found.mean, moments, e.mulIndex(row, 2));
      e.store(found.inverseDeviation, moments, e.at(row, 2, e.index(1)));
    });
  });
  e.barrier();
}

Value GemmBlock::entryOfA(Value row, Value k) {
  Value inside = e.less(k, shape.k), depth = e.minIndex(k, shape.k - 1);
  Value global = e.addIndex(firstRow, row), place = e.minIndex(global, shape.m - 1);
  if (shape.transposeA)
    return e.select(inside, e.load(a, e.at(depth, shape.m, place)), e.real(0));
  Value x = e.load(a, e.at(place, shape.k, depth));
  if (shape.normalized) {
    Value mean = e.load(moments, e.mulIndex(row, 2));
    Value inverse = e.load(moments, e.at(row, 2, e.index(1)));
    x = e.fma(emitNormalized(e, x, {mean, inverse}), e.load(arguments.operands[2], depth),
              e.load(arguments.operands[3], depth));
    if (op.getStoreNormalized()) {
      Value isOwn = e.both(e.less(blockOfColumns, 1), e.both(inside, e.less(global, shape.m)));
      e.ifThen(isOwn, [&] { e.store(x, arguments.results.back(), e.at(place, shape.k, depth)); });
    }
  }
  return e.select(inside, x, e.real(0));
}

Value GemmBlock::entryOfB(Value k, Value column) {
  Value inside = e.less(k, shape.k), depth = e.minIndex(k, shape.k - 1);
  Value j = e.minIndex(e.addIndex(firstColumn, column), shape.n - 1), place;
  if (!shape.packed) {
    place = e.at(depth, shape.n, j);
  } else {
    Value line = e.at(e.divIndex(j, shape.panel), shape.lines(), e.divIndex(depth, shape.group));
    Value entry = e.at(line, shape.panel, e.remIndex(j, shape.panel));
    place = e.at(entry, shape.group, e.remIndex(depth, shape.group));
  }
  return e.select(inside, e.load(b, place), e.real(0));
}

void GemmBlock::finish(const Buffer &sums, int64_t pitch, int64_t begin, int64_t count) {
  // The first entry of all stays with its thread.
  if (shape.m > 1 || shape.n > 1)
    e.barrier();
  ArrayRef<Buffer> results(arguments.results);
  if (op.getStoreNormalized())
    results = results.drop_back();
  SmallVector<Buffer> extras(
      ArrayRef<Buffer>(arguments.operands).drop_front(shape.normalized ? 4 : 2));
  ScalarRegion region(op.getEpilogue(), extras, op.getIndexing(), shape.m * shape.n);
  auto finishEntry = [&](Value row, Value column) {
    Value global = e.addIndex(firstRow, e.addIndex(row, begin));
    Value j = e.addIndex(firstColumn, column);
    auto body = [&] {
      Value linear = e.at(global, shape.n, j);
      FailureOr<SmallVector<Value>> values =
          region.emit(e, e.load(sums, e.at(row, pitch, column)), linear);
      supported &= succeeded(values);
      if (!supported)
        return;
      for (auto [value, result] : llvm::zip_equal(*values, results)) {
        Value stored = op.getAccumulate() ? e.add(e.load(result, linear), value) : value;
        e.store(stored, result, linear);
      }
    };
    if (shape.m % rows == 0 && shape.n % columns == 0)
      body();
    else
      e.ifThen(e.both(e.less(global, shape.m), e.less(j, shape.n)), body);
  };
  e.strided(e.thread(), count * columns, e.threads(), [&](Value entry) {
    finishEntry(e.divIndex(entry, columns), e.remIndex(entry, columns));
  });
}

FailureOr<int64_t> emitGemm(Emit &e, kernel::GemmOp op, const KernelArguments &arguments) {
  GemmShape shape(op);
  if (shape.m == 0 || shape.k == 0)
    return op.emitOpError("expected at least one row and one column, but got a of type ")
           << op.getA().getType();
  if (!shape.operandType || !e.target.hasMatrixProducts(shape.operandType))
    return emitFmaGemm(e, op, arguments);
  // All products of a type are computed in one way: what chains and schedules share is the same
  // bits, whatever the number of rows at a time.
  return e.target.hasWarpgroupProducts() && shape.operandType.getIntOrFloatBitWidth() == 16
             ? emitWarpgroupGemm(e, op, arguments)
             : emitMmaGemm(e, op, arguments);
}

} // namespace memformer::nvptx
