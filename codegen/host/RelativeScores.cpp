// Scores by distance: products with rows of a table by query, transposed where queries are in
// lanes.

#include "codegen/host/RelativeScores.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace memformer::host {

namespace {

Value larger(Emit &e, Value x, Value y) { return arith::MaxSIOp::create(e.b, e.loc, x, y); }

} // namespace

RelativeScores::RelativeScores(Emit &e, const AttentionShape &shape, const QueryPanels &panels,
                               const KeyBlocks &blocks, bool gradient)
    : e(e), shape(shape), panels(panels), blocks(blocks), strip{e.lanes, 2 * e.lanes},
      tiles(RowTiles::even(panels.pitch(), tileRows(e.target, strip.vectors()))),
      front(int64_t(llvm::alignTo(uint64_t(panels.pitch()), uint64_t(strip.columns)))),
      // Whole strips, and a vector that reaches beyond them.
      pitch(front + int64_t(llvm::alignTo(uint64_t(blocks.rows()), uint64_t(strip.columns))) +
            e.lanes) {
  relativeQuery = e.scratch({panels.pitch() * shape.width});
  products = e.scratch({panels.pitch() * pitch});
  packed = e.scratch({shape.width * strip.columns});
  if (!gradient)
    return;
  sums = e.scratch({panels.pitch() * shape.width});
  gradients = e.scratch({panels.pitch() * pitch});
}

void RelativeScores::begin(const QueryPanel &ofPanel, const Matrix &queries, const Matrix &keys,
                           float factor) {
  panel = ofPanel;
  relativeKey = keys;
  Matrix rows = ofWidth(relativeQuery);
  e.loop(e.index(0), e.index(panel.pitch()), 1, [&](Value lane) {
    e.columns(shape.width, [&](Value column, int64_t active) {
      Value p = queries.load(e, panel.query(e, lane), column, active);
      rows.store(e, factor == 1 ? p : e.mul(p, e.splat(factor)), lane, column, active);
    });
  });
}

Value RelativeScores::firstRow(Value firstKey) {
  return distance(e, e.addIndex(panel.first, front), e.addIndex(firstKey, shape.queries - 1));
}

// `body(first key, first query, places)`, the places being those of vectors of keys, by query.
void RelativeScores::forEachSquare(Value keys,
                                   function_ref<void(Value, Value, ArrayRef<Value>)> body) {
  Value last = e.addIndex(panel.count(e), -1);
  e.loop(e.index(0), keys, e.lanes, [&](Value key) {
    // A transposition is long code: the vectors of the panel are a loop.
    e.loop(e.index(0), e.index(panel.pitch()), e.lanes, [&](Value lane) {
      SmallVector<Value> places;
      for (int64_t i = 0; i < e.lanes; ++i) {
        Value query = e.addIndex(lane, i);
        if (panel.length % panel.pitch())
          query = arith::MinSIOp::create(e.b, e.loc, query, last);
        places.push_back(e.addIndex(e.addIndex(e.mulIndex(query, pitch - 1), key), front));
      }
      body(key, lane, places);
    });
  });
}

// Columns [0, front) ← those from `keys` on: what the next block finds in front of its own.
void RelativeScores::advance(Value keys, Value scratch) {
  Matrix rows = ofColumns(scratch);
  e.loop(e.index(0), panel.count(e), 1, [&](Value query) {
    e.loop(e.index(0), e.index(front), e.lanes, [&](Value column) {
      Value moved = rows.load(e, query, e.addIndex(keys, column), e.lanes);
      rows.store(e, moved, query, column, e.lanes);
    });
  });
}

void RelativeScores::add(Value firstKey, Value keys, Value scores) {
  Value zero = e.index(0), row = firstRow(firstKey), begin = zero;
  if (blocks.count() > 1) {
    Value isFirst = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq, firstKey, zero);
    begin = arith::SelectOp::create(e.b, e.loc, isFirst, zero, e.index(front));
  }
  Matrix queries = ofWidth(relativeQuery), to = ofColumns(products);
  Matrix rows{packed, zero, strip.columns, 1};
  e.loop(begin, e.addIndex(keys, front), strip.columns, [&](Value first) {
    e.loop(zero, e.index(strip.columns), e.lanes, [&](Value number) {
      Value wanted = e.addIndex(e.addIndex(row, first), number);
      e.columns(shape.width, [&](Value column, int64_t active) {
        SmallVector<Value> square;
        for (int64_t i = 0; i < e.lanes; ++i) {
          // Where there is no row any one will do: no query sees a key of it.
          Value there = e.minIndex(larger(e, e.addIndex(wanted, i), zero), shape.keys - 1);
          square.push_back(relativeKey.load(e, there, column, active));
        }
        e.transpose(square);
        for (int64_t c = 0; c < active; ++c)
          rows.store(e, square[c], e.addIndex(column, c), number, e.lanes);
      });
    });
    tiles.forEach(e, zero, e.index(tiles.count), [&](Value, Value query, int64_t count) {
      SmallVector<Value> tile = emitTile(e, count, strip, queries.from(e, query, zero), rows,
                                         e.index(shape.width), strip.columns);
      for (int64_t i = 0; i < count; ++i)
        for (int64_t v = 0; v < strip.vectors(); ++v)
          to.store(e, tile[i * strip.vectors() + v], e.addIndex(query, i),
                   e.addIndex(first, v * e.lanes), e.lanes);
    });
  });
  forEachSquare(keys, [&](Value key, Value lane, ArrayRef<Value> places) {
    SmallVector<Value> square;
    for (Value place : places)
      square.push_back(e.load(products, place));
    e.transpose(square);
    for (int64_t i = 0; i < e.lanes; ++i) {
      Value at = e.addIndex(e.mulIndex(e.addIndex(key, i), panel.pitch()), lane);
      e.store(e.add(e.load(scores, at), square[i]), scores, at);
    }
  });
  if (blocks.count() > 1)
    advance(keys, products);
}

// Zeros in columns [begin, end) of all queries, and perhaps in some after them.
void RelativeScores::clear(Value scratch, Value begin, Value end) {
  Matrix rows = ofColumns(scratch);
  e.loop(e.index(0), panel.count(e), 1, [&](Value query) {
    e.loop(begin, end, e.lanes,
           [&](Value column) { rows.store(e, e.splat(0), query, column, e.lanes); });
  });
}

void RelativeScores::beginGradient() {
  clear(gradients, e.index(0), e.index(front));
  e.loop(e.index(0), e.index(panel.pitch()), 1, [&](Value lane) {
    e.columns(shape.width, [&](Value column, int64_t active) {
      ofWidth(sums).store(e, e.splat(0), lane, column, active);
    });
  });
}

void RelativeScores::addGradient(Value firstKey, Value keys, Value scoreGradients,
                                 const Matrix &keyGradient) {
  // The last query's keys reach to column front + keys, those of others end before.
  clear(gradients, larger(e, keys, e.index(front)), e.addIndex(keys, front));
  Value whole = e.mulIndex(e.divIndex(e.addIndex(keys, e.lanes - 1), e.lanes), e.lanes);
  e.loop(keys, whole, 1, [&](Value key) {
    for (int64_t v = 0; v < panel.vectors(); ++v)
      panel.store(e, e.splat(0), scoreGradients, key, v);
  });
  forEachSquare(keys, [&](Value key, Value lane, ArrayRef<Value> places) {
    SmallVector<Value> square;
    for (int64_t i = 0; i < e.lanes; ++i)
      square.push_back(
          e.load(scoreGradients, e.addIndex(e.mulIndex(e.addIndex(key, i), panel.pitch()), lane)));
    e.transpose(square);
    for (auto [entries, place] : llvm::zip_equal(square, places))
      e.store(entries, gradients, place);
  });
  // To the columns that are left behind no other key adds.
  addColumns(firstRow(firstKey), keys, keyGradient);
  advance(keys, gradients);
}

void RelativeScores::addColumns(Value row, Value columns, const Matrix &keyGradient) {
  Value zero = e.index(0), begin = larger(e, distance(e, row, zero), zero);
  Value end = arith::MinSIOp::create(e.b, e.loc, columns, distance(e, row, e.index(shape.keys)));
  Value count = larger(e, distance(e, begin, end), zero);
  row = e.addIndex(row, begin);
  Matrix columnsOfGradient = ofColumns(gradients).from(e, zero, begin);
  Matrix relative = relativeKey.from(e, row, zero), target = keyGradient.from(e, row, zero);
  forEachStrip(e, shape, strip.columns, [&](Value column, const Strip &strip) {
    // dp[i, c] += Σ over columns of dS[i, column] · r[column, c].
    tiles.forEach(e, zero, e.index(tiles.count), [&](Value, Value query, int64_t queries) {
      emitAddTile(e, queries, strip, columnsOfGradient.from(e, query, zero),
                  relative.from(e, zero, column), count, ofWidth(sums), query, column);
    });
    // dr[column, c] += Σ over queries of dS[i, column] · p[i, c].
    Matrix transposed{columnsOfGradient.buffer, columnsOfGradient.offset, 1, pitch};
    Matrix queries = ofWidth(relativeQuery).from(e, zero, column);
    Value done = zero;
    for (int64_t rows : {tileRows(e.target, strip.vectors()), int64_t(4), int64_t(1)}) {
      Value tilesEnd =
          e.addIndex(done, e.mulIndex(e.divIndex(distance(e, done, count), rows), rows));
      e.loop(done, tilesEnd, rows, [&](Value first) {
        emitAddTile(e, rows, strip, transposed.from(e, first, zero), queries, panel.count(e),
                    target, first, column);
      });
      done = tilesEnd;
    }
  });
}

void RelativeScores::finishGradient(Value end, const Matrix &queryGradient,
                                    const Matrix &keyGradient) {
  addColumns(firstRow(end), e.index(front), keyGradient);
  e.loop(e.index(0), panel.count(e), 1, [&](Value lane) {
    e.columns(shape.width, [&](Value column, int64_t active) {
      Value sum = ofWidth(sums).load(e, lane, column, active);
      queryGradient.store(e, sum, e.addIndex(panel.first, lane), column, active);
    });
  });
}

} // namespace memformer::host
