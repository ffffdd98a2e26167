// Cutting functions out of a differentiated segment.

#include "passes/schedule/Cut.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/TypeUtilities.h"
#include "passes/schedule/Roles.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace memformer;

static SmallVector<Port> ports(ValueRange values, ArrayRef<Attribute> names, StringRef role) {
  SmallVector<Port> result;
  for (auto [value, name] : llvm::zip_equal(values, names))
    result.push_back({value, role, cast<StringAttr>(name).str()});
  return result;
}

DifferentiatedSegment::DifferentiatedSegment(RecurrenceOp recurrence)
    : block(recurrence.getReplay().front()) {
  ArrayRef<Attribute> names = recurrence.getStates().getValue();
  size_t count = names.size();
  ValueRange arguments = block.getArguments();
  states = ports(arguments.take_front(count), names, role::state);
  arguments = arguments.drop_front(count);
  inputs = ports(arguments.take_front(recurrence.getInputs().size()),
                 recurrence.getInputs().getValue(), role::input);
  arguments = arguments.drop_front(inputs.size());
  if (count != 0) {
    inputs.push_back({arguments.front(), role::input, name::reset.str()});
    arguments = arguments.drop_front();
  }
  auto yield = cast<YieldOp>(block.getTerminator());
  for (Value value : yield.getLoss()) {
    loss.push_back({value, role::output, name::loss.str()});
    lossScale.push_back({arguments.front(), role::scalar, name::lossScale.str()});
    arguments = arguments.drop_front();
  }
  SmallVector<Attribute> withGradient;
  for (const auto &[state, name] : llvm::zip_equal(states, names))
    if (isa<FloatType>(getElementTypeOrSelf(state.value.getType())))
      withGradient.push_back(name);
  nextGradients = ports(arguments, withGradient, role::stateGradient);
  stateGradients = ports(yield.getState(), withGradient, role::stateGradient);
  nextStates = ports(yield.getOutputs().take_front(count), names, role::state);
  outputs =
      ports(yield.getOutputs().drop_front(count), recurrence.getOutputs().getValue(), role::output);

  // A state enters the segment through the one op that chooses between it and its initial value.
  for (const Port &state : states) {
    Value entering = state.value;
    for (Operation *user : state.value.getUsers())
      if (auto select = dyn_cast<SelectRowsOp>(user);
          select && select.getOnFalse() == state.value && select.getMask() == inputs.back().value)
        entering = select.getResult();
    this->entering.push_back({entering, role::output, state.name});
  }

  SmallVector<Value> results(yield.getOutputs());
  llvm::append_range(results, yield.getLoss());
  recomputed = sliceOf(block, results, {}, /*effects=*/false);
}

DenseSet<Operation *> memformer::sliceOf(Block &block, ValueRange results,
                                         const DenseSet<Value> &available, bool effects) {
  DenseSet<Operation *> slice;
  SmallVector<Value> work(results);
  if (effects)
    for (auto accumulate : block.getOps<AccumulateOp>()) {
      slice.insert(accumulate);
      work.push_back(accumulate.getValue());
    }
  while (!work.empty()) {
    Value value = work.pop_back_val();
    Operation *op = value.getDefiningOp();
    if (op && !available.contains(value) && slice.insert(op).second)
      work.append(op->operand_begin(), op->operand_end());
  }
  return slice;
}

static DictionaryAttr attributesOf(const Port &port, OpBuilder &builder) {
  return builder.getDictionaryAttr(
      {builder.getNamedAttr(roleAttribute, builder.getStringAttr(port.role)),
       builder.getNamedAttr(nameAttribute, builder.getStringAttr(port.name))});
}

static SmallVector<Value> valuesOf(ArrayRef<Port> ports) {
  return llvm::map_to_vector(ports, [](const Port &port) { return port.value; });
}

func::FuncOp memformer::cutFunction(OpBuilder &builder, Location location, StringRef name,
                                    Block &block, ArrayRef<Port> arguments, ArrayRef<Port> results,
                                    bool effects) {
  SmallVector<Value> argumentValues = valuesOf(arguments), resultValues = valuesOf(results);
  auto type = builder.getFunctionType(ValueRange(argumentValues).getTypes(),
                                      ValueRange(resultValues).getTypes());
  auto function = func::FuncOp::create(builder, location, name, type);
  for (auto [index, port] : llvm::enumerate(arguments))
    function.setArgAttrs(index, attributesOf(port, builder));
  for (auto [index, port] : llvm::enumerate(results))
    function.setResultAttrs(index, attributesOf(port, builder));

  OpBuilder::InsertionGuard guard(builder);
  Block *body = function.addEntryBlock();
  builder.setInsertionPointToEnd(body);
  IRMapping mapping;
  for (auto [value, argument] : llvm::zip_equal(argumentValues, body->getArguments()))
    mapping.map(value, argument);
  DenseSet<Value> available(argumentValues.begin(), argumentValues.end());
  DenseSet<Operation *> slice = sliceOf(block, resultValues, available, effects);
  for (Operation &op : block) {
    if (!slice.contains(&op))
      continue;
    Operation *clone = builder.clone(op, mapping);
    // An op may stay for one of its results while another is an argument: that one keeps to the
    // argument.
    for (auto [result, cloned] : llvm::zip_equal(op.getResults(), clone->getResults()))
      if (!available.contains(result))
        mapping.map(result, cloned);
      else
        mapping.map(result,
                    body->getArgument(llvm::find(argumentValues, result) - argumentValues.begin()));
  }
  func::ReturnOp::create(builder, location, llvm::map_to_vector(resultValues, [&](Value value) {
                           return mapping.lookup(value);
                         }));
  return function;
}

void memformer::removeDropout(func::FuncOp function) {
  function.walk([](Operation *op) {
    if (auto dropout = dyn_cast<DropoutOp>(op)) {
      dropout.getResult().replaceAllUsesWith(dropout.getInput());
      dropout.erase();
    } else if (auto attention = dyn_cast<AttentionOp>(op)) {
      attention.getDropoutKeyMutable().clear();
      attention.setProbability(APFloat(0.0));
      attention.setStream(0);
    }
  });
}
