// Stores values in the type to which all their readers round them.

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Storage.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Passes.h"
#include "passes/schedule/Roles.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

namespace memformer {

#define GEN_PASS_DEF_NARROWPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;

namespace {

/// A value that is one tensor in memory: a kernel's result, or what a traversal saves for another
/// (the result, and the arguments of functions that read it).
struct Stored {
  SmallVector<Value> values;
  /// Results of functions that hand it on, by function and place.
  SmallVector<std::pair<func::FuncOp, unsigned>> results;
};

struct NarrowPass : memformer::impl::NarrowPassBase<NarrowPass> {
  using NarrowPassBase::NarrowPassBase;

  void runOnOperation() override;
  void narrow(const Stored &stored, Type type);
};

} // namespace

// The type to which every reader rounds the entries; null where one reads f32, or none reads at
// all. The return of a saved value is not a reader: those of its arguments are.
static Type narrowTypeOfReaders(const Stored &stored) {
  Type type;
  for (Value value : stored.values)
    for (OpOperand &use : value.getUses()) {
      if (isa<func::ReturnOp>(use.getOwner()) && !stored.results.empty())
        continue;
      Type narrow = kernel::narrowTypeOf(use);
      if (!narrow || (type && type != narrow))
        return {};
      type = narrow;
    }
  return type;
}

void NarrowPass::narrow(const Stored &stored, Type type) {
  for (Value value : stored.values) {
    auto tensor = cast<RankedTensorType>(value.getType());
    if (tensor.getElementType() == type)
      continue;
    value.setType(RankedTensorType::get(tensor.getShape(), type));
    ++narrowed;
  }
}

static StringRef roleOf(Attribute attribute) {
  auto role = dyn_cast_if_present<StringAttr>(attribute);
  return role ? role.getValue() : StringRef();
}

void NarrowPass::runOnOperation() {
  llvm::MapVector<Value, Stored> local;
  llvm::MapVector<StringRef, Stored> saved;
  DenseSet<Value> handedOn; // values that a function returns
  auto functions = llvm::to_vector(getOperation().getOps<func::FuncOp>());
  for (func::FuncOp function : functions) {
    if (function.isExternal())
      continue;
    Block &body = function.getBody().front();
    Operation *end = body.getTerminator();
    llvm::SmallDenseMap<Value, unsigned> returns;
    for (Value value : end->getOperands())
      ++returns[value];
    for (auto [place, value] : llvm::enumerate(end->getOperands())) {
      handedOn.insert(value);
      auto name = function.getResultAttrOfType<StringAttr>(unsigned(place), nameAttribute);
      if (!name || roleOf(function.getResultAttr(unsigned(place), roleAttribute)) != role::saved)
        continue;
      Stored &stored = saved[name.getValue()];
      stored.values.push_back(value);
      stored.results.emplace_back(function, unsigned(place));
      if (returns[value] > 1) // one tensor under two names
        stored.values.push_back(Value());
    }
    for (BlockArgument argument : body.getArguments()) {
      unsigned place = argument.getArgNumber();
      auto name = function.getArgAttrOfType<StringAttr>(place, nameAttribute);
      if (name && roleOf(function.getArgAttr(place, roleAttribute)) == role::saved)
        saved[name.getValue()].values.push_back(argument);
    }
    for (Operation &op : body.without_terminator())
      for (OpResult result : op.getResults())
        local[result].values.push_back(result);
  }

  for (auto &[value, stored] : local)
    if (Type type = handedOn.contains(value) ? Type() : narrowTypeOfReaders(stored);
        type && kernel::mayBeNarrow(cast<OpResult>(value)))
      narrow(stored, type);
  for (auto &[name, stored] : saved) {
    bool canAll = !stored.results.empty() && llvm::all_of(stored.values, [](Value value) {
      auto result = dyn_cast_if_present<OpResult>(value);
      return value && (!result || kernel::mayBeNarrow(result));
    });
    Type type = canAll ? narrowTypeOfReaders(stored) : Type();
    if (type)
      narrow(stored, type);
  }
  for (func::FuncOp function : functions)
    if (!function.isExternal()) {
      Block &body = function.getBody().front();
      function.setFunctionType(FunctionType::get(&getContext(), body.getArgumentTypes(),
                                                 body.getTerminator()->getOperandTypes()));
    }
}
