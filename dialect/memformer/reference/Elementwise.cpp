// References of element-wise ops: their scalar form at every place.

#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace memformer;

/// The row-major linear index of a place, as i32.
static Value buildLinearIndex(OpBuilder &builder, Location loc, ArrayRef<int64_t> shape) {
  auto constant = [&](int64_t value) {
    return arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(value));
  };
  Value index = constant(0);
  for (auto [loop, extent] : llvm::enumerate(shape)) {
    Value place = arith::IndexCastOp::create(builder, loc, builder.getI32Type(),
                                             linalg::IndexOp::create(builder, loc, loop));
    Value scaled = arith::MulIOp::create(builder, loc, index, constant(extent));
    index = arith::AddIOp::create(builder, loc, scaled, place);
  }
  return index;
}

/// Every entry of a small tensor, in row-major order.
static void extractAll(OpBuilder &builder, Location loc, Value tensor,
                       SmallVectorImpl<Value> &scalars) {
  ArrayRef<int64_t> shape = shapeOf(tensor);
  for (int64_t linear = 0; linear < entries(shape); ++linear) {
    SmallVector<Value> places(shape.size());
    int64_t rest = linear;
    for (int64_t i = shape.size() - 1; i >= 0; --i) {
      places[i] = arith::ConstantIndexOp::create(builder, loc, rest % shape[i]);
      rest /= shape[i];
    }
    scalars.push_back(tensor::ExtractOp::create(builder, loc, tensor, places));
  }
}

static SmallVector<Value> buildElementwise(ElementwiseOpInterface op, OpBuilder &builder) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  MLIRContext *context = builder.getContext();
  SmallVector<Value> looped;
  SmallVector<AffineMap> maps;
  for (OpOperand &operand : op->getOpOperands()) {
    unsigned rank = tensorType(operand.get()).getRank();
    OperandIndexing indexing = op.getOperandIndexing(operand.getOperandNumber());
    if (indexing == OperandIndexing::Whole)
      continue;
    AffineMap identity = AffineMap::getMultiDimIdentityMap(type.getRank(), context);
    ArrayRef<AffineExpr> places = identity.getResults();
    looped.push_back(operand.get());
    maps.push_back(AffineMap::get(type.getRank(), 0,
                                  indexing == OperandIndexing::Leading ? places.take_front(rank)
                                                                       : places.take_back(rank),
                                  context));
  }
  maps.push_back(AffineMap::getMultiDimIdentityMap(type.getRank(), context));
  SmallVector<utils::IteratorType> loops(type.getRank(), utils::IteratorType::parallel);
  Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(), type.getElementType());

  auto body = [&](OpBuilder &nested, Location loc, ValueRange entries) {
    SmallVector<Value> scalars;
    unsigned next = 0;
    for (OpOperand &operand : op->getOpOperands()) {
      if (op.getOperandIndexing(operand.getOperandNumber()) == OperandIndexing::Whole)
        extractAll(nested, loc, operand.get(), scalars);
      else
        scalars.push_back(entries[next++]);
    }
    Value index = buildLinearIndex(nested, loc, type.getShape());
    linalg::YieldOp::create(nested, loc, op.buildScalar(nested, scalars, index));
  };
  return {
      linalg::GenericOp::create(builder, loc, type, looped, empty, maps, loops, body).getResult(0)};
}

SmallVector<Value> AddOp::buildReference(OpBuilder &builder) {
  return buildElementwise(*this, builder);
}
SmallVector<Value> BroadcastOp::buildReference(OpBuilder &builder) {
  return buildElementwise(*this, builder);
}
SmallVector<Value> SelectRowsOp::buildReference(OpBuilder &builder) {
  return buildElementwise(*this, builder);
}
SmallVector<Value> ClampOp::buildReference(OpBuilder &builder) {
  return buildElementwise(*this, builder);
}
SmallVector<Value> StopGradientOp::buildReference(OpBuilder &) { return {getInput()}; }

SmallVector<Value> AuxiliarySquaredErrorOp::buildReference(OpBuilder &) { return {getLoss()}; }

SmallVector<Value> ScaleOp::buildReference(OpBuilder &builder) {
  return buildElementwise(*this, builder);
}
SmallVector<Value> MaximumOp::buildReference(OpBuilder &builder) {
  return buildElementwise(*this, builder);
}
SmallVector<Value> MaximumGradientOp::buildReference(OpBuilder &builder) {
  return buildElementwise(*this, builder);
}
SmallVector<Value> SquaredErrorGradientOp::buildReference(OpBuilder &builder) {
  return buildElementwise(*this, builder);
}
SmallVector<Value> ReluOp::buildReference(OpBuilder &builder) {
  return buildElementwise(*this, builder);
}
SmallVector<Value> ReluGradientOp::buildReference(OpBuilder &builder) {
  return buildElementwise(*this, builder);
}
SmallVector<Value> GeluOp::buildReference(OpBuilder &builder) {
  return buildElementwise(*this, builder);
}
SmallVector<Value> GeluGradientOp::buildReference(OpBuilder &builder) {
  return buildElementwise(*this, builder);
}
SmallVector<Value> DropoutOp::buildReference(OpBuilder &builder) {
  return buildElementwise(*this, builder);
}
