// Checks of a rollout and the copies around each segment.

#include "runtime/rollout.h"
#include "runtime/instructions.h"
#include "runtime/random.h"

#include <algorithm>
#include <cstring>

namespace memformer {

RolloutHooks::RolloutHooks(const Manifest &manifest, int64_t maxSegments)
    : manifest(manifest), maxSegments(maxSegments), sources(manifest.inputs.size()),
      targets(manifest.outputs.size()) {}

namespace {
bool isOwnInput(std::string_view name) { return name == "reset" || name == "dropout_key"; }
} // namespace

Result<void> checkStateEntries(const Manifest &manifest, std::span<const std::byte> slot) {
  for (const InputInfo &state : manifest.state) {
    if (!state.bound)
      continue;
    const auto *data = reinterpret_cast<const int32_t *>(slot.data() + state.offset);
    const int64_t lowest = state.ignored ? -1 : 0;
    const int64_t perRow = state.elements() / state.shape[0];
    for (int64_t i = 0; i < state.elements(); ++i)
      if (data[i] < lowest || data[i] >= *state.bound)
        return error("state '{}', row {}, entry {}: expected a value in [{}, {}), but got {}",
                     state.name, i / perRow, i % perRow, lowest, *state.bound, data[i]);
  }
  return {};
}

Result<void> RolloutHooks::checkEntries(const InputInfo &input, const int32_t *data) const {
  const int64_t perSegment = input.elements();
  const int64_t count = perSegment * current.segments;
  const int64_t lowest = input.ignored ? -1 : 0;
  for (int64_t i = 0; i < count; ++i) {
    if (data[i] >= lowest && data[i] < *input.bound)
      continue;
    const int64_t rows = input.shape.empty() ? 1 : input.shape[0];
    const int64_t perRow = perSegment / rows, inSegment = i % perSegment;
    return error("input '{}', segment {}, row {}, position {}: expected a value in [{}, {}), but "
                 "got {}",
                 input.name, i / perSegment, inSegment / perRow, inSegment % perRow, lowest,
                 *input.bound, data[i]);
  }
  return {};
}

Result<void> RolloutHooks::prepare(const Rollout &rollout, std::span<const OutputSink> sinks,
                                   Function which, uint64_t newSeed, uint64_t newStep) {
  const auto &function = manifest.function(which);
  if (function.empty())
    return error("the artifact has no function '{}'", name(which));
  if (rollout.segments < 1 || rollout.segments > maxSegments)
    return error("expected a rollout of 1 to {} segments, but got {}", maxSegments,
                 rollout.segments);
  if (rollout.stored < 0 || rollout.stored > rollout.segments)
    return error("expected 0 to {} stored states, but got {}", rollout.segments, rollout.stored);
  current = rollout;
  seed = newSeed;
  step = newStep;

  const auto inputSpace = manifest.findSpace("inputs");
  std::ranges::fill(sources, nullptr);
  for (const auto &input : rollout.inputs) {
    auto index = manifest.findInput(input.name);
    if (!index || isOwnInput(input.name))
      return error("the artifact has no input '{}'", input.name);
    if (!input.data)
      return error("input '{}' has no data", input.name);
    sources[*index] = input.data;
  }
  for (size_t i = 0; i < sources.size(); ++i) {
    const auto &input = manifest.inputs[i];
    if (!sources[i] && !isOwnInput(input.name) && touches(function, *inputSpace, input.offset))
      return error("missing input '{}'", input.name);
    if (sources[i] && input.bound)
      MEMFORMER_TRY(checkEntries(input, static_cast<const int32_t *>(sources[i])));
  }

  std::ranges::fill(targets, nullptr);
  for (const auto &sink : sinks) {
    auto index = manifest.findOutput(sink.name);
    if (!index || !yields(function, *index))
      return error("the function '{}' has no output '{}'", name(which), sink.name);
    targets[*index] = sink.data;
  }
  return {};
}

void RolloutHooks::stageInputs(int64_t segment, std::byte *inputs) {
  for (size_t i = 0; i < sources.size(); ++i) {
    const auto &input = manifest.inputs[i];
    std::byte *to = inputs + input.offset;
    if (sources[i]) {
      const uint64_t bytes = input.bytes();
      std::memcpy(to, static_cast<const std::byte *>(sources[i]) + bytes * uint64_t(segment),
                  bytes);
    } else if (input.name == "dropout_key") {
      const auto key = dropoutKey(seed, step, current.position + uint64_t(segment));
      std::memcpy(to, key.data(), sizeof(key));
    } else if (input.name == "reset") {
      auto *flags = reinterpret_cast<int32_t *>(to);
      for (int64_t row = 0; row < manifest.batch; ++row)
        flags[row] = current.reset ? current.reset[segment * manifest.batch + row] != 0
                                   : segment == 0 && current.stored == 0;
    }
  }
}

void RolloutHooks::collectOutputs(int64_t segment, std::span<const uint32_t> outputs,
                                  const std::byte *from) {
  for (uint32_t index : outputs) {
    if (!targets[index])
      continue;
    const auto &output = manifest.outputs[index];
    const uint64_t bytes = output.bytes();
    std::memcpy(static_cast<std::byte *>(targets[index]) + bytes * uint64_t(segment),
                from + output.offset, bytes);
  }
}

} // namespace memformer
