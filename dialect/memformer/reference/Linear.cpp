// References of linear layers and of what moves entries about.

#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/reference/Build.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace memformer;
using namespace memformer::reference;

SmallVector<Value> LinearOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getInput());
  std::string at = leadingLetters(tensorType(getInput()).getRank() - 1);
  Value y = t.sumOfProducts(at + (getTransposed() ? "i,io->" : "i,oi->") + at + "o", getInput(),
                            getWeight());
  if (getBias())
    y = t.map(at + "o,o->" + at + "o", {y, getBias()},
              [](Scalars &s, ValueRange x) { return s.add(x[0], x[1]); });
  return {y};
}

SmallVector<Value> WeightGradientOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getInput());
  std::string at = leadingLetters(tensorType(getInput()).getRank() - 1);
  return {t.sumOfProducts(at + "o," + at + "i->oi", getGradient(), getInput())};
}

SmallVector<Value> SumLeadingOp::buildReference(OpBuilder &builder) {
  std::string all = leadingLetters(tensorType(getInput()).getRank());
  std::string kept = all.substr(all.size() - tensorType(getResult()).getRank());
  return {Tensors(builder, getLoc(), getInput()).sum(all + "->" + kept, getInput())};
}

SmallVector<Value> ConcatOp::buildReference(OpBuilder &builder) {
  Tensors t(builder, getLoc(), getLhs());
  return {t.join(getLhs(), getRhs(), getAxis(), tensorType(getResult()))};
}

// Entries of `type` from `offset` along an axis.
static Value extractSlice(OpBuilder &builder, Location location, RankedTensorType type, Value input,
                          int64_t axis, OpFoldResult offset) {
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(type.getRank(), builder.getIndexAttr(1));
  SmallVector<OpFoldResult> sizes;
  for (int64_t extent : type.getShape())
    sizes.push_back(builder.getIndexAttr(extent));
  offsets[axis] = offset;
  return tensor::ExtractSliceOp::create(builder, location, type, input, offsets, sizes, strides);
}

SmallVector<Value> SliceOp::buildReference(OpBuilder &builder) {
  return {extractSlice(builder, getLoc(), tensorType(getResult()), getInput(), getAxis(),
                       builder.getIndexAttr(getOffset()))};
}

SmallVector<Value> ReshapeOp::buildReference(OpBuilder &builder) {
  // One dimension of all entries in between.
  auto groupsOf = [](int64_t rank) {
    SmallVector<ReassociationIndices> groups(rank == 0 ? 0 : 1);
    for (int64_t i = 0; i < rank; ++i)
      groups[0].push_back(i);
    return groups;
  };
  RankedTensorType type = tensorType(getResult()), from = tensorType(getInput());
  auto flat = RankedTensorType::get({from.getNumElements()}, from.getElementType());
  Value value = getInput();
  if (from.getRank() == 0)
    value = tensor::ExpandShapeOp::create(builder, getLoc(), flat, value,
                                          ArrayRef<ReassociationIndices>());
  else if (from.getRank() > 1)
    value =
        tensor::CollapseShapeOp::create(builder, getLoc(), flat, value, groupsOf(from.getRank()));
  if (type.getRank() == 0)
    value = tensor::CollapseShapeOp::create(builder, getLoc(), type, value,
                                            ArrayRef<ReassociationIndices>());
  else if (type.getRank() > 1)
    value = tensor::ExpandShapeOp::create(builder, getLoc(), type, value, groupsOf(type.getRank()));
  return {value};
}

SmallVector<Value> RowOp::buildReference(OpBuilder &builder) {
  Value position = tensor::ExtractOp::create(builder, getLoc(), getPosition(), ValueRange{});
  Value index = arith::IndexCastOp::create(builder, getLoc(), builder.getIndexType(), position);
  return {extractSlice(builder, getLoc(), tensorType(getResult()), getInput(), getAxis(), index)};
}
