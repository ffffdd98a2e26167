// Where each parameter lies in the one vector of all parameters.

#include "passes/plan/ParameterLayout.h"

#include "dialect/program/Arguments.h"

using namespace mlir;
using namespace memformer;

ParameterLayout::ParameterLayout(ModuleOp module) {
  for (auto param : module.getOps<ParamOp>()) {
    offsets[param.getSymNameAttr()] = bytes;
    bytes += program::alignedBytes(program::bytesOf(param.getType()));
  }
}
