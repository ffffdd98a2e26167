// Questions to a list of instructions.

#include "runtime/instructions.h"

namespace memformer {

bool yields(const std::vector<Instruction> &list, uint32_t output) {
  return std::ranges::any_of(list, [&](const Instruction &instruction) {
    return std::ranges::find(instruction.outputs, output) != instruction.outputs.end();
  });
}

namespace {

template <class Matches>
bool anyAddress(const std::vector<Instruction> &list, const Matches &matches) {
  return std::ranges::any_of(list, [&](const Instruction &instruction) {
    switch (instruction.op) {
    case Instruction::Op::Dispatch:
      return std::ranges::any_of(instruction.arguments, matches);
    case Instruction::Op::Fill:
      return matches(instruction.to);
    case Instruction::Op::Copy:
      return matches(instruction.to) || matches(instruction.from);
    case Instruction::Op::Loop:
      return anyAddress(instruction.body, matches);
    }
    return false;
  });
}

} // namespace

bool touches(const std::vector<Instruction> &list, uint32_t space, uint64_t offset) {
  return anyAddress(list, [=](const Address &address) {
    return address.space == space && address.offset == offset;
  });
}

bool touches(const std::vector<Instruction> &list, uint32_t space) {
  return anyAddress(list, [=](const Address &address) { return address.space == space; });
}

} // namespace memformer
