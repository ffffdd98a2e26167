// Writes safetensors files.

#include "runtime/file.h"
#include "runtime/safetensors.h"

#include <nlohmann/json.hpp>
#include <set>

namespace memformer {

Result<void> writeSafetensors(const std::filesystem::path &path,
                              std::span<const SafetensorsTensor> tensors,
                              const std::map<std::string, std::string> &metadata) {
  auto header = nlohmann::ordered_json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  std::set<std::string_view> names;
  uint64_t offset = 0;
  for (const auto &tensor : tensors) {
    uint64_t bytes = bytesOf(tensor.type);
    for (int64_t dimension : tensor.shape)
      bytes *= uint64_t(dimension);
    if (bytes != tensor.bytes.size())
      return error("cannot write {}: tensor '{}' needs {} bytes, but has {}", path.native(),
                   tensor.name, bytes, tensor.bytes.size());
    if (tensor.name == "__metadata__" || !names.insert(tensor.name).second)
      return error("cannot write {}: the name '{}' occurs twice or is not allowed", path.native(),
                   tensor.name);
    header[tensor.name] = {{"dtype", name(tensor.type)},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  // Data that begins at a multiple of 64 can be used where it is mapped; spaces are allowed.
  const uint64_t unpadded = sizeof(uint64_t) + text.size();
  text.append((unpadded + 63) / 64 * 64 - unpadded, ' ');

  return writeFileAtomically(path, [&](FileWriter &writer) -> Result<void> {
    const uint64_t length = text.size();
    MEMFORMER_TRY(writer.write(std::as_bytes(std::span(&length, 1))));
    MEMFORMER_TRY(writer.write(text));
    for (const auto &tensor : tensors)
      MEMFORMER_TRY(writer.write(tensor.bytes));
    return {};
  });
}

} // namespace memformer
