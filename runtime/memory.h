// Memory for one space of a program.
#pragma once

#include "runtime/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace memformer {

/// Zeroed pages straight from the operating system: one that is never touched costs nothing. A page
/// that cannot be accessed follows, so that a kernel that runs over the end stops there.
class Memory {
public:
  /// `name` is for the error: no address space, or more than the process may have.
  static Result<Memory> reserve(uint64_t bytes, std::string_view name);
  Memory() = default;
  Memory(Memory &&other) noexcept;
  Memory &operator=(Memory &&other) noexcept;
  ~Memory();

  std::byte *data() const { return begin; }
  uint64_t size() const { return bytes; }
  std::span<std::byte> span() const { return {begin, bytes}; }

private:
  std::byte *begin = nullptr;
  uint64_t bytes = 0;
  void *mapping = nullptr;
  uint64_t mappingBytes = 0;
};

} // namespace memformer
