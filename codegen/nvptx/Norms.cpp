// Emitters of layer_norm, normalize and their gradients.

#include "codegen/nvptx/Emitters.h"
#include "codegen/nvptx/Region.h"
#include "codegen/nvptx/RowNorms.h"

using namespace mlir;

namespace memformer::nvptx {

Emit::Carried emitRowSums(Emit &e, int64_t width, int64_t count,
                          llvm::function_ref<Emit::Carried(Value, ValueRange)> body) {
  Emit::Carried sums =
      e.strided(e.lane(), width, Emit::warp, Emit::Carried(count, e.real(0)), body);
  for (Value &sum : sums)
    sum = e.sumLanes(sum);
  return sums;
}

Moments emitMoments(Emit &e, const Buffer &matrix, Value row, double epsilon) {
  int64_t width = matrix.width();
  Value count = e.real(float(width));
  Value sum = emitRowSums(e, width, 1, [&](Value column, ValueRange sums) {
    return Emit::Carried{e.add(sums[0], e.load(matrix, e.at(row, width, column)))};
  })[0];
  Value mean = e.div(sum, count);
  // Around the mean in a second pass: Σx² − (Σx)² loses all digits of rows with a large mean.
  Value squares = emitRowSums(e, width, 1, [&](Value column, ValueRange sums) {
    Value distance = e.sub(e.load(matrix, e.at(row, width, column)), mean);
    return Emit::Carried{e.fma(distance, distance, sums[0])};
  })[0];
  Value deviation = e.sqrt(e.add(e.div(squares, count), e.real(float(epsilon))));
  return {mean, e.div(e.real(1), deviation)};
}

Value emitNormalized(Emit &e, Value x, const Moments &moments) {
  return e.mul(e.sub(x, moments.mean), moments.inverseDeviation);
}

FailureOr<int64_t> emitLayerNorm(Emit &e, kernel::LayerNormOp op,
                                 const KernelArguments &arguments) {
  const Buffer &input = arguments.operands[0], &scale = arguments.operands[1];
  const Buffer &shift = arguments.operands[2], &result = arguments.results[0];
  int64_t width = input.width();
  RowGroups groups(e, input.rows(), /*whole=*/false);
  groups.forRow([&](Value row) {
    Moments moments = emitMoments(e, input, row, op.getEpsilon().convertToDouble());
    e.strided(e.lane(), width, Emit::warp, [&](Value column) {
      Value place = e.at(row, width, column);
      Value x = emitNormalized(e, e.load(input, place), moments);
      e.store(e.fma(x, e.load(scale, column), e.load(shift, column)), result, place);
    });
  });
  return groups.grid();
}

// A block has a stretch of rows, a few at a time: first a warp finds the statistics of each, then a
// thread has columns, goes down the rows and adds up.
FailureOr<int64_t> emitLayerNormGradient(Emit &e, kernel::LayerNormGradientOp op,
                                         const KernelArguments &arguments) {
  constexpr int64_t most = 16;
  const Buffer &gradient = arguments.operands[0], &input = arguments.operands[1];
  const Buffer &scale = arguments.operands[2], &partials = arguments.results.back();
  int64_t rows = input.rows(), width = input.width(), blocks = partials.shape[1];
  ArrayRef<Buffer> results = ArrayRef<Buffer>(arguments.results).drop_back();
  ScalarRegion region(op.getEpilogue(), ArrayRef<Buffer>(arguments.operands).drop_front(3),
                      op.getIndexing(), input.entries());
  e.setThreads(width > 128 || e.isLoop() ? 256 : 128);
  int64_t warps = e.threads() / Emit::warp;

  // Rows are dealt out evenly; with more blocks than rows the last blocks are empty.
  int64_t perBlock = (rows + blocks - 1) / blocks;
  Value first = e.minIndex(e.mulIndex(e.block(), perBlock), rows);
  Value last = e.minIndex(e.addIndex(first, perBlock), rows);
  Value scaleSums = e.block(), shiftSums = e.addIndex(e.block(), blocks);
  e.strided(e.thread(), width, e.threads(), [&](Value column) {
    e.store(e.real(0), partials, e.at(scaleSums, width, column));
    e.store(e.real(0), partials, e.at(shiftSums, width, column));
  });
  // Of each row: mean, 1 / deviation, the means of h and of h x̂ with h = g · scale.
  Buffer statistics = e.shared(4 * most);
  bool supported = true;
  e.loop(first, last, most, [&](Value begin) {
    Value end = e.minIndex(e.addIndex(begin, most), last);
    e.loop(e.addIndex(begin, e.warpIndex()), end, warps, [&](Value row) {
      Moments moments = emitMoments(e, input, row, op.getEpsilon().convertToDouble());
      Emit::Carried sums = emitRowSums(e, width, 2, [&](Value column, ValueRange sums) {
        Value place = e.at(row, width, column);
        Value h = e.mul(e.load(gradient, place), e.load(scale, column));
        Value x = emitNormalized(e, e.load(input, place), moments);
        return Emit::Carried{e.add(sums[0], h), e.fma(h, x, sums[1])};
      });
      Value count = e.real(float(width));
      e.ifThen(e.less(e.lane(), 1), [&] {
        Value place = e.mulIndex(e.sub(row, begin), 4);
        e.store(moments.mean, statistics, place);
        e.store(moments.inverseDeviation, statistics, e.addIndex(place, 1));
        e.store(e.div(sums[0], count), statistics, e.addIndex(place, 2));
        e.store(e.div(sums[1], count), statistics, e.addIndex(place, 3));
      });
    });
    e.barrier();
    e.strided(e.thread(), width, e.threads(), [&](Value column) {
      Value scaleSum = e.load(partials, e.at(scaleSums, width, column));
      Value shiftSum = e.load(partials, e.at(shiftSums, width, column));
      Value factor = e.load(scale, column);
      Emit::Carried sums =
          e.loop(begin, end, 1, {scaleSum, shiftSum}, [&](Value row, ValueRange s) {
            Value of = e.mulIndex(e.sub(row, begin), 4), place = e.at(row, width, column);
            auto statistic = [&](int64_t i) { return e.load(statistics, e.addIndex(of, i)); };
            Value g = e.load(gradient, place);
            Value x = emitNormalized(e, e.load(input, place), {statistic(0), statistic(1)});
            Value across = e.sub(e.sub(e.mul(g, factor), statistic(2)), e.mul(x, statistic(3)));
            FailureOr<SmallVector<Value>> values =
                region.emit(e, e.mul(across, statistic(1)), place);
            supported &= succeeded(values);
            if (supported)
              for (auto [value, result] : llvm::zip_equal(*values, results))
                e.store(value, result, place);
            return Emit::Carried{e.fma(g, x, s[0]), e.add(s[1], g)};
          });
      e.store(sums[0], partials, e.at(scaleSums, width, column));
      e.store(sums[1], partials, e.at(shiftSums, width, column));
    });
    // Before the next rows' statistics.
    if (perBlock > most)
      e.barrier();
  });
  return supported ? FailureOr<int64_t>(blocks) : FailureOr<int64_t>(failure());
}

Value BiasedRows::load(Emit &e, Value row, Value column) const {
  int64_t width = input.width();
  Value x = e.load(input, e.at(row, width, column));
  if (!bias)
    return x;
  // Trailing dimensions: whole rows, or a single entry for all.
  int64_t entries = bias->entries();
  if (entries % width != 0)
    return e.add(x, e.load(*bias, e.index(0)));
  return e.add(x, e.load(*bias, e.at(e.remIndex(row, entries / width), width, column)));
}

Value emitLength(Emit &e, const BiasedRows &u, Value row) {
  return e.sqrt(emitRowSums(e, u.input.width(), 1, [&](Value column, ValueRange sums) {
    Value x = u.load(e, row, column);
    return Emit::Carried{e.fma(x, x, sums[0])};
  })[0]);
}

void emitUnitRow(Emit &e, const BiasedRows &u, Value row, const Buffer &result) {
  int64_t width = u.input.width();
  Value length = emitLength(e, u, row);
  e.strided(e.lane(), width, Emit::warp, [&](Value column) {
    e.store(e.div(u.load(e, row, column), length), result, e.at(row, width, column));
  });
}

FailureOr<int64_t> emitNormalize(Emit &e, kernel::NormalizeOp op,
                                 const KernelArguments &arguments) {
  const Buffer &input = arguments.operands[0], &result = arguments.results[0];
  BiasedRows u{input, op.getBias() ? &arguments.operands[1] : nullptr};
  RowGroups groups(e, input.rows(), /*whole=*/false);
  groups.forRow([&](Value row) { emitUnitRow(e, u, row, result); });
  return groups.grid();
}

FailureOr<int64_t> emitNormalizeGradient(Emit &e, kernel::NormalizeGradientOp op,
                                         const KernelArguments &arguments) {
  const Buffer &gradient = arguments.operands[0], &input = arguments.operands[1];
  const Buffer &result = arguments.results[0];
  BiasedRows u{input, op.getBias() ? &arguments.operands[2] : nullptr};
  int64_t width = input.width();
  RowGroups groups(e, input.rows(), /*whole=*/false);
  groups.forRow([&](Value row) {
    Value length = emitLength(e, u, row);
    Value along = emitRowSums(e, width, 1, [&](Value column, ValueRange sums) {
      Value unit = e.div(u.load(e, row, column), length);
      return Emit::Carried{e.fma(e.load(gradient, e.at(row, width, column)), unit, sums[0])};
    })[0];
    e.strided(e.lane(), width, Emit::warp, [&](Value column) {
      Value place = e.at(row, width, column);
      Value unit = e.div(u.load(e, row, column), length);
      Value across = e.sub(e.load(gradient, place), e.mul(unit, along));
      e.store(e.div(across, length), result, place);
    });
  });
  return groups.grid();
}

} // namespace memformer::nvptx
