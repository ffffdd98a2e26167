// The safetensors format: weights, checkpoints and token files.
#pragma once

#include "runtime/result.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace memformer {

struct ParameterInfo;
class Session;

enum class SafetensorsType { F64, F32, F16, BF16, I64, I32, U8 };
std::string_view name(SafetensorsType type);
size_t bytesOf(SafetensorsType type);

struct SafetensorsInfo {
  std::string name;
  SafetensorsType type = SafetensorsType::F32;
  std::vector<int64_t> shape;
  uint64_t begin = 0; // of its bytes in the file
  uint64_t bytes = 0;

  int64_t elements() const;
};

struct SafetensorsHeader {
  std::vector<SafetensorsInfo> tensors; // by name
  std::map<std::string, std::string> metadata;

  const SafetensorsInfo *find(std::string_view name) const;
};

/// Checks the beginning of a file of `fileBytes` bytes: 8 bytes of length and the JSON header
/// (bytes after it are not looked at). Tensors must cover the rest of the file without overlap or
/// hole.
Result<SafetensorsHeader> parseSafetensorsHeader(std::span<const std::byte> beginning,
                                                 uint64_t fileBytes);

/// An open file; tensors are read when asked for.
class SafetensorsFile {
public:
  static Result<SafetensorsFile> open(const std::filesystem::path &path);
  SafetensorsFile(SafetensorsFile &&other) noexcept;
  SafetensorsFile &operator=(SafetensorsFile &&other) noexcept;
  ~SafetensorsFile();

  const std::string &path() const { return name; }
  const SafetensorsHeader &header() const { return contents; }
  const std::map<std::string, std::string> &metadata() const { return contents.metadata; }
  const SafetensorsInfo *find(std::string_view name) const { return contents.find(name); }

  /// Converts to f32 (any type but I64; the nearest value). `out` has as many entries as the
  /// tensor. With `finite`, NaN and infinities are an error that names the entry.
  Result<void> readFloats(const SafetensorsInfo &tensor, std::span<float> out,
                          bool finite = true) const;
  /// Converts to i32 (I32, I64, U8); a value that does not fit is an error.
  Result<void> readIntegers(const SafetensorsInfo &tensor, std::span<int32_t> out) const;
  /// The bytes as they are.
  Result<void> readBytes(const SafetensorsInfo &tensor, std::span<std::byte> out) const;

private:
  SafetensorsFile() = default;
  Result<void> readAt(uint64_t offset, std::span<std::byte> out) const;
  int descriptor = -1;
  std::string name;
  SafetensorsHeader contents;
};

/// A tensor to write: `bytes` is dense, row-major, little-endian, as long as type and shape say.
struct SafetensorsTensor {
  std::string name;
  SafetensorsType type = SafetensorsType::F32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

/// Writes atomically (runtime/file.h). Tensors are laid out in the order given.
Result<void> writeSafetensors(const std::filesystem::path &path,
                              std::span<const SafetensorsTensor> tensors,
                              const std::map<std::string, std::string> &metadata = {});

/// A few names, for an error: "'a', 'b', 'c' and 4 more".
std::string listSome(const std::vector<std::string> &names);
/// Whether the file holds these parameters and nothing else. Errors: missing and extra tensors (a
/// few are listed), another shape.
Result<void> checkParameters(const SafetensorsFile &file,
                             std::span<const ParameterInfo> parameters);
/// Sets every parameter of the session from a file that holds them all. Errors: those of
/// checkParameters, NaN or infinity. On these no parameter has changed.
Result<void> loadParameters(Session &session, const SafetensorsFile &file);
/// The parameters alone, under their names.
Result<void> saveParameters(const Session &session, const std::filesystem::path &path,
                            const std::map<std::string, std::string> &metadata = {});

} // namespace memformer
