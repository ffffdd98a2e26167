// Keeps the host's copy of a space and the device's alike.

#include "runtime/cuda/host_view.h"

#include <algorithm>

namespace memformer::cuda {

Result<HostView> HostView::create(std::shared_ptr<const Gpu> gpu, const SpaceInfo &space,
                                  uint64_t bytes, DevicePointer device, bool isPinned) {
  HostView view;
  if (isPinned) {
    auto pinned = PinnedMemory::allocate(std::move(gpu), bytes, fmt::format("'{}'", space.name));
    if (!pinned)
      return std::unexpected(pinned.error());
    view.pinned = std::move(*pinned);
  } else {
    auto memory = Memory::reserve(bytes, space.name);
    if (!memory)
      return std::unexpected(memory.error());
    view.memory = std::move(*memory);
  }
  view.device = device;
  view.size = bytes;
  // States are asked for one by one.
  view.unit = space.bytes == 0 && space.segmentBytes != 0 ? space.segmentBytes : bytes;
  view.newer.resize(bytes == 0 ? 0 : size_t((bytes + view.unit - 1) / view.unit));
  return view;
}

template <class OnUnit> void HostView::forUnits(uint64_t offset, uint64_t bytes, OnUnit &&onUnit) {
  if (bytes == 0)
    return;
  for (uint64_t i = offset / unit; i <= (offset + bytes - 1) / unit; ++i)
    onUnit(newer[i], i * unit, std::min(unit, size - i * unit));
}

std::span<std::byte> HostView::view(Queue &queue, uint64_t offset, uint64_t bytes, Access access) {
  bool pulled = false;
  forUnits(offset, bytes, [&](Newer &state, uint64_t begin, uint64_t length) {
    if (state == Newer::Device) {
      queue.toHost(data() + begin, device + begin, length);
      state = Newer::Neither;
      pulled = true;
    }
    if (access == Access::Change) {
      state = Newer::Host;
      anyHost = true;
    }
  });
  if (pulled)
    (void)queue.finish("copying from the device"); // see Session::status
  return {data() + offset, bytes};
}

void HostView::push(Queue &queue) {
  if (!anyHost)
    return;
  forUnits(0, size, [&](Newer &state, uint64_t begin, uint64_t length) {
    if (state != Newer::Host)
      return;
    queue.toDevice(device + begin, data() + begin, length);
    state = Newer::Neither;
  });
  anyHost = false;
}

void HostView::changed(uint64_t offset, uint64_t bytes) {
  forUnits(offset, bytes, [](Newer &state, uint64_t, uint64_t) { state = Newer::Device; });
}

void HostView::pullAll(Queue &queue) {
  queue.toHost(data(), device, size);
  std::ranges::fill(newer, Newer::Neither);
}

} // namespace memformer::cuda
