// Questions to a manifest that its tables answer.

#include "runtime/artifact.h"

namespace memformer {

std::string_view name(Category category) {
  static constexpr std::string_view names[numCategories] = {"parameters", "gradients", "optimizer",
                                                            "replay",     "saved",     "workspace"};
  return names[size_t(category)];
}

std::string_view name(Function function) {
  static constexpr std::string_view names[numFunctions] = {"prepare", "train", "update", "evaluate",
                                                           "trace",   "begin", "step",   "end"};
  return names[size_t(function)];
}

int64_t TensorInfo::elements() const {
  int64_t product = 1;
  for (int64_t dimension : shape)
    product *= dimension;
  return product;
}

namespace {

template <class Entry>
std::optional<uint32_t> findByName(const std::vector<Entry> &entries, std::string_view name) {
  for (size_t i = 0; i < entries.size(); ++i)
    if (entries[i].name == name)
      return uint32_t(i);
  return std::nullopt;
}

// Adds the operations of a list that runs so many times to those of each kind of kernel.
void count(const Manifest &manifest, const std::vector<Instruction> &list, uint64_t times,
           uint64_t unstoredTimes, int64_t segments, int64_t stored,
           std::map<std::string, uint64_t> &kinds) {
  for (const auto &instruction : list) {
    if (instruction.op == Instruction::Op::Dispatch) {
      uint64_t runs = times;
      if (instruction.when == Instruction::When::Unstored)
        runs = unstoredTimes;
      else if (instruction.when == Instruction::When::Last)
        runs = times > 0;
      const KernelInfo &kernel = manifest.kernels[instruction.kernel];
      kinds[kernel.kind] += runs * kernel.flops;
    } else if (instruction.op == Instruction::Op::Loop) {
      const int64_t begin = instruction.fromStored ? stored : 0;
      const int64_t end = segments - instruction.withoutLast;
      const int64_t unstored = std::max<int64_t>(0, end - std::max(begin, stored));
      count(manifest, instruction.body, uint64_t(std::max<int64_t>(0, end - begin)),
            uint64_t(unstored), segments, stored, kinds);
    }
  }
}

} // namespace

std::optional<uint32_t> Manifest::findSpace(std::string_view name) const {
  return findByName(spaces, name);
}
std::optional<uint32_t> Manifest::findParameter(std::string_view name) const {
  return findByName(parameters, name);
}
std::optional<uint32_t> Manifest::findState(std::string_view name) const {
  return findByName(state, name);
}
std::optional<uint32_t> Manifest::findInput(std::string_view name) const {
  return findByName(inputs, name);
}
std::optional<uint32_t> Manifest::findOutput(std::string_view name) const {
  return findByName(outputs, name);
}
std::optional<uint32_t> Manifest::findScalar(std::string_view name) const {
  return findByName(scalars, name);
}

int64_t Manifest::parameterElements() const {
  int64_t sum = 0;
  for (const auto &parameter : parameters)
    sum += parameter.elements();
  return sum;
}

MemoryReport Manifest::memoryReport(int64_t segments) const {
  MemoryReport report;
  for (const auto &space : spaces) {
    report.bytes[size_t(space.category)] += space.size(segments);
    report.total += space.size(segments);
  }
  return report;
}

uint64_t Manifest::flops(Function which, int64_t segments, int64_t stored) const {
  uint64_t sum = 0;
  for (const auto &[kind, flops] : flopsByKind(which, segments, stored))
    sum += flops;
  return sum;
}

std::map<std::string, uint64_t> Manifest::flopsByKind(Function which, int64_t segments,
                                                      int64_t stored) const {
  std::map<std::string, uint64_t> kinds;
  count(*this, function(which), 1, 1, segments, stored, kinds);
  return kinds;
}

std::optional<std::span<const std::byte>> Artifact::section(std::string_view name) const {
  auto index = findByName(sectionInfos, name);
  if (!index)
    return std::nullopt;
  const auto &info = sectionInfos[*index];
  return std::span(file).subspan(info.offset, info.bytes);
}

} // namespace memformer
