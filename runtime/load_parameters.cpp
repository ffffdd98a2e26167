// Weights between a session and a safetensors file.

#include "runtime/safetensors.h"
#include "runtime/session.h"

#include <algorithm>

namespace memformer {

namespace {

std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

} // namespace

std::string listSome(const std::vector<std::string> &names) {
  constexpr size_t shown = 3;
  std::string text;
  for (size_t i = 0; i < names.size() && i < shown; ++i)
    text += (i == 0 ? "'" : ", '") + names[i] + "'";
  if (names.size() > shown)
    text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

Result<void> checkParameters(const SafetensorsFile &file,
                             std::span<const ParameterInfo> parameters) {
  std::vector<std::string> missing, extra;
  for (const auto &parameter : parameters) {
    const auto *tensor = file.find(parameter.name);
    if (!tensor)
      missing.push_back(parameter.name);
    else if (tensor->shape != parameter.shape)
      return error("{}: tensor '{}': expected shape {}, but got {}", file.path(), parameter.name,
                   shapeText(parameter.shape), shapeText(tensor->shape));
  }
  for (const auto &tensor : file.header().tensors)
    if (std::ranges::find(parameters, tensor.name, &ParameterInfo::name) == parameters.end())
      extra.push_back(tensor.name);
  if (!missing.empty())
    return error("{}: expected tensors that are missing: {}", file.path(), listSome(missing));
  if (!extra.empty())
    return error("{}: tensors that the model does not have: {}", file.path(), listSome(extra));
  return {};
}

Result<void> loadParameters(Session &session, const SafetensorsFile &file) {
  const auto &manifest = session.manifest();
  MEMFORMER_TRY(checkParameters(file, manifest.parameters));
  // Once to check and once to set: a NaN in the last tensor must not leave half of the weights
  // changed.
  std::vector<float> scratch;
  for (const auto &parameter : manifest.parameters) {
    scratch.resize(size_t(parameter.elements()));
    MEMFORMER_TRY(file.readFloats(*file.find(parameter.name), scratch));
  }
  for (size_t i = 0; i < manifest.parameters.size(); ++i)
    MEMFORMER_TRY(
        file.readFloats(*file.find(manifest.parameters[i].name), session.mutableParameter(i)));
  return {};
}

Result<void> saveParameters(const Session &session, const std::filesystem::path &path,
                            const std::map<std::string, std::string> &metadata) {
  std::vector<SafetensorsTensor> tensors;
  for (size_t i = 0; i < session.manifest().parameters.size(); ++i) {
    const auto &info = session.manifest().parameters[i];
    tensors.push_back(
        {info.name, SafetensorsType::F32, info.shape, std::as_bytes(session.parameter(i))});
  }
  MEMFORMER_TRY(session.status());
  return writeSafetensors(path, tensors, metadata);
}

} // namespace memformer
