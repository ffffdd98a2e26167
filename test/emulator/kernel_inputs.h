// Reproducible numbers for the arguments of any kernel.

#ifndef MEMFORMER_TEST_EMULATOR_KERNEL_INPUTS_H
#define MEMFORMER_TEST_EMULATOR_KERNEL_INPUTS_H

#include "dialect/program/ProgramDialect.h"

#include <cstdint>
#include <vector>

namespace memformer::emulator {

/// The bytes of each argument of a kernel, in the order of its parameters: operands in the ranges
/// that the op asks for, gradients to add to, and results that are not numbers yet.
std::vector<std::vector<uint8_t>> inputsOf(program::KernelOp kernel, uint64_t seed);

} // namespace memformer::emulator

#endif
