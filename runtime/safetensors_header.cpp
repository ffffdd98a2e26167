// Headers of safetensors files, which may say anything.

#include "runtime/json.h"
#include "runtime/safetensors.h"

#include <algorithm>
#include <cstring>

namespace memformer {

namespace {

constexpr uint64_t maxHeaderBytes = uint64_t(100) << 20; // the format's own limit
constexpr uint64_t maxTensorBytes = uint64_t(1) << 50;
constexpr int headerDepth = 4; // { tensor: { shape: [ ] } }, and one to name in an error

struct TypeName {
  SafetensorsType type;
  std::string_view name;
  size_t bytes;
};
constexpr TypeName typeNames[] = {
    {SafetensorsType::F64, "F64", 8}, {SafetensorsType::F32, "F32", 4},
    {SafetensorsType::F16, "F16", 2}, {SafetensorsType::BF16, "BF16", 2},
    {SafetensorsType::I64, "I64", 8}, {SafetensorsType::I32, "I32", 4},
    {SafetensorsType::U8, "U8", 1},
};

SafetensorsInfo readTensor(const std::string &name, const JsonReader &reader, uint64_t dataBegin,
                           uint64_t dataBytes) {
  SafetensorsInfo tensor;
  tensor.name = name;
  const auto type = reader.string("dtype");
  auto known = std::ranges::find(typeNames, type, &TypeName::name);
  if (known == std::end(typeNames)) {
    reader.member("dtype").fail("expected F64, F32, F16, BF16, I64, I32 or U8, but got '{}'", type);
    return tensor;
  }
  tensor.type = known->type;

  const auto shape = reader.member("shape");
  uint64_t bytes = known->bytes;
  for (size_t i = 0, n = shape.arraySize(); i < n; ++i) {
    const uint64_t dimension = shape.element(i).asUnsigned(maxTensorBytes);
    if (dimension != 0 && bytes > maxTensorBytes / dimension) {
      shape.fail("expected at most {} bytes", maxTensorBytes);
      return tensor;
    }
    bytes *= dimension;
    tensor.shape.push_back(int64_t(dimension));
  }

  const auto offsets = reader.member("data_offsets");
  if (size_t size = offsets.arraySize(); size != 2) {
    offsets.fail("expected [begin, end], but got {} entries", size);
    return tensor;
  }
  const uint64_t begin = offsets.element(0).asUnsigned(maxTensorBytes);
  const uint64_t end = offsets.element(1).asUnsigned(maxTensorBytes);
  if (begin > end || end > dataBytes)
    offsets.fail("expected places in the {} bytes that follow the header, but got {} to {}",
                 dataBytes, begin, end);
  else if (end - begin != bytes)
    offsets.fail("expected {} bytes, as shape and type say, but got {}", bytes, end - begin);
  tensor.begin = dataBegin + begin;
  tensor.bytes = bytes;
  return tensor;
}

/// The tensors follow each other without overlap or hole, from the first byte of data to the last.
Result<void> checkCover(const std::vector<SafetensorsInfo> &tensors, uint64_t dataBegin,
                        uint64_t fileBytes) {
  std::vector<const SafetensorsInfo *> sorted;
  for (const auto &tensor : tensors)
    sorted.push_back(&tensor);
  std::ranges::sort(sorted, {}, [](const SafetensorsInfo *tensor) {
    return std::pair(tensor->begin, tensor->bytes);
  });
  uint64_t position = dataBegin;
  for (const auto *tensor : sorted) {
    if (tensor->begin != position)
      return error("tensor '{}' begins at byte {} of the data, but expected {}, where the one "
                   "before ends",
                   tensor->name, tensor->begin - dataBegin, position - dataBegin);
    position += tensor->bytes;
  }
  if (position != fileBytes)
    return error("the tensors end at byte {} of the data, but the file has {}",
                 position - dataBegin, fileBytes - dataBegin);
  return {};
}

} // namespace

std::string_view name(SafetensorsType type) {
  return std::ranges::find(typeNames, type, &TypeName::type)->name;
}

size_t bytesOf(SafetensorsType type) {
  return std::ranges::find(typeNames, type, &TypeName::type)->bytes;
}

int64_t SafetensorsInfo::elements() const { return int64_t(bytes / bytesOf(type)); }

const SafetensorsInfo *SafetensorsHeader::find(std::string_view name) const {
  auto found = std::ranges::lower_bound(tensors, name, {}, [](const SafetensorsInfo &tensor) {
    return std::string_view(tensor.name);
  });
  return found != tensors.end() && found->name == name ? &*found : nullptr;
}

Result<SafetensorsHeader> parseSafetensorsHeader(std::span<const std::byte> beginning,
                                                 uint64_t fileBytes) {
  uint64_t length = 0;
  if (fileBytes < sizeof(length) || beginning.size() < sizeof(length))
    return error("not a safetensors file: expected at least 8 bytes, but got {}", fileBytes);
  std::memcpy(&length, beginning.data(), sizeof(length));
  if (length > maxHeaderBytes)
    return error("not a safetensors file: the header is said to have {} bytes, but at most {} are "
                 "allowed",
                 length, maxHeaderBytes);
  const uint64_t dataBegin = sizeof(length) + length;
  if (dataBegin > fileBytes)
    return error("the header is said to have {} bytes, but the file has {}", length, fileBytes);
  if (dataBegin > beginning.size())
    return error("expected the whole header of {} bytes, but got {}", dataBegin, beginning.size());

  const std::string_view text(reinterpret_cast<const char *>(beginning.data()) + sizeof(length),
                              length);
  auto json = parseJson(text, headerDepth);
  if (!json)
    return withContext(json, "header");
  JsonErrors errors;
  JsonReader root(*json, "header", errors);
  SafetensorsHeader header;
  if (root.expectObject()) {
    for (const auto &[key, value] : json->items()) {
      JsonReader entry(value, fmt::format("tensor '{}'", key), errors);
      if (key != "__metadata__") {
        header.tensors.push_back(readTensor(key, entry, dataBegin, fileBytes - dataBegin));
      } else if (entry.expectObject()) {
        for (const auto &[name, text] : value.items())
          header.metadata[name] = JsonReader(text, "metadata '" + name + "'", errors).asString();
      }
    }
  }
  MEMFORMER_TRY(errors.result());
  MEMFORMER_TRY(checkCover(header.tensors, dataBegin, fileBytes));
  std::ranges::sort(header.tensors, {}, &SafetensorsInfo::name);
  return header;
}

} // namespace memformer
