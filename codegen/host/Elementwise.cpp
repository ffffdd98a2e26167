// Emitters of map, gather, concat and slice: entries computed or moved one by one.

#include "codegen/host/Emitters.h"
#include "codegen/host/Region.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;

namespace memformer::host {

using kernel::entriesOf;
using kernel::rowsOf;
using kernel::shapeOf;
using kernel::widthOf;

// The parts of rows that one workgroup works on: rows [first, last) and columns [begin, begin +
// chunk), in bounds. Long rows are cut, so that a single long row has many workgroups.
namespace {
struct Tiles {
  RowBlock rows;
  Value begin;
  int64_t chunk, tail, grid;
};
} // namespace

static Tiles tilesOf(Emit &e, Value workgroup, int64_t rows, int64_t width) {
  constexpr int64_t entries = 8192;
  Tiles tiles;
  tiles.chunk = std::min(width, entries);
  int64_t chunks = (width + tiles.chunk - 1) / tiles.chunk;
  tiles.tail = width - (chunks - 1) * tiles.chunk;
  Value row = e.divIndex(workgroup, chunks);
  tiles.begin = e.mulIndex(e.remIndex(workgroup, chunks), tiles.chunk);
  tiles.rows = rowBlockOf(e, row, rows, entries / tiles.chunk);
  tiles.grid = tiles.rows.grid * chunks;
  return tiles;
}

// `body(row, column, active)` for every vector of a workgroup's tile.
static void forEachVector(Emit &e, const Tiles &tiles, int64_t width,
                          llvm::function_ref<void(Value, Value, int64_t)> body) {
  auto columns = [&](Value row, int64_t length) {
    e.columns(length, [&](Value column, int64_t active) {
      body(row, e.addIndex(tiles.begin, column), active);
    });
  };
  auto rows = [&](int64_t length) {
    e.loop(tiles.rows.first, tiles.rows.last, 1, [&](Value row) { columns(row, length); });
  };
  if (tiles.tail == tiles.chunk)
    return rows(tiles.chunk);
  Value last = e.compareInt(arith::CmpIPredicate::eq, tiles.begin, e.index(width - tiles.tail));
  e.ifThen(last, [&] { rows(tiles.tail); }, [&] { rows(tiles.chunk); });
}

FailureOr<int64_t> emitMap(OpBuilder &builder, kernel::MapOp op, const KernelArguments &arguments,
                           const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  int64_t entries = entriesOf(op.getResult(0).getType());
  int64_t width = VectorRegion::commonWidth(entries, arguments.operands, op.getIndexing());
  int64_t rows = entries / width;
  VectorRegion region(e, op.getBody(), arguments.operands, op.getIndexing(), rows, width);
  SmallVector<Value> results = llvm::map_to_vector(
      arguments.results, [&](Value result) { return e.matrix(result, rows, width); });
  Tiles tiles = tilesOf(e, arguments.workgroup, rows, width);
  bool supported = true;
  forEachVector(e, tiles, width, [&](Value row, Value column, int64_t active) {
    FailureOr<SmallVector<Value>> values = region.emit(e, {}, row, column, active);
    supported &= succeeded(values);
    if (supported)
      for (auto [value, result] : llvm::zip_equal(*values, results))
        e.store(value, result, {row, column}, active);
  });
  return supported ? FailureOr<int64_t>(tiles.grid) : FailureOr<int64_t>(failure());
}

FailureOr<int64_t> emitGather(OpBuilder &builder, kernel::GatherOp op,
                              const KernelArguments &arguments, const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  int64_t rows = entriesOf(op.getIndices().getType()), width = widthOf(op.getTable().getType());
  Value indices = e.flat(arguments.operands[0]), table = arguments.operands[1];
  ValueRange extras = ValueRange(arguments.operands).drop_front(2);
  VectorRegion region(e, op.getEpilogue(), extras, op.getIndexing(), rows, width);
  SmallVector<Value> results = llvm::map_to_vector(
      arguments.results, [&](Value result) { return e.matrix(result, rows, width); });
  RowBlock block = rowBlock(e, arguments.workgroup, rows, 8 * width);
  bool supported = true;
  e.loop(block.first, block.last, 1, [&](Value row) {
    Value source = e.toIndex(e.loadScalar(indices, row));
    e.columns(width, [&](Value column, int64_t active) {
      Value entry = e.load(table, {source, column}, active);
      FailureOr<SmallVector<Value>> values = region.emit(e, entry, row, column, active);
      supported &= succeeded(values);
      if (supported)
        for (auto [value, result] : llvm::zip_equal(*values, results))
          e.store(value, result, {row, column}, active);
    });
  });
  return supported ? FailureOr<int64_t>(block.grid) : FailureOr<int64_t>(failure());
}

//===-- copies
//-----------------------------------------------------------------------------------===//

// `length` entries from each row of a matrix, beginning at `from`, to another's, at `to`.
static int64_t emitCopy(Emit &e, Value workgroup, Value source, Value from, Value destination,
                        int64_t to, int64_t length) {
  int64_t rows = shapeOf(source.getType())[0];
  Tiles tiles = tilesOf(e, workgroup, rows, length);
  forEachVector(e, tiles, length, [&](Value row, Value column, int64_t active) {
    Value entries = e.load(source, {row, e.addIndex(column, from)}, active);
    e.store(entries, destination, {row, e.addIndex(column, to)}, active);
  });
  return tiles.grid;
}

// The dimensions before an axis as rows, the axis and all after it as columns.
static Value splitAt(Emit &e, Value memref, int64_t axis) {
  ArrayRef<int64_t> shape = shapeOf(memref.getType());
  int64_t rows = ShapedType::getNumElements(shape.take_front(axis));
  return e.matrix(memref, rows, entriesOf(memref.getType()) / rows);
}

FailureOr<int64_t> emitConcat(OpBuilder &builder, kernel::ConcatOp op,
                              const KernelArguments &arguments, const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  int64_t axis = int64_t(op.getAxis());
  Value lhs = splitAt(e, arguments.operands[0], axis),
        rhs = splitAt(e, arguments.operands[1], axis);
  Value result = splitAt(e, arguments.results[0], axis);
  int64_t first = widthOf(lhs.getType()), second = widthOf(rhs.getType());
  // Workgroups of the first operand, then those of the second.
  int64_t gridFirst = tilesOf(e, e.index(0), rowsOf(lhs.getType()), first).grid;
  int64_t gridSecond = tilesOf(e, e.index(0), rowsOf(rhs.getType()), second).grid;
  Value isFirst = e.compareInt(arith::CmpIPredicate::slt, arguments.workgroup, e.index(gridFirst));
  e.ifThen(
      isFirst, [&] { emitCopy(e, arguments.workgroup, lhs, e.index(0), result, 0, first); },
      [&] {
        Value workgroup = e.addIndex(arguments.workgroup, -gridFirst);
        emitCopy(e, workgroup, rhs, e.index(0), result, first, second);
      });
  return gridFirst + gridSecond;
}

FailureOr<int64_t> emitSlice(OpBuilder &builder, kernel::SliceOp op,
                             const KernelArguments &arguments, const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  int64_t axis = int64_t(op.getAxis());
  Value input = splitAt(e, arguments.operands[0], axis);
  Value result = splitAt(e, arguments.results[0], axis);
  int64_t inner = ShapedType::getNumElements(shapeOf(op.getInput().getType()).drop_front(axis + 1));
  Value from = e.index(int64_t(op.getOffset()));
  if (op.getPosition())
    from = e.addIndex(from, e.toIndex(e.loadScalar(arguments.operands[1], {})));
  return emitCopy(e, arguments.workgroup, input, e.mulIndex(from, inner), result, 0,
                  widthOf(result.getType()));
}

} // namespace memformer::host
