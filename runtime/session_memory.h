// The memory of a session, and where in it the things lie that the runtime knows by name.
#pragma once

#include "runtime/artifact.h"
#include "runtime/memory.h"

#include <span>
#include <vector>

namespace memformer {

class SessionMemory {
public:
  static Result<SessionMemory> reserve(const Manifest &manifest, int64_t segments);

  std::span<const Memory> spaces() const { return memory; }

  // Empty where the artifact has no such space.
  std::span<float> parameter(const ParameterInfo &info) const {
    return floats(parameters, 0, info);
  }
  std::span<float> gradient(const ParameterInfo &info) const { return floats(gradients, 0, info); }
  std::span<float> firstMoment(const ParameterInfo &info) const {
    return floats(optimizer, 0, info);
  }
  std::span<float> secondMoment(const ParameterInfo &info) const {
    return floats(optimizer, parameters.size(), info);
  }
  std::span<std::byte> moments() const {
    return optimizer.first(std::min<size_t>(optimizer.size(), 2 * parameters.size()));
  }

  uint64_t slotBytes() const { return slot; }
  std::span<std::byte> slots() const { return replay; } // T + 1 of slotBytes()
  std::byte *input(const InputInfo &info) const { return inputs.data() + info.offset; }
  const std::byte *output(const TensorInfo &info) const { return outputs.data() + info.offset; }
  std::byte *stepInput(const InputInfo &info) const { return stepInputs.data() + info.offset; }
  const std::byte *stepOutput(const TensorInfo &info) const {
    return stepOutputs.data() + info.offset;
  }
  /// Null if the artifact does not use it.
  float *scalar(std::string_view name) const;

private:
  static std::span<float> floats(std::span<std::byte> space, uint64_t base, const TensorInfo &info);

  const Manifest *manifest = nullptr;
  std::vector<Memory> memory; // by space
  std::span<std::byte> parameters, gradients, optimizer, replay, inputs, outputs, scalars;
  std::span<std::byte> stepInputs, stepOutputs;
  uint64_t slot = 0;
};

} // namespace memformer
