// One kernel on the emulator, in the modes that bring out what is wrong with it.

#ifndef MEMFORMER_TEST_EMULATOR_KERNEL_TRIAL_H
#define MEMFORMER_TEST_EMULATOR_KERNEL_TRIAL_H

#include <cstdint>
#include <string>
#include <vector>

namespace memformer::emulator {

/// A kernel and what its arguments hold before it runs.
struct KernelImage {
  std::string ptx, symbol;
  unsigned architecture = 80;
  unsigned grid = 1, threads = 32, sharedBytes = 0;
  std::vector<std::vector<uint8_t>> arguments;
  unsigned skip = 0; // as the emulator's setting of that name
};

/// What a launch left in the arguments, with the bytes before and behind them; or what the driver
/// said.
struct Outcome {
  std::string fault; // "" where it ran
  std::vector<std::vector<uint8_t>> after;
};

/// Runs a kernel under the settings of the emulator that `modes` names.
Outcome runImage(const KernelImage &image, const std::string &modes);

/// The settings under which a right kernel gives the same bits, the quickest way to find a fault
/// in how threads are ordered first.
const std::vector<std::string> &trialModes();

/// How the kernel differs from what it should leave: the first mode in which it fails or leaves
/// other bits than `expected`; "" where none does. `orders`: begins with the look for races, else
/// with numbers.
std::string findFault(const KernelImage &image, const std::vector<std::vector<uint8_t>> &expected,
                      bool orders);

} // namespace memformer::emulator

#endif
