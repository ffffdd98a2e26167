// Reserves the spaces of a session.

#include "runtime/session_memory.h"

namespace memformer {

Result<SessionMemory> SessionMemory::reserve(const Manifest &manifest, int64_t segments) {
  SessionMemory result;
  result.manifest = &manifest;
  for (const auto &space : manifest.spaces) {
    auto memory = Memory::reserve(space.size(segments), space.name);
    if (!memory)
      return std::unexpected(memory.error());
    result.memory.push_back(std::move(*memory));
  }
  auto find = [&](std::string_view name) -> std::span<std::byte> {
    auto index = manifest.findSpace(name);
    return index ? result.memory[*index].span() : std::span<std::byte>();
  };
  result.parameters = find("parameters");
  result.gradients = find("gradients");
  result.optimizer = find("optimizer");
  result.replay = find("replay");
  result.inputs = find("inputs");
  result.outputs = find("outputs");
  result.scalars = find("scalars");
  result.stepInputs = find("step_inputs");
  result.stepOutputs = find("step_outputs");
  if (auto index = manifest.findSpace("replay"))
    result.slot = manifest.spaces[*index].segmentBytes;
  return result;
}

std::span<float> SessionMemory::floats(std::span<std::byte> space, uint64_t base,
                                       const TensorInfo &info) {
  if (space.empty())
    return {};
  return {reinterpret_cast<float *>(space.data() + base + info.offset), size_t(info.elements())};
}

float *SessionMemory::scalar(std::string_view name) const {
  auto index = manifest->findScalar(name);
  if (!index)
    return nullptr;
  return reinterpret_cast<float *>(scalars.data() + manifest->scalars[*index].offset);
}

} // namespace memformer
