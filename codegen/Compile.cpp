// From the program level to an artifact.

#include "codegen/Compile.h"

#include "codegen/Manifest.h"
#include "codegen/host/Compile.h"
#include "codegen/host/Link.h"
#include "dialect/kernel/KernelDialect.h"
#include "runtime/artifact.h"

#include <nlohmann/json.hpp>

using namespace mlir;

namespace memformer {

// Tile registers are asked of a machine, and of its kernel, only where something uses them.
static bool needsTiles(ArrayRef<program::KernelOp> kernels) {
  return llvm::any_of(kernels, [](program::KernelOp kernel) {
    auto gemm = dyn_cast<kernel::GemmOp>(kernel.getBody().front().front());
    return gemm && gemm.getOperandType();
  });
}

static llvm::json::Object describe(const host::HostTarget &target, bool tiles) {
  llvm::json::Array features;
  for (const std::string &feature : target.features)
    if (tiles || !StringRef(feature).starts_with("amx"))
      features.push_back(feature);
  return llvm::json::Object{{"kind", "host"},
                            {"triple", target.triple},
                            {"cpu", target.cpu},
                            {"features", std::move(features)}};
}

// LLVM's JSON as the runtime's library has it.
static nlohmann::json translate(llvm::json::Object object) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << llvm::json::Value(std::move(object));
  return nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
}

FailureOr<std::vector<std::byte>> compileArtifact(ModuleOp program, const host::HostTarget &target,
                                                  const CompileOptions &options) {
  SmallVector<program::KernelOp> kernels(program.getOps<program::KernelOp>());
  FailureOr<std::vector<host::CompiledKernel>> compiled =
      host::compileKernels(kernels, target, host::Stage::Object, options.threads);
  if (failed(compiled))
    return failure();

  ManifestSettings settings;
  settings.producer = options.producer;
  settings.configuration = options.configuration;
  settings.target = describe(target, needsTiles(kernels));
  SmallVector<StringRef> objects;
  for (const host::CompiledKernel &kernel : *compiled) {
    settings.grids[kernel.symbol] = kernel.grid;
    objects.push_back(kernel.code);
  }
  llvm::Expected<std::string> linked = host::linkSharedObject(objects);
  if (!linked)
    return program.emitError() << llvm::toString(linked.takeError());
  llvm::Expected<llvm::json::Object> manifest = buildManifest(program, settings);
  if (!manifest)
    return program.emitError() << llvm::toString(manifest.takeError());

  const SectionData section = {"host", std::as_bytes(std::span(linked->data(), linked->size()))};
  auto artifact = assembleArtifact(translate(std::move(*manifest)), std::span(&section, 1));
  if (!artifact)
    return program.emitError("the artifact is not one that the runtime accepts: ")
           << artifact.error().message;
  return std::move(*artifact);
}

} // namespace memformer
