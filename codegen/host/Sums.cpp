// Emitters of reduce, scatter_add and squared_norm: sums in one order.

#include "codegen/host/Emitters.h"
#include "codegen/host/RowNorms.h"
#include "codegen/host/Vectors.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;

namespace memformer::host {

using kernel::entriesOf;
using kernel::rowsOf;
using kernel::widthOf;

namespace {
/// Columns [begin, begin + length) of a matrix, a workgroup's own.
struct ColumnBlock {
  Value begin;
  int64_t length;
};
} // namespace

// Blocks of whole vectors, more of them in a block only where that leaves `parallel` blocks; a
// workgroup has several blocks where `rows` are few and the matrix is wide. `body` is built once
// for full blocks, and once for a shorter last one.
static int64_t forColumnBlock(Emit &e, Value workgroup, int64_t rows, int64_t width,
                              int64_t mostVectors, llvm::function_ref<void(ColumnBlock)> body) {
  constexpr int64_t parallel = 16, entriesOfWorkgroup = 8192;
  int64_t vectors = std::clamp<int64_t>(width / (e.lanes * parallel), 1, mostVectors);
  int64_t length = std::min(width, vectors * e.lanes), blocks = (width + length - 1) / length;
  int64_t tail = width - (blocks - 1) * length;
  int64_t together = std::clamp<int64_t>(entriesOfWorkgroup / (std::max<int64_t>(rows, 1) * length),
                                         1, std::max<int64_t>(blocks / parallel, 1));
  auto emitBlock = [&](Value block) {
    Value begin = e.mulIndex(block, length);
    if (tail == length)
      return body({begin, length});
    Value last = e.compareInt(arith::CmpIPredicate::eq, block, e.index(blocks - 1));
    e.ifThen(last, [&] { body({begin, tail}); }, [&] { body({begin, length}); });
  };
  if (together == 1)
    emitBlock(workgroup);
  else {
    Value first = e.mulIndex(workgroup, together);
    e.loop(first, e.minIndex(e.addIndex(first, together), blocks), 1, emitBlock);
  }
  return (blocks + together - 1) / together;
}

// Four accumulators take turns in the rows, so that additions need not wait for each other.
static SmallVector<Value> sumRows(Emit &e, Value matrix, ColumnBlock block, bool rounds = false) {
  constexpr int64_t turns = 4;
  int64_t rows = kernel::shapeOf(matrix.getType())[0];
  int64_t vectors = (block.length + e.lanes - 1) / e.lanes;
  auto addRow = [&](Value row, MutableArrayRef<Value> sums) {
    for (int64_t v = 0; v < vectors; ++v) {
      int64_t active = std::min(e.lanes, block.length - v * e.lanes);
      Value x = e.load(matrix, {row, e.addIndex(block.begin, v * e.lanes)}, active);
      sums[v] = e.add(sums[v], rounds ? e.rounded(x) : x);
    }
  };
  Emit::Carried sums(turns * vectors, e.splat(0));
  int64_t whole = rows / turns * turns;
  if (whole > 0)
    sums = e.loop(e.index(0), e.index(whole), turns, sums, [&](Value row, ValueRange carried) {
      Emit::Carried next(carried);
      for (int64_t i = 0; i < turns; ++i)
        addRow(e.addIndex(row, i), MutableArrayRef<Value>(next).slice(i * vectors, vectors));
      return next;
    });
  for (int64_t row = whole; row < rows; ++row)
    addRow(e.index(row), MutableArrayRef<Value>(sums).slice((row - whole) * vectors, vectors));
  for (int64_t half = turns / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half * vectors; ++i)
      sums[i] = e.add(sums[i], sums[i + half * vectors]);
  sums.resize(vectors);
  return sums;
}

FailureOr<int64_t> emitReduce(OpBuilder &builder, kernel::ReduceOp op,
                              const KernelArguments &arguments, const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  int64_t width = int64_t(op.getEntries()), rows = entriesOf(op.getInput().getType()) / width;
  bool accumulate = bool(op.getAccumulate());
  bool rounds =
      op.getOperandType() && op.getInput().getType().getElementType() != *op.getOperandType();
  Value result = e.flat(arguments.results[0]);
  if (width == 1) {
    Value input = e.flat(arguments.operands[0]);
    Value sum = e.sumLanes(e.reduceColumns(
        rows, e.splat(0),
        [&](Value column, int64_t active, Value sum) {
          Value x = e.load(input, column, active);
          return e.add(sum, rounds ? e.rounded(x) : x);
        },
        [&](Value x, Value y) { return e.add(x, y); }));
    if (accumulate)
      sum = e.add(e.loadScalar(result, e.index(0)), sum);
    e.storeScalar(sum, result, e.index(0));
    return 1;
  }
  Value input = e.matrix(arguments.operands[0], rows, width);
  return forColumnBlock(e, arguments.workgroup, rows, width, 2, [&](ColumnBlock block) {
    for (auto [v, sum] : llvm::enumerate(sumRows(e, input, block, rounds))) {
      int64_t offset = int64_t(v) * e.lanes, active = std::min(e.lanes, block.length - offset);
      Value column = e.addIndex(block.begin, offset);
      if (accumulate)
        sum = e.add(e.load(result, column, active), sum);
      e.store(sum, result, column, active);
    }
  });
}

// Each workgroup owns columns of the table and goes through all rows, so that equal indices are
// added in ascending order whatever runs beside it.
FailureOr<int64_t> emitScatterAdd(OpBuilder &builder, kernel::ScatterAddOp op,
                                  const KernelArguments &arguments, const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  int64_t width = widthOf(op.getInput().getType()), rows = entriesOf(op.getIndices().getType());
  int64_t tableRows = int64_t(op.getRows());
  Value input = e.matrix(arguments.operands[0], rows, width);
  Value indices = e.flat(arguments.operands[1]);
  Value table = e.matrix(arguments.results[0], tableRows, width);
  bool accumulate = bool(op.getAccumulate());
  return forColumnBlock(
      e, arguments.workgroup, rowsOf(op.getInput().getType()), width, 4, [&](ColumnBlock block) {
        auto forEachVector = [&](llvm::function_ref<void(Value, int64_t)> body) {
          for (int64_t offset = 0; offset < block.length; offset += e.lanes)
            body(e.addIndex(block.begin, offset), std::min(e.lanes, block.length - offset));
        };
        if (!accumulate)
          e.loop(e.index(0), e.index(tableRows), 1, [&](Value row) {
            forEachVector([&](Value column, int64_t active) {
              e.store(e.splat(0), table, {row, column}, active);
            });
          });
        e.loop(e.index(0), e.index(rows), 1, [&](Value row) {
          Value to = e.toIndex(e.loadScalar(indices, row));
          forEachVector([&](Value column, int64_t active) {
            Value sum =
                e.add(e.load(table, {to, column}, active), e.load(input, {row, column}, active));
            e.store(sum, table, {to, column}, active);
          });
        });
      });
}

FailureOr<int64_t> emitSquaredNorm(OpBuilder &builder, kernel::SquaredNormOp op,
                                   const KernelArguments &arguments, const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  int64_t entries = entriesOf(op.getInput().getType());
  int64_t blocks = entriesOf(op.getResult().getType());
  // Stretches of whole cache lines.
  constexpr int64_t line = 16;
  int64_t length = ((entries + blocks - 1) / blocks + line - 1) / line * line;
  int64_t full = entries / length, tail = entries % length;
  Value input = e.flat(arguments.operands[0]), result = arguments.results[0];
  Value begin = e.mulIndex(arguments.workgroup, length);
  auto sum = [&](int64_t length) {
    Value squares = emitSquaredLength(e, length, [&](Value column, int64_t active) {
      return e.load(input, e.addIndex(begin, column), active);
    });
    e.storeScalar(squares, result, arguments.workgroup);
  };
  auto rest = [&] {
    Value isTail = e.compareInt(arith::CmpIPredicate::eq, arguments.workgroup, e.index(full));
    auto none = [&] { e.storeScalar(e.constant(0), result, arguments.workgroup); };
    if (tail > 0)
      e.ifThen(isTail, [&] { sum(tail); }, none);
    else
      none();
  };
  Value isFull = e.compareInt(arith::CmpIPredicate::slt, arguments.workgroup, e.index(full));
  e.ifThen(isFull, [&] { sum(length); }, rest);
  return blocks;
}

} // namespace memformer::host
