// Moves slots between host and device.

#include "runtime/cuda/replay_window.h"

namespace memformer::cuda {

Result<std::unique_ptr<ReplayWindow>> ReplayWindow::create(Queue &queue, uint64_t slotBytes,
                                                           int64_t slots, int64_t reach) {
  std::unique_ptr<ReplayWindow> result(new ReplayWindow(queue));
  result->slotBytes = slotBytes;
  result->slots = slots;
  result->window.resize(size_t(places(slots, reach)));
  const std::shared_ptr<const Gpu> gpu = queue.sharedGpu();
  auto device = DeviceMemory::allocate(gpu, result->window.size() * slotBytes, "slots of 'replay'");
  if (!device)
    return std::unexpected(device.error());
  result->device = std::move(*device);
  auto host = PinnedMemory::allocate(gpu, uint64_t(slots) * slotBytes, "'replay'");
  if (!host)
    return std::unexpected(host.error());
  result->host = std::move(*host);
  const Driver &driver = gpu->driver();
  MEMFORMER_TRY(
      gpu->check(driver.streamCreate(&result->copies, nonBlockingStream), "making a stream"));
  for (Place &place : result->window)
    for (Event *event : {&place.used, &place.loaded})
      MEMFORMER_TRY(gpu->check(driver.eventCreate(event, disableEventTiming), "making an event"));
  return result;
}

ReplayWindow::~ReplayWindow() {
  const Driver &driver = queue.driver();
  if (copies) {
    driver.streamSynchronize(copies);
    driver.streamDestroy(copies);
  }
  for (const Place &place : window)
    for (Event event : {place.used, place.loaded})
      if (event)
        driver.eventDestroy(event);
}

void ReplayWindow::store(Place &place) {
  const Driver &driver = queue.driver();
  if (place.inUse && !queue.failed())
    queue.check(driver.streamWaitEvent(copies, place.used, 0), "waiting for an event");
  place.inUse = false;
  const uint64_t byte = uint64_t(place.slot) * slotBytes;
  if (place.dirty && !queue.failed())
    queue.check(driver.copyToHost(host.data() + byte, at(byte), slotBytes, copies),
                "copying from the device");
  place.dirty = false;
}

void ReplayWindow::load(int64_t slot) {
  const Driver &driver = queue.driver();
  Place &place = placeOf(slot);
  if (place.slot >= 0)
    store(place);
  place.slot = slot;
  place.loading = true;
  const uint64_t byte = uint64_t(slot) * slotBytes;
  if (!queue.failed() &&
      queue.check(driver.copyToDevice(at(byte), host.data() + byte, slotBytes, copies),
                  "copying to the device"))
    queue.check(driver.eventRecord(place.loaded, copies), "recording an event");
}

void ReplayWindow::need(int64_t first, int64_t count) {
  for (int64_t slot = first; slot < first + count; ++slot) {
    Place &place = placeOf(slot);
    if (place.slot != slot)
      load(slot);
    if (place.loading && !queue.failed())
      queue.check(queue.driver().streamWaitEvent(queue.stream(), place.loaded, 0),
                  "waiting for an event");
    place.loading = false;
  }
}

void ReplayWindow::used(int64_t first, int64_t count) {
  for (int64_t slot = first; slot < first + count; ++slot) {
    Place &place = placeOf(slot);
    queue.record(place.used);
    place.inUse = place.dirty = true;
  }
}

void ReplayWindow::prefetch(int64_t first, int64_t count) {
  for (int64_t slot = std::max<int64_t>(first, 0); slot < std::min(first + count, slots); ++slot)
    if (placeOf(slot).slot != slot)
      load(slot);
}

void ReplayWindow::flush() {
  for (Place &place : window) {
    if (place.slot >= 0)
      store(place);
    place.slot = -1;
    place.loading = false;
  }
  if (!queue.failed())
    queue.check(queue.driver().streamSynchronize(copies), "copying the replay buffer");
}

} // namespace memformer::cuda
