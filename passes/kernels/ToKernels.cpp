// The pass that lowers every function of the schedule level to kernels.

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Passes.h"
#include "passes/kernels/Lowering.h"

namespace memformer {

#define GEN_PASS_DEF_TOKERNELSPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;

namespace {

struct ToKernelsPass : memformer::impl::ToKernelsPassBase<ToKernelsPass> {
  using ToKernelsPassBase::ToKernelsPassBase;

  void runOnOperation() override {
    if (panelWidth < 1 || rowBlock < 1) {
      getOperation().emitError("expected panel-width and row-block of at least 1, but got ")
          << panelWidth << " and " << rowBlock;
      return signalPassFailure();
    }
    LoweringOptions options{panelWidth, rowBlock};
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal() || !function.getBody().hasOneBlock()) {
        function.emitOpError("expected a body of one block");
        return signalPassFailure();
      }
      KernelLowering lowering(function, options);
      if (failed(lowering.run()))
        return signalPassFailure();
      accumulated += lowering.accumulated;
      for (Operation &op : function.getBody().front().without_terminator())
        kernels += !isa<LoadParamOp>(op);
    }
  }
};

} // namespace
