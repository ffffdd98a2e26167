// Spaces of a program and what lies in them under a name.

#include "passes/plan/Spaces.h"

#include "dialect/program/Arguments.h"
#include "passes/prepare/Roles.h"

using namespace mlir;
using namespace memformer;
using program::AddressAttr;

FailureOr<NamedPlace *> NamedPlaces::add(StringAttr name, Type type, Location location) {
  auto [entry, isNew] = entries.insert({name, NamedPlace{type, bytes, location}});
  if (isNew) {
    bytes += program::alignedBytes(program::bytesOf(type));
  } else if (entry->second.type != type) {
    InFlightDiagnostic error = emitError(location, "expected the ")
                               << what << " " << name << " to be " << entry->second.type
                               << " in all functions, but got " << type;
    error.attachNote(entry->second.location) << "it is of that type here";
    return failure();
  }
  return &entry->second;
}

const NamedPlace *NamedPlaces::find(StringAttr name) const {
  auto entry = entries.find(name);
  return entry == entries.end() ? nullptr : &entry->second;
}

AddressAttr NamedPlaces::at(MLIRContext *context, int64_t offset, int64_t stride) const {
  return AddressAttr::get(context, FlatSymbolRefAttr::get(context, space), offset, stride);
}

std::pair<StringAttr, StringAttr> memformer::roleAndName(DictionaryAttr attributes) {
  if (!attributes)
    return {};
  return {attributes.getAs<StringAttr>(roleAttribute), attributes.getAs<StringAttr>(nameAttribute)};
}

LogicalResult ProgramSpaces::readOne(func::FuncOp function, DictionaryAttr attributes, Type type,
                                     bool isArgument, unsigned number) {
  Location location = function.getLoc();
  auto [role, name] = roleAndName(attributes);
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!role || !name || !tensor || !tensor.hasStaticShape())
    return function.emitOpError("expected ")
           << (isArgument ? "argument " : "result ") << number
           << " to be a tensor with memformer.role and memformer.name, but got " << type;
  if (role == role::scalar && name == name::optimizer)
    return success(); // scalars with names of their own
  // Only a traversal's result is saved: the argument that takes it is checked against it.
  NamedPlaces *places = role == role::input           ? &inputs
                        : role == role::stepInput     ? &stepInputs
                        : role == role::output        ? &outputs
                        : role == role::scalar        ? &scalars
                        : role == role::state         ? &states
                        : role == role::stateGradient ? &gradients
                        : role == role::saved         ? &saved
                        : role == role::packed        ? &packed
                        : role == role::stepOutput    ? &stepOutputs
                        : role == role::carried       ? &stream
                        : role == role::cache         ? &stream
                                                      : nullptr;
  if (!places) {
    if (role == role::parameters || role == role::gradients || role == role::firstMoments ||
        role == role::secondMoments)
      return success();
    return function.emitOpError("has an argument or a result of the unknown role ") << role;
  }
  if (isArgument && (role == role::saved || role == role::packed || role == role::carried) &&
      !places->find(name))
    return function.emitOpError("expected ") << name << " to be a result of another function";
  FailureOr<NamedPlace *> place = places->add(name, type, location);
  if (failed(place))
    return failure();
  if (auto bound = attributes.getAs<IntegerAttr>(boundAttribute)) {
    (*place)->bound = bound;
    (*place)->ignored = attributes.contains(ignoredAttribute);
  }
  return success();
}

LogicalResult ProgramSpaces::read(ArrayRef<func::FuncOp> functions) {
  // The optimizer's scalars stand side by side at the beginning, as its kernel reads them.
  Builder builder(functions.front()->getContext());
  for (func::FuncOp function : functions) {
    if (function.getName() != function::update)
      continue;
    Type scalar = RankedTensorType::get({}, builder.getF32Type());
    for (auto [i, name] : llvm::enumerate(name::optimizerScalars))
      scalars.entries.insert(
          {builder.getStringAttr(name), NamedPlace{scalar, int64_t(4 * i), function.getLoc()}});
    scalars.bytes = program::alignment;
  }
  for (func::FuncOp function : functions) {
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (failed(readOne(function, function.getArgAttrDict(i), function.getArgument(i).getType(),
                         true, i)))
        return failure();
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      if (failed(readOne(function, function.getResultAttrDict(i), function.getResultTypes()[i],
                         false, i)))
        return failure();
  }
  return success();
}

AddressAttr ProgramSpaces::find(func::FuncOp function, DictionaryAttr attributes,
                                bool isArgument) const {
  MLIRContext *context = function.getContext();
  auto [role, name] = roleAndName(attributes);
  auto whole = [&](StringRef space, int64_t offset) {
    return AddressAttr::get(context, FlatSymbolRefAttr::get(context, space), offset, 0);
  };
  if (role == role::parameters || role == role::gradients)
    return whole(role.getValue(), 0);
  if (role == role::firstMoments || role == role::secondMoments)
    return whole("optimizer", role == role::firstMoments ? 0 : parameters.trainedBytes);
  if (role == role::scalar && name == name::optimizer)
    return whole("scalars", 0);
  // The state that a segment leaves is the next slot's.
  if (role == role::state)
    return states.at(context, states.find(name)->offset + (isArgument ? 0 : states.bytes),
                     states.bytes);
  if (role == role::saved)
    return saved.at(context, saved.find(name)->offset, saved.bytes);
  const NamedPlaces &places = role == role::input           ? inputs
                              : role == role::output        ? outputs
                              : role == role::scalar        ? scalars
                              : role == role::stateGradient ? gradients
                              : role == role::stepInput     ? stepInputs
                              : role == role::stepOutput    ? stepOutputs
                              : role == role::packed        ? packed
                                                            : stream;
  return places.at(context, places.find(name)->offset);
}

AddressAttr ProgramSpaces::ofArgument(func::FuncOp function, unsigned argument) const {
  return find(function, function.getArgAttrDict(argument), true);
}

AddressAttr ProgramSpaces::ofResult(func::FuncOp function, unsigned result) const {
  return find(function, function.getResultAttrDict(result), false);
}

void ProgramSpaces::build(OpBuilder &builder, ModuleOp module, int64_t workspaceBytes,
                          bool trained) const {
  MLIRContext *context = module.getContext();
  auto space = [&](StringRef name, StringRef category, int64_t bytes, int64_t segmentBytes = 0,
                   int64_t extra = 0) {
    if (bytes != 0 || segmentBytes != 0)
      program::SpaceOp::create(builder, module.getLoc(), name, category, uint64_t(bytes),
                               uint64_t(segmentBytes), uint64_t(extra));
  };
  space("parameters", "parameters", parameters.bytes);
  space("gradients", "gradients", trained ? parameters.trainedBytes : 0);
  space("optimizer", "optimizer", trained ? 2 * parameters.trainedBytes : 0);
  space("packed", "parameters", packed.bytes);
  space("replay", "replay", 0, states.bytes, 1);
  space("saved", "saved", 0, saved.bytes);
  space("workspace", "workspace", workspaceBytes);
  space("inputs", "workspace", inputs.bytes);
  space("outputs", "workspace", outputs.bytes);
  space("scalars", "workspace", scalars.bytes);
  space("stream", "saved", stream.bytes);
  space("step_inputs", "workspace", stepInputs.bytes);
  space("step_outputs", "workspace", stepOutputs.bytes);

  for (auto param : module.getOps<ParamOp>())
    program::TensorOp::create(
        builder, param.getLoc(),
        param.isFixed() ? program::TensorKind::Fixed : program::TensorKind::Parameter,
        param.getSymName(),
        AddressAttr::get(context, FlatSymbolRefAttr::get(context, "parameters"),
                         parameters.offsets.lookup(param.getSymNameAttr()), 0),
        cast<RankedTensorType>(param.getType()), param.getInitializer(), IntegerAttr(),
        /*ignored=*/false);
  auto tensors = [&](program::TensorKind kind, const NamedPlaces &places) {
    for (const auto &[name, place] : places.entries)
      program::TensorOp::create(
          builder, place.location, kind, name.getValue(), places.at(context, place.offset),
          cast<RankedTensorType>(place.type), InitializerAttr(), place.bound, place.ignored);
  };
  tensors(program::TensorKind::State, states);
  tensors(program::TensorKind::Input, inputs);
  tensors(program::TensorKind::Output, outputs);
  tensors(program::TensorKind::Scalar, scalars);
  tensors(program::TensorKind::StepInput, stepInputs);
  tensors(program::TensorKind::StepOutput, stepOutputs);
}
