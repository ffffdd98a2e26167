// Scores by distance: products with rows of a table, moved lane by lane to the keys.

#include "codegen/host/RelativeScores.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace memformer::host {

RelativeScores::RelativeScores(Emit &e, const AttentionShape &shape, const QueryPanels &panels,
                               const KeyBlocks &blocks)
    : e(e), shape(shape), panels(panels),
      tile(std::min(tileRows(e.target, panels.vectors()), shape.keys)),
      bits(int64_t(llvm::Log2_64_Ceil(uint64_t(panels.pitch())))),
      front(std::max(tile, int64_t(1) << bits)) {
  packed = e.scratch({shape.width * panels.pitch()});
  sums = e.scratch({shape.width * panels.pitch()});
  // The last tile of rows may reach beyond them.
  int64_t most = front + blocks.rows() + (int64_t(1) << bits) + tile;
  distances = e.scratch({most * panels.pitch()});
}

void RelativeScores::begin(const QueryPanel &ofPanel, const Matrix &rows, const Matrix &keys,
                           float factor) {
  panel = ofPanel;
  relativeQuery = rows;
  relativeKey = keys;
  loadTransposed(e, shape, panel, rows, packed, factor);
  moves.clear();
  Value last = e.broadcast(e.toInt(e.addIndex(e.addIndex(panel.first, panel.count(e)), -1)));
  for (int64_t v = 0; v < panel.vectors(); ++v)
    moves.push_back(e.sub(last, panel.queries(e, v)));
}

RelativeScores::Rows RelativeScores::rowsOf(Value firstKey, Value keys) {
  // That of the panel's last query: j + Lq − 1 − i.
  Value count = panel.count(e);
  Value first = distance(e, e.addIndex(panel.first, count), e.addIndex(firstKey, shape.queries));
  // Keys that no query of the panel sees have no row.
  Value needed = e.addIndex(e.addIndex(keys, count), -1);
  Value there = distance(e, first, e.index(shape.keys));
  return {first, arith::MinSIOp::create(e.b, e.loc, needed, there)};
}

Value RelativeScores::hasBit(int64_t v, int64_t bit) {
  Value masked = arith::AndIOp::create(e.b, e.loc, moves[v], e.splatInt(int32_t(1) << bit));
  return e.compareInt(arith::CmpIPredicate::ne, masked, e.splatInt(0));
}

void RelativeScores::add(Value firstKey, Value keys, Value scores) {
  Rows rows = rowsOf(firstKey, keys);
  Matrix queries{packed, e.index(0), panel.pitch(), 1};
  int64_t vectors = panel.vectors();
  // The last tile may begin earlier, and compute rows again, rather than be a smaller one.
  e.loop(e.index(0), rows.count, tile, [&](Value row) {
    Value from = e.minIndex(e.addIndex(rows.first, row), shape.keys - tile);
    SmallVector<Value> products =
        emitTile(e, tile, panel.lanes, relativeKey.from(e, from, e.index(0)), queries,
                 e.index(shape.width), panel.lanes.columns);
    // Rows in front of the first are as good as any.
    Value to = place(distance(e, rows.first, from));
    for (int64_t i = 0; i < tile; ++i)
      for (int64_t v = 0; v < vectors; ++v)
        panel.store(e, products[i * vectors + v], distances, e.addIndex(to, i), v);
  });
  // Entry (t, lane) ← entry (t + move of the lane, lane), where moves are below 2^bits.
  for (int64_t bit = bits - 1; bit >= 0; --bit) {
    int64_t step = int64_t(1) << bit;
    e.loop(e.index(0), e.addIndex(keys, step - 1), 1, [&](Value t) {
      for (int64_t v = 0; v < vectors; ++v) {
        Value here = panel.load(e, distances, place(t), v);
        Value there = panel.load(e, distances, place(e.addIndex(t, step)), v);
        Value moved = e.select(hasBit(v, bit), there, here);
        if (bit > 0)
          panel.store(e, moved, distances, place(t), v);
        else
          panel.store(e, e.add(panel.load(e, scores, t, v), moved), scores, t, v);
      }
    });
  }
}

void RelativeScores::beginGradient() {
  e.loop(e.index(0), e.index(shape.width), 1, [&](Value c) {
    for (int64_t v = 0; v < panel.vectors(); ++v)
      panel.store(e, e.splat(0), sums, c, v);
  });
}

void RelativeScores::addGradient(Value firstKey, Value keys, Value scoreGradients,
                                 const Matrix &keyGradient) {
  Rows rows = rowsOf(firstKey, keys);
  int64_t vectors = panel.vectors(), most = (int64_t(1) << bits) - 1;
  auto fill = [&](Value first, Value last, llvm::function_ref<Value(Value, int64_t)> entry) {
    e.loop(first, last, 1, [&](Value t) {
      for (int64_t v = 0; v < vectors; ++v)
        panel.store(e, entry(t, v), distances, t, v);
    });
  };
  auto none = [&](Value, int64_t) { return e.splat(0); };
  Value begin = e.index(front), end = place(keys);
  fill(e.index(front - most), begin, none);
  fill(begin, end,
       [&](Value t, int64_t v) { return panel.load(e, scoreGradients, distance(e, begin, t), v); });
  fill(end, e.addIndex(end, most), none);
  // Back: entry (t, lane) ← entry (t − move of the lane, lane), from the last row on.
  Value last = e.addIndex(e.addIndex(end, most), -1);
  for (int64_t bit = 0; bit < bits; ++bit) {
    int64_t step = int64_t(1) << bit;
    e.loop(e.index(0), e.addIndex(keys, most), 1, [&](Value number) {
      Value t = distance(e, number, last);
      for (int64_t v = 0; v < vectors; ++v) {
        Value here = panel.load(e, distances, t, v);
        Value there = panel.load(e, distances, e.addIndex(t, -step), v);
        panel.store(e, e.select(hasBit(v, bit), there, here), distances, t, v);
      }
    });
  }

  // dp[c, i] += Σ over the rows of r of r[e, c] · dS[e, i], queries in lanes.
  Matrix weights{distances, e.mulIndex(begin, panel.pitch()), panel.pitch(), 1};
  Matrix own = relativeKey.from(e, rows.first, e.index(0));
  Matrix transposed{own.buffer, own.offset, own.columnStride, own.rowStride};
  emitAddToPanel(e, shape, panel, transposed, weights, rows.count, sums);

  // dr[e, c] += Σ over the panel's queries of dS[e, i] · p[i, c], columns in lanes.
  Matrix b = relativeQuery.from(e, panel.first, e.index(0));
  Matrix target = keyGradient.from(e, rows.first, e.index(0));
  Value whole = e.mulIndex(e.divIndex(rows.count, tile), tile);
  forEachStrip(e, shape, panel.pitch(), [&](Value column, const Strip &strip) {
    auto add = [&](Value row, int64_t count) {
      Matrix a{distances, e.mulIndex(place(row), panel.pitch()), panel.pitch(), 1};
      emitAddTile(e, count, strip, a, b.from(e, e.index(0), column), panel.count(e), target, row,
                  column);
    };
    e.loop(e.index(0), whole, tile, [&](Value row) { add(row, tile); });
    if (tile > 1)
      e.loop(whole, rows.count, 1, [&](Value row) { add(row, 1); });
  });
}

void RelativeScores::finishGradient(const Matrix &queryGradient) {
  storeTransposed(e, shape, panel, sums, queryGradient);
}

} // namespace memformer::host
