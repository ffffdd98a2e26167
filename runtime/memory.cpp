// Memory from mmap.

#include "runtime/memory.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace memformer {

namespace {
constexpr uint64_t hugePage = uint64_t(2) << 20;
constexpr uint64_t roundUp(uint64_t value, uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}
} // namespace

Result<Memory> Memory::reserve(uint64_t bytes, std::string_view name) {
  const uint64_t page = uint64_t(::sysconf(_SC_PAGESIZE));
  // Large spaces begin at a huge page, which spares the translation of addresses; at most one huge
  // page in a space is touched in part.
  const bool large = bytes >= 4 * hugePage;
  Memory memory;
  memory.bytes = bytes;
  const uint64_t usable = roundUp(std::max<uint64_t>(bytes, 1), page);
  memory.mappingBytes = usable + page + (large ? hugePage : 0);
  void *mapping = ::mmap(nullptr, memory.mappingBytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED)
    return error("cannot reserve {} bytes for '{}': {}", bytes, name, std::strerror(errno));
  memory.mapping = mapping;
  const auto address = reinterpret_cast<uintptr_t>(mapping);
  memory.begin = reinterpret_cast<std::byte *>(large ? roundUp(address, hugePage) : address);
  if (large)
    ::madvise(memory.begin, bytes / hugePage * hugePage, MADV_HUGEPAGE);
  ::mprotect(memory.begin + usable, page, PROT_NONE);
  return memory;
}

Memory::Memory(Memory &&other) noexcept
    : begin(std::exchange(other.begin, nullptr)), bytes(std::exchange(other.bytes, 0)),
      mapping(std::exchange(other.mapping, nullptr)),
      mappingBytes(std::exchange(other.mappingBytes, 0)) {}

Memory &Memory::operator=(Memory &&other) noexcept {
  std::swap(begin, other.begin);
  std::swap(bytes, other.bytes);
  std::swap(mapping, other.mapping);
  std::swap(mappingBytes, other.mappingBytes);
  return *this;
}

Memory::~Memory() {
  if (mapping)
    ::munmap(mapping, mappingBytes);
}

} // namespace memformer
