// Where each parameter lies in the one vector of all parameters.

#include "passes/plan/ParameterLayout.h"

#include "dialect/program/Arguments.h"

using namespace mlir;
using namespace memformer;

ParameterLayout::ParameterLayout(ModuleOp module) {
  for (bool fixed : {false, true}) {
    for (auto param : module.getOps<ParamOp>())
      if (param.isFixed() == fixed) {
        offsets[param.getSymNameAttr()] = bytes;
        bytes += program::alignedBytes(program::bytesOf(param.getType()));
      }
    if (!fixed)
      trainedBytes = bytes;
  }
}
