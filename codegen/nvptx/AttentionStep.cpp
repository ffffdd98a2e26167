// kernel.attention_step and kernel.attention_weights: one query at a time.

#include "codegen/nvptx/AttentionBlock.h"
#include "codegen/nvptx/Emitters.h"
#include "codegen/nvptx/Math.h"

#include <limits>
#include <numbers>

using namespace mlir;

namespace memformer::nvptx {

// A block has a head: a thread has keys for the scores, and columns for the sums of values. Keys
// are worked on in stretches whose scores fit into shared memory.
FailureOr<int64_t> emitAttentionStep(Emit &e, kernel::AttentionStepOp op,
                                     const KernelArguments &arguments) {
  AttentionShape shape(arguments.operands[0], arguments.operands[3], int64_t(op.getHeads()));
  if (failed(checkAttention(op, shape)))
    return failure();
  constexpr int64_t threads = 128, stretch = 1024;
  e.setThreads(threads);
  Value batch = e.divIndex(e.block(), shape.heads), head = e.remIndex(e.block(), shape.heads);
  auto row = [&](const Buffer &tensor) { return Head(e, shape, tensor, 1, batch, head); };
  auto cache = [&](const Buffer &tensor) {
    return Head(e, shape, tensor, shape.keys, batch, head);
  };
  Head query = row(arguments.operands[0]), result = row(arguments.results[0]);
  Head keys = cache(arguments.operands[3]), values = cache(arguments.operands[4]);
  Value position = e.addIndex(e.load(arguments.operands[5], e.index(0)), int64_t(op.getBefore()));
  Buffer queries = e.shared(shape.width), scores = e.shared(std::min(shape.keys, stretch));
  Buffer sums = e.shared(shape.width);
  // Key j belongs to the row of relative keys that is as far from the last as j is from the
  // position.
  bool isRelative = bool(op.getRelativeKey());
  Head relativeQuery, relativeKeys;
  Buffer relativeQueries;
  if (isRelative) {
    relativeQuery = row(arguments.operands[6]);
    relativeKeys = Head(e, shape, arguments.operands[7], shape.keys, e.index(0), head);
    relativeQueries = e.shared(shape.width);
  }
  float factor = float(op.getScale().convertToDouble() * std::numbers::log2e);
  Value zero = e.index(0), none = e.real(-std::numeric_limits<float>::infinity());

  Head newKey = row(arguments.operands[1]), newValue = row(arguments.operands[2]);
  e.strided(e.thread(), shape.width, threads, [&](Value column) {
    Value from = newKey.at(e, zero, column), to = keys.at(e, position, column);
    e.store(e.load(newKey.buffer, from), keys.buffer, to);
    e.store(e.load(newValue.buffer, from), values.buffer, to);
    Value q = e.load(query.buffer, query.at(e, zero, column));
    e.store(e.mul(q, e.real(factor)), queries, column);
    if (isRelative) {
      Value p = e.load(relativeQuery.buffer, relativeQuery.at(e, zero, column));
      e.store(e.mul(p, e.real(factor)), relativeQueries, column);
    }
    e.store(e.real(0), sums, column);
  });
  // A single entry stays with its thread.
  if (shape.keys > 1 || shape.width > 1)
    e.barrier();
  Value count = e.addIndex(position, 1);
  Emit::Carried softmax =
      e.loop(zero, count, stretch, {none, e.real(0)}, [&](Value begin, ValueRange old) {
        Value end = e.minIndex(e.addIndex(begin, stretch), count);
        Value own = e.addIndex(begin, e.thread());
        Value largest = e.loop(own, end, threads, old[0], [&](Value key, ValueRange most) {
          auto product = [&](const Head &rows, Value at, const Buffer &query, Value begin) {
            return e.loop(zero, e.index(shape.width), 1, begin, [&](Value column, ValueRange sum) {
              Value k = e.load(rows.buffer, rows.at(e, at, column));
              return Emit::Carried{e.fma(k, e.load(query, column), sum[0])};
            })[0];
          };
          Value score = product(keys, key, queries, e.real(0));
          if (isRelative) {
            Value at = e.sub(e.addIndex(key, shape.keys - 1), position);
            score = product(relativeKeys, at, relativeQueries, score);
          }
          e.store(score, scores, e.sub(key, begin));
          return Emit::Carried{e.max(most[0], score)};
        })[0];
        largest = e.reduceBlock(largest, [&](Value x, Value y) { return e.max(x, y); });
        Value sum = e.loop(own, end, threads, e.real(0), [&](Value key, ValueRange sum) {
          Value place = e.sub(key, begin);
          Value p = emitExp2(e, e.sub(e.load(scores, place), largest));
          e.store(p, scores, place);
          return Emit::Carried{e.add(sum[0], p)};
        })[0];
        // The reduction's barrier is also that of the probabilities.
        sum = e.sumBlock(sum);
        Value decay = emitExp2(e, e.sub(old[0], largest));
        e.strided(e.thread(), shape.width, threads, [&](Value column) {
          Value start = e.mul(e.load(sums, column), decay);
          Value added = e.loop(begin, end, 1, start, [&](Value key, ValueRange sum) {
            Value v = e.load(values.buffer, values.at(e, key, column));
            return Emit::Carried{e.fma(v, e.load(scores, e.sub(key, begin)), sum[0])};
          })[0];
          e.store(added, sums, column);
        });
        // Before the next stretch's scores.
        if (shape.keys > stretch)
          e.barrier();
        return Emit::Carried{largest, e.fma(old[1], decay, sum)};
      });
  e.strided(e.thread(), shape.width, threads, [&](Value column) {
    e.store(e.div(e.load(sums, column), softmax[1]), result.buffer, result.at(e, zero, column));
  });
  return shape.batch * shape.heads;
}

// A thread has an entry of the result. Not made for speed: it is for observation.
FailureOr<int64_t> emitAttentionWeights(Emit &e, kernel::AttentionWeightsOp op,
                                        const KernelArguments &arguments) {
  int64_t self = op.getSelfKey() ? 1 : 0;
  const Buffer &queries = arguments.operands[0], &keys = arguments.operands[1 + self];
  const Buffer &lses = arguments.operands[2 + self], &result = arguments.results[0];
  AttentionShape shape(queries, keys, int64_t(op.getHeads()));
  constexpr int64_t threads = 256;
  e.setThreads(threads);
  int64_t columns = shape.keys + self, entries = result.entries();
  Value linear = e.at(e.block(), threads, e.thread());
  e.ifThen(e.less(linear, entries), [&] {
    Value row = e.divIndex(linear, columns), column = e.remIndex(linear, columns);
    Value pair = e.divIndex(row, shape.queries), i = e.remIndex(row, shape.queries);
    Value batch = e.divIndex(pair, shape.heads), head = e.remIndex(pair, shape.heads);
    Head query(e, shape, queries, shape.queries, batch, head);
    Head key(e, shape, keys, shape.keys, batch, head);
    Type rounding = op.getOperandType().value_or(Type());
    auto product = [&](const Head &other, Value j, Type roundingOther) {
      return e.loop(e.index(0), e.index(shape.width), 1, e.real(0), [&](Value c, ValueRange sum) {
        Value q = query.load(e, i, c, rounding);
        return Emit::Carried{e.fma(q, other.load(e, j, c, roundingOther), sum[0])};
      });
    };
    Value hidden = e.real(-std::numeric_limits<float>::infinity());
    Value j = self ? e.sub(column, e.index(1)) : column;
    Value score;
    if (self) {
      Head selfKey(e, shape, arguments.operands[1], shape.queries, batch, head);
      score = e.choose(
          e.less(column, 1), e.b.getF32Type(), [&] { return product(selfKey, i, Type()); },
          [&] { return product(key, j, rounding); })[0];
    } else {
      score = product(key, j, rounding)[0];
    }
    Value scaled = e.mul(score, e.real(float(op.getScale().convertToDouble())));
    if (op.getCausal()) {
      Value last = e.addIndex(i, self ? self : shape.before());
      Value visible = e.compareInt(arith::CmpIPredicate::ule, column, last);
      scaled = e.select(visible, scaled, hidden);
    }
    e.store(emitExp(e, e.sub(scaled, e.load(lses, row))), result, linear);
  });
  return (entries + threads - 1) / threads;
}

} // namespace memformer::nvptx
