// The optimizer's step as a function of the kernel level.

#include "dialect/kernel/KernelDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Passes.h"
#include "passes/plan/ParameterLayout.h"
#include "passes/prepare/Roles.h"

namespace memformer {

#define GEN_PASS_DEF_ADDUPDATEPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;

namespace {

struct AddUpdatePass : memformer::impl::AddUpdatePassBase<AddUpdatePass> {
  using AddUpdatePassBase::AddUpdatePassBase;

  void runOnOperation() override {
    ParameterLayout layout(getOperation());
    if (layout.entries() == 0)
      return;
    if (blockEntries < 1) {
      getOperation().emitError("expected block-entries of at least 1, but got ") << blockEntries;
      return signalPassFailure();
    }
    if (Operation *taken = getOperation().lookupSymbol(function::update)) {
      taken->emitOpError("has the name @update, which the optimizer's step needs");
      return signalPassFailure();
    }
    Location location = getOperation().getLoc();
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    auto vector = [&](int64_t entries) {
      return RankedTensorType::get({entries}, builder.getF32Type());
    };
    Type all = vector(layout.entries()), scalars = vector(std::size(name::optimizerScalars)),
         norm = vector(1);
    // The number of partial sums, and with it their order, depends on the model alone.
    Type sums = vector((layout.entries() + blockEntries - 1) / blockEntries);

    auto function =
        func::FuncOp::create(builder, location, function::update,
                             builder.getFunctionType({all, all, all, all, scalars}, norm));
    auto mark = [&](unsigned argument, StringRef role, StringRef name) {
      function.setArgAttr(argument, roleAttribute, builder.getStringAttr(role));
      function.setArgAttr(argument, nameAttribute, builder.getStringAttr(name));
    };
    mark(0, role::parameters, role::parameters);
    mark(1, role::gradients, role::gradients);
    mark(2, role::firstMoments, role::firstMoments);
    mark(3, role::secondMoments, role::secondMoments);
    mark(4, role::scalar, name::optimizer);
    function.setResultAttr(0, roleAttribute, builder.getStringAttr(role::scalar));
    function.setResultAttr(0, nameAttribute, builder.getStringAttr(name::gradientNorm));

    Block *body = function.addEntryBlock();
    builder.setInsertionPointToEnd(body);
    Value partials = kernel::SquaredNormOp::create(builder, location, sums, body->getArgument(1));
    Value result = kernel::AdamWOp::create(builder, location, norm, body->getArgument(0),
                                           body->getArgument(1), body->getArgument(2),
                                           body->getArgument(3), partials, body->getArgument(4));
    func::ReturnOp::create(builder, location, result);
  }
};

} // namespace
