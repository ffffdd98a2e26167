// Stacks, and the switch from one to another.

#ifndef MEMFORMER_TEST_EMULATOR_FIBRE_H
#define MEMFORMER_TEST_EMULATOR_FIBRE_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace memformer::emulator {

/// Saves the caller's registers on its stack and the stack's pointer in *from, and goes on where
/// the stack `to` was left.
extern "C" void memformerSwitchStack(void **from, void *to);

/// Stacks with an unmapped page below each. One that is given back is the next that is taken.
class StackPool {
public:
  static constexpr size_t stackBytes = size_t(1) << 17;

  ~StackPool();

  /// A stack on which `enter(argument)`, which must not return, is called at the first switch.
  void *take(unsigned &stack, void (*enter)(void *), void *argument);
  void give(unsigned stack) { unused.push_back(stack); }

private:
  std::vector<uint8_t *> stacks;
  std::vector<unsigned> unused;
};

} // namespace memformer::emulator

#endif
