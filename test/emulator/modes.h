// How the emulator behaves: the settings of MEMFORMER_EMULATOR.

#ifndef MEMFORMER_TEST_EMULATOR_MODES_H
#define MEMFORMER_TEST_EMULATOR_MODES_H

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace memformer::emulator {

enum class Order { Forward, Reverse, Random };

struct Modes {
  Order order = Order::Forward;        // of threads and blocks, as far as a kernel leaves it open
  uint64_t seed = 0;                   // of the random order
  bool lazyCopies = true;              // a cp.async lands at the wait that demands it, or at once
  bool races = false;                  // look for races on shared memory
  bool globalRaces = false;            // and, within a block, on global memory
  bool adversarialPlacement = true;    // nothing is aligned to more than it asks for
  bool poison = true;                  // fresh memory is NaN, or zero
  bool lazyStreams = false;            // work of a stream runs when something waits for it
  unsigned architecture = 80;          // 90 also runs sm_90a
  unsigned devices = 1;                // 0: a driver without a device
  unsigned driver = 13000;             // version of the driver, which bounds the PTX it takes
  uint64_t memory = uint64_t(8) << 30; // bytes of the device
  std::string launches;                // file to which the names of kernels that ran are added
  unsigned skip = 0;                   // line of the barrier or wait that is left out; 0: none
  unsigned threads = 0;                // of the host that run blocks; 0: one for each core
};

/// Reads "order=random,seed=7,races=on"; what is not named keeps its default.
std::expected<Modes, std::string> parseModes(std::string_view text);

} // namespace memformer::emulator

#endif
