// The manifest of an artifact (docs/artifact.md) from the program level.

#include "codegen/Manifest.h"

#include "dialect/program/ProgramDialect.h"
#include "passes/prepare/Roles.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace memformer;
namespace json = llvm::json;

namespace {

class ManifestBuilder {
public:
  ManifestBuilder(ModuleOp module, const ManifestSettings &settings)
      : module(module), settings(settings) {}

  /// Everything; and what a target has of its own.
  llvm::Expected<json::Object> build();
  llvm::Expected<json::Object> buildProgram();

private:
  json::Array address(program::AddressAttr address) {
    return json::Array{spaces.lookup(address.getSpace().getValue()), address.getOffset(),
                       address.getStride()};
  }
  json::Array tensors(program::TensorKind kind);
  llvm::Error addKernels(json::Object &manifest);
  json::Array instructions(Block &block);
  json::Object dispatch(program::DispatchOp op);
  json::Object loop(program::LoopOp op);

  ModuleOp module;
  const ManifestSettings &settings;
  llvm::StringMap<int64_t> spaces, kernels; // numbers
};

} // namespace

json::Array ManifestBuilder::tensors(program::TensorKind kind) {
  json::Array result;
  for (auto tensor : module.getOps<program::TensorOp>()) {
    if (tensor.getKind() != kind)
      continue;
    auto type = cast<RankedTensorType>(tensor.getType());
    json::Object entry{{"name", tensor.getName()},
                       {"type", type.getElementType().isF32() ? "f32" : "i32"},
                       {"offset", tensor.getAddress().getOffset()}};
    if (kind != program::TensorKind::Scalar)
      entry["shape"] = json::Array(type.getShape());
    if (InitializerAttr initializer = tensor.getInitializer().value_or(InitializerAttr()))
      entry["initializer"] = json::Object{{"kind", stringifyInitializerKind(initializer.getKind())},
                                          {"value", initializer.getValue().getValueAsDouble()}};
    if (tensor.getBound())
      entry["bound"] = int64_t(*tensor.getBound());
    if (tensor.getIgnored())
      entry["ignored"] = true;
    result.push_back(std::move(entry));
  }
  return result;
}

llvm::Error ManifestBuilder::addKernels(json::Object &manifest) {
  json::Array result;
  for (auto kernel : module.getOps<program::KernelOp>()) {
    StringRef symbol = kernel.getSymName();
    if (!settings.grids.contains(symbol))
      return llvm::createStringError("expected a grid of kernel '%s'", symbol.str().c_str());
    kernels[symbol] = int64_t(result.size());
    json::Object entry{{"symbol", symbol},
                       {"kind", kernel.getKind()},
                       {"flops", int64_t(kernel.getFlops())},
                       {"bytes", int64_t(kernel.getBytes())}};
    if (auto keys = settings.kernelKeys.find(symbol); keys != settings.kernelKeys.end())
      for (const auto &[key, value] : keys->second)
        entry[key] = value;
    result.push_back(std::move(entry));
  }
  manifest["kernels"] = std::move(result);
  return llvm::Error::success();
}

json::Object ManifestBuilder::dispatch(program::DispatchOp op) {
  json::Array arguments;
  for (Attribute argument : op.getArguments())
    arguments.push_back(address(cast<program::AddressAttr>(argument)));
  json::Object result{{"op", "dispatch"},
                      {"kernel", kernels.lookup(op.getKernel())},
                      {"grid", settings.grids.lookup(op.getKernel())},
                      {"arguments", std::move(arguments)}};
  if (op.getTogether())
    result["together"] = true;
  return result;
}

json::Object ManifestBuilder::loop(program::LoopOp op) {
  json::Array outputs;
  for (StringAttr name : op.getOutputs().getAsRange<StringAttr>())
    outputs.push_back(name.getValue());
  return json::Object{{"op", "loop"},
                      {"order", op.getDescending() ? "descending" : "ascending"},
                      {"from", op.getFromStored() ? "stored" : "zero"},
                      {"to", op.getSkipLast() ? "segments-1" : "segments"},
                      {"outputs", std::move(outputs)},
                      {"body", instructions(op.getBody().front())}};
}

json::Array ManifestBuilder::instructions(Block &block) {
  json::Array result;
  for (Operation &op : block) {
    if (auto dispatch = dyn_cast<program::DispatchOp>(op)) {
      result.push_back(this->dispatch(dispatch));
    } else if (auto loop = dyn_cast<program::LoopOp>(op)) {
      result.push_back(this->loop(loop));
    } else if (auto fill = dyn_cast<program::FillOp>(op)) {
      result.push_back(json::Object{
          {"op", "fill"}, {"to", address(fill.getTo())}, {"bytes", int64_t(fill.getBytes())}});
    } else if (auto copy = dyn_cast<program::CopyOp>(op)) {
      json::Object entry{{"op", "copy"},
                         {"to", address(copy.getTo())},
                         {"from", address(copy.getFrom())},
                         {"bytes", int64_t(copy.getBytes())}};
      if (copy.getWhen() != program::When::Always)
        entry["when"] = program::stringifyWhen(copy.getWhen());
      result.push_back(std::move(entry));
    }
  }
  return result;
}

llvm::Expected<json::Object> ManifestBuilder::build() {
  llvm::Expected<json::Object> program = buildProgram();
  if (!program)
    return program;
  auto name = module->getAttrOfType<StringAttr>(nameAttribute);
  auto schedule = module->getAttrOfType<StringAttr>(scheduleAttribute);
  auto batch = module->getAttrOfType<IntegerAttr>(batchAttribute);
  if (!schedule || !batch)
    return llvm::createStringError("expected a module with a schedule and a batch, as -kernel-plan "
                                   "makes it");
  json::Object manifest = std::move(*program);
  manifest["producer"] = settings.producer;
  manifest["name"] = name ? name.getValue() : "model";
  manifest["configuration"] = settings.configuration;
  manifest["schedule"] = schedule.getValue();
  manifest["batch"] = batch.getInt();
  manifest["parameters"] = tensors(program::TensorKind::Parameter);
  if (json::Array fixed = tensors(program::TensorKind::Fixed); !fixed.empty())
    manifest["fixed"] = std::move(fixed);
  return manifest;
}

llvm::Expected<json::Object> ManifestBuilder::buildProgram() {
  json::Object manifest{{"target", json::Object(settings.target)}};
  json::Array spaceTable;
  for (auto space : module.getOps<program::SpaceOp>()) {
    spaces[space.getSymName()] = int64_t(spaceTable.size());
    spaceTable.push_back(json::Object{{"name", space.getSymName()},
                                      {"category", space.getCategory()},
                                      {"bytes", int64_t(space.getBytes())},
                                      {"segment_bytes", int64_t(space.getSegmentBytes())},
                                      {"extra_segments", int64_t(space.getExtraSegments())}});
  }
  manifest["spaces"] = std::move(spaceTable);
  manifest["state"] = tensors(program::TensorKind::State);
  manifest["inputs"] = tensors(program::TensorKind::Input);
  manifest["outputs"] = tensors(program::TensorKind::Output);
  manifest["scalars"] = tensors(program::TensorKind::Scalar);
  if (json::Array inputs = tensors(program::TensorKind::StepInput); !inputs.empty())
    manifest["stream"] = json::Object{{"inputs", std::move(inputs)},
                                      {"outputs", tensors(program::TensorKind::StepOutput)}};
  if (llvm::Error error = addKernels(manifest))
    return error;

  json::Object functions;
  for (auto function : module.getOps<program::FunctionOp>())
    functions[function.getSymName()] = instructions(function.getBody().front());
  for (StringRef name :
       {function::prepare, function::train, function::update, function::evaluate, function::trace})
    if (!functions.get(name))
      return llvm::createStringError("expected a function @%s of the program", name.str().c_str());
  manifest["functions"] = std::move(functions);
  return manifest;
}

llvm::Expected<json::Object> memformer::buildManifest(ModuleOp module,
                                                      const ManifestSettings &settings) {
  return ManifestBuilder(module, settings).build();
}

llvm::Expected<json::Object> memformer::buildDeviceManifest(ModuleOp module,
                                                            const ManifestSettings &settings) {
  return ManifestBuilder(module, settings).buildProgram();
}
