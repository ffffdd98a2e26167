// Finds the named things of a session.

#include "runtime/session_memory.h"

#include <cassert>
#include <cstring>

namespace memformer {

SessionMemory::SessionMemory(Device &device, int64_t segments)
    : device(device), segments(segments) {
  const Manifest &manifest = device.manifest();
  parameters = manifest.findSpace("parameters");
  gradients = manifest.findSpace("gradients");
  optimizer = manifest.findSpace("optimizer");
  replay = manifest.findSpace("replay");
  scalars = manifest.findSpace("scalars");
  stepInputs = manifest.findSpace("step_inputs");
  stepOutputs = manifest.findSpace("step_outputs");
  if (optimizer)
    momentBytes = manifest.spaces[*optimizer].bytes / 2;
  if (replay)
    slotSize = manifest.spaces[*replay].segmentBytes;
}

std::span<float> SessionMemory::floats(Space space, uint64_t base, const TensorInfo &info,
                                       Access access) const {
  if (!space)
    return {};
  const auto bytes = device.view(*space, base + info.offset, info.bytes(), access);
  return {reinterpret_cast<float *>(bytes.data()), size_t(info.elements())};
}

void SessionMemory::zeroMoments() const {
  if (!optimizer)
    return;
  const auto moments = device.view(*optimizer, 0, 2 * momentBytes, Access::Change);
  if (!moments.empty())
    std::memset(moments.data(), 0, moments.size());
}

std::span<std::byte> SessionMemory::slot(int64_t index, Access access) const {
  assert(index >= 0 && index <= segments);
  if (!replay)
    return {};
  return device.view(*replay, slotSize * uint64_t(index), slotSize, access);
}

void SessionMemory::moveSlots(int64_t to, int64_t from, int64_t count) const {
  assert(to >= 0 && from >= 0 && count >= 0 && std::max(to, from) + count <= segments + 1);
  if (replay && to != from && count != 0 && slotSize != 0)
    device.move(*replay, slotSize * uint64_t(to), slotSize * uint64_t(from),
                slotSize * uint64_t(count));
}

void SessionMemory::setStepInput(const InputInfo &info, const void *data) const {
  const auto bytes = device.view(*stepInputs, info.offset, info.bytes(), Access::Change);
  std::memcpy(bytes.data(), data, bytes.size());
}

std::span<const float> SessionMemory::stepOutput(const TensorInfo &info) const {
  return floats(stepOutputs, 0, info, Access::Read);
}

void SessionMemory::setScalar(std::string_view name, double value) const {
  if (auto index = device.manifest().findScalar(name)) {
    const auto place = device.manifest().scalars[*index].offset;
    const auto single = float(value);
    std::memcpy(device.view(*scalars, place, sizeof(float), Access::Change).data(), &single,
                sizeof(single));
  }
}

float SessionMemory::scalar(std::string_view name) const {
  float value = 0;
  if (auto index = device.manifest().findScalar(name)) {
    const auto place = device.manifest().scalars[*index].offset;
    std::memcpy(&value, device.view(*scalars, place, sizeof(float), Access::Read).data(),
                sizeof(value));
  }
  return value;
}

} // namespace memformer
