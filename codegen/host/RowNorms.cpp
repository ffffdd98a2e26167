// Statistics of rows, shared by row kernels and by kernels that normalise in passing.

#include "codegen/host/RowNorms.h"

using namespace mlir;

namespace memformer::host {

Moments emitMoments(Emit &e, Value matrix, Value row, double epsilon) {
  int64_t width = cast<ShapedType>(matrix.getType()).getShape()[1];
  auto combine = [&](Value x, Value y) { return e.add(x, y); };
  Value sum = e.reduceColumns(
      width, e.splat(0),
      [&](Value column, int64_t active, Value sum) {
        return e.add(sum, e.load(matrix, {row, column}, active));
      },
      combine);
  Value mean = e.div(e.sumLanes(sum), e.constant(float(width)));
  Value center = e.broadcast(mean);
  // Around the mean in a second pass: Σx² − (Σx)² loses all digits of rows with a large mean.
  Value squares = e.reduceColumns(
      width, e.splat(0),
      [&](Value column, int64_t active, Value sum) {
        Value distance = e.sub(e.load(matrix, {row, column}, active), center);
        if (active < e.lanes)
          distance = e.select(e.mask(active), distance, e.splat(0));
        return e.fma(distance, distance, sum);
      },
      combine);
  Value variance = e.div(e.sumLanes(squares), e.constant(float(width)));
  Value deviation = e.sqrt(e.add(variance, e.constant(float(epsilon))));
  return {mean, e.div(e.constant(1), deviation)};
}

Value emitNormalized(Emit &e, Value x, Value mean, Value inverseDeviation) {
  return e.mul(e.sub(x, mean), inverseDeviation);
}

Value emitScaled(Emit &e, Value normalized, Value scale, Value shift) {
  return e.fma(normalized, scale, shift);
}

Value emitSquaredLength(Emit &e, int64_t width,
                        llvm::function_ref<Value(Value, int64_t)> vectorAt) {
  Value squares = e.reduceColumns(
      width, e.splat(0),
      [&](Value column, int64_t active, Value sum) {
        Value u = vectorAt(column, active);
        return e.fma(u, u, sum);
      },
      [&](Value x, Value y) { return e.add(x, y); });
  return e.sumLanes(squares);
}

} // namespace memformer::host
