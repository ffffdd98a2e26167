// The host's copy of a space on a CUDA device.
#pragma once

#include "runtime/cuda/queue.h"
#include "runtime/device.h"
#include "runtime/memory.h"

#include <vector>

namespace memformer::cuda {

/// Each unit of the space is the same here and there, or newer in one place. Both begin as zeros.
class HostView {
public:
  /// Large ones are memory that costs nothing until it is used; pinned ones are small and are
  /// brought here at the end of every function that uses them.
  static Result<HostView> create(std::shared_ptr<const Gpu> gpu, const SpaceInfo &space,
                                 uint64_t bytes, DevicePointer device, bool pinned);

  bool isPinned() const { return pinned.data() != nullptr; }
  /// See Device::view.
  std::span<std::byte> view(Queue &queue, uint64_t offset, uint64_t bytes, Access access);
  /// Asks for what is newer here to be copied to the device.
  void push(Queue &queue);
  /// The device has changed, or may have changed, these bytes.
  void changed(uint64_t offset, uint64_t bytes);
  /// Asks for all to be copied here, which holds when the queue has finished.
  void pullAll(Queue &queue);

private:
  enum class Newer : uint8_t { Neither, Host, Device };
  template <class OnUnit> void forUnits(uint64_t offset, uint64_t bytes, OnUnit &&onUnit);
  std::byte *data() const { return pinned.data() ? pinned.data() : memory.data(); }

  PinnedMemory pinned;
  Memory memory;
  DevicePointer device = 0;
  uint64_t size = 0, unit = 0;
  std::vector<Newer> newer; // by unit
  bool anyHost = false;     // some unit is newer on the host
};

} // namespace memformer::cuda
