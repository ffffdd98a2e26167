// All tensors of a safetensors file, and how two of them are compared.
#pragma once

#include "runtime/result.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace memformer::test {

struct FloatTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;

  double largest() const; // absolute entry
};

/// By name. NaN and infinities are an error; the bytes of integers are taken as they are.
using Tensors = std::map<std::string, FloatTensor>;
Result<Tensors> readTensors(const std::filesystem::path &path);

/// The worst |found - expected| relative to the largest absolute entry of its expected tensor; a
/// tensor that is missing or has another shape is an error. Gradients that are zero but for the
/// rounding of the expectation (below 1e-9 of the largest gradient: attention's softmax does not
/// depend on the bias of its keys) are taken relative to a thousandth of the largest gradient,
/// which asks for 1e-7 of it where 1e-4 is asked for in general.
struct Difference {
  double relative = 0;
  std::string tensor;
};
Result<Difference> compareToExpected(const Tensors &found, const Tensors &expected);

/// "" if names, shapes and every bit agree, else the first tensor that does not.
std::string compareBits(const Tensors &one, const Tensors &other);

} // namespace memformer::test
