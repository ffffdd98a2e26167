// What the ops that read an integer input say of its entries.

#include "passes/schedule/Cut.h"
#include "passes/schedule/Roles.h"

#include <optional>

using namespace mlir;
using namespace memformer;

namespace {

struct Bound {
  int64_t bound;
  bool ignored; // −1 is allowed too
};

} // namespace

// The entries that all readers of `input` accept, none where no reader says.
static std::optional<Bound> boundOf(Value input) {
  std::optional<Bound> result;
  auto meet = [&](int64_t bound, bool ignored) {
    result = result ? Bound{std::min(result->bound, bound), result->ignored && ignored}
                    : Bound{bound, ignored};
  };
  for (Operation *user : input.getUsers()) {
    if (auto embedding = dyn_cast<EmbeddingOp>(user))
      meet(cast<RankedTensorType>(embedding.getTable().getType()).getDimSize(0), false);
    if (auto crossEntropy = dyn_cast<CrossEntropyOp>(user))
      meet(cast<RankedTensorType>(crossEntropy.getLogits().getType()).getShape().back(), true);
  }
  return result;
}

void memformer::markBounds(func::FuncOp function, const DifferentiatedSegment &segment) {
  Builder builder(function.getContext());
  for (const Port &input : segment.inputs) {
    std::optional<Bound> bound = boundOf(input.value);
    if (!bound)
      continue;
    for (unsigned index = 0; index < function.getNumArguments(); ++index) {
      auto role = function.getArgAttrOfType<StringAttr>(index, roleAttribute);
      auto name = function.getArgAttrOfType<StringAttr>(index, nameAttribute);
      if ((role != role::input && role != role::stepInput) || name != input.name)
        continue;
      function.setArgAttr(index, boundAttribute, builder.getI64IntegerAttr(bound->bound));
      if (bound->ignored)
        function.setArgAttr(index, ignoredAttribute, builder.getUnitAttr());
    }
  }
}
