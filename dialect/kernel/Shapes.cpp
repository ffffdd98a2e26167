// Shapes of kernels, and the checks that verifiers share.

#include "dialect/kernel/Shapes.h"
#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Storage.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace memformer::kernel {

ArrayRef<int64_t> shapeOf(Type type) { return cast<ShapedType>(type).getShape(); }

int64_t entriesOf(Type type) { return cast<ShapedType>(type).getNumElements(); }

int64_t widthOf(Type type) {
  ArrayRef<int64_t> shape = shapeOf(type);
  return shape.empty() ? 1 : shape.back();
}

int64_t rowsOf(Type type) {
  ArrayRef<int64_t> shape = shapeOf(type);
  return shape.empty() ? 1 : ShapedType::getNumElements(shape.drop_back());
}

bool isTrailing(ArrayRef<int64_t> inner, ArrayRef<int64_t> outer) {
  return inner.size() <= outer.size() && outer.take_back(inner.size()) == inner;
}

bool isLeading(ArrayRef<int64_t> inner, ArrayRef<int64_t> outer) {
  return inner.size() <= outer.size() && outer.take_front(inner.size()) == inner;
}

bool isNarrow(Type element) { return element.isBF16() || element.isF16(); }

Type computedType(Type stored) {
  Type element = cast<ShapedType>(stored).getElementType();
  return isNarrow(element) ? Float32Type::get(element.getContext()) : element;
}

LogicalResult verifyStorage(Operation *op) {
  auto verify = [&](Type type, ArrayRef<Type> narrow) -> LogicalResult {
    Type element = cast<ShapedType>(type).getElementType();
    if (element.isF32() || element.isInteger() || llvm::is_contained(narrow, element))
      return success();
    InFlightDiagnostic diagnostic = op->emitOpError("expected a tensor of f32");
    for (Type one : narrow)
      diagnostic << " or " << one;
    return diagnostic << ", but got " << type;
  };
  Type brain = BFloat16Type::get(op->getContext()), half = Float16Type::get(op->getContext());
  for (OpOperand &operand : op->getOpOperands()) {
    Type narrow = isStoredWeight(operand) ? brain : narrowTypeOf(operand);
    if (failed(verify(operand.get().getType(), narrow ? ArrayRef<Type>(narrow) : ArrayRef<Type>())))
      return failure();
  }
  for (OpResult result : op->getResults())
    if (failed(verify(result.getType(),
                      mayBeNarrow(result) ? ArrayRef<Type>{brain, half} : ArrayRef<Type>())))
      return failure();
  return success();
}

static std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text = "[";
  llvm::raw_string_ostream stream(text);
  llvm::interleave(shape, stream, ", ");
  return text + "]";
}

LogicalResult verifyShape(Operation *op, StringRef what, Type type, ArrayRef<int64_t> expected) {
  if (shapeOf(type) == expected)
    return success();
  return op->emitOpError("expected ") << what << " to have the shape " << shapeText(expected)
                                      << ", but got " << shapeText(shapeOf(type));
}

// The extra operands' shapes against the region's, and their block arguments' types.
static LogicalResult verifyExtras(Operation *op, const RegionShape &expected,
                                  SmallVectorImpl<Type> &arguments) {
  if (expected.indexing.size() != expected.extras.size())
    return op->emitOpError("expected an indexing for each of ")
           << expected.extras.size() << " extra operands, but got " << expected.indexing.size();
  for (auto [index, extra] : llvm::enumerate(expected.extras)) {
    ArrayRef<int64_t> shape = shapeOf(extra.getType());
    Type element = computedType(extra.getType());
    auto indexing = symbolizeOperandIndexing(expected.indexing[index]);
    if (!indexing)
      return op->emitOpError("expected the indexing of extra operand ")
             << index << " to be 0, 1 or 2, but got " << expected.indexing[index];
    bool fits = *indexing == OperandIndexing::Trailing  ? isTrailing(shape, expected.shape)
                : *indexing == OperandIndexing::Leading ? isLeading(shape, expected.shape)
                                                        : true;
    if (!fits)
      return op->emitOpError("expected the shape of extra operand ")
             << index << " to be " << stringifyOperandIndexing(*indexing) << " dimensions of "
             << shapeText(expected.shape) << ", but got " << shapeText(shape);
    arguments.append(*indexing == OperandIndexing::Whole ? entriesOf(extra.getType()) : 1, element);
  }
  return success();
}

LogicalResult verifyRegion(Operation *op, Region &region, const RegionShape &expected) {
  SmallVector<Type> arguments(expected.own, Float32Type::get(op->getContext()));
  if (failed(verifyExtras(op, expected, arguments)))
    return failure();
  arguments.push_back(IntegerType::get(op->getContext(), 32));
  Block &block = region.front();
  if (!llvm::equal(block.getArgumentTypes(), arguments)) {
    InFlightDiagnostic diagnostic = op->emitOpError("expected a region with arguments (");
    llvm::interleaveComma(arguments, diagnostic);
    diagnostic << "), but got (";
    llvm::interleaveComma(block.getArgumentTypes(), diagnostic);
    return diagnostic << ")";
  }
  auto yield = dyn_cast_or_null<KernelYieldOp>(block.empty() ? nullptr : &block.back());
  if (!yield)
    return op->emitOpError("expected the region to end with kernel.yield");
  if (!llvm::equal(yield.getOperandTypes(), expected.yields)) {
    InFlightDiagnostic diagnostic = op->emitOpError("expected the region to yield (");
    llvm::interleaveComma(expected.yields, diagnostic);
    diagnostic << "), but got (";
    llvm::interleaveComma(yield.getOperandTypes(), diagnostic);
    diagnostic << ")";
    diagnostic.attachNote(yield.getLoc()) << "yielded here";
    return diagnostic;
  }
  for (Operation &inner : block.without_terminator())
    if (!isa_and_nonnull<arith::ArithDialect, math::MathDialect>(inner.getDialect())) {
      InFlightDiagnostic diagnostic = op->emitOpError("expected a region of arith and math ops");
      diagnostic.attachNote(inner.getLoc()) << "but got '" << inner.getName() << "'";
      return diagnostic;
    }
  return success();
}

int64_t regionFlops(Region &region) {
  int64_t flops = 0;
  for (Operation &op : region.front().without_terminator()) {
    bool arithmetic = !isa<arith::ConstantOp, arith::SelectOp, arith::SIToFPOp, arith::UIToFPOp,
                           arith::BitcastOp, arith::NegFOp>(op);
    bool floating =
        llvm::any_of(op.getResultTypes(), [](Type type) { return isa<FloatType>(type); });
    if (arithmetic && floating)
      flops += isa<math::FmaOp>(op) ? 2 : 1;
  }
  return flops;
}

} // namespace memformer::kernel
