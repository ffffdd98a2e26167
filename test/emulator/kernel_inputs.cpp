// Reproducible numbers for the arguments of any kernel.

#include "test/emulator/kernel_inputs.h"

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"
#include "dialect/program/Arguments.h"
#include "test/emulator/numbers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cstring>

using namespace mlir;

namespace memformer::emulator {

namespace {

/// The entries of an operand are in [low, high): real numbers, or integers.
struct Range {
  double low = -1, high = 1;
};

int64_t extentOf(Value tensor, int64_t axis) { return kernel::shapeOf(tensor.getType())[axis]; }

/// What an op asks of an operand.
Range rangeOf(Operation *op, unsigned operand, bool isInteger) {
  Value value = op->getOperand(operand);
  return TypeSwitch<Operation *, Range>(op)
      .Case([&](kernel::GatherOp gather) {
        return isInteger && value == gather.getIndices()
                   ? Range{0, double(extentOf(gather.getTable(), 0))}
                   : Range{};
      })
      .Case([&](kernel::ScatterAddOp scatter) {
        return isInteger ? Range{0, double(scatter.getRows())} : Range{};
      })
      .Case([&](kernel::CrossEntropyOp loss) {
        return isInteger ? Range{-1, double(kernel::widthOf(loss.getLogits().getType()))} : Range{};
      })
      .Case([&](kernel::CrossEntropyGradientOp loss) {
        // lse is the last operand.
        return isInteger ? Range{-1, double(kernel::widthOf(loss.getLogits().getType()))}
               : operand + 1 == op->getNumOperands() ? Range{4, 6}
                                                     : Range{};
      })
      .Case([&](kernel::AttentionGradientOp attention) {
        return isInteger ? Range{0, 1 << 30} : value == attention.getLse() ? Range{2, 4} : Range{};
      })
      .Case([&](kernel::AttentionWeightsOp attention) {
        return value == attention.getLse() ? Range{2, 4} : Range{};
      })
      .Case([&](kernel::AttentionUsageOp attention) {
        return value == attention.getLse() ? Range{2, 4} : Range{};
      })
      .Case([&](kernel::AttentionOp) { return isInteger ? Range{0, 1 << 30} : Range{}; })
      .Case([&](kernel::AttentionStepOp step) {
        // The last position: the most keys.
        double last = double(extentOf(step.getKeyCache(), 1)) - 1 - double(step.getBefore());
        return isInteger ? Range{last, last + 1} : Range{};
      })
      .Case([&](kernel::SliceOp slice) {
        int64_t axis = int64_t(slice.getAxis());
        return value == slice.getPosition() ? Range{0, double(extentOf(slice.getInput(), axis) -
                                                              extentOf(slice.getResult(), axis) -
                                                              int64_t(slice.getOffset()) + 1)}
                                            : Range{};
      })
      // Second moments, partial sums and scalars are not negative.
      .Case([&](kernel::AdamWOp) { return operand >= 3 ? Range{0.25, 0.75} : Range{}; })
      // Flags, and keys of dropout.
      .Default([&](Operation *) { return isInteger ? Range{0, 2} : Range{}; });
}

class Numbers {
public:
  explicit Numbers(uint64_t seed) : state(seed) {}
  double next(const Range &range) { // splitmix64
    uint64_t x = state += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    x ^= x >> 31;
    return range.low + double(x >> 11) * 0x1p-53 * (range.high - range.low);
  }

private:
  uint64_t state;
};

} // namespace

std::vector<std::vector<uint8_t>> inputsOf(program::KernelOp kernel, uint64_t seed) {
  std::vector<std::vector<uint8_t>> arguments;
  Numbers numbers(seed);
  Operation *single = kernel.getSingle();
  unsigned operand = 0;
  for (const program::KernelArgument &argument : program::argumentsOf(kernel).all) {
    std::vector<uint8_t> &bytes = arguments.emplace_back(size_t(argument.bytes), 0xff);
    if (argument.result)
      continue;
    Type element = argument.operand ? cast<ShapedType>(argument.operand.getType()).getElementType()
                                    : Type(Float32Type::get(kernel.getContext()));
    bool isInteger = element.isInteger(32);
    Range range;
    if (argument.operand && single)
      range = rangeOf(single, operand++, isInteger);
    else if (argument.operand && !argument.operand.use_empty()) {
      OpOperand &use = *argument.operand.use_begin();
      range = rangeOf(use.getOwner(), use.getOperandNumber(), isInteger);
    }
    size_t step = kernel::isNarrow(element) ? 2 : 4;
    for (size_t at = 0; at + step <= bytes.size(); at += step) {
      double number = numbers.next(range);
      int32_t integer = int32_t(std::floor(number));
      float real = float(number);
      uint32_t bits;
      std::memcpy(&bits, isInteger ? static_cast<void *>(&integer) : &real, 4);
      if (step == 2)
        bits = element.isF16() ? halfOf(number) : bits >> 16;
      std::memcpy(&bytes[at], &bits, step);
    }
  }
  return arguments;
}

} // namespace memformer::emulator
