// Allocates device memory, with unallocated bytes around every allocation.

#include "test/emulator/device_memory.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <sys/mman.h>

namespace memformer::emulator {

namespace {

// Bytes between allocations, so that small overruns are seen.
constexpr uint64_t gap = 4 * DeviceMemory::granule;

void *reserve(uint64_t bytes) {
  void *result = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (result == MAP_FAILED) {
    std::fprintf(stderr, "emulator: cannot reserve %llu bytes of addresses\n",
                 static_cast<unsigned long long>(bytes));
    std::_Exit(1);
  }
  return result;
}

uint64_t roundUp(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

} // namespace

DeviceMemory::DeviceMemory()
    : memory(static_cast<uint8_t *>(reserve(reserved))),
      valid(static_cast<uint16_t *>(reserve(reserved / granule * sizeof(uint16_t)))) {}

void DeviceMemory::mark(uint64_t address, uint64_t bytes, bool isValid) {
  uint64_t first = (address - base()) / granule;
  for (uint64_t done = 0; done < bytes; done += granule)
    valid[first++] = isValid ? uint16_t(std::min(granule, bytes - done)) : 0;
}

uint64_t DeviceMemory::allocate(uint64_t bytes, uint64_t capacity, bool adversarial, uint8_t fill) {
  if (!bytes || bytes > capacity - std::min(capacity, usedBytes))
    return 0;
  // The first gap between allocations that is long enough.
  auto place = [&](uint64_t after) {
    uint64_t address = roundUp(after + gap, 2 * granule);
    return adversarial ? address + granule : address;
  };
  uint64_t address = place(base());
  for (const auto &[begin, size] : allocations) {
    if (address + bytes + gap <= begin)
      break;
    address = place(begin + size);
  }
  if (address + bytes + gap > base() + reserved)
    return 0;
  allocations.emplace(address, bytes);
  usedBytes += bytes;
  mark(address, bytes, true);
  std::memset(reinterpret_cast<void *>(address), fill, bytes);
  return address;
}

bool DeviceMemory::release(uint64_t address) {
  auto found = allocations.find(address);
  if (found == allocations.end())
    return false;
  mark(address, found->second, false);
  usedBytes -= found->second;
  uint64_t first = roundUp(address, 4096), last = (address + found->second) / 4096 * 4096;
  if (last > first)
    madvise(reinterpret_cast<void *>(first), last - first, MADV_DONTNEED);
  allocations.erase(found);
  return true;
}

bool DeviceMemory::contains(uint64_t address, uint64_t bytes) const {
  auto next = allocations.upper_bound(address);
  if (next == allocations.begin())
    return false;
  auto [begin, size] = *std::prev(next);
  return address - begin <= size && bytes <= size - (address - begin);
}

} // namespace memformer::emulator
