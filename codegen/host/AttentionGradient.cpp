// kernel.attention_gradient: probabilities recomputed from lse, block by block.

#include "codegen/host/AttentionTiles.h"
#include "codegen/host/Emitters.h"
#include "codegen/host/Math.h"
#include "codegen/host/RelativeScores.h"
#include "codegen/host/ShiftedValues.h"
#include "dialect/kernel/Shapes.h"

#include <numbers>

using namespace mlir;

namespace memformer::host {

namespace {

/// One workgroup has all queries and keys of a head, so that the gradients of keys and values,
/// sums over queries, are added in one order and without conflicts.
class GradientEmitter {
public:
  GradientEmitter(Emit &e, kernel::AttentionGradientOp op, const KernelArguments &arguments);

  int64_t emit(Value workgroup);

private:
  void clear(const Matrix &rows);
  void emitPanel(const QueryPanel &panel);
  void emitSelf(const QueryPanel &panel);
  void emitBlock(const QueryPanel &panel, const KeyBlocks &blocks, Value firstTile, Value lastTile,
                 Value firstKey, Value keys);
  void emitScoreGradients(const QueryPanel &panel, Value firstKey, Value keys);
  void addQueryGradient(const QueryPanel &panel, Value firstKey, Value keys);
  void addKeyGradient(const QueryPanel &panel, const KeyBlocks &blocks, Value firstTile,
                      Value lastTile, Value firstKey, Value weights, const Matrix &rows,
                      const Matrix &target);

  Emit &e;
  kernel::AttentionGradientOp op;
  AttentionShape shape;
  QueryPanels panels;
  KeyBlocks blocks;
  ProbabilityDropout dropout;
  std::optional<RelativeScores> relative;
  std::optional<ShiftedValues> shifted;
  Value zero;
  float scale;

  SmallVector<Value> operands;
  /// The head of this workgroup in each tensor.
  Value batch, head;
  Matrix gradient, query, key, value, result, selfKey, selfValue, relativeQuery, relativeKey;
  Matrix queryGradient, keyGradient, valueGradient, selfKeyGradient, selfValueGradient;
  Matrix relativeQueryGradient, relativeKeyGradient;
  Value lse;
  /// Transposed panels [width, pitch]: queries, gradients of the result, gradients of queries, and
  /// what the self column needs for a moment.
  Value packedQuery, packedGradient, querySums, selfScratch;
  /// A block's [keys, pitch]: first q·k and g·v, then the scores' gradients (times scale) and the
  /// probabilities after dropout.
  Value scores, probabilities;
  /// Of a panel, a vector each: lse in powers of two, negated, and δ = g·o.
  SmallVector<Value> negatedLogs, delta;
};

GradientEmitter::GradientEmitter(Emit &e, kernel::AttentionGradientOp op,
                                 const KernelArguments &arguments)
    : e(e), op(op), shape(op.getQuery(), op.getKey(), int64_t(op.getHeads())),
      panels(e.target, shape.queries), blocks(e.target, shape.keys, panels.vectors()),
      dropout(e, shape, op.getDropoutKey() ? arguments.operands.back() : Value(),
              op.getProbability().convertToDouble()),
      zero(e.index(0)), scale(float(op.getScale().convertToDouble())),
      operands(arguments.operands) {
  llvm::append_range(operands, arguments.results);
}

int64_t GradientEmitter::emit(Value workgroup) {
  batch = e.divIndex(workgroup, shape.heads);
  head = e.remIndex(workgroup, shape.heads);
  auto next = operands.begin();
  auto take = [&](int64_t length) { return headOf(e, shape, *next++, length, batch, head); };
  gradient = take(shape.queries);
  query = take(shape.queries);
  key = take(shape.keys);
  value = take(shape.keys);
  result = take(shape.queries);
  lse = *next++;
  if (op.getSelfKey()) {
    selfKey = take(shape.queries);
    selfValue = take(shape.queries);
  }
  if (op.getRelativeKey()) {
    relativeQuery = take(shape.queries);
    relativeKey = headOf(e, shape, *next++, shape.keys, zero, head);
  }
  if (op.getDropoutKey())
    ++next;
  queryGradient = take(shape.queries);
  keyGradient = take(shape.keys);
  valueGradient = take(shape.keys);
  if (op.getSelfKey()) {
    selfKeyGradient = take(shape.queries);
    selfValueGradient = take(shape.queries);
  }
  if (op.getRelativeKey()) {
    relativeQueryGradient = take(shape.queries);
    relativeKeyGradient = take(shape.keys);
    clear(relativeKeyGradient);
  }

  auto panelScratch = [&] { return e.scratch({shape.width * panels.pitch()}); };
  packedQuery = panelScratch();
  packedGradient = panelScratch();
  querySums = panelScratch();
  if (op.getSelfKey()) {
    selfScratch = panelScratch();
  }
  scores = e.scratch({blocks.paddedRows(e.lanes) * panels.pitch()});
  probabilities = e.scratch({blocks.rows() * panels.pitch()});
  if (op.getRelativeKey())
    relative.emplace(e, shape, panels, blocks, /*gradient=*/true);
  shifted.emplace(e, shape, blocks,
                  /*wanted=*/kernel::shiftsValues(op));
  shifted->begin(value);

  clear(keyGradient);
  clear(valueGradient);
  e.loop(zero, e.index(panels.count()), 1, [&](Value index) { emitPanel(panels.panel(e, index)); });
  return shape.batch * shape.heads;
}

// Gradients of keys and values are added to from panel to panel.
void GradientEmitter::clear(const Matrix &rows) {
  e.loop(zero, e.index(shape.keys), 1, [&](Value j) {
    e.columns(shape.width,
              [&](Value column, int64_t active) { rows.store(e, e.splat(0), j, column, active); });
  });
}

void GradientEmitter::emitPanel(const QueryPanel &panel) {
  loadTransposed(e, shape, panel, query, packedQuery);
  loadTransposed(e, shape, panel, gradient, packedGradient);
  loadTransposed(e, shape, panel, result, querySums);
  shifted->subtract(panel, querySums);
  delta = emitLaneProducts(e, shape, panel, packedGradient, querySums);
  dropout.begin(e, panel, batch, head);

  negatedLogs = loadLogs(e, shape, panel, lse, batch, head, scores);
  for (Value &log : negatedLogs)
    log = e.mul(log, e.splat(float(-std::numbers::log2e)));

  if (relative) {
    relative->begin(panel, relativeQuery, relativeKey);
    relative->beginGradient();
  }
  if (op.getSelfKey())
    emitSelf(panel);
  else
    e.loop(zero, e.index(shape.width), 1, [&](Value c) {
      for (int64_t v = 0; v < panel.vectors(); ++v)
        panel.store(e, e.splat(0), querySums, c, v);
    });
  blocks.forEach(e, panel, op.getCausal(), {},
                 [&](Value firstTile, Value lastTile, Value firstKey, Value keys, ValueRange) {
                   emitBlock(panel, blocks, firstTile, lastTile, firstKey, keys);
                   return Emit::Carried();
                 });
  storeTransposed(e, shape, panel, querySums, queryGradient);
  if (relative)
    relative->finishGradient(blocks.tiles.firstRow(e, blocks.end(e, panel, op.getCausal())),
                             relativeQueryGradient, relativeKeyGradient);
}

// The self column is one more key that each query has for itself: all of it is lane-wise.
void GradientEmitter::emitSelf(const QueryPanel &panel) {
  int64_t vectors = panel.vectors();
  loadTransposed(e, shape, panel, selfValue, selfScratch);
  SmallVector<Value> products = emitLaneProducts(e, shape, panel, packedGradient, selfScratch);
  loadTransposed(e, shape, panel, selfKey, selfScratch);
  SmallVector<Value> scoresOfSelf = emitLaneProducts(e, shape, panel, packedQuery, selfScratch);
  SmallVector<Value> p, ds;
  Value exponent = e.splat(float(double(scale) * std::numbers::log2e));
  for (int64_t v = 0; v < vectors; ++v) {
    p.push_back(emitExp2OfNegative(e, e.fma(scoresOfSelf[v], exponent, negatedLogs[v])));
    ds.push_back(e.mul(e.mul(p[v], e.sub(products[v], delta[v])), e.splat(scale)));
  }
  multiplyLanes(e, shape, panel, ds, selfScratch, querySums);
  multiplyLanes(e, shape, panel, ds, packedQuery, selfScratch);
  storeTransposed(e, shape, panel, selfScratch, selfKeyGradient);
  multiplyLanes(e, shape, panel, p, packedGradient, selfScratch);
  storeTransposed(e, shape, panel, selfScratch, selfValueGradient);
}

void GradientEmitter::emitBlock(const QueryPanel &panel, const KeyBlocks &blocks, Value firstTile,
                                Value lastTile, Value firstKey, Value keys) {
  emitScores(e, shape, panel, blocks, firstTile, lastTile, firstKey, key, packedQuery, scores);
  if (relative)
    relative->add(firstKey, keys, scores);
  emitScores(e, shape, panel, blocks, firstTile, lastTile, firstKey, shifted->block(firstKey, keys),
             packedGradient, probabilities);
  emitScoreGradients(panel, firstKey, keys);
  addQueryGradient(panel, firstKey, keys);
  addKeyGradient(panel, blocks, firstTile, lastTile, firstKey, scores, query, keyGradient);
  addKeyGradient(panel, blocks, firstTile, lastTile, firstKey, probabilities, gradient,
                 valueGradient);
  if (relative)
    relative->addGradient(firstKey, keys, scores, relativeKeyGradient);
}

void GradientEmitter::emitScoreGradients(const QueryPanel &panel, Value firstKey, Value keys) {
  Value exponent = e.splat(float(double(scale) * std::numbers::log2e));
  e.loop(zero, keys, 1, [&](Value j) {
    Value keyIndex = e.addIndex(firstKey, j);
    for (int64_t v = 0; v < panel.vectors(); ++v) {
      Value p = emitExp2OfNegative(e, e.fma(panel.load(e, scores, j, v), exponent, negatedLogs[v]));
      if (op.getCausal())
        p = e.select(emitVisible(e, shape, panel, v, keyIndex), p, e.splat(0));
      Value product = panel.load(e, probabilities, j, v), kept = p;
      if (dropout) {
        Value keep = dropout.keep(e, v, keyIndex), factor = e.splat(dropout.scale());
        product = e.select(keep, e.mul(product, factor), e.splat(0));
        kept = e.select(keep, e.mul(p, factor), e.splat(0));
      }
      Value ds = e.mul(e.mul(p, e.sub(product, delta[v])), e.splat(scale));
      panel.store(e, ds, scores, j, v);
      panel.store(e, kept, probabilities, j, v);
    }
  });
}

// dQ[i, c] += Σ over the block's keys of dS[j, i] · K[j, c], queries in lanes.
void GradientEmitter::addQueryGradient(const QueryPanel &panel, Value firstKey, Value keys) {
  Matrix rows = key.from(e, firstKey, zero);
  Matrix transposed{rows.buffer, rows.offset, rows.columnStride, rows.rowStride};
  Matrix weights{scores, zero, panel.pitch(), 1};
  emitAddToPanel(e, shape, panel, transposed, weights, keys, querySums);
}

// target[j, c] += Σ over the panel's queries of weights[j, i] · rows[i, c], columns in lanes.
void GradientEmitter::addKeyGradient(const QueryPanel &panel, const KeyBlocks &blocks,
                                     Value firstTile, Value lastTile, Value firstKey, Value weights,
                                     const Matrix &rows, const Matrix &target) {
  Matrix panelRows = rows.from(e, panel.first, zero);
  Value depth = panel.count(e);
  // A strip is as wide as a panel, for which the tiles of keys were chosen.
  forEachStrip(e, shape, panels.pitch(), [&](Value column, const Strip &strip) {
    Matrix b = panelRows.from(e, zero, column);
    blocks.tiles.forEach(e, firstTile, lastTile, [&](Value, Value keyIndex, int64_t count) {
      Matrix a{weights, e.mulIndex(distance(e, firstKey, keyIndex), panel.pitch()), panel.pitch(),
               1};
      emitAddTile(e, count, strip, a, b, depth, target, keyIndex, column);
    });
  });
}

} // namespace

FailureOr<int64_t> emitAttentionGradient(OpBuilder &builder, kernel::AttentionGradientOp op,
                                         const KernelArguments &arguments,
                                         const HostTarget &target) {
  if (op.getOperandType())
    return op.emitOpError("the host multiplies f32 in attention, but got operands of ")
           << *op.getOperandType();
  if (op.getSelfKey() && op.getProbability().convertToDouble() > 0)
    return op.emitOpError("expected no dropout with a self column");
  AttentionShape shape(op.getQuery(), op.getKey(), int64_t(op.getHeads()));
  if (failed(checkAttention(op, shape)))
    return failure();
  Emit e(builder, op.getLoc(), target);
  GradientEmitter emitter(e, op, arguments);
  return emitter.emit(arguments.workgroup);
}

} // namespace memformer::host
