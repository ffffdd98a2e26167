// Panels of queries, blocks of keys, and products of the two.

#include "codegen/host/AttentionTiles.h"

#include "dialect/memformer/Random.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace memformer::host {

namespace {

// Keys of a block: its scores then lie in the first-level cache.
constexpr int64_t keysOfBlock = 128;
// Columns of a row of keys that are fetched ahead: more would fill the cache.
constexpr int64_t mostPrefetched = 64;
// Of a head. The gradient keeps five panels of so many rows in scratch.
constexpr int64_t maxWidth = 2048;

} // namespace

AttentionShape::AttentionShape(Value query, Value key, int64_t heads) : heads(heads) {
  ArrayRef<int64_t> q = cast<ShapedType>(query.getType()).getShape();
  batch = q[0];
  queries = q[1];
  width = q[2] / heads;
  keys = cast<ShapedType>(key.getType()).getShape()[1];
}

LogicalResult checkAttention(Operation *op, const AttentionShape &shape) {
  if (std::min({shape.batch, shape.queries, shape.keys, shape.width}) < 1)
    return op->emitOpError("expected at least one query, one key and one column in each head");
  if (shape.width > maxWidth)
    return op->emitOpError("expected heads of at most ")
           << maxWidth << " columns, but got " << shape.width;
  return success();
}

Matrix headOf(Emit &e, const AttentionShape &shape, Value tensor, int64_t length, Value batch,
              Value head) {
  Matrix all{e.flat(tensor), e.index(0), shape.rowStride(), 1};
  return all.from(e, e.mulIndex(batch, length), e.mulIndex(head, shape.width));
}

Value QueryPanel::query(Emit &e, Value lane) const {
  Value query = e.addIndex(first, lane);
  return length % pitch() ? e.minIndex(query, length - 1) : query;
}

Value QueryPanel::queries(Emit &e, int64_t v) const {
  Value all = e.add(e.broadcast(e.toInt(e.addIndex(first, v * e.lanes))), e.iota());
  if (length % pitch() == 0)
    return all;
  return arith::MinSIOp::create(e.b, e.loc, all, e.splatInt(int32_t(length - 1)));
}

Value QueryPanel::count(Emit &e) const {
  if (length % pitch() == 0)
    return e.index(pitch());
  return e.minIndex(distance(e, first, e.index(length)), pitch());
}

Value QueryPanel::load(Emit &e, Value scratch, Value row, int64_t v) const {
  return e.load(scratch, e.addIndex(e.mulIndex(row, pitch()), v * e.lanes));
}

void QueryPanel::store(Emit &e, Value vector, Value scratch, Value row, int64_t v) const {
  e.store(vector, scratch, e.addIndex(e.mulIndex(row, pitch()), v * e.lanes));
}

QueryPanels::QueryPanels(const HostTarget &target, int64_t length, int64_t vectors)
    : length(length),
      lanes{target.lanes, length > target.lanes ? vectors * target.lanes : target.lanes} {}

QueryPanel QueryPanels::panel(Emit &e, Value index) const {
  return {e.mulIndex(index, pitch()), length, lanes};
}

// A transposition is long code: a loop runs over the vectors of the panel too.
void loadTransposed(Emit &e, const AttentionShape &shape, const QueryPanel &panel,
                    const Matrix &rows, Value scratch, float factor) {
  e.loop(e.index(0), e.index(panel.pitch()), e.lanes, [&](Value lane) {
    e.columns(shape.width, [&](Value column, int64_t active) {
      SmallVector<Value> block;
      for (int64_t i = 0; i < e.lanes; ++i)
        block.push_back(rows.load(e, panel.query(e, e.addIndex(lane, i)), column, active));
      e.transpose(block);
      for (int64_t c = 0; c < active; ++c) {
        Value entry = factor == 1 ? block[c] : e.mul(block[c], e.splat(factor));
        Value row = e.mulIndex(e.addIndex(column, c), panel.pitch());
        e.store(entry, scratch, e.addIndex(row, lane));
      }
    });
  });
}

void storeTransposed(Emit &e, const AttentionShape &shape, const QueryPanel &panel, Value scratch,
                     const Matrix &rows) {
  e.loop(e.index(0), e.index(panel.pitch()), e.lanes, [&](Value lane) {
    e.columns(shape.width, [&](Value column, int64_t active) {
      SmallVector<Value> block(e.lanes, e.splat(0));
      for (int64_t c = 0; c < active; ++c) {
        Value row = e.mulIndex(e.addIndex(column, c), panel.pitch());
        block[c] = e.load(scratch, e.addIndex(row, lane));
      }
      e.transpose(block);
      for (int64_t i = 0; i < e.lanes; ++i)
        rows.store(e, block[i], panel.query(e, e.addIndex(lane, i)), column, active);
    });
  });
}

void multiplyLanes(Emit &e, const AttentionShape &shape, const QueryPanel &panel,
                   ArrayRef<Value> factors, Value source, Value target) {
  e.loop(e.index(0), e.index(shape.width), 1, [&](Value c) {
    for (int64_t v = 0; v < panel.vectors(); ++v)
      panel.store(e, e.mul(panel.load(e, source, c, v), factors[v]), target, c, v);
  });
}

// Where the entries of a head begin in [B, H, Lq].
static Value firstLog(Emit &e, const AttentionShape &shape, Value batch, Value head) {
  return e.mulIndex(e.addIndex(e.mulIndex(batch, shape.heads), head), shape.queries);
}

SmallVector<Value> loadLogs(Emit &e, const AttentionShape &shape, const QueryPanel &panel,
                            Value lse, Value batch, Value head, Value scratch) {
  Value logs = e.flat(lse), begin = firstLog(e, shape, batch, head);
  e.loop(e.index(0), e.index(panel.pitch()), 1, [&](Value lane) {
    Value from = e.addIndex(begin, panel.query(e, lane));
    e.storeScalar(e.loadScalar(logs, from), scratch, lane);
  });
  SmallVector<Value> values;
  for (int64_t v = 0; v < panel.vectors(); ++v)
    values.push_back(e.load(scratch, e.index(v * e.lanes)));
  return values;
}

void storeLogs(Emit &e, const AttentionShape &shape, const QueryPanel &panel, Value lse,
               Value batch, Value head, Value scratch, ArrayRef<Value> values) {
  for (auto [v, value] : llvm::enumerate(values))
    e.store(value, scratch, e.index(int64_t(v) * e.lanes));
  Value logs = e.flat(lse), begin = firstLog(e, shape, batch, head);
  e.loop(e.index(0), e.index(panel.pitch()), 1, [&](Value lane) {
    Value to = e.addIndex(begin, panel.query(e, lane));
    e.storeScalar(e.loadScalar(scratch, lane), logs, to);
  });
}

KeyBlocks::KeyBlocks(const HostTarget &target, int64_t keys, int64_t vectors)
    : keys(keys), tiles(RowTiles::even(keys, tileRows(target, vectors))),
      tilesPerBlock(std::clamp<int64_t>(keysOfBlock / tiles.size, 1, tiles.count)) {}

Value KeyBlocks::end(Emit &e, const QueryPanel &panel, bool causal) const {
  if (!causal)
    return e.index(tiles.count);
  // The first key of tile t is at least t · size.
  Value last = e.addIndex(panel.query(e, e.index(panel.pitch() - 1)), keys - panel.length);
  return e.minIndex(e.addIndex(e.divIndex(last, tiles.size), 1), tiles.count);
}

Emit::Carried
KeyBlocks::forEach(Emit &e, const QueryPanel &panel, bool causal, ValueRange init,
                   function_ref<Emit::Carried(Value, Value, Value, Value, ValueRange)> body) const {
  Value end = this->end(e, panel, causal);
  auto block = [&](Value begin, ValueRange carried) {
    Value next = e.addIndex(begin, tilesPerBlock);
    if (count() == 1)
      next = end;
    else
      next = arith::MinSIOp::create(e.b, e.loc, next, end);
    Value firstKey = tiles.firstRow(e, begin);
    return body(begin, next, firstKey, distance(e, firstKey, tiles.firstRow(e, next)), carried);
  };
  if (count() == 1)
    return block(e.index(0), init);
  return e.loop(e.index(0), end, tilesPerBlock, init, block);
}

// Scores that are computed, those of lanes without a query and of masked keys included.
static int64_t scoresOf(const HostTarget &target, int64_t vectors, const AttentionShape &shape,
                        bool causal) {
  int64_t pitch = QueryPanels(target, shape.queries, vectors).pitch(), scores = 0;
  RowTiles tiles = RowTiles::even(shape.keys, tileRows(target, vectors));
  for (int64_t first = 0; first < shape.queries; first += pitch) {
    int64_t last = std::min(first + pitch, shape.queries) - 1 + shape.before();
    int64_t seen = causal ? std::min(last / tiles.size + 1, tiles.count) : tiles.count;
    scores += pitch * (seen * tiles.size + std::min(seen, tiles.large));
  }
  return scores;
}

PanelVectors choosePanels(const HostTarget &target, const AttentionShape &shape, bool causal) {
  PanelVectors best{target.lanes, 2};
  if (target.unitLanes == target.lanes)
    return best;
  // Where narrow vectors cost half as much there can be fewer lanes without a query: seven vectors
  // and three rows of keys fill the registers, four and six mask less. Speeds as measured, relative
  // to two wide vectors and fourteen rows.
  struct Candidate {
    int64_t vectors;
    double speed;
  };
  HostTarget narrow = target;
  narrow.lanes = target.unitLanes;
  double least = double(scoresOf(target, best.vectors, shape, causal));
  for (Candidate candidate : {Candidate{7, 0.98}, Candidate{4, 0.97}}) {
    double cost = double(scoresOf(narrow, candidate.vectors, shape, causal)) / candidate.speed;
    if (cost < least) {
      least = cost;
      best = {narrow.lanes, candidate.vectors};
    }
  }
  return best;
}

// The lines of rows that lie apart, which no CPU fetches by itself in time.
static void prefetchRows(Emit &e, const Matrix &matrix, Value first, int64_t rows, int64_t width) {
  constexpr int64_t line = 16;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t column = 0; column < width; column += line)
      e.prefetch(matrix.buffer, matrix.from(e, e.addIndex(first, i), e.index(column)).offset);
}

void emitScores(Emit &e, const AttentionShape &shape, const QueryPanel &panel,
                const KeyBlocks &blocks, Value firstTile, Value lastTile, Value firstKey,
                const Matrix &keys, Value transposed, Value scores) {
  Matrix queries{transposed, e.index(0), panel.pitch(), 1};
  int64_t vectors = panel.vectors();
  blocks.tiles.forEach(e, firstTile, lastTile, [&](Value, Value key, int64_t rows) {
    prefetchRows(e, keys, e.addIndex(key, rows), rows, std::min(shape.width, mostPrefetched));
    SmallVector<Value> sums = emitTile(e, rows, panel.lanes, keys.from(e, key, e.index(0)), queries,
                                       e.index(shape.width), panel.lanes.columns);
    Value to = distance(e, firstKey, key);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t v = 0; v < vectors; ++v)
        panel.store(e, sums[i * vectors + v], scores, e.addIndex(to, i), v);
  });
}

SmallVector<Value> emitLaneProducts(Emit &e, const AttentionShape &shape, const QueryPanel &panel,
                                    Value x, Value y) {
  SmallVector<Value> zeros(panel.vectors(), e.splat(0));
  return e.loop(e.index(0), e.index(shape.width), 1, zeros, [&](Value c, ValueRange sums) {
    Emit::Carried next;
    for (int64_t v = 0; v < panel.vectors(); ++v)
      next.push_back(e.fma(panel.load(e, x, c, v), panel.load(e, y, c, v), sums[v]));
    return next;
  });
}

Value emitVisible(Emit &e, const AttentionShape &shape, const QueryPanel &panel, int64_t v,
                  Value key) {
  Value queries = panel.queries(e, v);
  if (int64_t before = shape.before())
    queries = e.add(queries, e.splatInt(int32_t(before)));
  return e.compareInt(arith::CmpIPredicate::sle, e.broadcast(e.toInt(key)), queries);
}

void emitAddToPanel(Emit &e, const AttentionShape &shape, const QueryPanel &panel, const Matrix &a,
                    const Matrix &weights, Value depth, Value target) {
  int64_t vectors = panel.vectors();
  RowTiles tiles = RowTiles::even(shape.width, tileRows(e.target, vectors));
  tiles.forEach(e, e.index(0), e.index(tiles.count), [&](Value, Value c, int64_t count) {
    SmallVector<Value> added = emitTile(e, count, panel.lanes, a.from(e, c, e.index(0)), weights,
                                        depth, panel.lanes.columns);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t v = 0; v < vectors; ++v) {
        Value at = e.addIndex(c, i);
        panel.store(e, e.add(panel.load(e, target, at, v), added[i * vectors + v]), target, at, v);
      }
  });
}

void forEachStrip(Emit &e, const AttentionShape &shape, int64_t pitch,
                  function_ref<void(Value, const Strip &)> body) {
  int64_t whole = shape.width / pitch * pitch;
  if (whole)
    e.loop(e.index(0), e.index(whole), pitch,
           [&](Value column) { body(column, Strip{e.lanes, pitch}); });
  if (whole < shape.width)
    body(e.index(whole), Strip{e.lanes, shape.width - whole});
}

void emitAddTile(Emit &e, int64_t rows, const Strip &strip, const Matrix &a, const Matrix &b,
                 Value depth, const Matrix &target, Value row, Value column) {
  int64_t vectors = strip.vectors();
  SmallVector<Value> added = emitTile(e, rows, strip, a, b, depth, strip.columns);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t v = 0; v < vectors; ++v) {
      Value to = e.addIndex(row, i), at = e.addIndex(column, v * e.lanes);
      Value old = target.load(e, to, at, strip.active(v));
      target.store(e, e.add(old, added[i * vectors + v]), to, at, strip.active(v));
    }
}

ProbabilityDropout::ProbabilityDropout(Emit &e, const AttentionShape &shape, Value key,
                                       double probability)
    : shape(shape), probability(probability) {
  if (probability <= 0)
    return;
  key0 = e.broadcast(e.loadScalar(key, e.index(0)));
  key1 = e.broadcast(e.loadScalar(key, e.index(1)));
}

void ProbabilityDropout::begin(Emit &e, const QueryPanel &panel, Value batch, Value head) {
  if (probability <= 0)
    return;
  firstEntries.clear();
  Value row = e.addIndex(e.mulIndex(batch, shape.heads), head);
  Value first = e.broadcast(e.toInt(e.mulIndex(row, shape.queries)));
  for (int64_t v = 0; v < panel.vectors(); ++v) {
    Value rows = e.add(first, panel.queries(e, v));
    firstEntries.push_back(e.mul(rows, e.splatInt(int32_t(shape.keys))));
  }
}

Value ProbabilityDropout::keep(Emit &e, int64_t v, Value key) {
  Value entry = e.add(firstEntries[v], e.broadcast(e.toInt(key)));
  // The key is that of the op's stream, as stream 0 has it.
  return buildKeep(e.b, e.loc, entry, key0, key1, 0, probability);
}

float ProbabilityDropout::scale() const { return float(keepScale(probability)); }

} // namespace memformer::host
