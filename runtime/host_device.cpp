// A program on the processors of this machine.

#include "runtime/device.h"
#include "runtime/machine.h"
#include "runtime/program.h"

#include <array>
#include <cstring>

namespace memformer {

namespace {

class HostDevice final : public Device {
public:
  HostDevice(const Manifest &manifest, std::unique_ptr<ThreadPool> pool,
             std::unique_ptr<KernelLibrary> kernels, std::vector<Memory> memory)
      : Device(manifest, "cpu", std::move(pool)), kernels(std::move(kernels)),
        memory(std::move(memory)) {
    for (size_t i = 0; i < numFunctions; ++i)
      programs[i] = Program(manifest.functions[i], this->memory, *this->kernels);
    if (auto index = manifest.findSpace("inputs"))
      staging.inputs = this->memory[*index].data();
    if (auto index = manifest.findSpace("outputs"))
      staging.outputs = this->memory[*index].data();
  }

  std::span<std::byte> view(uint32_t space, uint64_t offset, uint64_t bytes, Access) override {
    return memory[space].span().subspan(offset, bytes);
  }

  void move(uint32_t space, uint64_t to, uint64_t from, uint64_t bytes) override {
    std::byte *data = memory[space].data();
    std::memmove(data + to, data + from, bytes);
  }

  /// Kernels are called with the default floating-point environment, whatever the caller's is.
  Result<void> run(Function which, SegmentHooks &hooks, int64_t segments, int64_t stored) override {
    FloatingPointMode mode;
    staging.hooks = &hooks;
    programs[size_t(which)].run(*threads, staging, segments, stored, profile);
    return {};
  }

private:
  std::unique_ptr<KernelLibrary> kernels;
  std::vector<Memory> memory; // by space
  Program::Staging staging;
  std::array<Program, numFunctions> programs;
};

} // namespace

Result<std::unique_ptr<Device>> createHostDevice(const Artifact &artifact, int64_t segments,
                                                 unsigned threads) {
  const Manifest &manifest = artifact.manifest();
  // Before the threads: what the kernels need may be granted only to threads that start later.
  auto kernels = KernelLibrary::load(artifact);
  if (!kernels)
    return std::unexpected(kernels.error());
  auto pool = ThreadPool::create(threads);
  if (!pool)
    return std::unexpected(pool.error());
  std::vector<Memory> memory;
  for (const auto &space : manifest.spaces) {
    auto reserved = Memory::reserve(space.size(segments), space.name);
    if (!reserved)
      return std::unexpected(reserved.error());
    memory.push_back(std::move(*reserved));
  }
  return std::make_unique<HostDevice>(manifest, std::move(*pool), std::move(*kernels),
                                      std::move(memory));
}

} // namespace memformer
