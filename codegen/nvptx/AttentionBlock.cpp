// What attention and its gradient share: heads, blocks of queries and keys, scores.

#include "codegen/nvptx/AttentionBlock.h"
#include "dialect/memformer/Random.h"

using namespace mlir;

namespace memformer::nvptx {

AttentionShape::AttentionShape(const Buffer &query, const Buffer &key, int64_t heads)
    : batch(query.shape[0]), heads(heads), queries(query.shape[1]), keys(key.shape[1]),
      width(query.shape[2] / heads) {}

LogicalResult checkAttention(Operation *op, const AttentionShape &shape) {
  if (std::min({shape.batch, shape.queries, shape.keys, shape.width}) < 1)
    return op->emitOpError("expected at least one query, one key and one column in each head");
  return success();
}

Head::Head(Emit &e, const AttentionShape &shape, const Buffer &tensor, int64_t length, Value batch,
           Value head)
    : stride(shape.rowStride()), length(length), width(shape.width) {
  Value begin = e.addIndex(e.mulIndex(batch, length * stride), e.mulIndex(head, width));
  buffer = e.from(tensor, begin);
}

bool Head::inVectors() const {
  // Shorter tensors begin anywhere.
  return width % 4 == 0 && buffer.entries() * (buffer.isNarrow() ? 2 : 4) >= 64;
}

Value Head::at(Emit &e, Value row, Value column) const { return e.at(row, stride, column); }

static Value roundedIf(Emit &e, Type rounding, Value x) {
  return rounding ? e.rounded(x, rounding) : x;
}

Value Head::load(Emit &e, Value row, Value column, Type rounding) const {
  return roundedIf(e, buffer.isNarrow() ? Type() : rounding, e.load(buffer, at(e, row, column)));
}

static int64_t roundUp(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

void GradientHeads::takeHeads(Emit &e, const AttentionShape &shape, kernel::AttentionGradientOp op,
                              const KernelArguments &arguments, Value batch, Value head) {
  const Buffer *next = arguments.operands.begin();
  auto take = [&](int64_t length) { return Head(e, shape, *next++, length, batch, head); };
  gradient = take(shape.queries);
  query = take(shape.queries);
  key = take(shape.keys);
  value = take(shape.keys);
  result = take(shape.queries);
  ++next; // lse
  if (op.getSelfKey()) {
    selfKey = take(shape.queries);
    selfValue = take(shape.queries);
  }
  if (op.getRelativeKey()) {
    relativeQuery = take(shape.queries);
    relativeKey = Head(e, shape, *next++, shape.keys, e.index(0), head);
  }
  next = arguments.results.begin();
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
  }
}

AttentionPlan::AttentionPlan(const GpuTarget &target, const AttentionShape &shape,
                             int64_t tilesOfQueries, int64_t tilesOfKeys, int64_t squares) {
  // The widest tiles that leave room, the fewest chunks before that.
  constexpr int64_t mostColumns = 128;
  auto setChunk = [&](int64_t columns) {
    ownColumns = (columns + grid - 1) / grid;
    ownColumns = ownColumns > 2 ? roundUp(ownColumns, 4) : ownColumns;
    chunk = ownColumns * grid;
    chunks = (shape.width + chunk - 1) / chunk;
  };
  setChunk(std::min(shape.width, mostColumns));
  int64_t most = shape.queries > 32 ? 64 : shape.queries > 16 ? 32 : 16;
  int64_t mostKeys = shape.keys > 32 ? 64 : shape.keys > 16 ? 32 : 16;
  queries = keys = grid;
  for (int64_t q = most; q >= grid; q /= 2)
    for (int64_t k = mostKeys; k >= grid; k /= 2) {
      int64_t entries =
          (tilesOfQueries * q + tilesOfKeys * k) * (chunk + 4) + squares * q * (k + 4) + 3 * q;
      if (entries * 4 > target.sharedBytes || q * k < queries * keys)
        continue;
      queries = q;
      keys = k;
    }
}

void loadTile(Emit &e, const AttentionPlan &plan, const Head &head, Value first, int64_t rows,
              int64_t chunk, const Buffer &target, Type rounding, float factor) {
  int64_t run = head.inVectors() ? 4 : 1, begin = chunk * plan.chunk;
  int64_t runs = plan.chunk / run, total = rows * runs, threads = plan.threads;
  int64_t active = std::min(plan.chunk, head.width - begin);
  if (head.buffer.isNarrow())
    rounding = {};
  auto scaled = [&](Value x) {
    x = roundedIf(e, rounding, x);
    return factor == 1 ? x : e.mul(x, e.real(factor));
  };
  auto load = [&](Value number) {
    Value row = e.minIndex(e.add(first, e.divIndex(number, runs)), head.length - 1);
    Value column = e.mulIndex(e.remIndex(number, runs), run);
    Value place = head.at(e, row, e.addIndex(column, begin));
    auto read = [&](Value at) {
      return run == 1 ? Emit::Carried{e.load(head.buffer, at)} : e.loadVector(head.buffer, at, run);
    };
    auto entries = [&] {
      Emit::Carried values = read(place);
      if (head.isShifted) {
        Emit::Carried first = read(head.at(e, e.index(0), e.addIndex(column, begin)));
        for (auto [value, subtracted] : llvm::zip_equal(values, first))
          value = e.sub(value, subtracted);
      }
      for (Value &value : values)
        value = scaled(value);
      return values;
    };
    if (active == plan.chunk)
      return entries();
    SmallVector<Type> types(size_t(run), e.b.getF32Type());
    return e.choose(e.less(column, active), types, entries,
                    [&] { return Emit::Carried(size_t(run), e.real(0)); });
  };
  auto store = [&](Value number, ValueRange values) {
    Value column = e.mulIndex(e.remIndex(number, runs), run);
    Value place = e.at(e.divIndex(number, runs), plan.pitch(), column);
    if (run == 1)
      e.store(values[0], target, place);
    else
      e.storeVector(values, target, place);
  };
  // Several loads are on their way before the first is stored.
  constexpr int64_t together = 4;
  int64_t done = 0;
  while (done + threads <= total) {
    int64_t count = std::min(together, (total - done) / threads);
    SmallVector<std::pair<Value, Emit::Carried>> loaded;
    for (int64_t i = 0; i < count; ++i) {
      Value number = e.addIndex(e.thread(), done + i * threads);
      loaded.emplace_back(number, load(number));
    }
    for (auto &[number, values] : loaded)
      store(number, values);
    done += count * threads;
  }
  if (done < total) {
    Value number = e.addIndex(e.thread(), done);
    e.ifThen(e.less(number, total), [&] { store(number, load(number)); });
  }
}

Value endOfKeys(Emit &e, const AttentionShape &shape, bool causal, Value first, int64_t count) {
  Value keys = e.index(shape.keys);
  return causal ? e.minIndex(e.addIndex(first, count + shape.before()), keys) : keys;
}

Value firstQueryOf(Emit &e, const AttentionShape &shape, bool causal, Value key) {
  if (!causal)
    return e.index(0);
  return shape.before() == 0 ? key : e.sub(key, e.minIndex(key, shape.before()));
}

Value emitVisible(Emit &e, const AttentionShape &shape, bool causal, Value query, Value key) {
  Value visible = e.less(key, shape.keys);
  if (!causal)
    return visible;
  Value last = e.addIndex(query, shape.before());
  return e.both(visible, e.compareInt(arith::CmpIPredicate::ule, key, last));
}

ProbabilityDropout::ProbabilityDropout(Emit &e, const AttentionShape &shape, const Buffer *key,
                                       double probability)
    : shape(shape), probability(probability) {
  if (probability <= 0)
    return;
  key0 = e.load(*key, e.index(0));
  key1 = e.load(*key, e.index(1));
}

Value ProbabilityDropout::keep(Emit &e, Value pair, Value query, Value key) {
  pair = e.inBatch(pair, shape.batch * shape.heads);
  Value row = e.add(e.mul(pair, e.index(shape.queries)), query);
  Value entry = e.add(e.mul(row, e.index(shape.keys)), key);
  // The key is that of the op's stream, as stream 0 has it.
  return buildKeep(e.b, e.loc, entry, key0, key1, 0, probability);
}

Value ProbabilityDropout::apply(Emit &e, Value x, Value pair, Value query, Value key) {
  if (probability <= 0)
    return x;
  return e.select(keep(e, pair, query, key), e.mul(x, e.real(scale())), e.real(0));
}

float ProbabilityDropout::scale() const { return float(keepScale(probability)); }

} // namespace memformer::nvptx
