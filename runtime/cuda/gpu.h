// One CUDA device: its name, its context and its memory.
#pragma once

#include "runtime/cuda/architecture.h"
#include "runtime/cuda/driver.h"

#include <span>

namespace memformer::cuda {

/// Holds the device's primary context. Shared by what lives there.
class Gpu {
public:
  /// Errors: no driver, no such device, or one that the driver cannot use.
  static Result<std::shared_ptr<const Gpu>> open(int index);
  ~Gpu();
  Gpu(const Gpu &) = delete;
  Gpu &operator=(const Gpu &) = delete;

  const Driver &driver() const { return *functions; }
  /// "cuda:0 (NVIDIA H100)".
  const std::string &name() const { return label; }
  Capability capability() const { return ability; }

  /// Ok, or "NAME: WHAT: the driver's words".
  Result<void> check(Status status, std::string_view what) const;

  /// Makes the context current in this thread until the end of its scope.
  class Scope {
  public:
    explicit Scope(const Gpu &gpu) : gpu(gpu) { gpu.functions->pushCurrent(gpu.context); }
    ~Scope() {
      Context popped = nullptr;
      gpu.functions->popCurrent(&popped);
    }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

  private:
    const Gpu &gpu;
  };

private:
  Gpu() = default;
  std::shared_ptr<const Driver> functions;
  DeviceNumber device = 0;
  Context context = nullptr;
  std::string label;
  Capability ability;
};

/// Memory of the device; its context is current wherever one is made or ends.
class DeviceMemory {
public:
  /// Not zeroed. At least one byte.
  static Result<DeviceMemory> allocate(std::shared_ptr<const Gpu> gpu, uint64_t bytes,
                                       std::string_view what);
  DeviceMemory() = default;
  DeviceMemory(DeviceMemory &&other) noexcept;
  DeviceMemory &operator=(DeviceMemory &&other) noexcept;
  ~DeviceMemory();

  DevicePointer address() const { return pointer; }
  uint64_t size() const { return bytes; }

private:
  std::shared_ptr<const Gpu> gpu;
  DevicePointer pointer = 0;
  uint64_t bytes = 0;
};

/// Memory of the host that the device copies from and to while the host goes on; zeroed.
class PinnedMemory {
public:
  static Result<PinnedMemory> allocate(std::shared_ptr<const Gpu> gpu, uint64_t bytes,
                                       std::string_view what);
  PinnedMemory() = default;
  PinnedMemory(PinnedMemory &&other) noexcept;
  PinnedMemory &operator=(PinnedMemory &&other) noexcept;
  ~PinnedMemory();

  std::byte *data() const { return pointer; }

private:
  std::shared_ptr<const Gpu> gpu;
  std::byte *pointer = nullptr;
};

} // namespace memformer::cuda
