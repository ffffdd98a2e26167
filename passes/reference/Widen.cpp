// f32 becomes f64 in a whole module.

#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "passes/reference/Execute.h"

using namespace mlir;

void memformer::widenToF64(ModuleOp module) {
  Type wide = Float64Type::get(module.getContext());
  auto widen = [](const APFloat &value) {
    bool inexact;
    APFloat result = value;
    result.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
    return result;
  };
  AttrTypeReplacer replacer;
  replacer.addReplacement([&](Float32Type) { return wide; });
  replacer.addReplacement([&](FloatAttr number) -> std::optional<Attribute> {
    if (!number.getType().isF32())
      return std::nullopt;
    return FloatAttr::get(wide, widen(number.getValue()));
  });
  replacer.addReplacement([&](DenseFPElementsAttr numbers) -> std::optional<Attribute> {
    if (!numbers.getElementType().isF32())
      return std::nullopt;
    return numbers.mapValues(wide,
                             [&](const APFloat &value) { return widen(value).bitcastToAPInt(); });
  });
  replacer.recursivelyReplaceElementsIn(module, /*replaceAttrs=*/true, /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
}
