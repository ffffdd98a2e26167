// Sessions on a CUDA device: memory, the host's views of it, and functions.

#include "runtime/cuda/device.h"
#include "runtime/cuda/host_view.h"
#include "runtime/cuda/program.h"
#include "runtime/instructions.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace memformer::cuda {

namespace {

/// What the environment variable says, "1" or "0".
bool isSet(const char *variable, bool otherwise) {
  const char *value = std::getenv(variable);
  return value && *value ? std::string_view(value) != "0" : otherwise;
}

std::string gibibytes(uint64_t bytes) {
  return fmt::format("{:.2f} GiB", double(bytes) / double(1 << 30));
}

/// All that lives in the device's context.
struct Contents {
  Contents(const Manifest &manifest, Modules modules, std::vector<DeviceMemory> spaces,
           DeviceMemory bounce, std::vector<std::optional<HostView>> views,
           std::unique_ptr<Queue> ownQueue, std::unique_ptr<ReplayWindow> ownReplay,
           Staging staging)
      : modules(std::move(modules)), spaces(std::move(spaces)), bounce(std::move(bounce)),
        views(std::move(views)), queue(std::move(ownQueue)), replay(std::move(ownReplay)),
        staging(std::move(staging)),
        graphs(*queue, queue->driver().hasGraphs && isSet("MEMFORMER_CUDA_GRAPHS", true)),
        timer(*queue), resources{.manifest = manifest,
                                 .modules = this->modules,
                                 .spaces = this->spaces,
                                 .bounce = this->bounce.address(),
                                 .replay = replay.get(),
                                 .queue = *queue,
                                 .staging = this->staging,
                                 .graphs = graphs,
                                 .timer = timer,
                                 .synchronous = isSet("MEMFORMER_CUDA_SYNCHRONOUS", false)} {
    for (size_t i = 0; i < numFunctions; ++i) {
      programs[i] = Program(resources, memformer::Function(i));
      for (uint32_t space = 0; space < manifest.spaces.size(); ++space)
        if (this->views[space] && touches(manifest.functions[i], space))
          viewed[i].push_back(space);
    }
  }

  Modules modules;
  std::vector<DeviceMemory> spaces; // by space
  DeviceMemory bounce;
  std::vector<std::optional<HostView>> views; // by space, of those that the host looks into
  std::unique_ptr<Queue> queue;
  std::unique_ptr<ReplayWindow> replay; // where it is on the host
  Staging staging;
  Graphs graphs;
  Timer timer;
  Program::Resources resources;
  std::array<Program, numFunctions> programs;
  std::array<std::vector<uint32_t>, numFunctions> viewed; // spaces that a function touches
};

class CudaDevice final : public Device {
public:
  CudaDevice(const Manifest &manifest, std::unique_ptr<ThreadPool> pool,
             std::shared_ptr<const Gpu> gpu, std::unique_ptr<Contents> contents)
      : Device(manifest, gpu->name(), std::move(pool)), gpu(std::move(gpu)),
        contents(std::move(contents)) {}
  ~CudaDevice() override {
    const Gpu::Scope scope(*gpu);
    contents.reset();
  }

  std::span<std::byte> view(uint32_t space, uint64_t offset, uint64_t bytes,
                            Access access) override {
    if (isOnHost(space))
      return {contents->replay->data() + offset, bytes};
    const Gpu::Scope scope(*gpu);
    return contents->views[space]->view(*contents->queue, offset, bytes, access);
  }

  void move(uint32_t space, uint64_t to, uint64_t from, uint64_t bytes) override {
    if (isOnHost(space)) {
      std::byte *data = contents->replay->data();
      std::memmove(data + to, data + from, bytes);
      return;
    }
    const Gpu::Scope scope(*gpu);
    contents->views[space]->push(*contents->queue);
    const DevicePointer base = contents->spaces[space].address();
    contents->queue->move(base + to, base + from, bytes);
    contents->views[space]->changed(to, bytes);
  }

  Result<void> run(memformer::Function which, SegmentHooks &hooks, int64_t segments,
                   int64_t stored) override;

  Result<void> status() const override { return contents->queue->status(); }

private:
  bool isOnHost(uint32_t space) const {
    return contents->replay && program.spaces[space].name == "replay";
  }

  std::shared_ptr<const Gpu> gpu;
  std::unique_ptr<Contents> contents;
};

Result<void> CudaDevice::run(memformer::Function which, SegmentHooks &hooks, int64_t segments,
                             int64_t stored) {
  MEMFORMER_TRY(status());
  const Gpu::Scope scope(*gpu);
  Queue &queue = *contents->queue;
  const auto &viewed = contents->viewed[size_t(which)];
  for (uint32_t space : viewed)
    contents->views[space]->push(queue);
  contents->programs[size_t(which)].run(hooks, segments, stored, !profile.empty());
  for (uint32_t space : viewed) {
    HostView &view = *contents->views[space];
    view.changed(0, contents->spaces[space].size());
    if (view.isPinned())
      view.pullAll(queue);
  }
  MEMFORMER_TRY(queue.finish("running", memformer::name(which),
                             "; set MEMFORMER_CUDA_SYNCHRONOUS=1 to be told which kernel"));
  contents->staging.collectAll(hooks);
  if (!profile.empty())
    contents->timer.add(profile);
  return queue.status();
}

/// Spaces that the host looks into, and whether they are small and looked into all the time.
std::optional<bool> viewOf(std::string_view space) {
  for (std::string_view name : {"scalars", "step_inputs", "step_outputs"})
    if (space == name)
      return true;
  for (std::string_view name : {"parameters", "gradients", "optimizer", "replay"})
    if (space == name)
      return false;
  return std::nullopt;
}

/// Compares what is planned with what the device has left.
Result<void> checkMemory(const Gpu &gpu, uint64_t planned, int64_t segments) {
  size_t free = 0, total = 0;
  MEMFORMER_TRY(gpu.check(gpu.driver().memGetInfo(&free, &total), "asking for free memory"));
  if (planned > free)
    return error("{}: expected {} bytes ({}) of free memory for {} segments, but of {} only {} "
                 "bytes ({}) are free: take a smaller batch or fewer segments",
                 gpu.name(), planned, gibibytes(planned), segments, gibibytes(total), free,
                 gibibytes(free));
  return {};
}

} // namespace

Result<std::unique_ptr<Device>> createDevice(const Artifact &artifact, int64_t segments,
                                             unsigned threads, int index, bool replayOnHost) {
  auto opened = Gpu::open(index);
  if (!opened)
    return std::unexpected(opened.error());
  const std::shared_ptr<const Gpu> &gpu = *opened;
  auto choice = chooseProgram(artifact.devices(), gpu->capability(), gpu->name());
  if (!choice)
    return std::unexpected(choice.error());
  const Manifest &manifest = *choice->manifest;
  const Gpu::Scope scope(*gpu);
  uint64_t bounceBytes = 0;
  for (const auto &function : manifest.functions)
    bounceBytes = std::max(bounceBytes, Program::bounceBytes(function, segments));
  uint64_t planned = manifest.memoryReport(segments).total + bounceBytes;
  const auto replaySpace = manifest.findSpace("replay");
  int64_t reach = 0;
  if (replayOnHost && replaySpace) {
    auto slots = Program::replayReach(manifest);
    if (!slots)
      return std::unexpected(slots.error());
    reach = *slots;
    const uint64_t slotBytes = manifest.spaces[*replaySpace].segmentBytes;
    planned -= manifest.spaces[*replaySpace].size(segments);
    planned += uint64_t(ReplayWindow::places(segments + 1, reach)) * slotBytes;
  }
  // Before the driver compiles for a minute.
  MEMFORMER_TRY(checkMemory(*gpu, planned, segments));

  auto pool = ThreadPool::create(threads);
  if (!pool)
    return std::unexpected(pool.error());
  auto modules = Modules::load(gpu, artifact, *choice);
  if (!modules)
    return std::unexpected(modules.error());
  auto queue = Queue::create(gpu);
  if (!queue)
    return std::unexpected(queue.error());
  std::vector<DeviceMemory> spaces;
  std::vector<std::optional<HostView>> views(manifest.spaces.size());
  for (size_t i = 0; i < manifest.spaces.size(); ++i) {
    const SpaceInfo &space = manifest.spaces[i];
    // One on the host has its places in a window.
    const bool onHost = reach != 0 && i == *replaySpace;
    const uint64_t bytes = onHost ? 0 : space.size(segments);
    auto memory = DeviceMemory::allocate(gpu, bytes, fmt::format("'{}'", space.name));
    if (!memory)
      return std::unexpected(memory.error());
    (*queue)->zero(memory->address(), bytes);
    if (auto pinned = viewOf(space.name); pinned && !onHost) {
      auto view = HostView::create(gpu, space, bytes, memory->address(), *pinned);
      if (!view)
        return std::unexpected(view.error());
      views[i] = std::move(*view);
    }
    spaces.push_back(std::move(*memory));
  }
  std::unique_ptr<ReplayWindow> replay;
  if (reach != 0) {
    auto window = ReplayWindow::create(**queue, manifest.spaces[*replaySpace].segmentBytes,
                                       segments + 1, reach);
    if (!window)
      return std::unexpected(window.error());
    replay = std::move(*window);
  }
  DeviceMemory bounce;
  if (bounceBytes != 0) {
    auto memory = DeviceMemory::allocate(gpu, bounceBytes, "overlapping copies");
    if (!memory)
      return std::unexpected(memory.error());
    bounce = std::move(*memory);
  }
  auto staging = Staging::create(gpu, manifest, segments);
  if (!staging)
    return std::unexpected(staging.error());
  MEMFORMER_TRY((*queue)->finish("zeroing memory"));
  auto contents = std::make_unique<Contents>(manifest, std::move(*modules), std::move(spaces),
                                             std::move(bounce), std::move(views), std::move(*queue),
                                             std::move(replay), std::move(*staging));
  return std::make_unique<CudaDevice>(manifest, std::move(*pool), gpu, std::move(contents));
}

Result<Description> describeDevice(int index) {
  auto gpu = Gpu::open(index);
  if (!gpu)
    return std::unexpected(gpu.error());
  return Description{(*gpu)->name(), (*gpu)->capability()};
}

} // namespace memformer::cuda
