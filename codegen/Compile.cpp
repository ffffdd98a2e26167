// From the program level to an artifact.

#include "codegen/Compile.h"

#include "codegen/Manifest.h"
#include "codegen/host/Compile.h"
#include "codegen/host/Link.h"
#include "codegen/nvptx/Compile.h"
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

// Compiles a device's kernels. `section` gets PTX and cubins, each at a multiple of 16 bytes.
static FailureOr<llvm::json::Object>
compileDevice(const DeviceProgram &device, const CompileOptions &options, std::string &section) {
  ModuleOp program = device.program;
  SmallVector<program::KernelOp> kernels(program.getOps<program::KernelOp>());
  auto compiled =
      nvptx::compileKernels(kernels, device.target, nvptx::Stage::Binary, options.threads);
  if (failed(compiled))
    return failure();
  auto append = [&](StringRef bytes) {
    section.resize(llvm::alignTo(section.size(), 16));
    llvm::json::Array place{int64_t(section.size()), int64_t(bytes.size())};
    section += bytes;
    return place;
  };
  ManifestSettings settings;
  settings.target = llvm::json::Object{{"kind", "cuda"},
                                       {"architecture", device.target.architecture},
                                       {"ptx_version", device.target.ptxVersion}};
  for (auto [op, kernel] : llvm::zip_equal(kernels, *compiled)) {
    if (kernel.spilledBytes > 0)
      op.emitWarning() << "a thread of '" << kernel.symbol << "' spills " << kernel.spilledBytes
                       << " bytes of registers on " << device.target.architecture;
    settings.grids[kernel.symbol] = kernel.grid;
    llvm::json::Object keys{{"threads", kernel.threads},
                            {"shared_bytes", kernel.sharedBytes},
                            {"registers", kernel.registers}};
    // The driver takes a text that ends with zero.
    keys["ptx"] = append(StringRef(kernel.code.c_str(), kernel.code.size() + 1));
    if (!kernel.binary.empty())
      keys["cubin"] = append(kernel.binary);
    settings.kernelKeys[kernel.symbol] = std::move(keys);
  }
  llvm::Expected<llvm::json::Object> manifest = buildDeviceManifest(program, settings);
  if (!manifest)
    return program.emitError() << llvm::toString(manifest.takeError());
  return std::move(*manifest);
}

// Compiles the host's kernels to one shared object, and says what their grids are.
static FailureOr<std::string> compileHost(ModuleOp program, ArrayRef<program::KernelOp> kernels,
                                          const host::HostTarget &target,
                                          const CompileOptions &options,
                                          ManifestSettings &settings) {
  FailureOr<std::vector<host::CompiledKernel>> compiled =
      host::compileKernels(kernels, target, host::Stage::Object, options.threads);
  if (failed(compiled))
    return failure();
  SmallVector<StringRef> objects;
  for (const host::CompiledKernel &kernel : *compiled) {
    settings.grids[kernel.symbol] = kernel.grid;
    objects.push_back(kernel.code);
  }
  llvm::Expected<std::string> linked = host::linkSharedObject(objects);
  if (!linked)
    return program.emitError() << llvm::toString(linked.takeError());
  return std::move(*linked);
}

FailureOr<std::vector<std::byte>> compileArtifact(ModuleOp program, const host::HostTarget &target,
                                                  ArrayRef<DeviceProgram> devices,
                                                  const CompileOptions &options) {
  SmallVector<program::KernelOp> kernels(program.getOps<program::KernelOp>());
  ManifestSettings settings;
  settings.producer = options.producer;
  settings.configuration = options.configuration;
  settings.target = describe(target, needsTiles(kernels));
  std::string linked;
  if (options.code) {
    FailureOr<std::string> compiled = compileHost(program, kernels, target, options, settings);
    if (failed(compiled))
      return failure();
    linked = std::move(*compiled);
  } else {
    for (program::KernelOp kernel : kernels)
      settings.grids[kernel.getSymName()] = 0;
  }
  llvm::Expected<llvm::json::Object> manifest = buildManifest(program, settings);
  if (!manifest)
    return program.emitError() << llvm::toString(manifest.takeError());

  auto bytesOf = [](const std::string &text) {
    return std::as_bytes(std::span(text.data(), text.size()));
  };
  std::vector<SectionData> sections;
  if (options.code)
    sections.push_back({"host", bytesOf(linked)});
  std::vector<std::string> code(devices.size());
  llvm::json::Array described;
  for (auto [device, text] : llvm::zip_equal(devices, code)) {
    auto compiledDevice = compileDevice(device, options, text);
    if (failed(compiledDevice))
      return failure();
    described.push_back(std::move(*compiledDevice));
    sections.push_back({device.target.architecture.str(), bytesOf(text)});
  }
  if (!devices.empty())
    (*manifest)["devices"] = std::move(described);
  auto artifact = assembleArtifact(translate(std::move(*manifest)), sections);
  if (!artifact)
    return program.emitError("the artifact is not one that the runtime accepts: ")
           << artifact.error().message;
  return std::move(*artifact);
}

} // namespace memformer
