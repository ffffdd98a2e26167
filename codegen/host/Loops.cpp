// Loops over columns and rows, and reductions whose order depends on the shape alone.

#include "codegen/host/Vectors.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace memformer::host {

Value Emit::shuffle(Value x, Value y, ArrayRef<int64_t> lanesOf) {
  return vector::ShuffleOp::create(b, loc, x, y, lanesOf);
}

// Halves combined with halves, down to one lane.
static Value foldLanes(Emit &e, Value x, llvm::function_ref<Value(Value, Value)> combine) {
  int64_t length = cast<VectorType>(x.getType()).getNumElements();
  while (length > 1) {
    SmallVector<int64_t> low, high;
    for (int64_t i = 0; i < length / 2; ++i) {
      low.push_back(i);
      high.push_back(i + length / 2);
    }
    x = combine(vector::ShuffleOp::create(e.b, e.loc, x, x, low),
                vector::ShuffleOp::create(e.b, e.loc, x, x, high));
    length /= 2;
  }
  return vector::ExtractOp::create(e.b, e.loc, x, ArrayRef<int64_t>{0});
}

Value Emit::sumLanes(Value vector) {
  return foldLanes(*this, vector, [&](Value x, Value y) { return add(x, y); });
}

Value Emit::maxLanes(Value vector) {
  return foldLanes(*this, vector, [&](Value x, Value y) { return max(x, y); });
}

Value Emit::sumEach(ArrayRef<Value> vectors) {
  SmallVector<Value> sums(vectors);
  for (int64_t half = lanes / 2; half >= 1; half /= 2) {
    // Lanes whose number has the bit `half` come to belong to the second of two vectors.
    SmallVector<int64_t> near, far;
    for (int64_t i = 0; i < lanes; ++i) {
      bool second = (i & half) != 0;
      near.push_back(second ? lanes + i : i);
      far.push_back(second ? lanes + i - half : i + half);
    }
    for (int64_t i = 0; i < half; ++i)
      sums[i] = add(shuffle(sums[i], sums[i + half], near), shuffle(sums[i], sums[i + half], far));
  }
  return sums[0];
}

void Emit::transpose(MutableArrayRef<Value> vectors) {
  // Interleaving vector i with vector i + n/2, log₂ n times over, is a transposition.
  int64_t n = lanes;
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < n / 2; ++i) {
    low.append({i, n + i});
    high.append({n / 2 + i, n + n / 2 + i});
  }
  for (int64_t step = 1; step < n; step *= 2) {
    SmallVector<Value> next(n);
    for (int64_t i = 0; i < n / 2; ++i) {
      next[2 * i] = shuffle(vectors[i], vectors[i + n / 2], low);
      next[2 * i + 1] = shuffle(vectors[i], vectors[i + n / 2], high);
    }
    llvm::copy(next, vectors.begin());
  }
}

void Emit::loop(Value lower, Value upper, int64_t step, llvm::function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(b, loc, lower, upper, index(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  body(loop.getInductionVar());
}

Emit::Carried Emit::loop(Value lower, Value upper, int64_t step, ValueRange init,
                         llvm::function_ref<Carried(Value, ValueRange)> body) {
  if (init.empty()) {
    loop(lower, upper, step, [&](Value i) { body(i, {}); });
    return {};
  }
  auto loop = scf::ForOp::create(b, loc, lower, upper, index(step), init);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Carried next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  scf::YieldOp::create(b, loc, next);
  return Carried(loop.getResults());
}

void Emit::columns(int64_t width, llvm::function_ref<void(Value, int64_t)> body) {
  int64_t full = width / lanes * lanes;
  if (full == lanes)
    body(index(0), lanes);
  else if (full > 0)
    loop(index(0), index(full), lanes, [&](Value column) { body(column, lanes); });
  if (full < width)
    body(index(full), width - full);
}

Value Emit::reduceColumns(int64_t width, Value init,
                          llvm::function_ref<Value(Value, int64_t, Value)> body,
                          llvm::function_ref<Value(Value, Value)> combine) {
  constexpr int64_t turns = 4;
  int64_t vectors = width / lanes, rounds = vectors / turns;
  SmallVector<Value> sums(std::min<int64_t>(turns, (width + lanes - 1) / lanes), init);
  auto round = [&](Value first, MutableArrayRef<Value> sums) {
    for (int64_t i = 0; i < turns; ++i)
      sums[i] = body(addIndex(first, i * lanes), lanes, sums[i]);
  };
  if (rounds == 1)
    round(index(0), sums);
  else if (rounds > 1)
    sums = loop(index(0), index(rounds * turns * lanes), turns * lanes, sums,
                [&](Value first, ValueRange carried) {
                  Carried next(carried);
                  round(first, next);
                  return next;
                });
  for (int64_t i = rounds * turns; i * lanes < width; ++i) {
    Value &sum = sums[i % turns];
    sum = body(index(i * lanes), std::min(lanes, width - i * lanes), sum);
  }
  while (sums.size() > 1) {
    size_t half = (sums.size() + 1) / 2;
    for (size_t i = 0; i + half < sums.size(); ++i)
      sums[i] = combine(sums[i], sums[i + half]);
    sums.resize(half);
  }
  return sums[0];
}

Emit::Carried Emit::sumColumns(int64_t width, int64_t sums,
                               llvm::function_ref<Carried(Value, int64_t, ValueRange)> body) {
  int64_t full = width / lanes * lanes;
  Carried carried(sums, splat(0));
  if (full == lanes)
    carried = body(index(0), lanes, carried);
  else if (full > 0)
    carried = loop(index(0), index(full), lanes, carried,
                   [&](Value column, ValueRange inner) { return body(column, lanes, inner); });
  if (full < width)
    carried = body(index(full), width - full, carried);
  for (Value &sum : carried)
    sum = sumLanes(sum);
  return carried;
}

void Emit::ifThen(Value condition, llvm::function_ref<void()> yes, llvm::function_ref<void()> no) {
  auto op = scf::IfOp::create(b, loc, condition, bool(no));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op.thenBlock()->getTerminator());
  yes();
  if (no) {
    b.setInsertionPoint(op.elseBlock()->getTerminator());
    no();
  }
}

RowBlock rowBlockOf(Emit &e, Value workgroup, int64_t rows, int64_t perWorkgroup) {
  RowBlock block;
  perWorkgroup = std::clamp<int64_t>(perWorkgroup, 1, std::max<int64_t>(rows, 1));
  block.grid = (rows + perWorkgroup - 1) / perWorkgroup;
  block.first = e.mulIndex(workgroup, perWorkgroup);
  block.last = e.minIndex(e.addIndex(block.first, perWorkgroup), rows);
  return block;
}

RowBlock rowBlock(Emit &e, Value workgroup, int64_t rows, int64_t bytesPerRow) {
  constexpr int64_t bytes = 32 * 1024;
  return rowBlockOf(e, workgroup, rows, bytes / std::max<int64_t>(bytesPerRow, 1));
}

} // namespace memformer::host
