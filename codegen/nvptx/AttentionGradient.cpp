// kernel.attention_gradient: probabilities recomputed from lse, block by block.

#include "codegen/nvptx/AttentionBlock.h"
#include "codegen/nvptx/Emitters.h"
#include "codegen/nvptx/Math.h"
#include "codegen/nvptx/NarrowTile.h"
#include "codegen/nvptx/RelativeBlock.h"

#include <numbers>

using namespace mlir;

namespace memformer::nvptx {

namespace {

/// Blocks of keys sum the gradients of keys and values over all queries, blocks of queries those of
/// queries over all keys, each in one order. A head with one block of each has both in one.
/// Relative keys have blocks of their own, whose scores are found by distance.
class GradientEmitter : GradientHeads {
public:
  GradientEmitter(Emit &e, kernel::AttentionGradientOp op, const KernelArguments &arguments);

  int64_t emit();

private:
  /// What is summed for the rows of a block: in registers, or in memory where rows are too wide.
  struct Sums {
    Head head;
    Value first;
    BlockTile tile;
    int64_t rows; // of the tensor
    Emit::Carried values;
  };

  void emitKeys(Value firstKey);
  void emitQueries(Value firstQuery);
  void emitRelativeKeys(Value firstRow);
  void emitBoth();
  void loadQueries(Value firstQuery, int64_t chunk);
  void loadKeys(Value firstKey, int64_t chunk);
  void findStatistics(Value firstQuery);
  void emitSelf(Value firstQuery);
  void findSlanted(const RelativeBlock &block, Value firstQuery, const Head &rows,
                   const Buffer &tile, const Head &others, const Buffer &square);
  void findSquares(Value firstQuery, Value firstColumn, bool columnsAreKeys = true);
  Sums begin(const Head &head, Value first, bool ofQueries);
  void addSelf(Sums &sums);
  void add(Sums &sums, const SharedFactor &weights, const Head &rows, Value firstRow,
           const Buffer &tile, int64_t depth);
  void addRelative(Sums &sums, Value firstQuery, Value firstKey);
  void finish(const Sums &sums);
  void forEachEntry(const Sums &sums, int64_t chunk,
                    llvm::function_ref<void(int64_t, Value, Value)> body);
  bool single() const { return plan.chunks == 1; }
  bool isRelative() { return bool(op.getRelativeKey()); }

  Emit &e;
  kernel::AttentionGradientOp op;
  const KernelArguments &arguments;
  AttentionShape shape;
  AttentionPlan plan;
  ProbabilityDropout dropout;
  float scale;
  Type rounding; // of what is multiplied, null for none

  Value pair;
  /// In shared memory: tiles [rows, chunk]; the probabilities after dropout and the scores'
  /// gradients times the scale [queries, keys]; of each query −lse in powers of two, g·o, and the
  /// gradient of its own score.
  Buffer queryTile, gradientTile, relativeTile, keyTile, valueTile;
  Buffer probabilities, scoreGradients;
  Buffer logs, deltas, selfScores;
  Value ownQuery, ownLane;
  /// Of the thread's query: what is in `logs`, `deltas` and `selfScores` for others.
  Value ownLog, ownDelta, ownSelfScore;
};

GradientEmitter::GradientEmitter(Emit &e, kernel::AttentionGradientOp op,
                                 const KernelArguments &arguments)
    : e(e), op(op), arguments(arguments),
      shape(arguments.operands[1], arguments.operands[2], int64_t(op.getHeads())),
      plan(e.target, shape, op.getRelativeKey() ? 3 : 2, 2, 2),
      dropout(e, shape, op.getDropoutKey() ? &arguments.operands.back() : nullptr,
              op.getProbability().convertToDouble()),
      scale(float(op.getScale().convertToDouble())),
      rounding(op.getOperandType().value_or(Type())) {}

int64_t GradientEmitter::emit() {
  e.setThreads(AttentionPlan::threads);
  e.keepLoops();
  queryTile = e.shared(plan.queries * plan.pitch());
  gradientTile = e.shared(plan.queries * plan.pitch());
  if (isRelative())
    relativeTile = e.shared(plan.queries * plan.pitch());
  keyTile = e.shared(plan.keys * plan.pitch());
  valueTile = e.shared(plan.keys * plan.pitch());
  probabilities = e.shared(plan.queries * plan.squarePitch());
  scoreGradients = e.shared(plan.queries * plan.squarePitch());
  logs = e.shared(plan.queries);
  deltas = e.shared(plan.queries);
  selfScores = e.shared(plan.queries);
  ownQuery = e.divIndex(e.thread(), plan.lanesOfQuery());
  ownLane = e.remIndex(e.thread(), plan.lanesOfQuery());

  int64_t ofQueries = plan.blocksOfQueries(shape), ofKeys = plan.blocksOfKeys(shape);
  bool both = ofQueries == 1 && ofKeys == 1;
  e.note(single() ? "multiply-adds" : "multiply-adds in chunks");
  e.note(both ? "one block" : "blocks of keys and of queries");
  int64_t ofRelative = isRelative() ? ofKeys : 0;
  int64_t blocks = both ? 1 : ofQueries + ofKeys + ofRelative;
  pair = e.divIndex(e.block(), blocks);
  Value which = e.remIndex(e.block(), blocks);
  Value batch = e.divIndex(pair, shape.heads), head = e.remIndex(pair, shape.heads);

  takeHeads(e, shape, op, arguments, batch, head);
  value.isShifted = kernel::shiftsValues(op);

  if (both)
    emitBoth();
  else
    e.ifThen(
        e.less(which, ofKeys), [&] { emitKeys(e.mulIndex(which, plan.keys)); },
        [&] {
          Value rest = e.sub(which, e.index(ofKeys));
          auto queries = [&] { emitQueries(e.mulIndex(rest, plan.queries)); };
          if (!isRelative())
            return queries();
          // Those of queries first.
          e.ifThen(e.less(rest, ofQueries), queries, [&] {
            emitRelativeKeys(e.mulIndex(e.sub(rest, e.index(ofQueries)), plan.keys));
          });
        });
  return shape.batch * shape.heads * blocks;
}

void GradientEmitter::loadQueries(Value firstQuery, int64_t chunk) {
  loadTile(e, plan, query, firstQuery, plan.queries, chunk, queryTile, rounding);
  loadTile(e, plan, gradient, firstQuery, plan.queries, chunk, gradientTile, rounding);
  if (isRelative() && single())
    loadTile(e, plan, relativeQuery, firstQuery, plan.queries, chunk, relativeTile, Type());
}

void GradientEmitter::loadKeys(Value firstKey, int64_t chunk) {
  loadTile(e, plan, key, firstKey, plan.keys, chunk, keyTile, rounding);
  // Before that of values, the tile is that of what distances need.
  if (!isRelative() || !single())
    loadTile(e, plan, value, firstKey, plan.keys, chunk, valueTile, rounding);
}

// Of each query of the block; the caller puts a barrier behind.
void GradientEmitter::findStatistics(Value firstQuery) {
  Value row = e.minIndex(e.addIndex(firstQuery, ownQuery), shape.queries - 1);
  Value delta = e.strided(ownLane, shape.width, plan.lanesOfQuery(), e.real(0),
                          [&](Value column, ValueRange sum) {
                            Value g = gradient.load(e, row, column, rounding);
                            Value o = result.load(e, row, column, Type());
                            if (value.isShifted)
                              o = e.sub(o, value.load(e, e.index(0), column, Type()));
                            return Emit::Carried{e.fma(g, o, sum[0])};
                          })[0];
  delta = e.sumLanes(delta, plan.lanesOfQuery());
  Value lse = e.load(arguments.operands[5], e.addIndex(e.mulIndex(pair, shape.queries), row));
  ownLog = e.mul(lse, e.real(float(-std::numbers::log2e)));
  ownDelta = delta;
  e.ifThen(e.less(ownLane, 1), [&] {
    e.store(ownLog, logs, ownQuery);
    e.store(ownDelta, deltas, ownQuery);
  });
}

// The self column is one more key that each query has for itself. The statistics are found; the
// caller puts a barrier behind where the scores' gradients do not stay with their threads.
void GradientEmitter::emitSelf(Value firstQuery) {
  if (!op.getSelfKey())
    return;
  int64_t lanes = plan.lanesOfQuery();
  Value global = e.addIndex(firstQuery, ownQuery);
  Value row = e.minIndex(global, shape.queries - 1);
  auto entry = [&](const Head &head, Value column) {
    return head.load(e, row, column, &head == &query || &head == &gradient ? rounding : Type());
  };
  Emit::Carried sums = e.strided(
      ownLane, shape.width, lanes, {e.real(0), e.real(0)}, [&](Value column, ValueRange sums) {
        return Emit::Carried{e.fma(entry(query, column), entry(selfKey, column), sums[0]),
                             e.fma(entry(gradient, column), entry(selfValue, column), sums[1])};
      });
  Value score = e.sumLanes(sums[0], lanes), product = e.sumLanes(sums[1], lanes);
  Value exponent = e.real(float(double(scale) * std::numbers::log2e));
  Value p = emitExp2(e, e.fma(score, exponent, ownLog));
  Value ds = e.mul(e.mul(p, e.sub(product, ownDelta)), e.real(scale));
  ownSelfScore = ds;
  if (!plan.staysWithThread())
    e.ifThen(e.less(ownLane, 1), [&] { e.store(ds, selfScores, ownQuery); });
  e.ifThen(e.less(global, shape.queries), [&] {
    e.strided(ownLane, shape.width, lanes, [&](Value column) {
      Value place = selfKeyGradient.at(e, row, column);
      e.store(e.mul(ds, entry(query, column)), selfKeyGradient.buffer, place);
      e.store(e.mul(p, entry(gradient, column)), selfValueGradient.buffer, place);
    });
  });
}

// Products of a block's `rows`, which are in `tile`, and the rows of `others` that it meets on the
// other axis, to `square`. The caller puts a barrier behind.
void GradientEmitter::findSlanted(const RelativeBlock &block, Value firstQuery, const Head &rows,
                                  const Buffer &tile, const Head &others, const Buffer &square) {
  BlockTile of = plan.square();
  for (int64_t piece = 0; piece < block.pieces(); ++piece) {
    Emit::Carried products = of.zeros(e);
    for (int64_t chunk = 0; chunk < plan.chunks; ++chunk) {
      if (piece + chunk > 0)
        e.barrier();
      if (!single())
        loadTile(e, plan, rows, firstQuery, plan.queries, chunk, tile, Type());
      loadTile(e, plan, others, block.firstOf(piece), plan.keys, chunk, valueTile, Type());
      e.barrier();
      products = of.multiply(e, {tile, plan.pitch(), false}, {valueTile, plan.pitch(), false},
                             plan.chunk, products);
    }
    block.store(piece, products, square);
  }
}

// Probabilities and gradients of scores, of a block of queries and one of keys, or of relative
// keys. What is in tiles already stays there; a barrier is before the products and at the end.
void GradientEmitter::findSquares(Value firstQuery, Value firstColumn, bool columnsAreKeys) {
  BlockTile square = plan.square();
  RelativeBlock block(e, shape, plan, firstQuery, firstColumn, columnsAreKeys);
  if (isRelative() && columnsAreKeys) {
    findSlanted(block, firstQuery, relativeQuery, relativeTile, relativeKey, scoreGradients);
    e.barrier();
    if (single())
      loadTile(e, plan, value, firstColumn, plan.keys, 0, valueTile, Type());
  } else if (isRelative()) {
    findSlanted(block, firstQuery, query, queryTile, key, scoreGradients);
    e.barrier();
    findSlanted(block, firstQuery, gradient, gradientTile, value, probabilities);
  }
  Emit::Carried scores = square.zeros(e), products = square.zeros(e);
  for (int64_t chunk = 0; chunk < plan.chunks; ++chunk) {
    if (chunk > 0)
      e.barrier();
    if (!single() && columnsAreKeys) {
      loadQueries(firstQuery, chunk);
      loadKeys(firstColumn, chunk);
    } else if (!single()) {
      loadTile(e, plan, relativeQuery, firstQuery, plan.queries, chunk, relativeTile, Type());
      loadTile(e, plan, relativeKey, firstColumn, plan.keys, chunk, keyTile, Type());
    }
    e.barrier();
    const Buffer &rows = columnsAreKeys ? queryTile : relativeTile;
    scores = square.multiply(e, {rows, plan.pitch(), false}, {keyTile, plan.pitch(), false},
                             plan.chunk, scores);
    if (columnsAreKeys)
      products = square.multiply(e, {gradientTile, plan.pitch(), false},
                                 {valueTile, plan.pitch(), false}, plan.chunk, products);
  }
  if (isRelative())
    square.forEach(e, [&](int64_t i, Value row, Value column) {
      Value place = e.at(row, plan.squarePitch(), column);
      scores[i] = e.add(scores[i], e.load(scoreGradients, place));
      if (!columnsAreKeys)
        products[i] = e.load(probabilities, place);
    });
  Value exponent = e.real(float(double(scale) * std::numbers::log2e)), zero = e.real(0);
  square.forEach(e, [&](int64_t i, Value row, Value column) {
    Value q = e.addIndex(firstQuery, row), k = block.keyOf(row, column);
    Value p = emitExp2(e, e.fma(scores[i], exponent, e.load(logs, row)));
    Value seen = e.both(emitVisible(e, shape, op.getCausal(), q, k), e.less(q, shape.queries));
    Value product = products[i], kept = p;
    if (dropout) {
      Value keep = dropout.keep(e, pair, q, k), factor = e.real(dropout.scale());
      product = e.select(keep, e.mul(product, factor), zero);
      kept = e.select(keep, e.mul(p, factor), zero);
    }
    Value ds = e.mul(e.mul(p, e.sub(product, e.load(deltas, row))), e.real(scale));
    Value place = e.at(row, plan.squarePitch(), column);
    auto store = [&](Value x, const Buffer &square) {
      x = e.select(seen, x, zero);
      e.store(rounding ? e.rounded(x, rounding) : x, square, place);
    };
    store(ds, scoreGradients);
    if (columnsAreKeys)
      store(kept, probabilities);
  });
  e.barrier();
}

// `body(entry, row, place)` for the thread's entries of a chunk that exist.
void GradientEmitter::forEachEntry(const Sums &sums, int64_t chunk,
                                   llvm::function_ref<void(int64_t, Value, Value)> body) {
  sums.tile.forEach(e, [&](int64_t i, Value row, Value column) {
    Value global = e.addIndex(sums.first, row), j = e.addIndex(column, chunk * plan.chunk);
    auto inside = [&] { body(i, row, sums.head.at(e, global, j)); };
    if (sums.rows % sums.tile.rows == 0 && shape.width % plan.chunk == 0)
      inside();
    else
      e.ifThen(e.both(e.less(global, sums.rows), e.less(j, shape.width)), inside);
  });
}

GradientEmitter::Sums GradientEmitter::begin(const Head &head, Value first, bool ofQueries) {
  Sums sums{head, first, ofQueries ? plan.rowsOfQueries() : plan.rowsOfKeys(), head.length, {}};
  if (single())
    sums.values = sums.tile.zeros(e);
  else
    for (int64_t chunk = 0; chunk < plan.chunks; ++chunk)
      forEachEntry(sums, chunk,
                   [&](int64_t, Value, Value place) { e.store(e.real(0), head.buffer, place); });
  return sums;
}

// The self column's part of the queries' gradients.
void GradientEmitter::addSelf(Sums &sums) {
  if (!op.getSelfKey())
    return;
  for (int64_t chunk = 0; chunk < plan.chunks; ++chunk)
    sums.tile.forEach(e, [&](int64_t i, Value row, Value column) {
      Value global = e.addIndex(sums.first, row), j = e.addIndex(column, chunk * plan.chunk);
      Value inside = e.both(e.less(global, shape.queries), e.less(j, shape.width));
      Value place = selfKey.at(e, global, j);
      Value ds = plan.staysWithThread() ? ownSelfScore : e.load(selfScores, row);
      Value part = e.mul(ds, e.loadIf(inside, selfKey.buffer, place, 0));
      if (single())
        sums.values[i] = part;
      else
        e.ifThen(inside, [&] { e.store(part, sums.head.buffer, place); });
    });
}

// sums += weights · the rows of a tile, which is loaded again where rows are in chunks.
void GradientEmitter::add(Sums &sums, const SharedFactor &weights, const Head &rows, Value firstRow,
                          const Buffer &tile, int64_t depth) {
  SharedFactor factor{tile, plan.pitch(), true};
  if (single()) {
    sums.values = sums.tile.multiply(e, weights, factor, depth, sums.values);
    return;
  }
  for (int64_t chunk = 0; chunk < plan.chunks; ++chunk) {
    if (chunk > 0)
      e.barrier();
    loadTile(e, plan, rows, firstRow, depth, chunk, tile, rounding);
    e.barrier();
    Emit::Carried added = sums.tile.multiply(e, weights, factor, depth, sums.tile.zeros(e));
    forEachEntry(sums, chunk, [&](int64_t i, Value, Value place) {
      e.store(e.add(e.load(sums.head.buffer, place), added[i]), sums.head.buffer, place);
    });
  }
}

// The gradients of relative queries, from those of the scores of a block. The caller puts a barrier
// behind, if the block is not the only one.
void GradientEmitter::addRelative(Sums &sums, Value firstQuery, Value firstKey) {
  RelativeBlock block(e, shape, plan, firstQuery, firstKey, /*columnsAreKeys=*/true);
  for (int64_t piece = 0; piece < block.pieces(); ++piece) {
    if (piece > 0)
      e.barrier();
    block.gather(piece, scoreGradients, probabilities);
    Value first = block.firstOf(piece);
    int64_t rows = block.rowsOf(piece);
    if (single()) {
      loadTile(e, plan, relativeKey, first, rows, 0, valueTile, Type());
      e.barrier();
    }
    add(sums, {probabilities, plan.squarePitch(), false}, relativeKey, first, valueTile, rows);
  }
}

void GradientEmitter::finish(const Sums &sums) {
  if (single())
    forEachEntry(sums, 0, [&](int64_t i, Value, Value place) {
      e.store(sums.values[i], sums.head.buffer, place);
    });
}

void GradientEmitter::emitKeys(Value firstKey) {
  if (single())
    loadKeys(firstKey, 0);
  Sums keys = begin(keyGradient, firstKey, false), values = begin(valueGradient, firstKey, false);
  size_t count = keys.values.size();
  Emit::Carried carried = keys.values;
  llvm::append_range(carried, values.values);
  Value first = firstQueryOf(e, shape, op.getCausal(), firstKey);
  first = e.mulIndex(e.divIndex(first, plan.queries), plan.queries);
  carried = e.loop(first, e.index(shape.queries), plan.queries, carried,
                   [&](Value firstQuery, ValueRange carried) {
                     keys.values = Emit::Carried(carried.take_front(count));
                     values.values = Emit::Carried(carried.drop_front(count));
                     if (single())
                       loadQueries(firstQuery, 0);
                     findStatistics(firstQuery);
                     findSquares(firstQuery, firstKey);
                     SharedFactor ofScores{scoreGradients, plan.squarePitch(), true};
                     SharedFactor ofValues{probabilities, plan.squarePitch(), true};
                     add(keys, ofScores, query, firstQuery, queryTile, plan.queries);
                     add(values, ofValues, gradient, firstQuery, gradientTile, plan.queries);
                     // Before the next tiles are loaded, which in chunks are others at first.
                     if (shape.queries > plan.queries && (single() || !isRelative()))
                       e.barrier();
                     Emit::Carried next = keys.values;
                     llvm::append_range(next, values.values);
                     return next;
                   });
  keys.values = Emit::Carried(ValueRange(carried).take_front(count));
  values.values = Emit::Carried(ValueRange(carried).drop_front(count));
  finish(keys);
  finish(values);
}

void GradientEmitter::emitQueries(Value firstQuery) {
  if (single())
    loadQueries(firstQuery, 0);
  findStatistics(firstQuery);
  emitSelf(firstQuery);
  if (op.getSelfKey() && !plan.staysWithThread())
    e.barrier();
  Sums queries = begin(queryGradient, firstQuery, true), relative;
  addSelf(queries);
  if (isRelative())
    relative = begin(relativeQueryGradient, firstQuery, true);
  size_t count = queries.values.size();
  Emit::Carried carried = queries.values;
  llvm::append_range(carried, relative.values);
  Value end = endOfKeys(e, shape, op.getCausal(), firstQuery, plan.queries);
  carried = e.loop(e.index(0), end, plan.keys, carried, [&](Value firstKey, ValueRange carried) {
    queries.values = Emit::Carried(carried.take_front(count));
    relative.values = Emit::Carried(carried.drop_front(count));
    if (single())
      loadKeys(firstKey, 0);
    findSquares(firstQuery, firstKey);
    add(queries, {scoreGradients, plan.squarePitch(), false}, key, firstKey, keyTile, plan.keys);
    if (isRelative())
      addRelative(relative, firstQuery, firstKey);
    if (shape.keys > plan.keys)
      e.barrier();
    Emit::Carried next = queries.values;
    llvm::append_range(next, relative.values);
    return next;
  });
  queries.values = Emit::Carried(ValueRange(carried).take_front(count));
  finish(queries);
  if (!isRelative())
    return;
  relative.values = Emit::Carried(ValueRange(carried).drop_front(count));
  finish(relative);
}

// Of a block of relative keys, the first query that sees one has Lq − 1 behind the last of them.
void GradientEmitter::emitRelativeKeys(Value firstRow) {
  if (single())
    loadTile(e, plan, relativeKey, firstRow, plan.keys, 0, keyTile, Type());
  Sums sums = begin(relativeKeyGradient, firstRow, false);
  Value first = e.index(0);
  if (int64_t most = shape.queries - plan.keys; most > 0)
    first = e.sub(e.index(most), e.minIndex(firstRow, most));
  first = e.mulIndex(e.divIndex(first, plan.queries), plan.queries);
  sums.values = e.loop(first, e.index(shape.queries), plan.queries, sums.values,
                       [&](Value firstQuery, ValueRange carried) {
                         sums.values = Emit::Carried(carried);
                         if (single())
                           loadQueries(firstQuery, 0);
                         findStatistics(firstQuery);
                         findSquares(firstQuery, firstRow, /*columnsAreKeys=*/false);
                         add(sums, {scoreGradients, plan.squarePitch(), true}, relativeQuery,
                             firstQuery, relativeTile, plan.queries);
                         if (single() && shape.queries > plan.queries)
                           e.barrier();
                         return sums.values;
                       });
  finish(sums);
}

void GradientEmitter::emitBoth() {
  Value zero = e.index(0);
  if (single()) {
    loadKeys(zero, 0);
    loadQueries(zero, 0);
  }
  findStatistics(zero);
  emitSelf(zero);
  findSquares(zero, zero);
  auto sum = [&](const Head &head, bool ofQueries, const Buffer &weights, bool depthOuter,
                 const Head &rows, const Buffer &tile) {
    Sums sums = begin(head, zero, ofQueries);
    if (&head == &queryGradient)
      addSelf(sums);
    add(sums, {weights, plan.squarePitch(), depthOuter}, rows, zero, tile,
        ofQueries ? plan.keys : plan.queries);
    finish(sums);
  };
  sum(keyGradient, false, scoreGradients, true, query, queryTile);
  sum(valueGradient, false, probabilities, true, gradient, gradientTile);
  sum(queryGradient, true, scoreGradients, false, key, keyTile);
  if (!isRelative())
    return;
  // What is in place of probabilities then has all relative keys in its columns.
  if (single())
    e.barrier();
  Sums relative = begin(relativeQueryGradient, zero, true);
  addRelative(relative, zero, zero);
  finish(relative);
  sum(relativeKeyGradient, false, probabilities, true, relativeQuery, relativeTile);
}

} // namespace

FailureOr<int64_t> emitAttentionGradient(Emit &e, kernel::AttentionGradientOp op,
                                         const KernelArguments &arguments) {
  if (op.getSelfKey() && op.getProbability().convertToDouble() > 0)
    return op.emitOpError("expected no dropout with a self column");
  if (op.getRelativeKey() && op.getOperandType())
    return op.emitOpError("expected products of f32 in relative attention");
  AttentionShape shape(arguments.operands[1], arguments.operands[2], int64_t(op.getHeads()));
  if (failed(checkAttention(op, shape)))
    return failure();
  if (op.getOperandType() && fitsTensorCores(e, *op.getOperandType(), shape))
    return emitMmaAttentionGradient(e, op, arguments);
  return GradientEmitter(e, op, arguments).emit();
}

} // namespace memformer::nvptx
