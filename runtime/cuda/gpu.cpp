// Opens a CUDA device, and its memory.

#include "runtime/cuda/gpu.h"

#include <cstring>
#include <utility>

namespace memformer::cuda {

Result<std::shared_ptr<const Gpu>> Gpu::open(int index) {
  auto driver = Driver::load();
  if (!driver)
    return std::unexpected(driver.error());
  std::shared_ptr<Gpu> gpu(new Gpu);
  gpu->functions = std::move(*driver);
  gpu->label = fmt::format("cuda:{}", index);
  const Driver &functions = *gpu->functions;
  int count = 0;
  MEMFORMER_TRY(gpu->check(functions.deviceGetCount(&count), "counting devices"));
  if (count == 0)
    return error("the CUDA driver finds no device; use --device cpu");
  if (index < 0 || index >= count)
    return error("expected a device in cuda:0 ... cuda:{}, but got cuda:{}", count - 1, index);
  MEMFORMER_TRY(gpu->check(functions.deviceGet(&gpu->device, index), "opening the device"));
  char name[256] = {};
  MEMFORMER_TRY(gpu->check(functions.deviceGetName(name, sizeof(name) - 1, gpu->device),
                           "asking for the device's name"));
  gpu->label += fmt::format(" ({})", name);
  auto attribute = [&](int &value, int which) {
    return gpu->check(functions.deviceGetAttribute(&value, which, gpu->device),
                      "asking for the device's architecture");
  };
  MEMFORMER_TRY(attribute(gpu->ability.major, capabilityMajor));
  MEMFORMER_TRY(attribute(gpu->ability.minor, capabilityMinor));
  MEMFORMER_TRY(gpu->check(functions.primaryRetain(&gpu->context, gpu->device),
                           "making a context on the device"));
  return gpu;
}

Gpu::~Gpu() {
  if (context)
    functions->primaryRelease(device);
}

Result<void> Gpu::check(Status status, std::string_view what) const {
  if (status == Status::Success)
    return {};
  return error("{}: {}: {}", label, what, functions->describe(status));
}

Result<DeviceMemory> DeviceMemory::allocate(std::shared_ptr<const Gpu> gpu, uint64_t bytes,
                                            std::string_view what) {
  DeviceMemory memory;
  const auto status = gpu->driver().memAlloc(&memory.pointer, std::max<uint64_t>(bytes, 1));
  MEMFORMER_TRY(gpu->check(status, fmt::format("allocating {} bytes for {}", bytes, what)));
  memory.gpu = std::move(gpu);
  memory.bytes = bytes;
  return memory;
}

DeviceMemory::DeviceMemory(DeviceMemory &&other) noexcept { *this = std::move(other); }

DeviceMemory &DeviceMemory::operator=(DeviceMemory &&other) noexcept {
  std::swap(gpu, other.gpu);
  std::swap(pointer, other.pointer);
  std::swap(bytes, other.bytes);
  return *this;
}

DeviceMemory::~DeviceMemory() {
  if (gpu)
    gpu->driver().memFree(pointer);
}

Result<PinnedMemory> PinnedMemory::allocate(std::shared_ptr<const Gpu> gpu, uint64_t bytes,
                                            std::string_view what) {
  PinnedMemory memory;
  void *pointer = nullptr;
  const auto status =
      gpu->driver().memHostAlloc(&pointer, std::max<uint64_t>(bytes, 1), portableHostMemory);
  MEMFORMER_TRY(
      gpu->check(status, fmt::format("allocating {} bytes of pinned memory for {}", bytes, what)));
  std::memset(pointer, 0, bytes);
  memory.gpu = std::move(gpu);
  memory.pointer = static_cast<std::byte *>(pointer);
  return memory;
}

PinnedMemory::PinnedMemory(PinnedMemory &&other) noexcept { *this = std::move(other); }

PinnedMemory &PinnedMemory::operator=(PinnedMemory &&other) noexcept {
  std::swap(gpu, other.gpu);
  std::swap(pointer, other.pointer);
  return *this;
}

PinnedMemory::~PinnedMemory() {
  if (gpu)
    gpu->driver().memFreeHost(pointer);
}

} // namespace memformer::cuda
