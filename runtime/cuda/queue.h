// The stream of a CUDA device: what is asked of it runs in that order, while the host goes on.
#pragma once

#include "runtime/cuda/gpu.h"

namespace memformer::cuda {

/// After an error nothing more is asked of the device: what lies there means nothing any more.
/// The device's context is current wherever it is used.
class Queue {
public:
  static Result<std::unique_ptr<Queue>> create(std::shared_ptr<const Gpu> gpu);
  ~Queue();
  Queue(const Queue &) = delete;
  Queue &operator=(const Queue &) = delete;

  const std::shared_ptr<const Gpu> &sharedGpu() const { return device; }
  const Driver &driver() const { return device->driver(); }
  Stream stream() const { return handle; }

  bool failed() const { return !failure.empty(); }
  Result<void> status() const;
  /// Keeps the first error; gives whether all is well. `object` says of what, as in "launching the
  /// kernel" 'NAME'.
  bool check(Status status, std::string_view what, std::string_view object = {});
  /// Forgets an error of something that can be done in another way.
  void forgive() { failure.clear(); }

  void toDevice(DevicePointer to, const void *from, uint64_t bytes);
  void toHost(void *to, DevicePointer from, uint64_t bytes);
  void zero(DevicePointer to, uint64_t bytes);
  /// The ranges do not overlap.
  void copy(DevicePointer to, DevicePointer from, uint64_t bytes);
  /// As memmove.
  void move(DevicePointer to, DevicePointer from, uint64_t bytes);
  /// `arguments` has an address of each argument.
  void launch(EntryPoint entry, uint32_t grid, uint32_t threads, uint32_t sharedBytes,
              void **arguments, std::string_view name);
  void record(Event event);
  void wait(Event event); // on the host
  /// Waits for all; `what` has been running.
  Result<void> finish(std::string_view what, std::string_view object = {},
                      std::string_view advice = {});

private:
  explicit Queue(std::shared_ptr<const Gpu> gpu) : device(std::move(gpu)) {}
  std::shared_ptr<const Gpu> device;
  Stream handle = nullptr;
  std::string failure;
};

/// Whether two ranges of so many bytes have one in common.
constexpr bool overlap(DevicePointer a, DevicePointer b, uint64_t bytes) {
  return a < b + bytes && b < a + bytes;
}

} // namespace memformer::cuda
