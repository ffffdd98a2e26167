// The table of gradient tests: to test an op, add a line to cases.cpp.

#ifndef MEMFORMER_TEST_GRADIENTS_CASES_H
#define MEMFORMER_TEST_GRADIENTS_CASES_H

#include <cstdint>
#include <string>
#include <vector>

namespace memformer::test {

struct GradientCase {
  /// The op as text, without "memformer." and without types; operands are %0, %1, … in this order.
  std::string op;
  /// Shapes of the operands: "2x3" is tensor<2x3xf64>, "2x3i" is tensor<2x3xi32>.
  std::vector<std::string> operands;
  /// Shapes of the results. The gradient of the first is tested.
  std::vector<std::string> results;
  /// Values of the integer operands in order.
  std::vector<std::vector<int32_t>> integers = {};
  /// Operands whose gradient is zero everywhere. All others must have one that is not.
  std::vector<unsigned> flat = {};
};

const std::vector<GradientCase> &gradientCases();

} // namespace memformer::test

#endif
