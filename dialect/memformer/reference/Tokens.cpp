// References of ops on tokens: embedding, cross-entropy and their gradients, argmax.

#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/reference/Build.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace memformer;
using namespace memformer::reference;

SmallVector<Value> EmbeddingOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getTable());
  std::string at = leadingLetters(tensorType(getTokens()).getRank());
  return {t.mapTo(tensorType(getResult()), at + "->" + at + "i", getTokens(),
                  [&](Scalars &s, ValueRange v) -> Value {
                    Value row = arith::IndexCastOp::create(s.builder, s.location,
                                                           s.builder.getIndexType(), v[0]);
                    return tensor::ExtractOp::create(s.builder, s.location, getTable(),
                                                     ValueRange{row, s.place(at.size())});
                  })};
}

SmallVector<Value> EmbeddingGradientOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getGradient());
  std::string at = leadingLetters(tensorType(getTokens()).getRank());
  // dtable[v, i] = Σ over places of [token = v] g[place, i]
  return {t.fold(tensorType(getResult()), at + "," + at + "i->vi", {getTokens(), getGradient()},
                 builder.getFloatAttr(t.elementType(), 0), [](Scalars &s, ValueRange v) {
                   return s.select(s.equal(v[0], s.place32(0)), s.add(v[2], v[1]), v[2]);
                 })};
}

SmallVector<Value> CrossEntropyOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getLogits());
  std::string at = leadingLetters(tensorType(getTargets()).getRank());
  std::string row = at + "j", perRow = at + "," + at + "->" + at;
  RankedTensorType type = tensorType(getLoss());
  Value largest = t.maximum(row + "->" + at, getLogits());
  Value exponentials =
      t.map(row + "," + at + "->" + row, {getLogits(), largest},
            [](Scalars &s, ValueRange v) { return s.exponential(s.subtract(v[0], v[1])); });
  Value lse = t.map(perRow, {largest, t.sum(row + "->" + at, exponentials)},
                    [](Scalars &s, ValueRange v) { return s.add(v[0], s.logarithm(v[1])); });
  // z[target], as the sum over j of [j = target] z[j]
  Value chosen = t.fold(type, row + "," + at + "->" + at, {getLogits(), getTargets()},
                        builder.getFloatAttr(t.elementType(), 0), [&](Scalars &s, ValueRange v) {
                          Value hit = s.equal(v[1], s.place32(at.size()));
                          return s.select(hit, s.add(v[2], v[0]), v[2]);
                        });
  Value loss = t.map(at + "," + perRow, {getTargets(), lse, chosen}, [](Scalars &s, ValueRange v) {
    Value ignored = s.equal(v[0], s.constant32(-1));
    return s.select(ignored, s.constant(0), s.subtract(v[1], v[2]));
  });
  return {loss, lse};
}

SmallVector<Value> CrossEntropyGradientOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getLogits());
  std::string at = leadingLetters(tensorType(getTargets()).getRank());
  std::string row = at + "j";
  return {t.map(at + "," + row + "," + at + "," + at + "->" + row,
                {getGradient(), getLogits(), getTargets(), getLse()},
                [&](Scalars &s, ValueRange v) {
                  Value probability = s.exponential(s.subtract(v[1], v[3]));
                  Value hit = s.equal(v[2], s.place32(at.size()));
                  Value less = s.select(hit, s.constant(1), s.constant(0));
                  Value slope = s.multiply(v[0], s.subtract(probability, less));
                  return s.select(s.equal(v[2], s.constant32(-1)), s.constant(0), slope);
                })};
}

SmallVector<Value> ArgmaxOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getInput());
  std::string at = leadingLetters(tensorType(getInput()).getRank() - 1);
  std::string row = at + "j";
  Value largest = t.maximum(row + "->" + at, getInput());
  // The lowest j at which the largest entry stands.
  auto none = builder.getI32IntegerAttr(std::numeric_limits<int32_t>::max());
  return {t.fold(tensorType(getResult()), row + "," + at + "->" + at, {getInput(), largest}, none,
                 [&](Scalars &s, ValueRange v) -> Value {
                   Value hit = arith::CmpFOp::create(s.builder, s.location,
                                                     arith::CmpFPredicate::OEQ, v[0], v[1]);
                   Value here = s.place32(at.size());
                   Value lower = arith::MinSIOp::create(s.builder, s.location, here, v[2]);
                   return s.select(hit, lower, v[2]);
                 })};
}
