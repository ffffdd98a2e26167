// Registration of the memformer dialect.

#include "dialect/memformer/MemformerDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace memformer;

// A number without its type, which is always f64.
static ParseResult parseNumber(AsmParser &parser, FloatAttr &value) {
  double number = 0;
  if (parser.parseFloat(number))
    return failure();
  value = parser.getBuilder().getF64FloatAttr(number);
  return success();
}

static void printNumber(AsmPrinter &printer, FloatAttr value) {
  printer.printAttributeWithoutType(value);
}

#include "dialect/memformer/MemformerDialect.cpp.inc"
#include "dialect/memformer/MemformerEnums.cpp.inc"
#include "dialect/memformer/MemformerInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/memformer/MemformerAttributes.cpp.inc"

#define GET_OP_CLASSES
#include "dialect/memformer/MemformerOps.cpp.inc"

void MemformerDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/memformer/MemformerAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/memformer/MemformerOps.cpp.inc"
      >();
}

Operation *MemformerDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type,
                                                 Location location) {
  return arith::ConstantOp::materialize(builder, value, type, location);
}
