// Parameters and their uses.

#include "dialect/memformer/MemformerDialect.h"

#include "dialect/memformer/Verify.h"

#include <cmath>

using namespace mlir;
using namespace memformer;

LogicalResult InitializerAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError,
                                      InitializerKind kind, FloatAttr value) {
  if (!value.getType().isF64())
    return emitError() << "expected the initializer's value to be of type f64, but got "
                       << value.getType();
  double number = value.getValueAsDouble();
  if (!std::isfinite(number))
    return emitError() << "expected the initializer's value to be finite, but got "
                       << describeNumber(number);
  if (kind != InitializerKind::Constant && number < 0)
    return emitError() << "expected the value of the initializer " << stringifyInitializerKind(kind)
                       << " to be at least 0, but got " << describeNumber(number);
  if (kind == InitializerKind::Sinusoids && number == 0)
    return emitError()
           << "expected the value of the initializer sinusoids to be above 0, but got 0";
  return success();
}

LogicalResult ParamOp::verify() {
  if (isFixed() && cast<RankedTensorType>(getType()).getRank() != 2)
    return emitOpError("expected a table [R, d] for the initializer sinusoids, but got ")
           << getType();
  if (getInitializer().getKind() == InitializerKind::Rows &&
      cast<RankedTensorType>(getType()).getRank() == 0)
    return emitOpError("expected a parameter with rows for the initializer rows, but got ")
           << getType();
  return success();
}

/// `symbol` names a parameter of type `type`.
static LogicalResult verifyParam(Operation *op, SymbolTableCollection &symbolTable,
                                 FlatSymbolRefAttr symbol, Type type) {
  Operation *target = symbolTable.lookupNearestSymbolFrom(op, symbol);
  if (!target)
    return op->emitOpError("expected a parameter named ") << symbol << ", but there is none";
  auto param = dyn_cast<ParamOp>(target);
  if (!param) {
    InFlightDiagnostic error = op->emitOpError("expected ")
                               << symbol << " to be a parameter, but it is '" << target->getName()
                               << "'";
    error.attachNote(target->getLoc()) << "defined here";
    return error;
  }
  if (param.getType() == type)
    return success();
  InFlightDiagnostic error = op->emitOpError("expected the type of ")
                             << symbol << ", " << param.getType() << ", but got " << type;
  error.attachNote(param.getLoc()) << "declared here";
  return error;
}

LogicalResult LoadParamOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  return verifyParam(*this, symbolTable, getParamAttr(), getResult().getType());
}

LogicalResult AccumulateOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  if (failed(verifyParam(*this, symbolTable, getParamAttr(), getValue().getType())))
    return failure();
  auto param = symbolTable.lookupNearestSymbolFrom<ParamOp>(*this, getParamAttr());
  if (!param.isFixed())
    return success();
  InFlightDiagnostic error = emitOpError("expected a parameter that is trained, but ")
                             << getParamAttr() << " is fixed";
  error.attachNote(param.getLoc()) << "declared here";
  return error;
}
