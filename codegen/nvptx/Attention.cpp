// kernel.attention: online softmax over blocks of keys, queries in the rows of a block.

#include "codegen/nvptx/AttentionBlock.h"
#include "codegen/nvptx/Emitters.h"
#include "codegen/nvptx/Math.h"
#include "codegen/nvptx/NarrowTile.h"
#include "codegen/nvptx/RelativeBlock.h"
#include "codegen/nvptx/RowNorms.h"

#include <limits>
#include <numbers>

using namespace mlir;

namespace memformer::nvptx {

namespace {

class AttentionEmitter {
public:
  AttentionEmitter(Emit &e, kernel::AttentionOp op, const KernelArguments &arguments);

  int64_t emit();

private:
  /// What a query's softmax knows of the keys so far: the largest score, and the sum of
  /// 2^(score − largest). The lanes that share a query all have it.
  struct Softmax {
    Value largest, sum;
  };

  void emitBlock(Value batch, Value head);
  void loadQueries(int64_t chunk);
  Softmax beginSoftmax();
  Emit::Carried beginSums();
  void findRelativeScores(const RelativeBlock &block);
  Softmax updateSoftmax(Value firstKey, Softmax old);
  Emit::Carried addValues(Value firstKey, ValueRange sums);
  void keepFactor(Value factor);
  Value factorOf(Value row);
  void finishBlock(Softmax softmax, ValueRange sums);
  void normalizeRows(Value batch);
  void forEachResult(int64_t chunk, llvm::function_ref<void(int64_t, Value row, Value place)> body);
  bool single() const { return plan.chunks == 1; }
  bool isRelative() { return bool(op.getRelativeKey()); }

  Emit &e;
  kernel::AttentionOp op;
  const KernelArguments &arguments;
  AttentionShape shape;
  AttentionPlan plan;
  ProbabilityDropout dropout;
  float factor;
  Type rounding; // of what is multiplied, null for none
  const Buffer *selfKeys = nullptr, *selfValues = nullptr, *bias = nullptr;
  const Buffer *relativeQueries = nullptr, *relativeKeys = nullptr;

  /// In shared memory: tiles [rows, chunk], scores and then probabilities [queries, keys], and a
  /// factor of each query's sums.
  Buffer queryTile, relativeTile, keyTile, valueTile, scores, factors;
  /// Of the block: its first query, batch · heads + head, and the head in each tensor.
  Value firstQuery, pair;
  Head query, key, value, selfKey, selfValue, relativeQuery, relativeKey, result;
  /// The query that this thread has a share of, counted in the block, and which share.
  Value ownQuery, ownLane;
  /// Where it stays with the thread: the factor of its query's sums.
  Value ownFactor;
};

AttentionEmitter::AttentionEmitter(Emit &e, kernel::AttentionOp op,
                                   const KernelArguments &arguments)
    : e(e), op(op), arguments(arguments),
      shape(arguments.operands[0], arguments.operands[1], int64_t(op.getHeads())),
      plan(e.target, shape, op.getRelativeKey() ? 2 : 1, 2, 1),
      dropout(e, shape, op.getDropoutKey() ? &arguments.operands.back() : nullptr,
              op.getProbability().convertToDouble()),
      factor(float(op.getScale().convertToDouble() * std::numbers::log2e)),
      rounding(op.getOperandType().value_or(Type())) {
  const Buffer *next = &arguments.operands[3];
  if (op.getSelfKey()) {
    selfKeys = next++;
    selfValues = next++;
  }
  if (op.getBias())
    bias = next++;
  if (isRelative()) {
    relativeQueries = next++;
    relativeKeys = next;
  }
}

int64_t AttentionEmitter::emit() {
  e.setThreads(AttentionPlan::threads);
  e.keepLoops();
  e.note(single() ? "multiply-adds" : "multiply-adds in chunks");
  queryTile = e.shared(plan.queries * plan.pitch());
  if (isRelative())
    relativeTile = e.shared(plan.queries * plan.pitch());
  keyTile = e.shared(plan.keys * plan.pitch());
  valueTile = e.shared(plan.keys * plan.pitch());
  scores = e.shared(plan.queries * plan.squarePitch());
  factors = e.shared(plan.queries);
  ownQuery = e.divIndex(e.thread(), plan.lanesOfQuery());
  ownLane = e.remIndex(e.thread(), plan.lanesOfQuery());

  int64_t blocks = plan.blocksOfQueries(shape);
  firstQuery = e.mulIndex(e.remIndex(e.block(), blocks), plan.queries);
  Value rest = e.divIndex(e.block(), blocks);
  // Rows are normalised by the block that has all of their heads.
  if (op.getNormalize()) {
    e.loop(e.index(0), e.index(shape.heads), 1, [&](Value head) {
      emitBlock(rest, head);
      e.barrier();
    });
    normalizeRows(rest);
    return shape.batch * blocks;
  }
  emitBlock(e.divIndex(rest, shape.heads), e.remIndex(rest, shape.heads));
  return shape.batch * shape.heads * blocks;
}

void AttentionEmitter::emitBlock(Value batch, Value head) {
  auto headOf = [&](const Buffer &tensor, int64_t length) {
    return Head(e, shape, tensor, length, batch, head);
  };
  query = headOf(arguments.operands[0], shape.queries);
  key = headOf(arguments.operands[1], shape.keys);
  value = headOf(arguments.operands[2], shape.keys);
  result = headOf(arguments.results[0], shape.queries);
  if (selfKeys) {
    selfKey = headOf(*selfKeys, shape.queries);
    selfValue = headOf(*selfValues, shape.queries);
  }
  if (isRelative()) {
    value.isShifted = kernel::shiftsValues(op);
    relativeQuery = headOf(*relativeQueries, shape.queries);
    relativeKey = Head(e, shape, *relativeKeys, shape.keys, e.index(0), head);
  }
  pair = e.addIndex(e.mulIndex(batch, shape.heads), head);

  if (single()) {
    loadQueries(0);
    if (isRelative())
      loadTile(e, plan, relativeQuery, firstQuery, plan.queries, 0, relativeTile, Type(), factor);
  }
  Softmax begin = beginSoftmax();
  Emit::Carried carried = beginSums();
  carried.append({begin.largest, begin.sum});
  Value end = endOfKeys(e, shape, op.getCausal(), firstQuery, plan.queries);
  carried = e.loop(e.index(0), end, plan.keys, carried, [&](Value firstKey, ValueRange carried) {
    Softmax old{carried[carried.size() - 2], carried.back()};
    Softmax now = updateSoftmax(firstKey, old);
    Emit::Carried next = addValues(firstKey, carried.drop_back(2));
    // Before the next tiles are loaded, or the last factors stored. In chunks, and where scores by
    // distance come first, barriers lie between the tiles.
    bool loadsNext = shape.keys > plan.keys && !isRelative();
    if (single() && (loadsNext || !plan.staysWithThread()))
      e.barrier();
    next.append({now.largest, now.sum});
    return next;
  });
  if (!single() && !plan.staysWithThread())
    e.barrier();
  ValueRange last(carried);
  finishBlock({last[last.size() - 2], last.back()}, last.drop_back(2));
}

// Scores are powers of two: the factor is folded into the queries, where these are not rounded.
void AttentionEmitter::loadQueries(int64_t chunk) {
  loadTile(e, plan, query, firstQuery, plan.queries, chunk, queryTile, rounding,
           rounding ? 1 : factor);
}

// Before the first key: nothing seen, or the self column.
AttentionEmitter::Softmax AttentionEmitter::beginSoftmax() {
  if (!selfKeys)
    return {e.real(-std::numeric_limits<float>::infinity()), e.real(0)};
  Value row = e.minIndex(e.addIndex(firstQuery, ownQuery), shape.queries - 1);
  Value score = e.strided(ownLane, shape.width, plan.lanesOfQuery(), e.real(0),
                          [&](Value column, ValueRange sum) {
                            Value q = query.load(e, row, column, rounding);
                            Value k = e.load(selfKey.buffer, selfKey.at(e, row, column));
                            return Emit::Carried{e.fma(e.mul(q, e.real(factor)), k, sum[0])};
                          })[0];
  return {e.sumLanes(score, plan.lanesOfQuery()), e.real(1)};
}

// `body(entry, row, place)` for the thread's entries of a chunk of the result that exist.
void AttentionEmitter::forEachResult(int64_t chunk,
                                     llvm::function_ref<void(int64_t, Value, Value)> body) {
  plan.rowsOfQueries().forEach(e, [&](int64_t i, Value row, Value column) {
    Value global = e.addIndex(firstQuery, row), j = e.addIndex(column, chunk * plan.chunk);
    auto inside = [&] { body(i, row, result.at(e, global, j)); };
    if (shape.queries % plan.queries == 0 && shape.width % plan.chunk == 0)
      inside();
    else
      e.ifThen(e.both(e.less(global, shape.queries), e.less(j, shape.width)), inside);
  });
}

// The sums of weighted values, zero or the self column's. Rows that are too wide for registers are
// summed in memory, always by the same threads.
Emit::Carried AttentionEmitter::beginSums() {
  BlockTile tile = plan.rowsOfQueries();
  auto first = [&](Value row, Value column) {
    if (!selfValues)
      return e.real(0);
    Value global = e.minIndex(e.addIndex(firstQuery, row), shape.queries - 1);
    return e.loadIf(e.less(column, shape.width), selfValue.buffer, selfValue.at(e, global, column),
                    0);
  };
  if (single()) {
    Emit::Carried sums;
    tile.forEach(e, [&](int64_t, Value row, Value column) { sums.push_back(first(row, column)); });
    return sums;
  }
  for (int64_t chunk = 0; chunk < plan.chunks; ++chunk)
    forEachResult(chunk, [&](int64_t i, Value row, Value place) {
      Value column = e.addIndex(tile.column(e, i), chunk * plan.chunk);
      e.store(first(row, column), result.buffer, place);
    });
  return {};
}

// What distances add to the scores of a block, to `scores`. The caller puts a barrier behind.
void AttentionEmitter::findRelativeScores(const RelativeBlock &block) {
  BlockTile square = plan.square();
  for (int64_t piece = 0; piece < block.pieces(); ++piece) {
    Emit::Carried products = square.zeros(e);
    for (int64_t chunk = 0; chunk < plan.chunks; ++chunk) {
      if (piece + chunk > 0)
        e.barrier();
      if (!single())
        loadTile(e, plan, relativeQuery, firstQuery, plan.queries, chunk, relativeTile, Type(),
                 factor);
      loadTile(e, plan, relativeKey, block.firstOf(piece), plan.keys, chunk, keyTile, Type());
      e.barrier();
      products = square.multiply(e, {relativeTile, plan.pitch(), false},
                                 {keyTile, plan.pitch(), false}, plan.chunk, products);
    }
    block.store(piece, products, scores);
  }
}

// Scores of a block of keys become probabilities relative to the largest score so far; `factors`
// gets what the sums of before are multiplied by.
AttentionEmitter::Softmax AttentionEmitter::updateSoftmax(Value firstKey, Softmax old) {
  BlockTile square = plan.square();
  if (isRelative()) {
    findRelativeScores({e, shape, plan, firstQuery, firstKey, /*columnsAreKeys=*/true});
    e.barrier(); // before the tile is that of keys
  }
  Emit::Carried products = square.zeros(e);
  for (int64_t chunk = 0; chunk < plan.chunks; ++chunk) {
    if (chunk > 0)
      e.barrier();
    if (!single())
      loadQueries(chunk);
    loadTile(e, plan, key, firstKey, plan.keys, chunk, keyTile, rounding);
    if (single())
      loadTile(e, plan, value, firstKey, plan.keys, 0, valueTile, rounding);
    e.barrier();
    products = square.multiply(e, {queryTile, plan.pitch(), false}, {keyTile, plan.pitch(), false},
                               plan.chunk, products);
  }
  int64_t lanes = plan.lanesOfQuery();
  bool changeHands = !plan.staysWithThread();
  Value hidden = e.real(-std::numeric_limits<float>::infinity());
  square.forEach(e, [&](int64_t i, Value row, Value column) {
    Value visible = emitVisible(e, shape, op.getCausal(), e.addIndex(firstQuery, row),
                                e.addIndex(firstKey, column));
    Value product = rounding ? e.mul(products[i], e.real(factor)) : products[i];
    Value place = e.at(row, plan.squarePitch(), column);
    if (isRelative())
      product = e.add(product, e.load(scores, place));
    products[i] = e.select(visible, product, hidden);
    if (changeHands)
      e.store(products[i], scores, place);
  });
  if (changeHands)
    e.barrier();

  auto place = [&](int64_t i) {
    return e.at(ownQuery, plan.squarePitch(), e.addIndex(ownLane, i * lanes));
  };
  SmallVector<Value> own;
  Value largest = old.largest;
  for (int64_t i = 0; i < plan.keys / lanes; ++i) {
    own.push_back(changeHands ? e.load(scores, place(i)) : products[size_t(i)]);
    largest = e.max(largest, own.back());
  }
  largest = e.maxLanes(largest, lanes);
  Value sum = e.real(0), global = e.addIndex(firstQuery, ownQuery);
  for (auto [i, score] : llvm::enumerate(own)) {
    Value p = emitExp2(e, e.sub(score, largest));
    sum = e.add(sum, p);
    Value column = e.addIndex(firstKey, e.addIndex(ownLane, int64_t(i) * lanes));
    Value weight = dropout.apply(e, p, pair, global, column);
    e.store(rounding ? e.rounded(weight, rounding) : weight, scores, place(int64_t(i)));
  }
  sum = e.sumLanes(sum, lanes);
  Value decay = emitExp2(e, e.sub(old.largest, largest));
  keepFactor(decay);
  return {largest, e.fma(old.sum, decay, sum)};
}

// What the sums of this thread's query are multiplied by.
void AttentionEmitter::keepFactor(Value factor) {
  ownFactor = factor;
  if (!plan.staysWithThread())
    e.ifThen(e.less(ownLane, 1), [&] { e.store(factor, factors, ownQuery); });
}

Value AttentionEmitter::factorOf(Value row) {
  return plan.staysWithThread() ? ownFactor : e.load(factors, row);
}

Emit::Carried AttentionEmitter::addValues(Value firstKey, ValueRange sums) {
  BlockTile tile = plan.rowsOfQueries();
  SharedFactor weights{scores, plan.squarePitch(), false}, values{valueTile, plan.pitch(), true};
  if (single()) {
    e.barrier();
    Emit::Carried decayed;
    tile.forEach(
        e, [&](int64_t i, Value row, Value) { decayed.push_back(e.mul(sums[i], factorOf(row))); });
    return tile.multiply(e, weights, values, plan.keys, decayed);
  }
  for (int64_t chunk = 0; chunk < plan.chunks; ++chunk) {
    if (chunk > 0)
      e.barrier();
    loadTile(e, plan, value, firstKey, plan.keys, chunk, valueTile, rounding);
    e.barrier();
    Emit::Carried added = tile.multiply(e, weights, values, plan.keys, tile.zeros(e));
    forEachResult(chunk, [&](int64_t i, Value row, Value place) {
      Value sum = e.load(result.buffer, place);
      e.store(e.fma(sum, factorOf(row), added[i]), result.buffer, place);
    });
  }
  return {};
}

void AttentionEmitter::finishBlock(Softmax softmax, ValueRange sums) {
  Value global = e.addIndex(firstQuery, ownQuery);
  keepFactor(e.div(e.real(1), softmax.sum));
  e.ifThen(e.less(ownLane, 1), [&] {
    Value lse = e.fma(softmax.largest, e.real(float(std::numbers::ln2)), emitLog(e, softmax.sum));
    e.ifThen(e.less(global, shape.queries), [&] {
      e.store(lse, arguments.results[1], e.addIndex(e.mulIndex(pair, shape.queries), global));
    });
  });
  if (!plan.staysWithThread())
    e.barrier();
  for (int64_t chunk = 0; chunk < plan.chunks; ++chunk)
    forEachResult(chunk, [&](int64_t i, Value row, Value place) {
      Value sum = single() ? sums[i] : e.load(result.buffer, place);
      sum = e.mul(sum, factorOf(row));
      if (value.isShifted) {
        Value column = e.addIndex(plan.rowsOfQueries().column(e, i), chunk * plan.chunk);
        sum = e.add(sum, value.load(e, e.index(0), column, Type()));
      }
      e.store(sum, result.buffer, place);
    });
}

// (row + bias) / ‖row + bias‖ of the block's rows, all heads of which are stored.
void AttentionEmitter::normalizeRows(Value batch) {
  e.loop(e.warpIndex(), e.index(plan.queries), e.threads() / Emit::warp, [&](Value i) {
    Value row = e.addIndex(firstQuery, i);
    e.ifThen(e.less(row, shape.queries), [&] {
      emitUnitRow(e, {arguments.results[0], bias},
                  e.addIndex(e.mulIndex(batch, shape.queries), row), arguments.results[2]);
    });
  });
}

} // namespace

FailureOr<int64_t> emitAttention(Emit &e, kernel::AttentionOp op,
                                 const KernelArguments &arguments) {
  if (op.getSelfKey() && op.getProbability().convertToDouble() > 0)
    return op.emitOpError("expected no dropout with a self column");
  if (op.getRelativeKey() && op.getOperandType())
    return op.emitOpError("expected products of f32 in relative attention");
  AttentionShape shape(arguments.operands[0], arguments.operands[1], int64_t(op.getHeads()));
  if (failed(checkAttention(op, shape)))
    return failure();
  if (op.getOperandType() && fitsTensorCores(e, *op.getOperandType(), shape))
    return emitMmaAttention(e, op, arguments);
  return AttentionEmitter(e, op, arguments).emit();
}

} // namespace memformer::nvptx
