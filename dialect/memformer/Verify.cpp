// Checks that the verifiers of the memformer dialect share.

#include "dialect/memformer/Verify.h"

#include "dialect/memformer/Shapes.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace mlir;

std::string memformer::describeShape(ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << '[';
  llvm::interleaveComma(shape, stream);
  stream << ']';
  return text;
}

std::string memformer::describeNumber(double number) {
  SmallString<16> text;
  APFloat(number).toString(text, /*FormatPrecision=*/6, /*FormatMaxPadding=*/3);
  return text.str().str();
}

LogicalResult memformer::verifyElementTypes(Operation *op) {
  Type first;
  auto agrees = [&](Type type, StringRef role, unsigned number) -> LogicalResult {
    Type element = getElementTypeOrSelf(type);
    if (!isa<FloatType>(element))
      return success();
    if (!first)
      first = element;
    if (first == element)
      return success();
    return op->emitOpError("expected one floating-point element type throughout, but ")
           << role << " #" << number << " has " << element << " where others have " << first;
  };
  for (auto [number, type] : llvm::enumerate(op->getOperandTypes()))
    if (failed(agrees(type, "operand", number)))
      return failure();
  for (auto [number, type] : llvm::enumerate(op->getResultTypes()))
    if (failed(agrees(type, "result", number)))
      return failure();
  return success();
}

LogicalResult memformer::verifyOneElementType(Operation *op, ValueRange values) {
  if (failed(verifyElementTypes(op)))
    return failure();
  Type first = getElementTypeOrSelf(values.front().getType());
  for (Value value : values.drop_front())
    if (Type other = getElementTypeOrSelf(value.getType()); other != first)
      return op->emitOpError("expected one element type throughout, but got ")
             << first << " and " << other;
  return success();
}

LogicalResult memformer::verifyShape(Operation *op, StringRef name, Value value,
                                     ArrayRef<int64_t> expected, StringRef why) {
  if (shapeOf(value) == expected)
    return success();
  InFlightDiagnostic error = op->emitOpError("expected ")
                             << name << " to have shape " << describeShape(expected);
  if (!why.empty())
    error << " (" << why << ")";
  return error << ", but got " << describeShape(shapeOf(value));
}

LogicalResult memformer::verifyMinimumRank(Operation *op, StringRef name, Value value, int64_t rank,
                                           StringRef dimensions) {
  if (tensorType(value).getRank() >= rank)
    return success();
  return op->emitOpError("expected ")
         << name << " to be " << dimensions << ", but got shape " << describeShape(shapeOf(value));
}

LogicalResult memformer::verifyRank(Operation *op, StringRef name, Value value, int64_t rank,
                                    StringRef dimensions) {
  if (tensorType(value).getRank() == rank)
    return success();
  return op->emitOpError("expected ")
         << name << " to be " << dimensions << ", but got shape " << describeShape(shapeOf(value));
}

LogicalResult memformer::verifyTrailing(Operation *op, StringRef name, Value value,
                                        ArrayRef<int64_t> whole, StringRef wholeName) {
  if (isTrailingShape(shapeOf(value), whole))
    return success();
  return op->emitOpError("expected the shape of ")
         << name << " to be the trailing dimensions of " << wholeName << " " << describeShape(whole)
         << ", but got " << describeShape(shapeOf(value));
}

LogicalResult memformer::verifyHeads(Operation *op, int64_t heads, int64_t width) {
  if (heads > 0 && width % heads == 0)
    return success();
  return op->emitOpError("expected heads to divide the width ") << width << ", but got " << heads;
}

LogicalResult memformer::verifyPositive(Operation *op, StringRef name, double value) {
  if (std::isfinite(value) && value > 0)
    return success();
  return op->emitOpError("expected ")
         << name << " to be a positive number, but got " << describeNumber(value);
}

LogicalResult memformer::verifyDropout(Operation *op, double probability, Value key) {
  // Written so that a NaN is rejected too.
  if (!(probability >= 0 && probability < 1))
    return op->emitOpError("expected probability to be in [0, 1), but got ")
           << describeNumber(probability);
  if (key)
    return verifyShape(op, "dropout key", key, {2});
  if (probability > 0)
    return op->emitOpError("expected a dropout key where probability is ")
           << describeNumber(probability);
  return success();
}
