// Loops over named indices as linalg.generic, and scalar arithmetic.

#include "dialect/memformer/reference/Build.h"

#include "dialect/memformer/Shapes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace memformer;
using namespace memformer::reference;

//===-- scalars ------------------------------------------------------------------------------===//

Value Scalars::constant(double value) {
  return arith::ConstantOp::create(builder, location, builder.getFloatAttr(type, value));
}
Value Scalars::add(Value a, Value b) { return arith::AddFOp::create(builder, location, a, b); }
Value Scalars::subtract(Value a, Value b) { return arith::SubFOp::create(builder, location, a, b); }
Value Scalars::multiply(Value a, Value b) { return arith::MulFOp::create(builder, location, a, b); }
Value Scalars::divide(Value a, Value b) { return arith::DivFOp::create(builder, location, a, b); }
Value Scalars::maximum(Value a, Value b) {
  return arith::MaximumFOp::create(builder, location, a, b);
}
Value Scalars::exponential(Value a) { return math::ExpOp::create(builder, location, a); }
Value Scalars::logarithm(Value a) { return math::LogOp::create(builder, location, a); }
Value Scalars::squareRoot(Value a) { return math::SqrtOp::create(builder, location, a); }
Value Scalars::select(Value condition, Value a, Value b) {
  return arith::SelectOp::create(builder, location, condition, a, b);
}
Value Scalars::place(unsigned loop) { return linalg::IndexOp::create(builder, location, loop); }
Value Scalars::place32(unsigned loop) {
  return arith::IndexCastOp::create(builder, location, builder.getI32Type(), place(loop));
}
Value Scalars::constant32(int32_t value) {
  return arith::ConstantOp::create(builder, location, builder.getI32IntegerAttr(value));
}
Value Scalars::equal(Value a, Value b) {
  return arith::CmpIOp::create(builder, location, arith::CmpIPredicate::eq, a, b);
}

//===-- loops --------------------------------------------------------------------------------===//

std::string reference::leadingLetters(int64_t count) {
  std::string letters;
  for (int64_t i = 0; i < count; ++i)
    letters.push_back(static_cast<char>('A' + i));
  return letters;
}

namespace {

/// The letters of "ab,bc->ac".
struct Spec {
  explicit Spec(StringRef text) {
    auto [left, right] = text.split("->");
    // An operand of rank 0 has no letters.
    left.split(operands, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/true);
    result = right;
    loops = result.str();
    for (StringRef operand : operands)
      for (char letter : operand)
        if (!StringRef(loops).contains(letter))
          loops.push_back(letter);
  }

  AffineMap map(StringRef letters, MLIRContext *context) const {
    SmallVector<AffineExpr> places;
    for (char letter : letters)
      places.push_back(getAffineDimExpr(loops.find(letter), context));
    return AffineMap::get(loops.size(), 0, places, context);
  }

  SmallVector<StringRef> operands;
  StringRef result;
  std::string loops;
};

} // namespace

Tensors::Tensors(OpBuilder &builder, Location location, Value like)
    : builder(builder), location(location),
      type(cast<FloatType>(getElementTypeOrSelf(like.getType()))) {}

RankedTensorType Tensors::inferType(StringRef text, ValueRange operands) const {
  Spec spec(text);
  SmallVector<int64_t> shape(spec.result.size(), -1);
  for (auto [letters, operand] : llvm::zip_equal(spec.operands, operands))
    for (auto [letter, extent] : llvm::zip_equal(letters, shapeOf(operand)))
      if (size_t at = spec.result.find(letter); at != StringRef::npos)
        shape[at] = extent;
  return RankedTensorType::get(shape, type);
}

Value Tensors::fold(RankedTensorType resultType, StringRef text, ValueRange operands,
                    TypedAttr first, Body body) {
  Spec spec(text);
  SmallVector<AffineMap> maps;
  for (StringRef letters : spec.operands)
    maps.push_back(spec.map(letters, builder.getContext()));
  maps.push_back(spec.map(spec.result, builder.getContext()));
  SmallVector<utils::IteratorType> loops(spec.loops.size(), utils::IteratorType::reduction);
  std::fill_n(loops.begin(), spec.result.size(), utils::IteratorType::parallel);

  Value result = tensor::EmptyOp::create(builder, location, resultType.getShape(),
                                         resultType.getElementType());
  if (first) {
    Value start = arith::ConstantOp::create(builder, location, first);
    result = linalg::FillOp::create(builder, location, start, result).getResult(0);
  }
  auto buildBody = [&](OpBuilder &nested, Location loc, ValueRange entries) {
    Scalars scalars(nested, loc, type);
    linalg::YieldOp::create(nested, loc, body(scalars, first ? entries : entries.drop_back()));
  };
  return linalg::GenericOp::create(builder, location, resultType, operands, result, maps, loops,
                                   buildBody)
      .getResult(0);
}

Value Tensors::mapTo(RankedTensorType resultType, StringRef spec, ValueRange operands, Body body) {
  return fold(resultType, spec, operands, {}, body);
}

Value Tensors::map(StringRef spec, ValueRange operands, Body body) {
  return mapTo(inferType(spec, operands), spec, operands, body);
}

Value Tensors::sumOfProducts(StringRef spec, Value a, Value b) {
  return fold(inferType(spec, {a, b}), spec, {a, b}, builder.getFloatAttr(type, 0),
              [](Scalars &s, ValueRange x) { return s.add(x[2], s.multiply(x[0], x[1])); });
}

Value Tensors::sum(StringRef spec, Value a) {
  return fold(inferType(spec, a), spec, a, builder.getFloatAttr(type, 0),
              [](Scalars &s, ValueRange x) { return s.add(x[1], x[0]); });
}

Value Tensors::maximum(StringRef spec, Value a) {
  return fold(inferType(spec, a), spec, a,
              builder.getFloatAttr(type, -std::numeric_limits<double>::infinity()),
              [](Scalars &s, ValueRange x) { return s.maximum(x[1], x[0]); });
}

//===-- rearrangements -----------------------------------------------------------------------===//

Value Tensors::splitHeads(Value value, int64_t heads) {
  SmallVector<int64_t> shape(shapeOf(value));
  int64_t last = int64_t(shape.size()) - 1;
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i < last; ++i)
    groups.push_back({i});
  groups.push_back({last, last + 1});
  shape.push_back(shape[last] / heads);
  shape[last] = heads;
  return tensor::ExpandShapeOp::create(builder, location, RankedTensorType::get(shape, type), value,
                                       groups);
}

Value Tensors::joinHeads(Value value) {
  return tensor::CollapseShapeOp::create(builder, location, value,
                                         ArrayRef<ReassociationIndices>{{0}, {1}, {2, 3}});
}

Value Tensors::join(Value a, Value b, int64_t axis, RankedTensorType resultType) {
  Value whole = tensor::EmptyOp::create(builder, location, resultType.getShape(),
                                        resultType.getElementType());
  int64_t offset = 0;
  for (Value part : {a, b}) {
    SmallVector<OpFoldResult> offsets(resultType.getRank(), builder.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(resultType.getRank(), builder.getIndexAttr(1));
    SmallVector<OpFoldResult> sizes;
    for (int64_t extent : shapeOf(part))
      sizes.push_back(builder.getIndexAttr(extent));
    offsets[axis] = builder.getIndexAttr(offset);
    offset += shapeOf(part)[axis];
    whole = tensor::InsertSliceOp::create(builder, location, part, whole, offsets, sizes, strides);
  }
  return whole;
}
