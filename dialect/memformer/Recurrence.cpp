// The recurrence: its regions agree with each other and with the names of states, inputs and
// outputs.

#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/memformer/Verify.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace memformer;

using Types = SmallVector<Type>;

/// `got` is `expected`; `what` says of which values these are the types ("argument", "state").
static LogicalResult verifyTypes(Operation *op, StringRef region, StringRef what, TypeRange got,
                                 ArrayRef<Type> expected, Location where) {
  if (got.size() != expected.size()) {
    InFlightDiagnostic error = op->emitOpError("expected region ")
                               << region << " to have " << expected.size() << " " << what
                               << " value" << (expected.size() == 1 ? "" : "s") << ", but got "
                               << got.size();
    error.attachNote(where) << "these values";
    return error;
  }
  for (auto [number, pair] : llvm::enumerate(llvm::zip(got, expected))) {
    auto [gotType, expectedType] = pair;
    if (gotType == expectedType)
      continue;
    InFlightDiagnostic error = op->emitOpError("expected ")
                               << what << " value #" << number << " of region " << region
                               << " to have type " << expectedType << ", but got " << gotType;
    error.attachNote(where) << "this value";
    return error;
  }
  return success();
}

/// The yield that ends the region's block; null after a diagnostic.
static YieldOp yieldOf(Operation *op, StringRef name, Region &region) {
  Operation *last = region.front().empty() ? nullptr : &region.front().back();
  if (auto yield = dyn_cast_if_present<YieldOp>(last))
    return yield;
  InFlightDiagnostic error = op->emitOpError("expected region ")
                             << name << " to end in 'memformer.yield'";
  if (last)
    error.attachNote(last->getLoc()) << "it ends here";
  return nullptr;
}

/// Every name is there and stands for one thing: among what a segment takes, and among what can be
/// observed.
static LogicalResult verifyNames(RecurrenceOp op) {
  llvm::StringSet<> taken, observed;
  auto insert = [&](ArrayAttr names, StringRef kind, bool isTaken,
                    bool isObserved) -> LogicalResult {
    for (StringRef name : names.getAsValueRange<StringAttr>()) {
      if (name.empty())
        return op.emitOpError("expected every one of ") << kind << " to have a name";
      if ((isTaken && !taken.insert(name).second) || (isObserved && !observed.insert(name).second))
        return op.emitOpError("expected names to differ, but got '")
               << name << "' twice, the second time in " << kind;
      if (isTaken && (name == "reset" || name == "loss_scale"))
        return op.emitOpError("expected ") << kind << " to have names of the model's own, but '"
                                           << name << "' is what every recurrence is given";
    }
    return success();
  };
  if (failed(insert(op.getStates(), "states", true, true)) ||
      failed(insert(op.getInputs(), "inputs", true, false)))
    return failure();
  return insert(op.getOutputs(), "outputs", false, true);
}

/// States have one batch as their first dimension, so that rows can restart.
static LogicalResult verifyStates(RecurrenceOp op, TypeRange states) {
  int64_t batch = 0;
  for (auto [type, name] : llvm::zip(states, op.getStates().getAsValueRange<StringAttr>())) {
    ArrayRef<int64_t> shape = cast<RankedTensorType>(type).getShape();
    if (shape.empty())
      return op.emitOpError("expected state '")
             << name << "' to have the batch as its first dimension, but got " << type;
    if (batch == 0)
      batch = shape[0];
    if (shape[0] != batch)
      return op.emitOpError("expected all states to have one batch, but got ")
             << batch << " and " << shape[0] << " for state '" << name << "'";
  }
  return success();
}

/// The arguments of `segment` are states and inputs; `initial` and `segment` yield the states.
static LogicalResult verifySegment(RecurrenceOp op, YieldOp initial, YieldOp segment) {
  Block &block = op.getSegment().front();
  size_t states = op.getStates().size(), inputs = op.getInputs().size();
  if (block.getNumArguments() != states + inputs)
    return op.emitOpError("expected region segment to have ")
           << states + inputs << " arguments (" << states << " states and " << inputs
           << " inputs), but got " << block.getNumArguments();
  for (auto [number, argument] : llvm::enumerate(block.getArguments())) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    bool valid = type && type.hasStaticShape() && !llvm::is_contained(type.getShape(), 0) &&
                 (type.getElementType().isF32() || type.getElementType().isF64() ||
                  type.getElementType().isInteger(32));
    if (!valid)
      return op.emitOpError("expected argument #")
             << number << " of region segment to be a static tensor of f32, f64 or i32 without "
             << "empty dimensions, but got " << argument.getType();
  }
  Types stateTypes;
  for (BlockArgument argument : block.getArguments().take_front(states))
    stateTypes.push_back(argument.getType());
  if (failed(verifyStates(op, stateTypes)))
    return failure();
  for (auto [argument, name] : llvm::zip(block.getArguments().drop_front(states),
                                         op.getInputs().getAsValueRange<StringAttr>())) {
    auto type = cast<RankedTensorType>(argument.getType());
    if (name == "dropout_key" &&
        (type.getShape() != ArrayRef<int64_t>{2} || !type.getElementType().isInteger(32)))
      return op.emitOpError("expected input 'dropout_key' to be tensor<2xi32>, but got ") << type;
  }

  if (op.getInitial().front().getNumArguments() != 0)
    return op.emitOpError("expected region initial to have no arguments, but got ")
           << op.getInitial().front().getNumArguments();
  if (!initial.getLoss().empty() || !initial.getOutputs().empty())
    return op.emitOpError("expected region initial to yield states alone");
  if (failed(verifyTypes(op, "initial", "state", initial.getState().getTypes(), stateTypes,
                         initial.getLoc())) ||
      failed(verifyTypes(op, "segment", "state", segment.getState().getTypes(), stateTypes,
                         segment.getLoc())))
    return failure();
  size_t outputs = op.getOutputs().size();
  if (segment.getOutputs().size() != outputs)
    return op.emitOpError("expected region segment to yield ")
           << outputs << " outputs, one for each name, but got " << segment.getOutputs().size();
  if (segment.getLoss().size() > 1)
    return op.emitOpError("expected region segment to yield at most one loss, but got ")
           << segment.getLoss().size();
  return success();
}

/// The contract of `replay`: docs of the op.
static LogicalResult verifyReplay(RecurrenceOp op, YieldOp segment) {
  Region &region = op.getReplay();
  if (region.empty())
    return success();
  if (!region.hasOneBlock())
    return op.emitOpError("expected region replay to be empty or to have one block");
  YieldOp yield = yieldOf(op, "replay", region);
  if (!yield)
    return failure();
  Builder builder(op.getContext());
  Types states(segment.getState().getTypes()), gradients;
  llvm::copy_if(states, std::back_inserter(gradients),
                [](Type type) { return isa<FloatType>(getElementTypeOrSelf(type)); });
  Types arguments(op.getSegment().front().getArgumentTypes());
  if (!states.empty())
    arguments.push_back(RankedTensorType::get(cast<RankedTensorType>(states[0]).getDimSize(0),
                                              builder.getI32Type()));
  if (!segment.getLoss().empty())
    arguments.push_back(
        RankedTensorType::get({}, getElementTypeOrSelf(segment.getLoss().front().getType())));
  llvm::append_range(arguments, gradients);
  if (failed(verifyTypes(op, "replay", "argument", region.front().getArgumentTypes(), arguments,
                         region.front().empty() ? op.getLoc() : region.front().front().getLoc())))
    return failure();

  Types outputs(states);
  llvm::append_range(outputs, segment.getOutputs().getTypes());
  if (failed(verifyTypes(op, "replay", "state", yield.getState().getTypes(), gradients,
                         yield.getLoc())) ||
      failed(verifyTypes(op, "replay", "loss", yield.getLoss().getTypes(),
                         Types(segment.getLoss().getTypes()), yield.getLoc())))
    return failure();
  return verifyTypes(op, "replay", "output", yield.getOutputs().getTypes(), outputs,
                     yield.getLoc());
}

/// The streamed input and the output of its positions are there and have one axis of positions.
static LogicalResult verifyStreamed(RecurrenceOp op, YieldOp segment) {
  if (bool(op.getStreamed()) != bool(op.getStepped()))
    return op.emitOpError("expected a streamed input and the output of its positions together");
  if (!op.getStreamed())
    return success();
  auto find = [&](ArrayAttr names, StringRef name, ValueRange values, StringRef kind) -> Value {
    for (auto [other, value] : llvm::zip(names.getAsValueRange<StringAttr>(), values))
      if (other == name) {
        auto type = cast<RankedTensorType>(value.getType());
        if (type.getRank() >= 2)
          return value;
        op.emitOpError("expected the streamed ")
            << kind << " '" << name << "' to be [B, L, ...], but got " << type;
        return {};
      }
    op.emitOpError("expected the streamed ")
        << kind << " to be one of the " << kind << "s, but got '" << name << "'";
    return {};
  };
  ValueRange inputs = op.getSegment().front().getArguments();
  Value input =
      find(op.getInputs(), *op.getStreamed(), inputs.drop_front(op.getStates().size()), "input");
  Value output =
      input ? find(op.getOutputs(), *op.getStepped(), segment.getOutputs(), "output") : Value();
  if (!output)
    return failure();
  if (shapeOf(input).take_front(2) != shapeOf(output).take_front(2))
    return op.emitOpError("expected the streamed input and output to have one batch and length, "
                          "but got ")
           << input.getType() << " and " << output.getType();
  return success();
}

LogicalResult RecurrenceOp::verifyRegions() {
  if (failed(verifyNames(*this)))
    return failure();
  YieldOp initial = yieldOf(*this, "initial", getInitial());
  YieldOp segment = initial ? yieldOf(*this, "segment", getSegment()) : nullptr;
  if (!segment || failed(verifySegment(*this, initial, segment)) ||
      failed(verifyStreamed(*this, segment)))
    return failure();
  return verifyReplay(*this, segment);
}

static bool isScalar(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 0;
}

void RecurrenceOp::getAsmBlockArgumentNames(Region &region, OpAsmSetValueNameFn setName) {
  if (region.empty() || &region == &getInitial())
    return;
  SmallVector<std::string> names;
  for (ArrayAttr group : {getStates(), getInputs()})
    for (StringRef name : group.getAsValueRange<StringAttr>())
      names.push_back(name.str());
  // After those, replay has the reset flags, the loss's scale (the one scalar), and gradients of
  // states that have one.
  if (&region == &getReplay()) {
    if (!getStates().empty())
      names.push_back("reset");
    size_t scale = names.size();
    if (scale < region.getNumArguments() && isScalar(region.getArgument(scale).getType()))
      names.push_back("loss_scale");
    for (auto [name, state] :
         llvm::zip(getStates().getAsValueRange<StringAttr>(), region.getArguments()))
      if (isa<FloatType>(getElementTypeOrSelf(state.getType())))
        names.push_back((name + "_gradient").str());
  }
  // A recurrence that is wrong is printed too: there may be more arguments than names, or fewer.
  for (auto [argument, name] : llvm::zip(region.getArguments(), names))
    setName(argument, name);
}
