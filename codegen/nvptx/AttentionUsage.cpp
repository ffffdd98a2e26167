// What attention each key receives, and the rows that received most of it.

#include "codegen/nvptx/AttentionBlock.h"
#include "codegen/nvptx/Emitters.h"
#include "codegen/nvptx/Math.h"

using namespace mlir;

namespace memformer::nvptx {

// A warp has a key of a head, its lanes have columns: rows are read as they lie, and sums over
// queries are made in one order.
FailureOr<int64_t> emitAttentionUsage(Emit &e, kernel::AttentionUsageOp op,
                                      const KernelArguments &arguments) {
  const Buffer &queries = arguments.operands[0], &keys = arguments.operands[1];
  const Buffer &lses = arguments.operands[2], &result = arguments.results[0];
  AttentionShape shape(queries, keys, int64_t(op.getHeads()));
  if (failed(checkAttention(op, shape)))
    return failure();
  constexpr int64_t threads = 256, warps = threads / Emit::warp;
  e.setThreads(threads);
  int64_t entries = result.entries();
  Value linear = e.at(e.block(), warps, e.warpIndex());
  e.ifThen(e.less(linear, entries), [&] {
    Value pair = e.divIndex(linear, shape.keys), j = e.remIndex(linear, shape.keys);
    Value batch = e.divIndex(pair, shape.heads), head = e.remIndex(pair, shape.heads);
    Head query(e, shape, queries, shape.queries, batch, head);
    Head key(e, shape, keys, shape.keys, batch, head);
    Head relativeQuery, relativeKey;
    if (op.getRelativeKey()) {
      relativeQuery = Head(e, shape, arguments.operands[3], shape.queries, batch, head);
      relativeKey = Head(e, shape, arguments.operands[4], shape.keys, e.index(0), head);
    }
    Value scale = e.real(float(op.getScale().convertToDouble()));
    Value first = firstQueryOf(e, shape, op.getCausal(), j);
    Value sum =
        e.loop(first, e.index(shape.queries), 1, e.real(0), [&](Value i, ValueRange carried) {
          Value product = e.strided(
              e.lane(), shape.width, Emit::warp, e.real(0), [&](Value column, ValueRange sum) {
                Value next =
                    e.fma(query.load(e, i, column, Type()), key.load(e, j, column, Type()), sum[0]);
                if (op.getRelativeKey()) {
                  Value row = e.sub(e.addIndex(j, shape.queries - 1), i);
                  next = e.fma(relativeQuery.load(e, i, column, Type()),
                               relativeKey.load(e, row, column, Type()), next);
                }
                return Emit::Carried{next};
              })[0];
          Value score = e.mul(e.sumLanes(product), scale);
          Value lse = e.load(lses, e.at(pair, shape.queries, i));
          return Emit::Carried{e.add(carried[0], emitExp(e, e.sub(score, lse)))};
        })[0];
    e.ifThen(e.less(e.lane(), 1), [&] { e.store(sum, result, linear); });
  });
  return (entries + warps - 1) / warps;
}

// A block has a sequence. A row is chosen where fewer rows than are wanted go before it: those of a
// higher average, and those of the same that are above it.
FailureOr<int64_t> emitMostUsed(Emit &e, kernel::MostUsedOp op, const KernelArguments &arguments) {
  const Buffer &usage = arguments.operands[0], &result = arguments.results[0];
  int64_t batches = usage.shape[0], heads = usage.shape[1], rows = usage.shape[2];
  int64_t wanted = result.width();
  if (int64_t most = e.target.mostSharedBytes / 8 - Emit::warp; rows > most)
    return op.emitOpError("expected at most ")
           << most << " rows to choose from on " << e.target.architecture << ", but got " << rows;
  constexpr int64_t threads = 256;
  e.setThreads(threads);
  Buffer averages = e.shared(rows), chosen = e.shared(rows, e.b.getI32Type());
  Value batch = e.block();
  e.strided(e.thread(), rows, threads, [&](Value i) {
    Value sum = e.loop(e.index(0), e.index(heads), 1, e.real(0), [&](Value head, ValueRange sum) {
      Value row = e.at(batch, heads, head);
      return Emit::Carried{e.add(sum[0], e.load(usage, e.at(row, rows, i)))};
    })[0];
    Value seen = arith::UIToFPOp::create(e.b, e.loc, e.b.getF32Type(),
                                         e.sub(e.index(int64_t(op.getSeen())), i));
    e.store(e.div(sum, seen), averages, i);
  });
  e.barrier();
  auto count = [&](Value end, llvm::function_ref<Value(Value)> counts) {
    return e.loop(e.index(0), end, 1, e.index(0), [&](Value j, ValueRange count) {
      return Emit::Carried{e.select(counts(j), e.addIndex(count[0], 1), count[0])};
    })[0];
  };
  e.strided(e.thread(), rows, threads, [&](Value i) {
    Value own = e.load(averages, i);
    Value before = count(e.index(rows), [&](Value j) {
      Value other = e.load(averages, j);
      Value higher = e.compare(arith::CmpFPredicate::OGT, other, own);
      Value equal = e.compare(arith::CmpFPredicate::OEQ, other, own);
      return Value(arith::OrIOp::create(e.b, e.loc, higher, e.both(equal, e.less(j, i))));
    });
    e.store(e.select(e.less(before, wanted), e.integer(1), e.integer(0)), chosen, i);
  });
  e.barrier();
  auto isChosen = [&](Value i) { return e.less(e.index(0), e.load(chosen, i)); };
  e.strided(e.thread(), rows, threads, [&](Value i) {
    e.ifThen(isChosen(i), [&] {
      Value place = count(i, isChosen);
      // Nothing goes before NaN: then there are more than are wanted.
      e.ifThen(e.less(place, wanted),
               [&] { e.store(e.at(batch, rows, i), result, e.at(batch, wanted, place)); });
    });
  });
  return batches;
}

} // namespace memformer::nvptx
