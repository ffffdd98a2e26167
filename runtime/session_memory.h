// Where in a device's memory the things lie that the runtime knows by name.
#pragma once

#include "runtime/device.h"

#include <optional>
#include <span>

namespace memformer {

/// Of each space that the artifact does not have, the spans are empty.
class SessionMemory {
public:
  SessionMemory(Device &device, int64_t segments);

  std::span<float> parameter(const ParameterInfo &info, Access access) const {
    return floats(parameters, 0, info, access);
  }
  std::span<float> gradient(const ParameterInfo &info, Access access) const {
    return floats(gradients, 0, info, access);
  }
  std::span<float> firstMoment(const ParameterInfo &info, Access access) const {
    return floats(optimizer, 0, info, access);
  }
  std::span<float> secondMoment(const ParameterInfo &info, Access access) const {
    return floats(optimizer, momentBytes, info, access);
  }
  void zeroMoments() const;

  uint64_t slotBytes() const { return slotSize; }
  /// One of T + 1.
  std::span<std::byte> slot(int64_t index, Access access) const;
  /// Copies `count` slots over others; they may overlap.
  void moveSlots(int64_t to, int64_t from, int64_t count) const;

  void setStepInput(const InputInfo &info, const void *data) const; // info.bytes()
  std::span<const float> stepOutput(const TensorInfo &info) const;
  /// Nothing if the artifact does not use it.
  void setScalar(std::string_view name, double value) const;
  /// 0 if the artifact does not have it.
  float scalar(std::string_view name) const;

private:
  using Space = std::optional<uint32_t>;
  std::span<float> floats(Space space, uint64_t base, const TensorInfo &info, Access access) const;

  Device &device;
  int64_t segments;
  Space parameters, gradients, optimizer, replay, scalars, stepInputs, stepOutputs;
  uint64_t momentBytes = 0, slotSize = 0;
};

} // namespace memformer
