// kernel.attention: online softmax over blocks of keys, queries in lanes.

#include "codegen/host/AttentionRow.h"
#include "codegen/host/AttentionTiles.h"
#include "codegen/host/Emitters.h"
#include "codegen/host/Math.h"
#include "codegen/host/RelativeScores.h"
#include "codegen/host/RowNorms.h"
#include "codegen/host/ShiftedValues.h"
#include "dialect/kernel/Shapes.h"

#include <limits>
#include <numbers>

using namespace mlir;

namespace memformer::host {

namespace {

constexpr int64_t enoughWorkgroups = 16;

class AttentionEmitter {
public:
  AttentionEmitter(Emit &e, kernel::AttentionOp op, const KernelArguments &arguments,
                   int64_t vectors);

  int64_t emit(Value workgroup);

private:
  /// What the softmax of a panel's queries knows of the keys so far, a vector each: the largest
  /// score, and the sum of 2^(score − largest).
  struct Softmax {
    SmallVector<Value> largest, sum;
  };

  void emitPanel(const QueryPanel &panel, Value batch, Value head);
  Softmax beginSoftmax(const QueryPanel &panel, Value batch, Value head);
  Softmax updateSoftmax(const QueryPanel &panel, Value firstKey, Value keys, const Softmax &old);
  void addValues(const QueryPanel &panel, const Matrix &values, Value firstKey, Value keys,
                 ArrayRef<Value> decay);
  void finishPanel(const QueryPanel &panel, Value batch, Value head, const Softmax &softmax);
  void normalizeRows(const QueryPanel &panel, Value batch);
  /// One block of keys and no self column: nothing is online.
  bool single() { return blocks.count() == 1 && !op.getSelfKey(); }

  Emit &e;
  kernel::AttentionOp op;
  AttentionShape shape;
  QueryPanels panels;
  KeyBlocks blocks;
  ProbabilityDropout dropout;
  std::optional<RelativeScores> relative;
  std::optional<ShiftedValues> shifted;
  Value zero;

  Value query, key, value, selfKey, selfValue, bias, relativeQuery, relativeKey;
  Value result, lse, normalized;
  /// Transposed queries and results [width, pitch], and the scores of a block [keys, pitch].
  Value packed, sums, scores;
};

AttentionEmitter::AttentionEmitter(Emit &e, kernel::AttentionOp op,
                                   const KernelArguments &arguments, int64_t vectors)
    : e(e), op(op), shape(op.getQuery(), op.getKey(), int64_t(op.getHeads())),
      panels(e.target, shape.queries, vectors), blocks(e.target, shape.keys, panels.vectors()),
      dropout(e, shape, op.getDropoutKey() ? arguments.operands.back() : Value(),
              op.getProbability().convertToDouble()),
      zero(e.index(0)) {
  auto next = arguments.operands.begin();
  query = *next++;
  key = *next++;
  value = *next++;
  if (op.getSelfKey()) {
    selfKey = *next++;
    selfValue = *next++;
  }
  if (op.getBias())
    bias = *next++;
  if (op.getRelativeKey()) {
    relativeQuery = *next++;
    relativeKey = *next++;
  }
  result = arguments.results[0];
  lse = arguments.results[1];
  if (op.getNormalize())
    normalized = arguments.results[2];
}

int64_t AttentionEmitter::emit(Value workgroup) {
  packed = e.scratch({shape.width * panels.pitch()});
  sums = e.scratch({shape.width * panels.pitch()});
  scores = e.scratch({blocks.paddedRows(e.lanes) * panels.pitch()});
  if (relativeKey)
    relative.emplace(e, shape, panels, blocks, /*gradient=*/false);
  // Rows of memories, which may be alike, come with distances.
  shifted.emplace(e, shape, blocks,
                  /*wanted=*/kernel::shiftsValues(op));

  // Rows are normalised by the workgroup that has all of their heads.
  if (op.getNormalize()) {
    Value panel = e.remIndex(workgroup, panels.count());
    Value batch = e.divIndex(workgroup, panels.count());
    QueryPanel rows = panels.panel(e, panel);
    e.loop(zero, e.index(shape.heads), 1, [&](Value head) {
      shifted->begin(headOf(e, shape, value, shape.keys, batch, head));
      emitPanel(rows, batch, head);
    });
    normalizeRows(rows, batch);
    return shape.batch * panels.count();
  }

  int64_t heads = shape.batch * shape.heads;
  int64_t chunks = std::clamp<int64_t>(enoughWorkgroups / heads, 1, panels.count());
  int64_t perChunk = (panels.count() + chunks - 1) / chunks;
  chunks = (panels.count() + perChunk - 1) / perChunk;
  Value begin = e.mulIndex(e.remIndex(workgroup, chunks), perChunk);
  Value end = e.minIndex(e.addIndex(begin, perChunk), panels.count());
  Value pair = e.divIndex(workgroup, chunks);
  Value batch = e.divIndex(pair, shape.heads), head = e.remIndex(pair, shape.heads);
  shifted->begin(headOf(e, shape, value, shape.keys, batch, head));
  e.loop(begin, end, 1, [&](Value panel) { emitPanel(panels.panel(e, panel), batch, head); });
  return heads * chunks;
}

void AttentionEmitter::emitPanel(const QueryPanel &panel, Value batch, Value head) {
  // Scores are powers of two: the factor is folded into the queries.
  float factor = float(op.getScale().convertToDouble() * std::numbers::log2e);
  loadTransposed(e, shape, panel, headOf(e, shape, query, shape.queries, batch, head), packed,
                 factor);
  Matrix keyMatrix = headOf(e, shape, key, shape.keys, batch, head);
  dropout.begin(e, panel, batch, head);
  if (relative)
    relative->begin(panel, headOf(e, shape, relativeQuery, shape.queries, batch, head),
                    headOf(e, shape, relativeKey, shape.keys, zero, head), factor);

  Softmax begin = beginSoftmax(panel, batch, head);
  SmallVector<Value> carried = begin.largest;
  carried.append(begin.sum);
  Emit::Carried last = blocks.forEach(
      e, panel, op.getCausal(), carried,
      [&](Value firstTile, Value lastTile, Value firstKey, Value keys, ValueRange carried) {
        emitScores(e, shape, panel, blocks, firstTile, lastTile, firstKey, keyMatrix, packed,
                   scores);
        if (relative)
          relative->add(firstKey, keys, scores);
        Softmax old{SmallVector<Value>(carried.take_front(panel.vectors())),
                    SmallVector<Value>(carried.drop_front(panel.vectors()))};
        Softmax now = updateSoftmax(panel, firstKey, keys, old);
        SmallVector<Value> decay;
        if (!single())
          for (int64_t v = 0; v < panel.vectors(); ++v)
            decay.push_back(emitExp2OfNegative(e, e.sub(old.largest[v], now.largest[v])));
        addValues(panel, shifted->block(firstKey, keys), firstKey, keys, decay);
        Emit::Carried next = now.largest;
        for (int64_t v = 0; v < panel.vectors(); ++v)
          next.push_back(single() ? now.sum[v] : e.fma(old.sum[v], decay[v], now.sum[v]));
        return next;
      });
  ArrayRef<Value> values(last);
  finishPanel(panel, batch, head,
              {SmallVector<Value>(values.take_front(panel.vectors())),
               SmallVector<Value>(values.drop_front(panel.vectors()))});
}

// Before the first key: nothing seen, or the self column, whose weighted value is then the sum.
AttentionEmitter::Softmax AttentionEmitter::beginSoftmax(const QueryPanel &panel, Value batch,
                                                         Value head) {
  int64_t vectors = panel.vectors();
  if (op.getSelfKey()) {
    loadTransposed(e, shape, panel, headOf(e, shape, selfKey, shape.queries, batch, head), sums);
    SmallVector<Value> largest = emitLaneProducts(e, shape, panel, packed, sums);
    loadTransposed(e, shape, panel, headOf(e, shape, selfValue, shape.queries, batch, head), sums);
    return {largest, SmallVector<Value>(vectors, e.splat(1))};
  }
  if (!single())
    e.loop(zero, e.index(shape.width), 1, [&](Value c) {
      for (int64_t v = 0; v < vectors; ++v)
        panel.store(e, e.splat(0), sums, c, v);
    });
  return {SmallVector<Value>(vectors, e.splat(-std::numeric_limits<float>::infinity())),
          SmallVector<Value>(vectors, e.splat(0))};
}

// Scores of a block become probabilities relative to the largest score so far. The sum that comes
// back is the block's own.
AttentionEmitter::Softmax AttentionEmitter::updateSoftmax(const QueryPanel &panel, Value firstKey,
                                                          Value keys, const Softmax &old) {
  int64_t vectors = panel.vectors();
  Value hidden = e.splat(-std::numeric_limits<float>::infinity());
  Softmax now;
  now.largest = e.loop(zero, keys, 1, old.largest, [&](Value j, ValueRange largest) {
    Emit::Carried next;
    for (int64_t v = 0; v < vectors; ++v) {
      Value score = panel.load(e, scores, j, v);
      if (op.getCausal()) {
        score = e.select(emitVisible(e, shape, panel, v, e.addIndex(firstKey, j)), score, hidden);
        panel.store(e, score, scores, j, v);
      }
      next.push_back(e.max(largest[v], score));
    }
    return next;
  });
  SmallVector<Value> zeros(vectors, e.splat(0));
  now.sum = e.loop(zero, keys, 1, zeros, [&](Value j, ValueRange sum) {
    Emit::Carried next;
    for (int64_t v = 0; v < vectors; ++v) {
      Value p = emitExp2OfNegative(e, e.sub(panel.load(e, scores, j, v), now.largest[v]));
      next.push_back(e.add(sum[v], p));
      if (dropout)
        p = e.select(dropout.keep(e, v, e.addIndex(firstKey, j)),
                     e.mul(p, e.splat(dropout.scale())), e.splat(0));
      panel.store(e, p, scores, j, v);
    }
    return next;
  });
  return now;
}

// sums[c] ← decay · sums[c] + Σ over the block's keys of V[j, c] · p[j].
void AttentionEmitter::addValues(const QueryPanel &panel, const Matrix &values, Value firstKey,
                                 Value keys, ArrayRef<Value> decay) {
  int64_t vectors = panel.vectors();
  Matrix rows = values.from(e, firstKey, zero);
  Matrix transposed{rows.buffer, rows.offset, rows.columnStride, rows.rowStride};
  Matrix probabilities{scores, zero, panel.pitch(), 1};
  RowTiles tiles = RowTiles::even(shape.width, tileRows(e.target, vectors));
  tiles.forEach(e, zero, e.index(tiles.count), [&](Value, Value c, int64_t rows) {
    SmallVector<Value> added = emitTile(e, rows, panel.lanes, transposed.from(e, c, zero),
                                        probabilities, keys, panel.lanes.columns);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t v = 0; v < vectors; ++v) {
        Value at = e.addIndex(c, i), sum = added[i * vectors + v];
        if (!decay.empty())
          sum = e.fma(panel.load(e, sums, at, v), decay[v], sum);
        panel.store(e, sum, sums, at, v);
      }
  });
}

void AttentionEmitter::finishPanel(const QueryPanel &panel, Value batch, Value head,
                                   const Softmax &softmax) {
  SmallVector<Value> inverses, logs;
  for (int64_t v = 0; v < panel.vectors(); ++v) {
    inverses.push_back(e.div(e.splat(1), softmax.sum[v]));
    logs.push_back(
        e.fma(softmax.largest[v], e.splat(float(std::numbers::ln2)), emitLog(e, softmax.sum[v])));
  }
  storeLogs(e, shape, panel, lse, batch, head, scores, logs);
  multiplyLanes(e, shape, panel, inverses, sums, sums);
  shifted->add(panel, sums);
  storeTransposed(e, shape, panel, sums, headOf(e, shape, result, shape.queries, batch, head));
}

// (row + bias) / ‖row + bias‖ of the panel's rows, all heads of which are stored.
void AttentionEmitter::normalizeRows(const QueryPanel &panel, Value batch) {
  int64_t width = shape.rowStride();
  Value rows = e.rows(result), target = e.rows(normalized);
  int64_t biasRows = bias ? cast<MemRefType>(bias.getType()).getNumElements() / width : 1;
  Value biases = bias ? e.matrix(bias, biasRows, width) : Value();
  e.loop(zero, panel.count(e), 1, [&](Value i) {
    Value row = e.addIndex(e.mulIndex(batch, shape.queries), e.addIndex(panel.first, i));
    auto entry = [&](Value column, int64_t active) {
      Value x = e.load(rows, {row, column}, active);
      return bias ? e.add(x, e.load(biases, {e.remIndex(row, biasRows), column}, active)) : x;
    };
    Value length = e.sqrt(emitSquaredLength(e, width, entry));
    Value divisor = e.broadcast(length);
    e.columns(width, [&](Value column, int64_t active) {
      e.store(e.div(entry(column, active), divisor), target, {row, column}, active);
    });
  });
}

// A single query: its lanes would be empty, so keys are in lanes instead.
int64_t emitSingleQueries(Emit &e, kernel::AttentionOp op, const AttentionShape &shape,
                          const KernelArguments &arguments) {
  const int64_t perGroup = headsOfWorkgroup(shape.heads, shape.keys, shape.width);
  const int64_t groups = (shape.heads + perGroup - 1) / perGroup;
  Value scratch = e.scratch({AttentionRow::scratchOf(e, shape.keys)});
  Value batch = e.divIndex(arguments.workgroup, groups);
  Value first = e.mulIndex(e.remIndex(arguments.workgroup, groups), perGroup);
  Value last = e.minIndex(e.addIndex(first, perGroup), shape.heads);
  Value logs = e.matrix(arguments.results[1], shape.batch, shape.heads);
  e.loop(first, last, 1, [&](Value head) {
    auto one = [&](Value tensor) { return headOf(e, shape, tensor, 1, batch, head); };
    auto all = [&](Value tensor) { return headOf(e, shape, tensor, shape.keys, batch, head); };
    Value lse = emitAttentionRow(e,
                                 {one(arguments.operands[0]), all(arguments.operands[1]),
                                  all(arguments.operands[2]), one(arguments.results[0]),
                                  e.index(shape.keys), shape.keys, shape.width,
                                  op.getScale().convertToDouble()},
                                 scratch);
    e.storeScalar(lse, logs, {batch, head});
  });
  return shape.batch * groups;
}

} // namespace

FailureOr<int64_t> emitAttention(OpBuilder &builder, kernel::AttentionOp op,
                                 const KernelArguments &arguments, const HostTarget &target) {
  if (op.getOperandType())
    return op.emitOpError("the host multiplies f32 in attention, but got operands of ")
           << *op.getOperandType();
  if (op.getSelfKey() && op.getProbability().convertToDouble() > 0)
    return op.emitOpError("expected no dropout with a self column");
  AttentionShape shape(op.getQuery(), op.getKey(), int64_t(op.getHeads()));
  if (failed(checkAttention(op, shape)))
    return failure();
  PanelVectors panels = choosePanels(target, shape, op.getCausal());
  HostTarget chosen = target;
  chosen.lanes = panels.lanes;
  Emit e(builder, op.getLoc(), chosen);
  // With causality a single query sees the first key alone.
  bool plain =
      !op.getSelfKey() && !op.getNormalize() && !op.getCausal() && op.getProbability().isZero();
  if (shape.queries == 1 && plain)
    return emitSingleQueries(e, op, shape, arguments);
  AttentionEmitter emitter(e, op, arguments, panels.vectors);
  return emitter.emit(arguments.workgroup);
}

} // namespace memformer::host
