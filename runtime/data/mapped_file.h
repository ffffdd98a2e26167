// A file in memory without reading it first.
#pragma once

#include "runtime/result.h"

#include <cstddef>
#include <span>
#include <string>

namespace memformer {

class MappedFile {
public:
  /// Errors: missing, not a regular file, empty.
  static Result<MappedFile> open(const std::string &path);
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data, size}; }
  /// Bytes [begin, end) will not be read for a while: they need not stay in this process's memory.
  void release(size_t begin, size_t end) const;

private:
  MappedFile(const std::byte *data, size_t size) : data(data), size(size) {}
  const std::byte *data = nullptr;
  size_t size = 0;
};

} // namespace memformer
