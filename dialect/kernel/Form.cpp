// The form of a kernel: what of its op has code of its own.

#include "dialect/kernel/Form.h"

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace memformer::kernel {

std::string formOf(Operation *op) {
  SmallVector<std::string> parts;
  auto add = [&](bool holds, StringRef part) {
    if (holds)
      parts.push_back(part.str());
  };
  for (NamedAttribute attribute : op->getAttrs())
    add(isa<UnitAttr>(attribute.getValue()), attribute.getName());
  add(op->hasAttr("accumulate"), "accumulate");
  if (auto type = op->getAttrOfType<TypeAttr>("operand_type")) {
    std::string text = "factors of ";
    llvm::raw_string_ostream(text) << type.getValue();
    parts.push_back(text);
  }
  if (auto probability = op->getAttrOfType<FloatAttr>("probability"))
    add(probability.getValueAsDouble() > 0, "dropout");
  TypeSwitch<Operation *>(op)
      .Case([&](GemmOp gemm) { add(bool(gemm.getScale()), "normalize"); })
      .Case([&](AttentionOp attention) {
        add(bool(attention.getSelfKey()), "self");
        add(bool(attention.getBias()), "bias");
        add(bool(attention.getRelativeKey()), "relative");
      })
      .Case([&](AttentionGradientOp attention) {
        add(bool(attention.getSelfKey()), "self");
        add(bool(attention.getRelativeKey()), "relative");
      })
      .Case([&](AttentionStepOp step) { add(bool(step.getRelativeKey()), "relative"); })
      .Case([&](AttentionWeightsOp weights) { add(bool(weights.getSelfKey()), "self"); })
      .Case([&](AttentionUsageOp usage) { add(bool(usage.getRelativeKey()), "relative"); })
      .Case([&](NormalizeOp normalize) { add(bool(normalize.getBias()), "bias"); })
      .Case([&](NormalizeGradientOp normalize) { add(bool(normalize.getBias()), "bias"); })
      .Case([&](SliceOp slice) { add(bool(slice.getPosition()), "position"); })
      .Case([&](ReduceOp reduce) { add(reduce.getEntries() == 1, "to one"); })
      .Case([&](PackOp pack) {
        ArrayRef<int64_t> shape = pack.getResult().getType().getShape();
        add(shape.size() == 4, shape.back() == 8 ? "eights" : "pairs");
      });
  // A region that gives what it was given computes nothing.
  for (Region &region : op->getRegions())
    if (!region.empty() && !isa<MapOp>(op))
      add(region.front().getOperations().size() > 1, "epilogue");
  auto addNarrow = [&](TypeRange types, StringRef what) {
    for (Type type : types)
      if (Type element = cast<ShapedType>(type).getElementType(); isNarrow(element))
        return add(true, element.isBF16() ? ("bf16 " + what).str() : ("f16 " + what).str());
  };
  addNarrow(op->getOperandTypes(), "operands");
  addNarrow(op->getResultTypes(), "results");
  std::string form = op->getName().stripDialect().str();
  return parts.empty() ? form : form + " [" + llvm::join(parts, ", ") + "]";
}

} // namespace memformer::kernel
