// kernel.attention_gradient: probabilities recomputed from lse, block by block.

#include "codegen/nvptx/AttentionBlock.h"
#include "codegen/nvptx/Emitters.h"
#include "codegen/nvptx/Math.h"
#include "codegen/nvptx/NarrowTile.h"

#include <numbers>

using namespace mlir;

namespace memformer::nvptx {

namespace {

/// Blocks of keys sum the gradients of keys and values over all queries, blocks of queries those of
/// queries over all keys, each in one order. A head with one block of each has both in one.
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
  void emitBoth();
  void loadQueries(Value firstQuery, int64_t chunk);
  void loadKeys(Value firstKey, int64_t chunk);
  void findStatistics(Value firstQuery);
  void emitSelf(Value firstQuery);
  void findSquares(Value firstQuery, Value firstKey);
  Sums begin(const Head &head, Value first, bool ofQueries);
  void addSelf(Sums &sums);
  void add(Sums &sums, const SharedFactor &weights, const Head &rows, Value firstRow,
           const Buffer &tile, int64_t depth);
  void finish(const Sums &sums);
  void forEachEntry(const Sums &sums, int64_t chunk,
                    llvm::function_ref<void(int64_t, Value, Value)> body);
  bool single() const { return plan.chunks == 1; }

  Emit &e;
  kernel::AttentionGradientOp op;
  const KernelArguments &arguments;
  AttentionShape shape;
  AttentionPlan plan;
  ProbabilityDropout dropout;
  float scale;
  bool rounds; // what is multiplied, to bf16

  Value pair;
  /// In shared memory: tiles [rows, chunk]; the probabilities after dropout and the scores'
  /// gradients times the scale [queries, keys]; of each query −lse in powers of two, g·o, and the
  /// gradient of its own score.
  Buffer queryTile, gradientTile, keyTile, valueTile, probabilities, scoreGradients;
  Buffer logs, deltas, selfScores;
  Value ownQuery, ownLane;
  /// Of the thread's query: what is in `logs`, `deltas` and `selfScores` for others.
  Value ownLog, ownDelta, ownSelfScore;
};

GradientEmitter::GradientEmitter(Emit &e, kernel::AttentionGradientOp op,
                                 const KernelArguments &arguments)
    : e(e), op(op), arguments(arguments),
      shape(arguments.operands[1], arguments.operands[2], int64_t(op.getHeads())),
      plan(e.target, shape, 2, 2, 2),
      dropout(e, shape, op.getDropoutKey() ? &arguments.operands.back() : nullptr,
              op.getProbability().convertToDouble()),
      scale(float(op.getScale().convertToDouble())), rounds(bool(op.getOperandType())) {}

int64_t GradientEmitter::emit() {
  e.setThreads(AttentionPlan::threads);
  e.keepLoops();
  queryTile = e.shared(plan.queries * plan.pitch());
  gradientTile = e.shared(plan.queries * plan.pitch());
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
  int64_t blocks = both ? 1 : ofQueries + ofKeys;
  pair = e.divIndex(e.block(), blocks);
  Value which = e.remIndex(e.block(), blocks);
  Value batch = e.divIndex(pair, shape.heads), head = e.remIndex(pair, shape.heads);

  takeHeads(e, shape, op, arguments, batch, head);

  if (both)
    emitBoth();
  else
    e.ifThen(
        e.less(which, ofKeys), [&] { emitKeys(e.mulIndex(which, plan.keys)); },
        [&] { emitQueries(e.mulIndex(e.sub(which, e.index(ofKeys)), plan.queries)); });
  return shape.batch * shape.heads * blocks;
}

void GradientEmitter::loadQueries(Value firstQuery, int64_t chunk) {
  loadTile(e, plan, query, firstQuery, plan.queries, chunk, queryTile, rounds);
  loadTile(e, plan, gradient, firstQuery, plan.queries, chunk, gradientTile, rounds);
}

void GradientEmitter::loadKeys(Value firstKey, int64_t chunk) {
  loadTile(e, plan, key, firstKey, plan.keys, chunk, keyTile, rounds);
  loadTile(e, plan, value, firstKey, plan.keys, chunk, valueTile, rounds);
}

// Of each query of the block; the caller puts a barrier behind.
void GradientEmitter::findStatistics(Value firstQuery) {
  Value row = e.minIndex(e.addIndex(firstQuery, ownQuery), shape.queries - 1);
  Value delta = e.strided(ownLane, shape.width, plan.lanesOfQuery(), e.real(0),
                          [&](Value column, ValueRange sum) {
                            Value g = gradient.load(e, row, column, rounds);
                            Value o = result.load(e, row, column, false);
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
    return head.load(e, row, column, rounds && (&head == &query || &head == &gradient));
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

// Probabilities and gradients of scores, of a block of queries and one of keys. What is in tiles
// already stays there; a barrier is before the products and at the end.
void GradientEmitter::findSquares(Value firstQuery, Value firstKey) {
  BlockTile square = plan.square();
  Emit::Carried scores = square.zeros(e), products = square.zeros(e);
  for (int64_t chunk = 0; chunk < plan.chunks; ++chunk) {
    if (chunk > 0)
      e.barrier();
    if (!single()) {
      loadQueries(firstQuery, chunk);
      loadKeys(firstKey, chunk);
    }
    e.barrier();
    scores = square.multiply(e, {queryTile, plan.pitch(), false}, {keyTile, plan.pitch(), false},
                             plan.chunk, scores);
    products = square.multiply(e, {gradientTile, plan.pitch(), false},
                               {valueTile, plan.pitch(), false}, plan.chunk, products);
  }
  Value exponent = e.real(float(double(scale) * std::numbers::log2e)), zero = e.real(0);
  square.forEach(e, [&](int64_t i, Value row, Value column) {
    Value q = e.addIndex(firstQuery, row), k = e.addIndex(firstKey, column);
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
      e.store(rounds ? e.rounded(x) : x, square, place);
    };
    store(ds, scoreGradients);
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
    loadTile(e, plan, rows, firstRow, depth, chunk, tile, rounds);
    e.barrier();
    Emit::Carried added = sums.tile.multiply(e, weights, factor, depth, sums.tile.zeros(e));
    forEachEntry(sums, chunk, [&](int64_t i, Value, Value place) {
      e.store(e.add(e.load(sums.head.buffer, place), added[i]), sums.head.buffer, place);
    });
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
                     // Before the next tiles are loaded.
                     if (shape.queries > plan.queries)
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
  Sums queries = begin(queryGradient, firstQuery, true);
  addSelf(queries);
  Value end = endOfKeys(e, shape, op.getCausal(), firstQuery, plan.queries);
  queries.values =
      e.loop(e.index(0), end, plan.keys, queries.values, [&](Value firstKey, ValueRange carried) {
        queries.values = Emit::Carried(carried);
        if (single())
          loadKeys(firstKey, 0);
        findSquares(firstQuery, firstKey);
        add(queries, {scoreGradients, plan.squarePitch(), false}, key, firstKey, keyTile,
            plan.keys);
        if (shape.keys > plan.keys)
          e.barrier();
        return queries.values;
      });
  finish(queries);
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
  Sums keys = begin(keyGradient, zero, false);
  add(keys, {scoreGradients, plan.squarePitch(), true}, query, zero, queryTile, plan.queries);
  finish(keys);
  Sums values = begin(valueGradient, zero, false);
  add(values, {probabilities, plan.squarePitch(), true}, gradient, zero, gradientTile,
      plan.queries);
  finish(values);
  Sums queries = begin(queryGradient, zero, true);
  addSelf(queries);
  add(queries, {scoreGradients, plan.squarePitch(), false}, key, zero, keyTile, plan.keys);
  finish(queries);
}

} // namespace

FailureOr<int64_t> emitAttentionGradient(Emit &e, kernel::AttentionGradientOp op,
                                         const KernelArguments &arguments) {
  if (op.getSelfKey() && op.getProbability().convertToDouble() > 0)
    return op.emitOpError("expected no dropout with a self column");
  if (op.getRelativeKey())
    return op.emitOpError(
        "expected attention without relative query and key, which this target does not have");
  AttentionShape shape(arguments.operands[1], arguments.operands[2], int64_t(op.getHeads()));
  if (failed(checkAttention(op, shape)))
    return failure();
  if (op.getOperandType() && fitsTensorCores(e, shape))
    return emitMmaAttentionGradient(e, op, arguments);
  return GradientEmitter(e, op, arguments).emit();
}

} // namespace memformer::nvptx
