// The kernels of a program, loaded on a CUDA device.
#pragma once

#include "runtime/cuda/gpu.h"

#include <vector>

namespace memformer::cuda {

class Modules {
public:
  /// Loads every kernel of the chosen program of the artifact, on all processors: from its cubin
  /// where that is for this device, else from its PTX, which the driver compiles. Errors: a driver
  /// too old for the PTX, code that the driver refuses, more shared memory than there is.
  static Result<Modules> load(std::shared_ptr<const Gpu> gpu, const Artifact &artifact,
                              const ProgramChoice &choice);
  Modules(Modules &&) noexcept = default;
  ~Modules(); // the context is current

  EntryPoint entry(uint32_t kernel) const { return loaded[kernel].entry; }

private:
  struct Loaded {
    Module module = nullptr;
    EntryPoint entry = nullptr;
  };
  explicit Modules(std::shared_ptr<const Gpu> gpu) : gpu(std::move(gpu)) {}
  Result<void> loadKernel(const Manifest &manifest, std::span<const std::byte> section, bool cubin,
                          size_t index);

  std::shared_ptr<const Gpu> gpu;
  std::vector<Loaded> loaded; // by kernel
};

} // namespace memformer::cuda
