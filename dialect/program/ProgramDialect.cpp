// Registration of the program dialect.

#include "dialect/program/ProgramDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace memformer;
using namespace memformer::program;

#include "dialect/program/ProgramDialect.cpp.inc"
#include "dialect/program/ProgramEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/program/ProgramAttributes.cpp.inc"

#define GET_OP_CLASSES
#include "dialect/program/ProgramOps.cpp.inc"

void ProgramDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/program/ProgramAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/program/ProgramOps.cpp.inc"
      >();
}
