// What attention each key receives, and the rows that received most of it.

#include "codegen/host/AttentionTiles.h"
#include "codegen/host/Emitters.h"
#include "codegen/host/Math.h"
#include "codegen/host/RelativeScores.h"
#include "dialect/kernel/Shapes.h"

#include <limits>
#include <numbers>
#include <optional>

using namespace mlir;

namespace memformer::host {

namespace {

/// One workgroup has all queries and keys of a head: sums over queries are made in one order.
class UsageEmitter {
public:
  UsageEmitter(Emit &e, kernel::AttentionUsageOp op, const KernelArguments &arguments);

  int64_t emit();

private:
  void addBlock(const QueryPanel &panel, ArrayRef<Value> negatedLogs, Value firstKey, Value keys);
  Value isOwn(const QueryPanel &panel, int64_t v);

  Emit &e;
  kernel::AttentionUsageOp op;
  const KernelArguments &arguments;
  AttentionShape shape;
  QueryPanels panels;
  KeyBlocks blocks;
  /// The sums of all heads [B · H, Lk]; scores of a block [keys, pitch].
  Value result, scores;
};

} // namespace

UsageEmitter::UsageEmitter(Emit &e, kernel::AttentionUsageOp op, const KernelArguments &arguments)
    : e(e), op(op), arguments(arguments), shape(op.getQuery(), op.getKey(), int64_t(op.getHeads())),
      panels(e.target, shape.queries), blocks(e.target, shape.keys, panels.vectors()),
      result(e.matrix(arguments.results[0], shape.batch * shape.heads, shape.keys)) {}

int64_t UsageEmitter::emit() {
  Value zero = e.index(0);
  Value batch = e.divIndex(arguments.workgroup, shape.heads);
  Value head = e.remIndex(arguments.workgroup, shape.heads);
  auto take = [&](unsigned number, int64_t length, Value batch) {
    return headOf(e, shape, arguments.operands[number], length, batch, head);
  };
  Matrix query = take(0, shape.queries, batch), key = take(1, shape.keys, batch);
  Value packedQuery = e.scratch({shape.width * panels.pitch()});
  scores = e.scratch({blocks.paddedRows(e.lanes) * panels.pitch()});
  std::optional<RelativeScores> relative;
  Matrix relativeQuery, relativeKey;
  if (op.getRelativeKey()) {
    relativeQuery = take(3, shape.queries, batch);
    relativeKey = take(4, shape.keys, zero);
    relative.emplace(e, shape, panels, blocks, /*gradient=*/false);
  }
  e.columns(shape.keys, [&](Value column, int64_t active) {
    e.store(e.splat(0), result, {arguments.workgroup, column}, active);
  });
  e.loop(zero, e.index(panels.count()), 1, [&](Value index) {
    QueryPanel panel = panels.panel(e, index);
    loadTransposed(e, shape, panel, query, packedQuery);
    SmallVector<Value> negatedLogs =
        loadLogs(e, shape, panel, arguments.operands[2], batch, head, scores);
    for (Value &log : negatedLogs)
      log = e.mul(log, e.splat(float(-std::numbers::log2e)));
    if (relative)
      relative->begin(panel, relativeQuery, relativeKey);
    blocks.forEach(e, panel, op.getCausal(), {},
                   [&](Value firstTile, Value lastTile, Value firstKey, Value keys, ValueRange) {
                     emitScores(e, shape, panel, blocks, firstTile, lastTile, firstKey, key,
                                packedQuery, scores);
                     if (relative)
                       relative->add(firstKey, keys, scores);
                     addBlock(panel, negatedLogs, firstKey, keys);
                     return Emit::Carried();
                   });
  });
  return shape.batch * shape.heads;
}

// Whether lanes have a query of their own: those beyond the last repeat it.
Value UsageEmitter::isOwn(const QueryPanel &panel, int64_t v) {
  Value lane = e.add(e.broadcast(e.toInt(e.addIndex(panel.first, v * e.lanes))), e.iota());
  return e.compareInt(arith::CmpIPredicate::slt, lane, e.splatInt(int32_t(shape.queries)));
}

void UsageEmitter::addBlock(const QueryPanel &panel, ArrayRef<Value> negatedLogs, Value firstKey,
                            Value keys) {
  Value exponent = e.splat(float(op.getScale().convertToDouble() * std::numbers::log2e));
  SmallVector<Value> own;
  for (int64_t v = 0; v < panel.vectors(); ++v)
    own.push_back(isOwn(panel, v));
  e.loop(e.index(0), keys, 1, [&](Value j) {
    Value key = e.addIndex(firstKey, j), sum = e.splat(0);
    for (int64_t v = 0; v < panel.vectors(); ++v) {
      Value p = emitExp2OfNegative(e, e.fma(panel.load(e, scores, j, v), exponent, negatedLogs[v]));
      Value counts = own[size_t(v)];
      if (op.getCausal())
        counts = arith::AndIOp::create(e.b, e.loc, counts, emitVisible(e, shape, panel, v, key));
      sum = e.add(sum, e.select(counts, p, e.splat(0)));
    }
    Value before = e.loadScalar(result, {arguments.workgroup, key});
    e.storeScalar(e.add(before, e.sumLanes(sum)), result, {arguments.workgroup, key});
  });
}

FailureOr<int64_t> emitAttentionUsage(OpBuilder &builder, kernel::AttentionUsageOp op,
                                      const KernelArguments &arguments, const HostTarget &target) {
  AttentionShape shape(op.getQuery(), op.getKey(), int64_t(op.getHeads()));
  if (failed(checkAttention(op, shape)))
    return failure();
  Emit e(builder, op.getLoc(), target);
  return UsageEmitter(e, op, arguments).emit();
}

// A row is chosen where fewer rows than are wanted go before it: those of a higher average, and
// those of the same that are above it.
FailureOr<int64_t> emitMostUsed(OpBuilder &builder, kernel::MostUsedOp op,
                                const KernelArguments &arguments, const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  ArrayRef<int64_t> shape = kernel::shapeOf(op.getUsage().getType());
  int64_t heads = shape[1], rows = shape[2];
  int64_t wanted = kernel::widthOf(op.getResult().getType());
  constexpr int64_t mostRows = 1 << 16; // of scratch
  if (rows > mostRows)
    return op.emitOpError("expected at most ")
           << mostRows << " rows to choose from, but got " << rows;
  Value usage = e.matrix(arguments.operands[0], shape[0] * heads, rows);
  Value result = e.matrix(arguments.results[0], shape[0], wanted);
  Value batch = arguments.workgroup, averages = e.scratch({rows});
  auto numbers = [&](Value column) { return e.add(e.broadcast(e.toInt(column)), e.iota()); };
  e.columns(rows, [&](Value column, int64_t active) {
    Value sum = e.splat(0);
    for (int64_t head = 0; head < heads; ++head) {
      Value row = e.addIndex(e.mulIndex(batch, heads), head);
      sum = e.add(sum, e.load(usage, {row, column}, active));
    }
    // Lanes beyond the last row were seen too: nothing divides by zero.
    Value seen =
        arith::SubIOp::create(e.b, e.loc, e.splatInt(int32_t(op.getSeen())), numbers(column));
    seen = arith::SIToFPOp::create(e.b, e.loc, e.floats(), seen);
    e.store(e.div(sum, seen), averages, {column}, active);
  });
  constexpr float lowest = -std::numeric_limits<float>::infinity();
  e.loop(e.index(0), e.index(rows), 1, {e.index(0)}, [&](Value i, ValueRange place) {
    Value own = e.broadcast(e.loadScalar(averages, {i})), number = e.broadcast(e.toInt(i));
    Value before = e.sumColumns(rows, 1, [&](Value column, int64_t active, ValueRange count) {
      Value other = e.load(averages, {column}, active, lowest);
      Value higher = e.compare(arith::CmpFPredicate::OGT, other, own);
      Value equal = e.compare(arith::CmpFPredicate::OEQ, other, own);
      Value above = e.compareInt(arith::CmpIPredicate::slt, numbers(column), number);
      Value goes =
          arith::OrIOp::create(e.b, e.loc, higher, arith::AndIOp::create(e.b, e.loc, equal, above));
      return Emit::Carried{e.add(count[0], e.select(goes, e.splat(1), e.splat(0)))};
    })[0];
    // Nothing goes before NaN: then there are more than are wanted.
    Value isWanted = e.compare(arith::CmpFPredicate::OLT, before, e.constant(float(wanted)));
    Value fits = e.compareInt(arith::CmpIPredicate::ult, place[0], e.index(wanted));
    Value chosen = arith::AndIOp::create(e.b, e.loc, isWanted, fits);
    e.ifThen(chosen, [&] {
      Value row = e.addIndex(e.mulIndex(batch, rows), i);
      e.storeScalar(e.toInt(row), result, {batch, place[0]});
    });
    return Emit::Carried{e.select(chosen, e.addIndex(place[0], 1), place[0])};
  });
  return shape[0];
}

} // namespace memformer::host
