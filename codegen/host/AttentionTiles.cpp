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

Value QueryPanel::load(Emit &e, Value scratch, Value row, int64_t v) const {
  return e.load(scratch, e.addIndex(e.mulIndex(row, pitch), v * e.lanes));
}

void QueryPanel::store(Emit &e, Value vector, Value scratch, Value row, int64_t v) const {
  e.store(vector, scratch, e.addIndex(e.mulIndex(row, pitch), v * e.lanes));
}

QueryPanels::QueryPanels(const HostTarget &target, int64_t queries)
    : full{target.lanes, 2 * target.lanes}, fullPanels(queries / full.columns),
      tail(queries % full.columns) {}

int64_t QueryPanels::pitch() const {
  return (fullPanels ? full : Strip{full.lanes, tail}).vectors() * full.lanes;
}

void QueryPanels::forEach(Emit &e, Value begin, Value end,
                          function_ref<void(const QueryPanel &)> body) const {
  e.loop(begin, e.minIndex(end, fullPanels), 1,
         [&](Value panel) { body({e.mulIndex(panel, full.columns), full, pitch()}); });
  if (!tail)
    return;
  Value last = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq, end, e.index(count()));
  e.ifThen(last,
           [&] { body({e.index(fullPanels * full.columns), Strip{full.lanes, tail}, pitch()}); });
}

void loadTransposed(Emit &e, const AttentionShape &shape, const QueryPanel &panel,
                    const Matrix &rows, Value scratch, float factor) {
  for (int64_t v = 0; v < panel.vectors(); ++v) {
    int64_t real = panel.queries.active(v);
    e.columns(shape.width, [&](Value column, int64_t active) {
      SmallVector<Value> block;
      for (int64_t i = 0; i < e.lanes; ++i) {
        Value row = e.addIndex(panel.first, v * e.lanes + i);
        block.push_back(i < real ? rows.load(e, row, column, active) : e.splat(0));
      }
      e.transpose(block);
      for (int64_t c = 0; c < active; ++c) {
        Value entry = factor == 1 ? block[c] : e.mul(block[c], e.splat(factor));
        panel.store(e, entry, scratch, e.addIndex(column, c), v);
      }
    });
  }
}

void storeTransposed(Emit &e, const AttentionShape &shape, const QueryPanel &panel, Value scratch,
                     const Matrix &rows, ArrayRef<Value> factors) {
  for (int64_t v = 0; v < panel.vectors(); ++v) {
    int64_t real = panel.queries.active(v);
    e.columns(shape.width, [&](Value column, int64_t active) {
      SmallVector<Value> block(e.lanes, e.splat(0));
      for (int64_t c = 0; c < active; ++c) {
        block[c] = panel.load(e, scratch, e.addIndex(column, c), v);
        if (!factors.empty())
          block[c] = e.mul(block[c], factors[v]);
      }
      e.transpose(block);
      for (int64_t i = 0; i < real; ++i)
        rows.store(e, block[i], e.addIndex(panel.first, v * e.lanes + i), column, active);
    });
  }
}

KeyBlocks::KeyBlocks(const HostTarget &target, int64_t keys, int64_t vectors)
    : tiles(RowTiles::even(keys, tileRows(target, vectors))),
      tilesPerBlock(std::clamp<int64_t>(keysOfBlock / tiles.size, 1, tiles.count)) {}

Emit::Carried
KeyBlocks::forEach(Emit &e, const QueryPanel &panel, bool causal, ValueRange init,
                   function_ref<Emit::Carried(Value, Value, Value, Value, ValueRange)> body) const {
  Value end = e.index(tiles.count);
  if (causal) {
    // The first key of tile t is at least t · size.
    Value last = e.addIndex(panel.first, panel.queries.columns - 1);
    end = e.minIndex(e.addIndex(e.divIndex(last, tiles.size), 1), tiles.count);
  }
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

void emitScores(Emit &e, const AttentionShape &shape, const QueryPanel &panel,
                const KeyBlocks &blocks, Value firstTile, Value lastTile, Value firstKey,
                const Matrix &keys, Value transposed, Value scores) {
  Matrix queries{transposed, e.index(0), panel.pitch, 1};
  int64_t vectors = panel.vectors();
  blocks.tiles.forEach(e, firstTile, lastTile, [&](Value, Value key, int64_t rows) {
    SmallVector<Value> sums = emitTile(e, rows, panel.lanes(), keys.from(e, key, e.index(0)),
                                       queries, e.index(shape.width), panel.lanes().columns);
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

Value emitVisible(Emit &e, const QueryPanel &panel, int64_t v, Value key) {
  Value query = e.add(e.broadcast(e.toInt(e.addIndex(panel.first, v * e.lanes))), e.iota());
  return e.compareInt(arith::CmpIPredicate::sle, e.broadcast(e.toInt(key)), query);
}

ProbabilityDropout::ProbabilityDropout(Emit &e, const AttentionShape &shape, Value key,
                                       double probability, int32_t stream)
    : shape(shape), probability(probability), stream(stream) {
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
  row = e.addIndex(e.mulIndex(row, shape.queries), panel.first);
  for (int64_t v = 0; v < panel.vectors(); ++v) {
    Value rows = e.add(e.broadcast(e.toInt(e.addIndex(row, v * e.lanes))), e.iota());
    firstEntries.push_back(e.mul(rows, e.splatInt(int32_t(shape.keys))));
  }
}

Value ProbabilityDropout::keep(Emit &e, int64_t v, Value key) {
  Value entry = e.add(firstEntries[v], e.broadcast(e.toInt(key)));
  return buildKeep(e.b, e.loc, entry, key0, key1, stream, probability);
}

float ProbabilityDropout::scale() const { return float(keepScale(probability)); }

} // namespace memformer::host
