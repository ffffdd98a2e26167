// The pass that lowers every function of the schedule level to kernels.

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Passes.h"
#include "passes/kernels/Lowering.h"
#include "passes/schedule/Roles.h"
#include "llvm/ADT/StringExtras.h"

namespace memformer {

#define GEN_PASS_DEF_TOKERNELSPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;

namespace {

struct ToKernelsPass : memformer::impl::ToKernelsPassBase<ToKernelsPass> {
  using ToKernelsPassBase::ToKernelsPassBase;

  // From the module's precision; null for f32.
  FailureOr<TypeAttr> getPrecision() {
    Attribute precision = getOperation()->getAttr(precisionAttribute);
    if (!precision)
      return TypeAttr();
    auto type = dyn_cast<TypeAttr>(precision);
    if (type && type.getValue().isF32())
      return TypeAttr();
    if (type && (type.getValue().isTF32() || type.getValue().isBF16() || type.getValue().isF16()))
      return type;
    return getOperation().emitError("expected ")
           << precisionAttribute << " to be f32, tf32, bf16 or f16, but got " << precision;
  }

  // The precision where the target is said to have it; null, f32, otherwise.
  static TypeAttr among(TypeAttr precision, ArrayRef<std::string> types) {
    if (!precision)
      return {};
    std::string name;
    llvm::raw_string_ostream(name) << precision.getValue();
    return llvm::is_contained(types, name) ? precision : TypeAttr();
  }

  LogicalResult checkTypes(StringRef option, ArrayRef<std::string> types,
                           ArrayRef<StringRef> known) {
    for (StringRef type : types)
      if (!llvm::is_contained(known, type))
        return getOperation().emitError("expected ")
               << option << " to be of " << llvm::join(known, ", ") << ", but got '" << type << "'";
    return success();
  }

  // What the module says of them; null where it says nothing.
  FailureOr<Type> getGenerationWeights() {
    Attribute weights = getOperation()->getAttr(generationWeightsAttribute);
    if (!weights)
      return Type();
    if (auto type = dyn_cast<TypeAttr>(weights))
      if (Type value = type.getValue();
          value.isF32() || value.isBF16() || value.isSignlessInteger(8))
        return value;
    return getOperation().emitError("expected ")
           << generationWeightsAttribute << " to be f32, bf16 or i8, but got " << weights;
  }

  void runOnOperation() override {
    if (panelWidth < 1 || rowBlock < 1) {
      getOperation().emitError("expected panel-width and row-block of at least 1, but got ")
          << int64_t(panelWidth) << " and " << int64_t(rowBlock);
      return signalPassFailure();
    }
    FailureOr<TypeAttr> precision = getPrecision();
    FailureOr<Type> generationWeights = getGenerationWeights();
    if (failed(precision) || failed(generationWeights) ||
        failed(checkTypes("products", products, {"bf16", "f16", "tf32"})) ||
        failed(checkTypes("attention", attention, {"bf16", "f16"})))
      return signalPassFailure();
    if (panelGroup != 2 && panelGroup != 8) {
      getOperation().emitError("expected panel-group of 2 or 8, but got ") << int64_t(panelGroup);
      return signalPassFailure();
    }
    LoweringOptions options{.panelWidth = panelWidth,
                            .panelGroup = panelGroup,
                            .rowBlock = rowBlock,
                            .operandType = among(*precision, products),
                            .attentionType = among(*precision, attention),
                            .generationWeights = *generationWeights,
                            .fewRows = fewRows};
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
