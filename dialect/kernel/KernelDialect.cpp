// Registration of the kernel dialect.

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Assembly.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace memformer;
using namespace memformer::kernel;

#include "dialect/kernel/KernelDialect.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/kernel/KernelOps.cpp.inc"

void KernelDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialect/kernel/KernelOps.cpp.inc"
      >();
}
