// The ring of staged segments.

#include "runtime/cuda/staging.h"

#include <algorithm>

namespace memformer::cuda {

namespace {
constexpr uint64_t mostBytes = uint64_t(64) << 20; // of pinned memory, but for two places
} // namespace

Result<Staging> Staging::create(std::shared_ptr<const Gpu> gpu, const Manifest &manifest,
                                int64_t segments) {
  auto bytesOf = [&](std::string_view name) -> uint64_t {
    auto index = manifest.findSpace(name);
    return index ? manifest.spaces[*index].bytes : 0;
  };
  const uint64_t inputBytes = bytesOf("inputs"), outputBytes = bytesOf("outputs");
  const uint64_t each = std::max<uint64_t>(inputBytes + outputBytes, 1);
  const uint64_t count = std::min(uint64_t(segments), std::max<uint64_t>(2, mostBytes / each));
  Staging staging(gpu);
  auto memory = PinnedMemory::allocate(gpu, count * each, "inputs and outputs");
  if (!memory)
    return std::unexpected(memory.error());
  staging.memory = std::move(*memory);
  staging.places.resize(size_t(count));
  for (size_t i = 0; i < staging.places.size(); ++i) {
    Place &place = staging.places[i];
    place.inputs = staging.memory.data() + i * each;
    place.outputs = place.inputs + inputBytes;
    MEMFORMER_TRY(
        gpu->check(gpu->driver().eventCreate(&place.done, disableEventTiming), "making an event"));
  }
  return staging;
}

Staging::~Staging() {
  for (const Place &place : places)
    if (place.done)
      gpu->driver().eventDestroy(place.done);
}

void Staging::begin() {
  for (Place &place : places)
    place = {place.inputs, place.outputs, place.done};
}

void Staging::collect(SegmentHooks &hooks, Place &place) {
  if (!place.pending.empty())
    hooks.collectOutputs(place.pendingSegment, place.pending, place.outputs);
  place.pending = {};
}

void Staging::stage(Queue &queue, SegmentHooks &hooks, int64_t segment,
                    std::span<const uint32_t> outputs) {
  Place &place = this->place(segment);
  const bool otherInputs = place.staged != segment;
  if ((otherInputs && place.running) || (!outputs.empty() && !place.pending.empty())) {
    queue.wait(place.done);
    if (queue.failed())
      return;
    place.running = false;
    collect(hooks, place);
  }
  if (otherInputs) {
    hooks.stageInputs(segment, place.inputs);
    place.staged = segment;
  }
}

void Staging::issued(Queue &queue, int64_t segment, std::span<const uint32_t> outputs) {
  Place &place = this->place(segment);
  queue.record(place.done);
  place.running = true;
  if (!outputs.empty()) {
    place.pending = outputs;
    place.pendingSegment = segment;
  }
}

void Staging::collectAll(SegmentHooks &hooks) {
  for (Place &place : places)
    collect(hooks, place);
}

} // namespace memformer::cuda
