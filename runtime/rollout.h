// One rollout as a program sees it: inputs checked and staged, outputs collected.
#pragma once

#include "runtime/device.h"
#include "runtime/session.h"

namespace memformer {

/// Whether the integers of a state's bytes, of one slot, are those that the model may index by.
Result<void> checkStateEntries(const Manifest &manifest, std::span<const std::byte> slot);

/// Belongs to a session and is used again for each rollout, without allocating.
class RolloutHooks final : public SegmentHooks {
public:
  RolloutHooks(const Manifest &manifest, int64_t maxSegments);

  /// Takes a request, or says what is wrong with it. The function must yield what `sinks` ask for.
  Result<void> prepare(const Rollout &rollout, std::span<const OutputSink> sinks, Function which,
                       uint64_t seed, uint64_t step);

  void stageInputs(int64_t segment, std::byte *inputs) override;
  void collectOutputs(int64_t segment, std::span<const uint32_t> outputs,
                      const std::byte *from) override;

private:
  Result<void> checkEntries(const InputInfo &input, const int32_t *data) const;

  const Manifest &manifest;
  int64_t maxSegments;
  Rollout current;
  uint64_t seed = 0, step = 0;
  std::vector<const void *> sources; // by input; null for the runtime's own
  std::vector<void *> targets;       // by output; null where nobody asks
};

} // namespace memformer
