// Loads modules from cubins or PTX.

#include "runtime/cuda/modules.h"
#include "runtime/machine.h"
#include "runtime/thread_pool.h"

#include <array>

namespace memformer::cuda {

namespace {

constexpr uint32_t sharedBytesOfAll = 48 << 10; // more must be asked for

/// The first line of the driver's log, which is the one that says why.
std::string_view firstLine(const char *log) {
  std::string_view text(log);
  return text.substr(0, text.find('\n'));
}

} // namespace

Result<void> Modules::loadKernel(const Manifest &manifest, std::span<const std::byte> section,
                                 bool cubin, size_t index) {
  const KernelInfo &info = manifest.kernels[index];
  const Driver &driver = gpu->driver();
  Loaded &kernel = loaded[index];
  std::array<char, 4096> log{};
  auto load = [&](const SectionRange &range) {
    int options[] = {jitErrorLog, jitErrorLogBytes};
    void *values[] = {log.data(), reinterpret_cast<void *>(uintptr_t(log.size() - 1))};
    return driver.moduleLoad(&kernel.module, section.data() + range.offset, 2, options, values);
  };
  Status status = Status::NoBinaryForGpu;
  if (cubin)
    status = load(*info.cubin);
  // A driver may refuse the cubin of a newer compiler, and still compile the PTX.
  if (status == Status::NoBinaryForGpu || status == Status::InvalidImage) {
    if (driver.version < driverNumberForPtx(manifest.target.ptxVersion))
      status = Status::UnsupportedPtxVersion;
    else
      status = load(info.ptx);
  }
  if (status == Status::UnsupportedPtxVersion)
    return error("{}: expected a driver of CUDA {} or later for PTX {}.{}, but got one of CUDA {}: "
                 "install a newer one, or compile the model where ptxas is installed",
                 gpu->name(), driverForPtx(manifest.target.ptxVersion),
                 manifest.target.ptxVersion / 10, manifest.target.ptxVersion % 10,
                 driver.versionText());
  if (status != Status::Success) {
    const std::string_view why = firstLine(log.data());
    return error("{}: the driver refuses the kernel '{}': {}{}{}", gpu->name(), info.symbol,
                 driver.describe(status), why.empty() ? "" : ": ", why);
  }
  status = driver.moduleGetFunction(&kernel.entry, kernel.module, info.symbol.c_str());
  if (status == Status::NotFound)
    return error("the artifact's code has no kernel '{}'", info.symbol);
  MEMFORMER_TRY(gpu->check(status, fmt::format("finding the kernel '{}'", info.symbol)));
  if (info.sharedBytes > sharedBytesOfAll)
    MEMFORMER_TRY(gpu->check(
        driver.functionSetAttribute(kernel.entry, maxDynamicSharedBytes, int(info.sharedBytes)),
        fmt::format("giving the kernel '{}' {} bytes of shared memory", info.symbol,
                    info.sharedBytes)));
  return {};
}

Result<Modules> Modules::load(std::shared_ptr<const Gpu> gpu, const Artifact &artifact,
                              const ProgramChoice &choice) {
  const Manifest &manifest = *choice.manifest;
  Modules modules(gpu);
  modules.loaded.resize(manifest.kernels.size());
  const auto section = artifact.section(manifest.target.architecture);
  std::vector<Result<void>> results(manifest.kernels.size());
  auto body = [&](int64_t kernel) {
    const Gpu::Scope scope(*gpu);
    // The pool's threads run kernels; here the driver compiles.
    const FloatingPointMode mode(FloatingPointMode::Denormals::Kept);
    results[size_t(kernel)] = modules.loadKernel(manifest, *section, choice.cubin, size_t(kernel));
  };
  // Compilers, not kernels: for them alone, and as many as there can be.
  auto pool = ThreadPool::create(0);
  if (!pool)
    return std::unexpected(pool.error());
  if (section)
    (*pool)->run(int64_t(manifest.kernels.size()), body);
  for (const auto &result : results)
    if (!result)
      return std::unexpected(result.error());
  return modules;
}

Modules::~Modules() {
  for (const Loaded &kernel : loaded)
    if (kernel.module)
      gpu->driver().moduleUnload(kernel.module);
}

} // namespace memformer::cuda
