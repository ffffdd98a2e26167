// The register tile: outer products of broadcast entries of A and vectors of B.

#include "codegen/host/TileGemm.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include <algorithm>

using namespace mlir;

namespace memformer::host {

Matrix Matrix::from(Emit &e, Value row, Value column) const {
  Matrix result = *this;
  result.offset =
      e.addIndex(e.addIndex(offset, e.mulIndex(row, rowStride)), e.mulIndex(column, columnStride));
  return result;
}

Value Matrix::load(Emit &e, Value row, Value column, int64_t active) const {
  return e.load(buffer, from(e, row, column).offset, active);
}

void Matrix::store(Emit &e, Value vector, Value row, Value column, int64_t active) const {
  e.store(vector, buffer, from(e, row, column).offset, active);
}

Value distance(Emit &e, Value from, Value to) {
  std::optional<int64_t> first = getConstantIntValue(from), last = getConstantIntValue(to);
  if (first && last)
    return e.index(*last - *first);
  if (first && *first == 0)
    return to;
  return arith::SubIOp::create(e.b, e.loc, to, from);
}

int64_t tileRows(const HostTarget &target, int64_t vectors) {
  // Beyond 14 rows nothing is gained: 14 independent chains hide the latency of an fma on any CPU.
  int64_t rows = (target.vectorRegisters - 1 - vectors) / vectors;
  return std::clamp<int64_t>(rows, 1, 14);
}

RowTiles::RowTiles(int64_t rows, int64_t most)
    : count((rows + most - 1) / most), size(rows / count), large(rows % count) {}

RowTiles RowTiles::even(int64_t rows, int64_t most) {
  for (int64_t size = most; size >= (most + 1) / 2 + 1; --size)
    if (rows % size == 0)
      return RowTiles(rows, size);
  return RowTiles(rows, most);
}

Value RowTiles::firstRow(Emit &e, Value tile) const {
  Value row = e.mulIndex(tile, size);
  return large ? e.addIndex(row, e.minIndex(tile, large)) : row;
}

void RowTiles::forEachSize(Emit &e, Value begin, Value end,
                           function_ref<void(Value, Value, int64_t)> body) const {
  if (large) {
    body(begin, e.minIndex(end, large), size + 1);
    begin = arith::MaxUIOp::create(e.b, e.loc, begin, e.index(large));
  }
  body(begin, end, size);
}

void RowTiles::forEach(Emit &e, Value begin, Value end,
                       function_ref<void(Value, Value, int64_t)> body) const {
  forEachSize(e, begin, end, [&](Value first, Value last, int64_t rows) {
    e.loop(first, last, 1, [&](Value tile) {
      body(tile, rows == size ? firstRow(e, tile) : e.mulIndex(tile, rows), rows);
    });
  });
}

// Fetches what belongs to `steps` values of k.
static void emitPrefetch(Emit &e, const Prefetch &fetched, Value k, int64_t steps) {
  constexpr int64_t line = 16;
  Value from = e.addIndex(fetched.offset, e.mulIndex(k, fetched.stride));
  if (fetched.stride == fetched.entries) {
    for (int64_t entry = 0; entry < steps * fetched.entries; entry += line)
      e.prefetch(fetched.buffer, e.addIndex(from, entry));
    return;
  }
  for (int64_t step = 0; step < steps; ++step) {
    Value row = e.addIndex(from, step * fetched.stride);
    for (int64_t entry = 0; entry < fetched.entries; entry += line)
      e.prefetch(fetched.buffer, e.addIndex(row, entry));
    if (fetched.entries % line != 0)
      e.prefetch(fetched.buffer, e.addIndex(row, fetched.entries - 1));
  }
}

SmallVector<Value> emitTile(Emit &e, int64_t rows, const Strip &strip, const Matrix &a,
                            const Matrix &b, Value depth, int64_t loaded,
                            ArrayRef<Prefetch> ahead) {
  constexpr int64_t unroll = 4;
  const int64_t vectors = strip.vectors();

  auto step = [&](Value k, int64_t later, MutableArrayRef<Value> sums) {
    Value rowOfB = e.addIndex(b.offset, e.mulIndex(k, b.rowStride));
    SmallVector<Value> columns;
    for (int64_t v = 0; v < vectors; ++v)
      columns.push_back(e.load(b.buffer, e.addIndex(rowOfB, later * b.rowStride + v * e.lanes),
                               std::min(e.lanes, loaded - v * e.lanes)));
    Value columnOfA = e.addIndex(a.offset, e.mulIndex(k, a.columnStride));
    for (int64_t i = 0; i < rows; ++i) {
      Value entry =
          e.loadScalar(a.buffer, e.addIndex(columnOfA, later * a.columnStride + i * a.rowStride));
      Value repeated = e.broadcast(entry);
      for (int64_t v = 0; v < vectors; ++v)
        sums[i * vectors + v] = e.fma(repeated, columns[v], sums[i * vectors + v]);
    }
  };

  SmallVector<Value> sums(rows * vectors, e.splat(0));
  std::optional<int64_t> known = getConstantIntValue(depth);
  Value unrolled =
      known ? e.index(*known / unroll * unroll) : e.mulIndex(e.divIndex(depth, unroll), unroll);
  if (!known || *known >= unroll)
    sums = e.loop(e.index(0), unrolled, unroll, sums, [&](Value k, ValueRange carried) {
      for (const Prefetch &fetched : ahead)
        emitPrefetch(e, fetched, k, unroll);
      SmallVector<Value> sums(carried);
      for (int64_t later = 0; later < unroll; ++later)
        step(k, later, sums);
      return sums;
    });
  if (known) {
    for (int64_t later = 0; later < *known % unroll; ++later)
      step(unrolled, later, sums);
    return sums;
  }
  return e.loop(unrolled, depth, 1, sums, [&](Value k, ValueRange carried) {
    SmallVector<Value> next(carried);
    step(k, 0, next);
    return next;
  });
}

} // namespace memformer::host
