// Emitters of map, gather, pack, concat and slice: entries computed or moved one by one.

#include "codegen/nvptx/Emitters.h"
#include "codegen/nvptx/Region.h"

using namespace mlir;

namespace memformer::nvptx {

// None of the warps is without an entry.
static int64_t threadsFor(int64_t entries) {
  return std::clamp<int64_t>((entries + Emit::warp - 1) / Emit::warp, 1, 8) * Emit::warp;
}

// A few entries for each thread, neighbours to neighbours: `body(linear)`. Returns the grid.
static int64_t forEachEntry(Emit &e, int64_t entries, llvm::function_ref<void(Value)> body) {
  constexpr int64_t most = 4, enoughBlocks = 1024;
  const int64_t threads = threadsFor(entries);
  e.setThreads(threads);
  int64_t perThread = std::clamp<int64_t>(entries / (threads * enoughBlocks), 1, most);
  Value first = e.at(e.block(), threads * perThread, e.thread());
  for (int64_t i = 0; i < perThread; ++i) {
    Value linear = e.addIndex(first, i * threads);
    if (entries % (threads * perThread) == 0)
      body(linear);
    else
      e.ifThen(e.less(linear, entries), [&] { body(linear); });
  }
  return (entries + threads * perThread - 1) / (threads * perThread);
}

FailureOr<int64_t> emitMap(Emit &e, kernel::MapOp op, const KernelArguments &arguments) {
  int64_t entries = arguments.results[0].entries();
  ScalarRegion region(op.getBody(), arguments.operands, op.getIndexing(), entries);
  bool supported = true;
  auto body = [&](Value linear) {
    if (!supported)
      return;
    FailureOr<SmallVector<Value>> values = region.emit(e, {}, linear);
    supported = succeeded(values);
    if (supported)
      for (auto [value, result] : llvm::zip_equal(*values, arguments.results))
        e.store(value, result, linear);
  };
  int64_t grid = forEachEntry(e, entries, body);
  return supported ? FailureOr<int64_t>(grid) : FailureOr<int64_t>(failure());
}

FailureOr<int64_t> emitGather(Emit &e, kernel::GatherOp op, const KernelArguments &arguments) {
  const Buffer &indices = arguments.operands[0], &table = arguments.operands[1];
  int64_t width = table.width(), entries = indices.entries() * width;
  ScalarRegion region(op.getEpilogue(), ArrayRef<Buffer>(arguments.operands).drop_front(2),
                      op.getIndexing(), entries);
  bool supported = true;
  auto body = [&](Value linear) {
    if (!supported)
      return;
    Value row = e.load(indices, e.divIndex(linear, width));
    Value entry = e.load(table, e.at(row, width, e.remIndex(linear, width)));
    FailureOr<SmallVector<Value>> values = region.emit(e, entry, linear);
    supported = succeeded(values);
    if (supported)
      for (auto [value, result] : llvm::zip_equal(*values, arguments.results))
        e.store(value, result, linear);
  };
  int64_t grid = forEachEntry(e, entries, body);
  return supported ? FailureOr<int64_t>(grid) : FailureOr<int64_t>(failure());
}

FailureOr<int64_t> emitPack(Emit &e, kernel::PackOp op, const KernelArguments &arguments) {
  const Buffer &input = arguments.operands[0], &result = arguments.results[0];
  bool transposed = op.getTransposed(), inGroups = result.shape.size() == 4;
  int64_t depth = input.shape[transposed ? 1 : 0], n = input.shape[transposed ? 0 : 1];
  int64_t width = result.shape[2], step = inGroups ? result.shape[3] : 1, rows = result.shape[1];
  // In the order of the result: panel, row or group of rows, column, row of the group.
  return forEachEntry(e, result.entries(), [&](Value linear) {
    Value column = e.remIndex(e.divIndex(linear, step), width);
    Value row = e.divIndex(linear, step * width);
    Value panel = e.divIndex(row, rows);
    Value k = e.at(e.remIndex(row, rows), step, e.remIndex(linear, step));
    Value j = e.at(panel, width, column);
    Value inside = e.both(e.less(k, depth), e.less(j, n));
    Value place = transposed ? e.at(j, depth, k) : e.at(k, n, j);
    e.store(e.loadIf(inside, input, place, 0), result, linear);
  });
}

//===-- copies
//------------------------------------------------------------------------------------===//

// The dimensions from an axis on.
static int64_t entriesFrom(const Buffer &buffer, int64_t axis) {
  return ShapedType::getNumElements(ArrayRef<int64_t>(buffer.shape).drop_front(axis));
}

FailureOr<int64_t> emitConcat(Emit &e, kernel::ConcatOp op, const KernelArguments &arguments) {
  int64_t axis = int64_t(op.getAxis());
  const Buffer &lhs = arguments.operands[0], &rhs = arguments.operands[1];
  const Buffer &result = arguments.results[0];
  int64_t first = entriesFrom(lhs, axis), second = entriesFrom(rhs, axis);
  return forEachEntry(e, result.entries(), [&](Value linear) {
    Value row = e.divIndex(linear, first + second), column = e.remIndex(linear, first + second);
    Value isFirst = e.less(column, first);
    Value ofFirst = e.at(row, first, column),
          ofSecond = e.at(row, second, e.sub(column, e.index(first)));
    Type type = result.isNarrow() ? Type(e.b.getF32Type()) : result.element;
    Value x = e.choose(
        isFirst, type, [&] { return Emit::Carried{e.load(lhs, ofFirst)}; },
        [&] { return Emit::Carried{e.load(rhs, ofSecond)}; })[0];
    e.store(x, result, linear);
  });
}

FailureOr<int64_t> emitSlice(Emit &e, kernel::SliceOp op, const KernelArguments &arguments) {
  int64_t axis = int64_t(op.getAxis());
  const Buffer &input = arguments.operands[0], &result = arguments.results[0];
  int64_t from = entriesFrom(input, axis), to = entriesFrom(result, axis);
  int64_t inner = entriesFrom(input, axis + 1);
  Value offset = e.index(int64_t(op.getOffset()));
  if (op.getPosition())
    offset = e.addIndex(offset, e.load(arguments.operands[1], e.index(0)));
  offset = e.mulIndex(offset, inner);
  return forEachEntry(e, result.entries(), [&](Value linear) {
    Value row = e.divIndex(linear, to), column = e.remIndex(linear, to);
    e.store(e.load(input, e.at(row, from, e.addIndex(column, offset))), result, linear);
  });
}

} // namespace memformer::nvptx
