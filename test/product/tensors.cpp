// All tensors of a safetensors file, and how two of them are compared.
#include "test/product/tensors.h"

#include "runtime/safetensors.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace memformer::test {

double FloatTensor::largest() const {
  double most = 0;
  for (float value : values)
    most = std::max(most, std::abs(double(value)));
  return most;
}

Result<Tensors> readTensors(const std::filesystem::path &path) {
  auto file = SafetensorsFile::open(path);
  if (!file)
    return std::unexpected(file.error());
  Tensors tensors;
  for (const SafetensorsInfo &info : file->header().tensors) {
    FloatTensor &tensor = tensors[info.name];
    tensor.shape = info.shape;
    const bool isInteger = info.type == SafetensorsType::I32 || info.type == SafetensorsType::I64 ||
                           info.type == SafetensorsType::U8;
    tensor.values.resize(isInteger ? info.bytes / sizeof(float) : size_t(info.elements()));
    if (!isInteger)
      MEMFORMER_TRY(file->readFloats(info, tensor.values));
    else
      MEMFORMER_TRY(file->readBytes(info, std::as_writable_bytes(std::span(tensor.values))));
  }
  return tensors;
}

Result<Difference> compareToExpected(const Tensors &found, const Tensors &expected) {
  double largestGradient = 0;
  for (const auto &[name, tensor] : expected)
    if (name.starts_with("grad."))
      largestGradient = std::max(largestGradient, tensor.largest());
  Difference worst;
  for (const auto &[name, wanted] : expected) {
    auto at = found.find(name);
    if (at == found.end())
      return error("expected a tensor '{}', but there is none", name);
    const FloatTensor &got = at->second;
    if (got.shape != wanted.shape)
      return error("'{}' has another shape than expected", name);
    double difference = 0;
    for (size_t i = 0; i < wanted.values.size(); ++i)
      difference = std::max(difference, std::abs(double(got.values[i]) - double(wanted.values[i])));
    double scale = wanted.largest();
    if (name.starts_with("grad.") && scale < 1e-9 * largestGradient)
      scale = 1e-3 * largestGradient;
    // Zeros are expected exactly where there is nothing to compare with.
    double relative = difference == 0 ? 0 : difference / scale;
    if (relative >= worst.relative)
      worst = {relative, name};
  }
  return worst;
}

std::string compareBits(const Tensors &one, const Tensors &other) {
  if (one.size() != other.size())
    return "another number of tensors";
  for (const auto &[name, tensor] : one) {
    auto at = other.find(name);
    if (at == other.end() || at->second.shape != tensor.shape ||
        std::memcmp(at->second.values.data(), tensor.values.data(),
                    tensor.values.size() * sizeof(float)) != 0)
      return name;
  }
  return "";
}

} // namespace memformer::test
