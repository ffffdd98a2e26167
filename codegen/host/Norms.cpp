// Emitters of layer_norm, normalize and their gradients.

#include "codegen/host/Emitters.h"
#include "codegen/host/Region.h"
#include "codegen/host/RowNorms.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;

namespace memformer::host {

using kernel::rowsOf;
using kernel::widthOf;

FailureOr<int64_t> emitLayerNorm(OpBuilder &builder, kernel::LayerNormOp op,
                                 const KernelArguments &arguments, const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  int64_t rows = rowsOf(op.getInput().getType()), width = widthOf(op.getInput().getType());
  Value input = e.rows(arguments.operands[0]), result = e.rows(arguments.results[0]);
  Value scale = arguments.operands[1], shift = arguments.operands[2];
  RowBlock block = rowBlock(e, arguments.workgroup, rows, 8 * width);
  e.loop(block.first, block.last, 1, [&](Value row) {
    Moments moments = emitMoments(e, input, row, op.getEpsilon().convertToDouble());
    Value mean = e.broadcast(moments.mean), inverse = e.broadcast(moments.inverseDeviation);
    e.columns(width, [&](Value column, int64_t active) {
      Value x = e.load(input, {row, column}, active);
      Value y = emitScaled(e, emitNormalized(e, x, mean, inverse), e.load(scale, column, active),
                           e.load(shift, column, active));
      e.store(y, result, {row, column}, active);
    });
  });
  return block.grid;
}

FailureOr<int64_t> emitLayerNormGradient(OpBuilder &builder, kernel::LayerNormGradientOp op,
                                         const KernelArguments &arguments,
                                         const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  int64_t rows = rowsOf(op.getInput().getType()), width = widthOf(op.getInput().getType());
  int64_t blocks = kernel::shapeOf(op.getResults().back().getType())[1];
  Value gradient = e.rows(arguments.operands[0]), input = e.rows(arguments.operands[1]);
  Value scale = arguments.operands[2];
  Value partials = e.matrix(arguments.results.back(), 2 * blocks, width);
  VectorRegion region(e, op.getEpilogue(), ValueRange(arguments.operands).drop_front(3),
                      op.getIndexing(), rows, width);
  SmallVector<Value> results;
  for (Value result : ArrayRef<Value>(arguments.results).drop_back())
    results.push_back(e.rows(result));

  // Rows are dealt out evenly; with more blocks than rows the last blocks are empty.
  int64_t perBlock = (rows + blocks - 1) / blocks;
  Value first = e.minIndex(e.mulIndex(arguments.workgroup, perBlock), rows);
  Value last = e.minIndex(e.addIndex(first, perBlock), rows);
  Value scaleSums = arguments.workgroup, shiftSums = e.addIndex(scaleSums, blocks);
  e.columns(width, [&](Value column, int64_t active) {
    e.store(e.splat(0), partials, {scaleSums, column}, active);
    e.store(e.splat(0), partials, {shiftSums, column}, active);
  });
  bool supported = true;
  e.loop(first, last, 1, [&](Value row) {
    Moments moments = emitMoments(e, input, row, op.getEpsilon().convertToDouble());
    Value mean = e.broadcast(moments.mean), inverse = e.broadcast(moments.inverseDeviation);
    auto normalized = [&](Value column, int64_t active) {
      return emitNormalized(e, e.load(input, {row, column}, active), mean, inverse);
    };
    // Σ h and Σ h x̂ with h = g · scale; inactive lanes of h are zero.
    Emit::Carried sums =
        e.sumColumns(width, 2, [&](Value column, int64_t active, ValueRange carried) {
          Value h = e.mul(e.load(gradient, {row, column}, active), e.load(scale, column, active));
          return Emit::Carried{e.add(carried[0], h),
                               e.fma(h, normalized(column, active), carried[1])};
        });
    Value count = e.constant(float(width));
    Value meanH = e.broadcast(e.div(sums[0], count));
    Value meanHX = e.broadcast(e.div(sums[1], count));
    e.columns(width, [&](Value column, int64_t active) {
      Value g = e.load(gradient, {row, column}, active), x = normalized(column, active);
      Value h = e.mul(g, e.load(scale, column, active));
      Value dx = e.mul(e.sub(e.sub(h, meanH), e.mul(x, meanHX)), inverse);
      FailureOr<SmallVector<Value>> values = region.emit(e, dx, row, column, active);
      supported &= succeeded(values);
      if (supported)
        for (auto [value, result] : llvm::zip_equal(*values, results))
          e.store(value, result, {row, column}, active);
      Value scaleSum = e.load(partials, {scaleSums, column}, active);
      Value shiftSum = e.load(partials, {shiftSums, column}, active);
      e.store(e.fma(g, x, scaleSum), partials, {scaleSums, column}, active);
      e.store(e.add(shiftSum, g), partials, {shiftSums, column}, active);
    });
  });
  return supported ? FailureOr<int64_t>(blocks) : FailureOr<int64_t>(failure());
}

namespace {
/// u = x + b of a row, or x.
class BiasedRows {
public:
  BiasedRows(Emit &e, Value inputMemref, Value biasMemref) : input(e.rows(inputMemref)) {
    if (biasMemref)
      bias =
          e.matrix(biasMemref, kernel::entriesOf(biasMemref.getType()) / widthOf(input.getType()),
                   widthOf(input.getType()));
  }
  Value load(Emit &e, Value row, Value column, int64_t active) const {
    Value x = e.load(input, {row, column}, active);
    if (!bias)
      return x;
    Value biasRow = e.remIndex(row, kernel::shapeOf(bias.getType())[0]);
    return e.add(x, e.load(bias, {biasRow, column}, active));
  }

private:
  Value input, bias;
};
} // namespace

FailureOr<int64_t> emitNormalize(OpBuilder &builder, kernel::NormalizeOp op,
                                 const KernelArguments &arguments, const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  int64_t rows = rowsOf(op.getInput().getType()), width = widthOf(op.getInput().getType());
  BiasedRows u(e, arguments.operands[0], op.getBias() ? arguments.operands[1] : Value());
  Value result = e.rows(arguments.results[0]);
  RowBlock block = rowBlock(e, arguments.workgroup, rows, 8 * width);
  e.loop(block.first, block.last, 1, [&](Value row) {
    Value length = e.sqrt(emitSquaredLength(
        e, width, [&](Value column, int64_t active) { return u.load(e, row, column, active); }));
    Value divisor = e.broadcast(length);
    e.columns(width, [&](Value column, int64_t active) {
      e.store(e.div(u.load(e, row, column, active), divisor), result, {row, column}, active);
    });
  });
  return block.grid;
}

FailureOr<int64_t> emitNormalizeGradient(OpBuilder &builder, kernel::NormalizeGradientOp op,
                                         const KernelArguments &arguments,
                                         const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  int64_t rows = rowsOf(op.getInput().getType()), width = widthOf(op.getInput().getType());
  Value gradient = e.rows(arguments.operands[0]), result = e.rows(arguments.results[0]);
  BiasedRows u(e, arguments.operands[1], op.getBias() ? arguments.operands[2] : Value());
  RowBlock block = rowBlock(e, arguments.workgroup, rows, 12 * width);
  e.loop(block.first, block.last, 1, [&](Value row) {
    Value length = e.sqrt(emitSquaredLength(
        e, width, [&](Value column, int64_t active) { return u.load(e, row, column, active); }));
    Value divisor = e.broadcast(length);
    auto unit = [&](Value column, int64_t active) {
      return e.div(u.load(e, row, column, active), divisor);
    };
    Value along = e.sumColumns(width, 1, [&](Value column, int64_t active, ValueRange carried) {
      Value product = e.mul(e.load(gradient, {row, column}, active), unit(column, active));
      return Emit::Carried{e.add(carried[0], product)};
    })[0];
    Value projection = e.broadcast(along);
    e.columns(width, [&](Value column, int64_t active) {
      Value g = e.load(gradient, {row, column}, active);
      Value across = e.sub(g, e.mul(unit(column, active), projection));
      e.store(e.div(across, divisor), result, {row, column}, active);
    });
  });
  return block.grid;
}

} // namespace memformer::host
