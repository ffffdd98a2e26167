// The replay buffer in memory of the host, of which the device holds a few slots at a time.
#pragma once

#include "runtime/cuda/queue.h"

#include <vector>

namespace memformer::cuda {

/// While a segment runs, a second stream brings the slots of the next one and takes back those of
/// the one before. Slot s is always in the same place of the device, which it shares with others.
class ReplayWindow {
public:
  /// For passes that need `reach` slots in a row. Errors: not enough memory.
  static Result<std::unique_ptr<ReplayWindow>> create(Queue &queue, uint64_t slotBytes,
                                                      int64_t slots, int64_t reach);
  ~ReplayWindow(); // the context is current
  ReplayWindow(const ReplayWindow &) = delete;
  ReplayWindow &operator=(const ReplayWindow &) = delete;

  /// Slots that the device holds at a time.
  static int64_t places(int64_t slots, int64_t reach) { return std::min(slots, reach + 2); }

  /// Of a byte of the replay buffer: where it is while its slot is needed.
  DevicePointer at(uint64_t byte) const {
    return device.address() + byte / slotBytes % window.size() * slotBytes + byte % slotBytes;
  }
  /// All slots, between functions.
  std::byte *data() const { return host.data(); }

  /// Before a pass is asked for: it finds slots first ... first + count - 1.
  void need(int64_t first, int64_t count);
  /// It has been asked for, and may have changed them.
  void used(int64_t first, int64_t count);
  /// The pass after it will need these, as far as there are such.
  void prefetch(int64_t first, int64_t count);
  /// At the end of a function: all slots are on the host when it returns.
  void flush();

private:
  struct Place {
    int64_t slot = -1;    // that is here
    bool dirty = false;   // newer than on the host
    bool inUse = false;   // `used` has been recorded, and the copies have not waited for it
    bool loading = false; // `loaded` has been recorded, and the passes have not waited for it
    Event used = nullptr, loaded = nullptr;
  };
  explicit ReplayWindow(Queue &queue) : queue(queue) {}
  Place &placeOf(int64_t slot) { return window[size_t(slot) % window.size()]; }
  void store(Place &place);
  void load(int64_t slot);

  Queue &queue; // of the passes
  Stream copies = nullptr;
  DeviceMemory device;
  PinnedMemory host;
  uint64_t slotBytes = 0;
  int64_t slots = 0;
  std::vector<Place> window;
};

} // namespace memformer::cuda
