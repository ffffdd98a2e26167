// Asks the driver for work, and keeps its first error.

#include "runtime/cuda/queue.h"

#include <algorithm>

namespace memformer::cuda {

Result<std::unique_ptr<Queue>> Queue::create(std::shared_ptr<const Gpu> gpu) {
  std::unique_ptr<Queue> queue(new Queue(std::move(gpu)));
  queue->check(queue->driver().streamCreate(&queue->handle, nonBlockingStream), "making a stream");
  MEMFORMER_TRY(queue->status());
  return queue;
}

Queue::~Queue() {
  if (handle) {
    driver().streamSynchronize(handle);
    driver().streamDestroy(handle);
  }
}

Result<void> Queue::status() const {
  if (failed())
    return std::unexpected(Error{failure});
  return {};
}

bool Queue::check(Status status, std::string_view what, std::string_view object) {
  if (status != Status::Success && failure.empty())
    failure = object.empty()
                  ? fmt::format("{}: {}: {}", device->name(), what, driver().describe(status))
                  : fmt::format("{}: {} '{}': {}", device->name(), what, object,
                                driver().describe(status));
  return !failed();
}

void Queue::toDevice(DevicePointer to, const void *from, uint64_t bytes) {
  if (!failed() && bytes != 0)
    check(driver().copyToDevice(to, from, bytes, handle), "copying to the device");
}

void Queue::toHost(void *to, DevicePointer from, uint64_t bytes) {
  if (!failed() && bytes != 0)
    check(driver().copyToHost(to, from, bytes, handle), "copying from the device");
}

void Queue::zero(DevicePointer to, uint64_t bytes) {
  if (!failed() && bytes != 0)
    check(driver().fillBytes(to, 0, bytes, handle), "filling memory");
}

void Queue::copy(DevicePointer to, DevicePointer from, uint64_t bytes) {
  if (!failed() && bytes != 0 && to != from)
    check(driver().copyOnDevice(to, from, bytes, handle), "copying on the device");
}

void Queue::move(DevicePointer to, DevicePointer from, uint64_t bytes) {
  if (to == from || bytes == 0)
    return;
  // Pieces no longer than the distance do not overlap themselves, and in this order each is read
  // before it is written over.
  const uint64_t distance = to < from ? from - to : to - from;
  const uint64_t pieces = (bytes + distance - 1) / distance;
  for (uint64_t i = 0; i < pieces; ++i) {
    const uint64_t begin = (to < from ? i : pieces - 1 - i) * distance;
    copy(to + begin, from + begin, std::min(distance, bytes - begin));
  }
}

void Queue::launch(EntryPoint entry, uint32_t grid, uint32_t threads, uint32_t sharedBytes,
                   void **arguments, std::string_view name) {
  if (!failed() && grid != 0)
    check(
        driver().launch(entry, grid, 1, 1, threads, 1, 1, sharedBytes, handle, arguments, nullptr),
        "launching the kernel", name);
}

void Queue::record(Event event) {
  if (!failed())
    check(driver().eventRecord(event, handle), "recording an event");
}

void Queue::wait(Event event) {
  if (!failed())
    check(driver().eventSynchronize(event), "waiting for an event");
}

Result<void> Queue::finish(std::string_view what, std::string_view object,
                           std::string_view advice) {
  if (!failed() && !check(driver().streamSynchronize(handle), what, object))
    failure += advice;
  return status();
}

} // namespace memformer::cuda
