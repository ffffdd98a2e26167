// The device's memory: a range of addresses of this process, with a map of what is allocated.

#ifndef MEMFORMER_TEST_EMULATOR_DEVICE_MEMORY_H
#define MEMFORMER_TEST_EMULATOR_DEVICE_MEMORY_H

#include <cstdint>
#include <map>

namespace memformer::emulator {

/// Device addresses are addresses of the host inside one reserved range, so that generated code
/// loads and stores directly. For each granule of 256 bytes a table holds how many of its bytes,
/// from its beginning, are allocated.
class DeviceMemory {
public:
  static constexpr uint64_t granule = 256;
  static constexpr uint64_t reserved = uint64_t(1) << 37;

  DeviceMemory();

  /// An address that is a multiple of 256 (and, with `adversarial`, of no more), or 0 where fewer
  /// than `bytes` are left of `capacity`. Every byte is set to `fill`.
  uint64_t allocate(uint64_t bytes, uint64_t capacity, bool adversarial, uint8_t fill);
  /// False where nothing was allocated at the address.
  bool release(uint64_t address);
  /// Whether [address, address + bytes) lies in one allocation.
  bool contains(uint64_t address, uint64_t bytes) const;
  uint64_t used() const { return usedBytes; }

  uint64_t base() const { return uint64_t(memory); }
  const uint16_t *table() const { return valid; }

private:
  void mark(uint64_t address, uint64_t bytes, bool isValid);

  uint8_t *memory;
  uint16_t *valid;
  std::map<uint64_t, uint64_t> allocations; // address to bytes
  uint64_t usedBytes = 0;
};

} // namespace memformer::emulator

#endif
