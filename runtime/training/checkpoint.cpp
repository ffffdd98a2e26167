// Checkpoints: one safetensors file from which a training run goes on bit for bit.
#include "runtime/training/checkpoint.h"
#include "runtime/rollout.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fmt/ranges.h>

namespace memformer {

namespace {

constexpr std::string_view formatName = "memformer checkpoint 1";
constexpr std::string_view firstMoments = "optimizer.first_moment.";
constexpr std::string_view secondMoments = "optimizer.second_moment.";
constexpr std::string_view states = "state.";

template <class T> std::span<const std::byte> bytesOfSpan(std::span<T> values) {
  return std::as_bytes(values);
}

bool isCheckpoint(const SafetensorsFile &file) {
  auto format = file.metadata().find("format");
  return format != file.metadata().end() && format->second == formatName;
}

// A tensor of this name, type and shape, or an error.
Result<const SafetensorsInfo *> expectTensor(const SafetensorsFile &file, const std::string &name,
                                             SafetensorsType type,
                                             const std::vector<int64_t> &shape) {
  const SafetensorsInfo *tensor = file.find(name);
  if (!tensor)
    return error("{}: expected a tensor '{}', but there is none", file.path(), name);
  if (tensor->type != type || tensor->shape != shape)
    return error("{}: expected '{}' to be {} [{}], but got {} [{}]", file.path(), name,
                 memformer::name(type), fmt::join(shape, ", "), memformer::name(tensor->type),
                 fmt::join(tensor->shape, ", "));
  return tensor;
}

Result<void> readParameter(const SafetensorsFile &file, const std::string &prefix,
                           const ParameterInfo &parameter, std::span<float> out, bool finite) {
  auto tensor = expectTensor(file, prefix + parameter.name, SafetensorsType::F32, parameter.shape);
  if (!tensor)
    return std::unexpected(tensor.error());
  return file.readFloats(**tensor, out, finite);
}

template <class T>
Result<void> readMetadata(const SafetensorsFile &file, const std::string &key, T &value) {
  auto entry = file.metadata().find(key);
  if (entry == file.metadata().end())
    return error("{}: expected metadata '{}', but there is none", file.path(), key);
  const std::string &text = entry->second;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size())
    return error("{}: expected metadata '{}' to be a number, but got '{}'", file.path(), key, text);
  return {};
}

// [slots, shape of the state tensor...]
std::vector<int64_t> slotShape(const TensorInfo &tensor, int64_t slots) {
  std::vector<int64_t> shape = tensor.shape;
  shape.insert(shape.begin(), slots);
  return shape;
}

SafetensorsType typeOf(const TensorInfo &tensor) {
  return tensor.type == ElementType::F32 ? SafetensorsType::F32 : SafetensorsType::I32;
}

} // namespace

std::string checkpointTarget(const Session &session) {
  const TargetInfo &target = session.manifest().target;
  return target.isHost() ? "cpu" : fmt::format("{} {}", target.kind, target.architecture);
}

Result<void> saveCheckpoint(const Session &session, const Progress &progress,
                            const std::string &configuration, const std::filesystem::path &path) {
  const Manifest &manifest = session.manifest();
  std::vector<SafetensorsTensor> tensors;
  for (size_t i = 0; i < manifest.parameters.size(); ++i) {
    const ParameterInfo &parameter = manifest.parameters[i];
    auto add = [&](std::string_view prefix, std::span<const float> values) {
      tensors.push_back({std::string(prefix) + parameter.name, SafetensorsType::F32,
                         parameter.shape, bytesOfSpan(values)});
    };
    add("", session.parameter(i));
    add(firstMoments, session.firstMoment(i));
    add(secondMoments, session.secondMoment(i));
  }
  const int64_t slots = progress.stored + 1;
  std::vector<std::vector<std::byte>> gathered; // state tensors, slot after slot
  for (const TensorInfo &tensor : manifest.state) {
    std::vector<std::byte> &bytes = gathered.emplace_back();
    for (int64_t slot = 0; slot < slots; ++slot) {
      auto part = session.state(slot).subspan(tensor.offset, tensor.bytes());
      bytes.insert(bytes.end(), part.begin(), part.end());
    }
  }
  for (size_t i = 0; i < manifest.state.size(); ++i)
    tensors.push_back({std::string(states) + manifest.state[i].name, typeOf(manifest.state[i]),
                       slotShape(manifest.state[i], slots), gathered[i]});
  tensors.push_back({"data.position",
                     SafetensorsType::I64,
                     {int64_t(progress.dataPosition.size())},
                     bytesOfSpan(std::span(progress.dataPosition))});
  std::map<std::string, std::string> metadata = {
      {"format", std::string(formatName)},
      {"step", std::to_string(progress.step)},
      {"stored", std::to_string(progress.stored)},
      {"position", std::to_string(progress.position)},
      {"seconds", fmt::format("{}", progress.seconds)},
      {"tokens", std::to_string(progress.tokens)},
      {"seed", std::to_string(progress.seed)},
      {"metrics_bytes", std::to_string(progress.metricsBytes)},
      {"target", checkpointTarget(session)},
      {"configuration", configuration}};
  if (const LossScale &scale = progress.lossScale; scale.isDynamic) {
    metadata["loss_scale"] = fmt::format("{}", scale.value);
    metadata["good_steps"] = std::to_string(scale.goodSteps);
  }
  if (progress.lossScale.skipped)
    metadata["skipped_steps"] = std::to_string(progress.lossScale.skipped);
  // A device that has failed has given nothing that is worth keeping.
  MEMFORMER_TRY(session.status());
  return writeSafetensors(path, tensors, metadata);
}

Result<Progress> loadCheckpoint(Session &session, const std::filesystem::path &path) {
  Result<SafetensorsFile> opened = SafetensorsFile::open(path);
  if (!opened)
    return std::unexpected(opened.error());
  const SafetensorsFile &file = *opened;
  if (!isCheckpoint(file))
    return error("{}: expected metadata format = '{}': this is no checkpoint", file.path(),
                 formatName);
  Progress progress;
  MEMFORMER_TRY(readMetadata(file, "step", progress.step));
  MEMFORMER_TRY(readMetadata(file, "stored", progress.stored));
  MEMFORMER_TRY(readMetadata(file, "position", progress.position));
  MEMFORMER_TRY(readMetadata(file, "seconds", progress.seconds));
  MEMFORMER_TRY(readMetadata(file, "tokens", progress.tokens));
  MEMFORMER_TRY(readMetadata(file, "seed", progress.seed));
  MEMFORMER_TRY(readMetadata(file, "metrics_bytes", progress.metricsBytes));
  LossScale &scale = progress.lossScale;
  scale.isDynamic = file.metadata().contains("loss_scale");
  if (scale.isDynamic) {
    MEMFORMER_TRY(readMetadata(file, "loss_scale", scale.value));
    MEMFORMER_TRY(readMetadata(file, "good_steps", scale.goodSteps));
    if (!LossScale::isOne(scale.value))
      return error("{}: expected metadata 'loss_scale' to be a power of two, but got {}",
                   file.path(), scale.value);
  }
  if (file.metadata().contains("skipped_steps"))
    MEMFORMER_TRY(readMetadata(file, "skipped_steps", scale.skipped));
  if (scale.goodSteps < 0 || scale.goodSteps >= LossScale::growthInterval || scale.skipped < 0 ||
      scale.skipped > progress.step)
    return error("{}: expected metadata 'good_steps' below {} and 'skipped_steps' of at most {}, "
                 "but got {} and {}",
                 file.path(), LossScale::growthInterval, progress.step, scale.goodSteps,
                 scale.skipped);
  if (auto target = file.metadata().find("target"); target != file.metadata().end())
    progress.target = target->second;
  if (progress.step < 0 || progress.stored < 0 || progress.stored >= session.segments())
    return error("{}: expected the states of fewer than {} segments (train.horizon), but got {}",
                 file.path(), session.segments(), progress.stored);

  const Manifest &manifest = session.manifest();
  for (size_t i = 0; i < manifest.parameters.size(); ++i) {
    const ParameterInfo &parameter = manifest.parameters[i];
    MEMFORMER_TRY(readParameter(file, "", parameter, session.mutableParameter(i), true));
    MEMFORMER_TRY(
        readParameter(file, std::string(firstMoments), parameter, session.firstMoment(i), true));
    MEMFORMER_TRY(
        readParameter(file, std::string(secondMoments), parameter, session.secondMoment(i), true));
  }
  const int64_t slots = progress.stored + 1;
  for (const TensorInfo &tensor : manifest.state) {
    auto found = expectTensor(file, std::string(states) + tensor.name, typeOf(tensor),
                              slotShape(tensor, slots));
    if (!found)
      return std::unexpected(found.error());
    std::vector<std::byte> bytes(size_t(slots) * tensor.bytes());
    MEMFORMER_TRY(file.readBytes(**found, bytes));
    for (int64_t slot = 0; slot < slots; ++slot)
      std::memcpy(session.state(slot).data() + tensor.offset,
                  bytes.data() + size_t(slot) * tensor.bytes(), tensor.bytes());
  }
  for (int64_t slot = 0; slot < slots; ++slot)
    if (auto checked = checkStateEntries(manifest, std::as_const(session).state(slot)); !checked)
      return withContext(checked, file.path());
  const SafetensorsInfo *position = file.find("data.position");
  if (!position || position->type != SafetensorsType::I64 || position->shape.size() != 1)
    return error("{}: expected 'data.position' to be a list of I64", file.path());
  progress.dataPosition.resize(size_t(position->elements()));
  MEMFORMER_TRY(
      file.readBytes(*position, std::as_writable_bytes(std::span(progress.dataPosition))));
  return progress;
}

Result<std::vector<std::vector<float>>> readParameters(const SafetensorsFile &file,
                                                       std::span<const ParameterInfo> parameters) {
  const bool checkpoint = isCheckpoint(file);
  if (!checkpoint)
    MEMFORMER_TRY(checkParameters(file, parameters));
  std::vector<std::vector<float>> values;
  for (const ParameterInfo &parameter : parameters) {
    auto &entries = values.emplace_back(size_t(parameter.elements()));
    if (checkpoint)
      MEMFORMER_TRY(readParameter(file, "", parameter, entries, true));
    else
      MEMFORMER_TRY(file.readFloats(*file.find(parameter.name), entries));
  }
  return values;
}

Result<void> loadWeights(Session &session, const std::filesystem::path &path) {
  Result<SafetensorsFile> file = SafetensorsFile::open(path);
  if (!file)
    return std::unexpected(file.error());
  if (!isCheckpoint(*file))
    return loadParameters(session, *file);
  const auto &parameters = session.manifest().parameters;
  for (size_t i = 0; i < parameters.size(); ++i)
    MEMFORMER_TRY(readParameter(*file, "", parameters[i], session.mutableParameter(i), true));
  return {};
}

} // namespace memformer
