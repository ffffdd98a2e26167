// References of layer normalisation and of biased memory normalisation.

#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/reference/Build.h"

using namespace mlir;
using namespace memformer;
using namespace memformer::reference;

namespace {

/// Rows `[…, d]`: the letters of their places, and arithmetic on them.
struct Rows {
  Rows(OpBuilder &builder, Location loc, Value input)
      : t(builder, loc, input), at(leadingLetters(tensorType(input).getRank() - 1)), row(at + "i"),
        count(columns(input)) {}

  /// The mean of each row: `[…]`.
  Value mean(Value x) {
    Value total = t.sum(row + "->" + at, x);
    return t.map(at + "->" + at, total,
                 [&](Scalars &s, ValueRange v) { return s.divide(v[0], s.constant(count)); });
  }
  /// Of a `[…, d]` and b `[…]`.
  Value withRow(Value a, Value b, Body body) {
    return t.map(row + "," + at + "->" + row, {a, b}, body);
  }
  Value product(Value a, Value b) {
    return t.map(row + "," + row + "->" + row, {a, b},
                 [](Scalars &s, ValueRange v) { return s.multiply(v[0], v[1]); });
  }

  Tensors t;
  std::string at, row;
  double count;
};

/// (x − mean) / σ and σ = √(variance + ε).
std::pair<Value, Value> normalise(Rows &rows, Value x, double epsilon) {
  Value centred = rows.withRow(x, rows.mean(x),
                               [](Scalars &s, ValueRange v) { return s.subtract(v[0], v[1]); });
  Value variance = rows.mean(rows.product(centred, centred));
  Value sigma = rows.t.map(rows.at + "->" + rows.at, variance, [&](Scalars &s, ValueRange v) {
    return s.squareRoot(s.add(v[0], s.constant(epsilon)));
  });
  Value normal =
      rows.withRow(centred, sigma, [](Scalars &s, ValueRange v) { return s.divide(v[0], v[1]); });
  return {normal, sigma};
}

/// u = m + v, and ‖u‖ of each row.
std::pair<Value, Value> biased(Rows &rows, Value input, Value bias) {
  Value u = input;
  if (bias) {
    std::string trailing = rows.row.substr(rows.row.size() - tensorType(bias).getRank());
    u = rows.t.map(rows.row + "," + trailing + "->" + rows.row, {input, bias},
                   [](Scalars &s, ValueRange v) { return s.add(v[0], v[1]); });
  }
  Value square = rows.t.sumOfProducts(rows.row + "," + rows.row + "->" + rows.at, u, u);
  Value norm = rows.t.map(rows.at + "->" + rows.at, square,
                          [](Scalars &s, ValueRange v) { return s.squareRoot(v[0]); });
  return {u, norm};
}

} // namespace

SmallVector<Value> LayerNormOp::buildReference(OpBuilder &builder) {
  Rows rows(builder, getLoc(), getInput());
  Value normal = normalise(rows, getInput(), getEpsilon().convertToDouble()).first;
  return {rows.t.map(rows.row + ",i,i->" + rows.row, {normal, getScale(), getShift()},
                     [](Scalars &s, ValueRange v) { return s.add(s.multiply(v[0], v[1]), v[2]); })};
}

SmallVector<Value> LayerNormGradientOp::buildReference(OpBuilder &builder) {
  Rows rows(builder, getLoc(), getInput());
  auto [normal, sigma] = normalise(rows, getInput(), getEpsilon().convertToDouble());
  Value h = rows.t.map(rows.row + ",i->" + rows.row, {getGradient(), getScale()},
                       [](Scalars &s, ValueRange v) { return s.multiply(v[0], v[1]); });
  Value meanH = rows.mean(h);
  Value meanHx = rows.mean(rows.product(h, normal));
  std::string spec = rows.row + "," + rows.at + "," + rows.row + "," + rows.at + "," + rows.at;
  Value input = rows.t.map(
      spec + "->" + rows.row, {h, meanH, normal, meanHx, sigma}, [](Scalars &s, ValueRange v) {
        return s.divide(s.subtract(s.subtract(v[0], v[1]), s.multiply(v[2], v[3])), v[4]);
      });
  Value scale = rows.t.sumOfProducts(rows.row + "," + rows.row + "->i", getGradient(), normal);
  return {input, scale, rows.t.sum(rows.row + "->i", getGradient())};
}

SmallVector<Value> BmnOp::buildReference(OpBuilder &builder) {
  Rows rows(builder, getLoc(), getInput());
  auto [u, norm] = biased(rows, getInput(), getBias());
  return {rows.withRow(u, norm, [](Scalars &s, ValueRange v) { return s.divide(v[0], v[1]); })};
}

SmallVector<Value> BmnGradientOp::buildReference(OpBuilder &builder) {
  Rows rows(builder, getLoc(), getInput());
  auto [u, norm] = biased(rows, getInput(), getBias());
  Value y = rows.withRow(u, norm, [](Scalars &s, ValueRange v) { return s.divide(v[0], v[1]); });
  Value along = rows.t.sumOfProducts(rows.row + "," + rows.row + "->" + rows.at, getGradient(), y);
  return {rows.t.map(rows.row + "," + rows.row + "," + rows.at + "," + rows.at + "->" + rows.row,
                     {getGradient(), y, along, norm}, [](Scalars &s, ValueRange v) {
                       return s.divide(s.subtract(v[0], s.multiply(v[1], v[2])), v[3]);
                     })};
}
