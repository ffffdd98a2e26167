// Products with few rows: a chain of multiply-adds for each vector of columns, side by side.

#include "codegen/host/MatrixVector.h"
#include "codegen/host/PairGemm.h"
#include "codegen/host/Region.h"
#include "codegen/host/RowNorms.h"

using namespace mlir;

namespace memformer::host {

namespace {

// Bytes of B that one workgroup reads: below this another thread is not worth asking.
constexpr int64_t bytesOfWorkgroup = 256 * 1024;
// Ops of an epilogue that is built for each vector; a longer one is built once, in a loop.
constexpr int64_t shortEpilogue = 6;

int64_t padded(int64_t entries, int64_t lanes) { return (entries + lanes - 1) / lanes * lanes; }

/// Strips that are computed together: as many as registers for their sums, one for an entry of A
/// and one for B allow, but enough to hide the latency of an fma.
int64_t stripsTogether(const GemmPlan &plan, const HostTarget &target) {
  constexpr int64_t enough = 8;
  int64_t perStrip = plan.m * plan.strip.vectors();
  int64_t most = (target.vectorRegisters - 3) / perStrip;
  return std::clamp<int64_t>(std::min(most, (enough + perStrip - 1) / perStrip), 1, plan.strips());
}

class MatrixVectorEmitter {
public:
  MatrixVectorEmitter(Emit &e, kernel::GemmOp op, const KernelArguments &arguments,
                      const GemmPlan &plan)
      : e(e), op(op), plan(plan), arguments(arguments), together(stripsTogether(plan, e.target)),
        groups(plan.fullStrips / together),
        region(e, op.getEpilogue(), ValueRange(arguments.operands).take_back(op.getExtras().size()),
               op.getIndexing(), plan.m, plan.n),
        zero(e.index(0)) {}

  FailureOr<int64_t> emit();

private:
  void normalizeRows(Value isFirst);
  /// The strips first … first + count − 1, the last of which has `columns` columns.
  void emitStrips(Value first, int64_t count, int64_t columns);
  void roundRows();
  SmallVector<Value> placesOf(Value first, int64_t count, int64_t rows, int64_t pitch);
  SmallVector<Value> sums(Value first, int64_t count, Value k, Value depth);
  SmallVector<Value> pairSums(Value first, int64_t count, Value k, Value depth);
  void finish(Value sum, Value row, Value column, int64_t active);

  Emit &e;
  kernel::GemmOp op;
  const GemmPlan &plan;
  const KernelArguments &arguments;
  /// Strips that are computed together, and how many such groups there are.
  int64_t together, groups;
  VectorRegion region;
  Value zero;
  bool failed = false;

  Matrix a;
  Value b, scratch;
  SmallVector<Value> results;
};

// Rows normalised into scratch, and by the first workgroup into the result that keeps them.
void MatrixVectorEmitter::normalizeRows(Value isFirst) {
  Value source = e.rows(arguments.operands[0]);
  Value scale = arguments.operands[2], shift = arguments.operands[3];
  Value kept = op.getStoreNormalized() ? e.rows(arguments.results.back()) : Value();
  int64_t pitch = padded(plan.k, e.lanes);
  a = {e.scratch({plan.m * pitch}), zero, pitch, 1};
  e.loop(zero, e.index(plan.m), 1, [&](Value row) {
    Moments moments = emitMoments(e, source, row, op.getEpsilon().convertToDouble());
    Value mean = e.broadcast(moments.mean), inverse = e.broadcast(moments.inverseDeviation);
    e.columns(plan.k, [&](Value column, int64_t active) {
      Value x = e.load(source, {row, column}, active);
      Value y = emitScaled(e, emitNormalized(e, x, mean, inverse), e.load(scale, {column}, active),
                           e.load(shift, {column}, active));
      a.store(e, y, row, column, active);
      if (kept)
        e.ifThen(isFirst, [&] { e.store(y, kept, {row, column}, active); });
    });
  });
}

// Rows of A as bf16, zero where the last pair has no partner.
void MatrixVectorEmitter::roundRows() {
  int64_t pitch = padded(plan.k + 1, 2 * e.lanes);
  Matrix rounded{scratchOfPairs(e, plan.m * pitch), zero, pitch, 1};
  e.loop(zero, e.index(plan.m), 1, [&](Value row) {
    e.columns(plan.k, [&](Value column, int64_t active) {
      rounded.store(e, a.load(e, row, column, active), row, column, active);
    });
    if (plan.k % 2 != 0)
      e.storeScalar(e.constant(0), rounded.buffer, rounded.from(e, row, e.index(plan.k)).offset);
  });
  a = rounded;
}

// The places of strips in the panels, of which each has `rows` rows of `pitch` entries.
SmallVector<Value> MatrixVectorEmitter::placesOf(Value first, int64_t count, int64_t rows,
                                                 int64_t pitch) {
  const int64_t stripsOfPanel = plan.panel / plan.strip.columns;
  SmallVector<Value> offsets;
  for (int64_t s = 0; s < count; ++s) {
    Value strip = e.addIndex(first, s);
    Value panel = e.mulIndex(e.divIndex(strip, stripsOfPanel), rows * pitch);
    Value column =
        e.mulIndex(e.remIndex(strip, stripsOfPanel), plan.strip.columns * (pitch / plan.panel));
    offsets.push_back(e.addIndex(panel, column));
  }
  return offsets;
}

// As `sums`, with factors of bf16.
SmallVector<Value> MatrixVectorEmitter::pairSums(Value first, int64_t count, Value k, Value depth) {
  const int64_t vectors = plan.strip.vectors(), pitch = plan.panel * 2;
  SmallVector<Value> offsets = placesOf(first, count, (plan.k + 1) / 2, pitch);
  auto step = [&](Value pair, MutableArrayRef<Value> sums) {
    SmallVector<PairFactor> entries;
    for (int64_t row = 0; row < plan.m; ++row)
      entries.push_back(
          repeatPair(e, a.buffer, a.from(e, e.index(row), e.mulIndex(pair, 2)).offset));
    for (auto [s, offset] : llvm::enumerate(offsets)) {
      Value from = e.addIndex(offset, e.mulIndex(pair, pitch));
      for (int64_t v = 0; v < vectors; ++v) {
        PairFactor columns = loadPairs(e, b, e.addIndex(from, 2 * v * e.lanes),
                                       std::min(e.lanes, plan.strip.columns - v * e.lanes));
        for (int64_t row = 0; row < plan.m; ++row) {
          Value &sum = sums[size_t((row * count + int64_t(s)) * vectors + v)];
          sum = addProducts(e, entries[size_t(row)], columns, sum);
        }
      }
    }
  };
  Emit::Carried carried(plan.m * count * vectors, e.splat(0));
  Value begin = e.divIndex(k, 2), end = e.divIndex(e.addIndex(e.addIndex(k, depth), 1), 2);
  return e.loop(begin, end, 1, carried, [&](Value pair, ValueRange sums) {
    Emit::Carried next(sums);
    step(pair, next);
    return next;
  });
}

// Sums over [k, k + depth), each begun at zero: [row][strip][vector].
SmallVector<Value> MatrixVectorEmitter::sums(Value first, int64_t count, Value k, Value depth) {
  if (plan.inPairs)
    return pairSums(first, count, k, depth);
  constexpr int64_t unroll = 4;
  const int64_t vectors = plan.strip.vectors();
  SmallVector<Value> offsets = placesOf(first, count, plan.k, plan.panel);
  auto step = [&](Value at, int64_t ahead, MutableArrayRef<Value> sums) {
    Value depthOfB = e.addIndex(e.mulIndex(at, plan.panel), ahead * plan.panel);
    SmallVector<Value> entries;
    for (int64_t row = 0; row < plan.m; ++row)
      entries.push_back(e.broadcast(e.loadScalar(
          a.buffer, e.addIndex(a.from(e, e.index(row), at).offset, ahead * a.columnStride))));
    for (auto [s, offset] : llvm::enumerate(offsets)) {
      Value from = e.addIndex(offset, depthOfB);
      for (int64_t v = 0; v < vectors; ++v) {
        Value columns = e.load(b, e.addIndex(from, v * e.lanes),
                               std::min(e.lanes, plan.strip.columns - v * e.lanes));
        for (int64_t row = 0; row < plan.m; ++row) {
          Value &sum = sums[size_t((row * count + int64_t(s)) * vectors + v)];
          sum = e.fma(entries[size_t(row)], columns, sum);
        }
      }
    }
  };
  Emit::Carried carried(plan.m * count * vectors, e.splat(0));
  Value whole = e.addIndex(k, e.mulIndex(e.divIndex(depth, unroll), unroll));
  carried = e.loop(k, whole, unroll, carried, [&](Value at, ValueRange sums) {
    Emit::Carried next(sums);
    for (int64_t ahead = 0; ahead < unroll; ++ahead)
      step(at, ahead, next);
    return next;
  });
  return e.loop(whole, e.addIndex(k, depth), 1, carried, [&](Value at, ValueRange sums) {
    Emit::Carried next(sums);
    step(at, 0, next);
    return next;
  });
}

void MatrixVectorEmitter::finish(Value sum, Value row, Value column, int64_t active) {
  FailureOr<SmallVector<Value>> values = region.emit(e, sum, row, column, active);
  failed |= mlir::failed(values);
  if (failed)
    return;
  for (auto [value, result] : llvm::zip_equal(*values, results))
    e.store(value, result, {row, column}, active);
}

void MatrixVectorEmitter::emitStrips(Value first, int64_t count, int64_t columns) {
  SmallVector<Value> totals;
  if (!plan.stepped()) {
    totals = sums(first, count, zero, e.index(plan.k));
  } else {
    Emit::Carried zeros(plan.m * count * plan.strip.vectors(), e.splat(0));
    totals = e.loop(zero, e.index(plan.k), plan.depth, zeros, [&](Value k, ValueRange before) {
      Value depth = e.index(plan.depth);
      if (plan.k % plan.depth != 0)
        depth = e.minIndex(distance(e, k, e.index(plan.k)), plan.depth);
      Emit::Carried next = sums(first, count, k, depth);
      for (auto [sum, other] : llvm::zip_equal(next, before))
        sum = e.add(other, sum);
      return next;
    });
  }

  Value begin = e.mulIndex(first, plan.strip.columns);
  const int64_t vectors = plan.strip.vectors();
  // Entries of the group within the matrix; whole vectors of them may be finished in a loop.
  const int64_t entries = (count - 1) * plan.strip.columns + columns;
  const bool whole = plan.strip.columns % e.lanes == 0;
  auto ops = std::distance(op.getEpilogue().front().begin(), op.getEpilogue().front().end());
  if (ops <= shortEpilogue || !whole) {
    for (auto [i, total] : llvm::enumerate(totals)) {
      int64_t v = int64_t(i) % vectors, strip = int64_t(i) / vectors % count;
      int64_t at = strip * plan.strip.columns + v * e.lanes;
      int64_t inStrip = strip + 1 == count ? columns : plan.strip.columns;
      int64_t active = std::min(e.lanes, inStrip - v * e.lanes);
      if (active > 0)
        finish(total, e.index(int64_t(i) / vectors / count), e.addIndex(begin, at), active);
    }
    return;
  }
  Matrix kept{scratch, zero, together * plan.strip.columns, 1};
  for (auto [i, total] : llvm::enumerate(totals))
    kept.store(e, total, e.index(int64_t(i) / vectors / count),
               e.index(int64_t(i) % (vectors * count) * e.lanes), e.lanes);
  e.loop(zero, e.index(plan.m), 1, [&](Value row) {
    e.columns(entries, [&](Value column, int64_t active) {
      finish(kept.load(e, row, column, e.lanes), row, e.addIndex(begin, column), active);
    });
  });
}

FailureOr<int64_t> MatrixVectorEmitter::emit() {
  // Strips after the groups, the last of which may have fewer columns, are the last workgroup's.
  const int64_t rest = plan.strips() - groups * together;
  // Rows are normalised by each workgroup: fewer of them then.
  const int64_t least = plan.normalized ? 4 * bytesOfWorkgroup : bytesOfWorkgroup;
  const int64_t bytes = op.getB().getType().getElementTypeBitWidth() / 8;
  int64_t grid =
      std::clamp<int64_t>(plan.k * plan.n * bytes / least, 1, std::max<int64_t>(groups, 1));
  const int64_t perWorkgroup = (groups + grid - 1) / grid;
  grid = perWorkgroup ? (groups + perWorkgroup - 1) / perWorkgroup : 1;
  Value first = e.mulIndex(arguments.workgroup, perWorkgroup);
  Value last = e.minIndex(e.addIndex(first, perWorkgroup), groups);
  auto isWorkgroup = [&](int64_t number) {
    return e.compareInt(arith::CmpIPredicate::eq, arguments.workgroup, e.index(number));
  };

  a = {e.flat(arguments.operands[0]), zero, plan.k, 1};
  b = e.flat(arguments.operands[1]);
  size_t products = arguments.results.size() - size_t(op.getStoreNormalized());
  for (Value result : ArrayRef(arguments.results).take_front(products))
    results.push_back(e.matrix(result, plan.m, plan.n));
  scratch = e.scratch({plan.m * together * padded(plan.strip.columns, e.lanes)});
  if (plan.normalized)
    normalizeRows(isWorkgroup(0));
  if (plan.inPairs && (plan.normalized || !plan.pairsInPlace))
    roundRows();
  e.loop(first, last, 1, [&](Value group) {
    emitStrips(e.mulIndex(group, together), together, plan.strip.columns);
  });
  auto remainder = [&] {
    emitStrips(e.index(groups * together), rest, plan.tail ? plan.tail : plan.strip.columns);
  };
  if (rest && grid == 1)
    remainder();
  else if (rest)
    e.ifThen(isWorkgroup(grid - 1), remainder);
  return failed ? FailureOr<int64_t>(failure()) : FailureOr<int64_t>(grid);
}

} // namespace

bool isMatrixVector(const GemmPlan &plan, const HostTarget &target) {
  return plan.packed && !plan.transposeA &&
         plan.m * plan.strip.vectors() + 3 <= target.vectorRegisters && plan.m <= mostVectorRows;
}

FailureOr<int64_t> emitMatrixVector(Emit &e, kernel::GemmOp op, const KernelArguments &arguments,
                                    const GemmPlan &plan) {
  return MatrixVectorEmitter(e, op, arguments, plan).emit();
}

} // namespace memformer::host
