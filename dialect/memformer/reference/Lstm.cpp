// References of an LSTM layer and its gradient: position after position.

#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/reference/Build.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace memformer;
using namespace memformer::reference;

namespace {

/// Positions and parts of tensors, as matrices. Letters: b batch, n entry of a part.
class Positions {
public:
  Positions(OpBuilder &builder, Location location, Value like)
      : t(builder, location, like), builder(builder), location(location) {}

  /// Columns [part · d, (part + 1) · d) of a position: `[B, L, …]` → `[B, d]`.
  Value take(Value value, int64_t position, int64_t part, int64_t width) {
    int64_t batch = shapeOf(value)[0];
    auto type = RankedTensorType::get({batch, width}, t.elementType());
    return tensor::ExtractSliceOp::create(builder, location, type, value,
                                          indices({0, position, part * width}),
                                          indices({batch, 1, width}), indices({1, 1, 1}));
  }
  /// Columns of a part: `[B, 4d]` → `[B, d]`.
  Value takePart(Value value, int64_t part, int64_t width) {
    int64_t batch = shapeOf(value)[0];
    auto type = RankedTensorType::get({batch, width}, t.elementType());
    return tensor::ExtractSliceOp::create(builder, location, type, value,
                                          indices({0, part * width}), indices({batch, width}),
                                          indices({1, 1}));
  }
  Value put(Value value, Value into, int64_t position, int64_t part) {
    int64_t batch = shapeOf(value)[0], width = shapeOf(value)[1];
    return tensor::InsertSliceOp::create(builder, location, value, into,
                                         indices({0, position, part * width}),
                                         indices({batch, 1, width}), indices({1, 1, 1}));
  }
  Value empty(Value like) {
    return tensor::EmptyOp::create(builder, location, shapeOf(like), t.elementType());
  }
  Value zeros(Value like) {
    return t.map("bn->bn", like, [](Scalars &s, ValueRange) { return s.constant(0); });
  }
  Value map(ValueRange values, Body body) {
    std::string spec = "bn";
    for (size_t i = 1; i < values.size(); ++i)
      spec += ",bn";
    return t.map(spec + "->bn", values, body);
  }

  Tensors t;

private:
  SmallVector<OpFoldResult> indices(ArrayRef<int64_t> values) {
    return getAsIndexOpFoldResult(builder.getContext(), values);
  }
  OpBuilder &builder;
  Location location;
};

} // namespace

static Value sigmoid(Scalars &s, Value x) {
  Value exponential = s.exponential(s.multiply(x, s.constant(-1)));
  return s.divide(s.constant(1), s.add(s.constant(1), exponential));
}

// 2 sigmoid(2x) − 1.
static Value hyperbolicTangent(Scalars &s, Value x) {
  Value twice = s.multiply(sigmoid(s, s.multiply(x, s.constant(2))), s.constant(2));
  return s.subtract(twice, s.constant(1));
}

namespace {

/// What a position computes, `[B, d]` each.
struct Position {
  Value parts[4]; // i, f, g, o
  Value hidden, cell;
};

} // namespace

// From the sums of a position `[B, 1, 4d]` that its inputs contribute, and h and c before it.
static Position buildPosition(Positions &p, Value gates, Value hidden, Value cell, Value weight) {
  int64_t width = columns(cell);
  Value sums = p.map({gates, p.t.sumOfProducts("bk,nk->bn", hidden, weight)},
                     [](Scalars &s, ValueRange v) { return s.add(v[0], v[1]); });
  Position position;
  for (int64_t part = 0; part < 4; ++part)
    position.parts[part] = p.map(p.takePart(sums, part, width), [&](Scalars &s, ValueRange v) {
      return part == 2 ? hyperbolicTangent(s, v[0]) : sigmoid(s, v[0]);
    });
  auto &[input, forget, candidate, output] = position.parts;
  position.cell = p.map({forget, cell, input, candidate}, [](Scalars &s, ValueRange v) {
    return s.add(s.multiply(v[0], v[1]), s.multiply(v[2], v[3]));
  });
  position.hidden = p.map({output, position.cell}, [](Scalars &s, ValueRange v) {
    return s.multiply(v[0], hyperbolicTangent(s, v[1]));
  });
  return position;
}

SmallVector<Value> LstmOp::buildReference(OpBuilder &builder) {
  Positions p(builder, getLoc(), getGates());
  int64_t length = shapeOf(getGates())[1], width = columns(getCell());
  Value hidden = p.take(getHidden(), 0, 0, width), cell = p.take(getCell(), 0, 0, width);
  Value hiddens = p.empty(getHiddens()), cells = p.empty(getCells()),
        activations = p.empty(getActivations());
  for (int64_t t = 0; t < length; ++t) {
    Position position =
        buildPosition(p, p.take(getGates(), t, 0, 4 * width), hidden, cell, getWeight());
    hidden = position.hidden;
    cell = position.cell;
    for (int64_t part = 0; part < 4; ++part)
      activations = p.put(position.parts[part], activations, t, part);
    hiddens = p.put(hidden, hiddens, t, 0);
    cells = p.put(cell, cells, t, 0);
  }
  return {hiddens, cells, activations};
}

SmallVector<Value> LstmStepOp::buildReference(OpBuilder &builder) {
  Positions p(builder, getLoc(), getGates());
  int64_t width = columns(getCell());
  Value position = tensor::ExtractOp::create(builder, getLoc(), getPosition(), ValueRange{});
  // The row before the position, of the first the operand.
  auto before = [&](Value first, Value cache) {
    Value rows = p.t.map("bkn->bkn", cache, [&](Scalars &s, ValueRange v) {
      Value next = arith::AddIOp::create(s.builder, s.location, s.place32(1), s.constant32(1));
      return s.select(s.equal(next, position), v[0], s.constant(0));
    });
    return p.t.map("bn,bn->bn", {p.take(first, 0, 0, width), p.t.sum("bkn->bn", rows)},
                   [&](Scalars &s, ValueRange v) {
                     return s.select(s.equal(position, s.constant32(0)), v[0], v[1]);
                   });
  };
  Position now =
      buildPosition(p, p.take(getGates(), 0, 0, 4 * width), before(getHidden(), getHiddenCache()),
                    before(getCell(), getCellCache()), getWeight());
  auto insert = [&](Value cache, Value row) {
    return p.t.map("bkn,bn->bkn", {cache, row}, [&](Scalars &s, ValueRange v) {
      return s.select(s.equal(s.place32(1), position), v[1], v[0]);
    });
  };
  auto expand = [&](Value value) { return p.put(value, p.empty(getCell()), 0, 0); };
  return {expand(now.hidden), expand(now.cell), insert(getHiddenCache(), now.hidden),
          insert(getCellCache(), now.cell)};
}

SmallVector<Value> LstmGradientOp::buildReference(OpBuilder &builder) {
  Positions p(builder, getLoc(), getActivations());
  int64_t length = shapeOf(getActivations())[1], width = columns(getCell());
  auto add = [](Scalars &s, ValueRange v) { return s.add(v[0], v[1]); };
  Value first = p.take(getCell(), 0, 0, width);
  // Of the position: what arrives from the one after it.
  Value dh = p.zeros(first), dc = dh, gates = p.empty(getGatesGradient());
  for (int64_t position = length - 1; position >= 0; --position) {
    if (Value gradient = getHiddensGradient())
      dh = p.map({p.take(gradient, position, 0, width), dh}, add);
    if (Value gradient = getCellsGradient())
      dc = p.map({p.take(gradient, position, 0, width), dc}, add);
    SmallVector<Value> parts;
    for (int64_t part = 0; part < 4; ++part)
      parts.push_back(p.take(getActivations(), position, part, width));
    Value before = position ? p.take(getCells(), position - 1, 0, width) : first;
    Value tanh = p.map(p.take(getCells(), position, 0, width),
                       [](Scalars &s, ValueRange v) { return hyperbolicTangent(s, v[0]); });
    dc = p.map({dc, dh, parts[3], tanh}, [](Scalars &s, ValueRange v) {
      Value slope = s.subtract(s.constant(1), s.multiply(v[3], v[3]));
      return s.add(v[0], s.multiply(s.multiply(v[1], v[2]), slope));
    });
    // Each part: what it was multiplied by, what arrives at the product, and its slope.
    Value factors[] = {parts[2], before, parts[0], tanh}, arriving[] = {dc, dc, dc, dh};
    for (int64_t part = 0; part < 4; ++part) {
      Value slope =
          p.map({arriving[part], factors[part], parts[part]}, [&](Scalars &s, ValueRange v) {
            Value one = s.constant(1), y = v[2];
            Value slope =
                part == 2 ? s.subtract(one, s.multiply(y, y)) : s.multiply(y, s.subtract(one, y));
            return s.multiply(s.multiply(v[0], v[1]), slope);
          });
      gates = p.put(slope, gates, position, part);
    }
    dh = p.t.sumOfProducts("bk,kn->bn", p.take(gates, position, 0, 4 * width), getWeight());
    dc = p.map({dc, parts[1]}, [](Scalars &s, ValueRange v) { return s.multiply(v[0], v[1]); });
  }
  auto expand = [&](Value value) -> Value { return p.put(value, p.empty(getCell()), 0, 0); };
  return {gates, expand(dh), expand(dc)};
}
