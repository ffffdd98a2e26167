// Reading whole files, and writing them so that a reader sees the old or the new content, never a
// part.
#pragma once

#include "runtime/result.h"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace memformer {

/// All bytes of a regular file. Errors name the path and the reason (missing, a directory, no
/// permission).
Result<std::vector<std::byte>> readFile(const std::filesystem::path &path);

/// Takes bytes one piece after the other; its errors are those of the disk (full, for one).
class FileWriter {
public:
  explicit FileWriter(int descriptor, std::string name)
      : descriptor(descriptor), name(std::move(name)) {}
  Result<void> write(std::span<const std::byte> bytes);
  Result<void> write(std::string_view text);

private:
  int descriptor;
  std::string name;
};

/// Writes to a temporary file beside `path`, syncs it, renames it over `path` and syncs the folder.
/// On an error the temporary file is removed and what was at `path` is untouched.
Result<void> writeFileAtomically(const std::filesystem::path &path,
                                 const std::function<Result<void>(FileWriter &)> &write);
Result<void> writeFileAtomically(const std::filesystem::path &path,
                                 std::span<const std::byte> bytes);
Result<void> writeFileAtomically(const std::filesystem::path &path, std::string_view text);

} // namespace memformer
