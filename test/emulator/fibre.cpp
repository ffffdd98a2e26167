// The switch between stacks for x86-64: registers that a call preserves, and the stack pointer.

#include "test/emulator/fibre.h"

#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

#if !defined(__x86_64__)
#error "the emulator's fibres are written for x86-64"
#endif

asm(R"(
  .text
  .globl memformerSwitchStack
  .hidden memformerSwitchStack
  .type memformerSwitchStack, @function
memformerSwitchStack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size memformerSwitchStack, .-memformerSwitchStack

  .globl memformerEnterStack
  .hidden memformerEnterStack
  .type memformerEnterStack, @function
memformerEnterStack:
  movq %rbx, %rdi
  xorl %ebp, %ebp
  callq *%r12
  ud2
  .size memformerEnterStack, .-memformerEnterStack
)");

extern "C" void memformerEnterStack();

namespace memformer::emulator {

namespace {
constexpr size_t page = 4096;
}

StackPool::~StackPool() {
  for (uint8_t *stack : stacks)
    munmap(stack, stackBytes + page);
}

void *StackPool::take(unsigned &stack, void (*enter)(void *), void *argument) {
  if (unused.empty()) {
    void *memory = mmap(nullptr, stackBytes + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE)) {
      std::fprintf(stderr, "emulator: no memory for another stack\n");
      std::_Exit(1);
    }
    unused.push_back(unsigned(stacks.size()));
    stacks.push_back(static_cast<uint8_t *>(memory));
  }
  stack = unused.back();
  unused.pop_back();
  // Stacks begin at different places of their pages, or they would share few sets of the cache.
  size_t colour = stack * 832 % (4 * page) / 64 * 64;
  void **top = reinterpret_cast<void **>(stacks[stack] + page + stackBytes - colour);
  *--top = nullptr; // keeps the stack aligned to 16 at the call
  *--top = nullptr;
  *--top = reinterpret_cast<void *>(memformerEnterStack);
  *--top = nullptr;                         // rbp
  *--top = argument;                        // rbx
  *--top = reinterpret_cast<void *>(enter); // r12
  for (int i = 0; i < 3; ++i)               // r13, r14, r15
    *--top = nullptr;
  return top;
}

} // namespace memformer::emulator
