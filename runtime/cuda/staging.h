// Segments' inputs and outputs in pinned memory, on their way to and from a CUDA device.
#pragma once

#include "runtime/cuda/queue.h"
#include "runtime/device.h"

#include <vector>

namespace memformer::cuda {

/// A ring of places for segments: for all of a rollout where they are not large, so that the host
/// waits for nothing until its end. Segment t is always in the same place.
class Staging {
public:
  static Result<Staging> create(std::shared_ptr<const Gpu> gpu, const Manifest &manifest,
                                int64_t segments);
  Staging(Staging &&) noexcept = default;
  ~Staging(); // the context is current

  std::byte *inputs(int64_t segment) const { return place(segment).inputs; }
  std::byte *outputs(int64_t segment) const { return place(segment).outputs; }

  /// At the beginning of a function: nothing that is staged holds any more.
  void begin();
  /// Makes the segment's place ready for a pass of a loop that collects `outputs`: its inputs are
  /// there, and what was in its way has been collected.
  void stage(Queue &queue, SegmentHooks &hooks, int64_t segment, std::span<const uint32_t> outputs);
  /// The pass has been asked for.
  void issued(Queue &queue, int64_t segment, std::span<const uint32_t> outputs);
  /// The queue has finished: collects what is left.
  void collectAll(SegmentHooks &hooks);

private:
  struct Place {
    std::byte *inputs = nullptr, *outputs = nullptr;
    Event done = nullptr;
    int64_t staged = -1;  // the segment whose inputs are here
    bool running = false; // `done` has been recorded, and not been waited for
    int64_t pendingSegment = -1;
    std::span<const uint32_t> pending{}; // outputs to collect
  };
  explicit Staging(std::shared_ptr<const Gpu> gpu) : gpu(std::move(gpu)) {}
  Place &place(int64_t segment) { return places[size_t(segment) % places.size()]; }
  const Place &place(int64_t segment) const { return places[size_t(segment) % places.size()]; }
  void collect(SegmentHooks &hooks, Place &place);

  std::shared_ptr<const Gpu> gpu;
  PinnedMemory memory;
  std::vector<Place> places;
};

} // namespace memformer::cuda
