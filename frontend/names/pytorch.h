// What PyTorch modules call the parameters of each kind of model, and how their tensors hold them.
#pragma once

#include "runtime/artifact.h"
#include "runtime/configuration.h"
#include "runtime/result.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace memformer {

/// How a parameter lies in a tensor of PyTorch's.
enum class PyTorchForm {
  Rows,       // a stretch of its first dimension, or all of it
  Heads,      // a vector [d] as [H, d/H]
  Neighbours, // [d, c·d], the first neighbour first, as a convolution's [d, d, c]
  Scaled      // times √d: there the model multiplies what it looks up
};

/// A parameter in a tensor.
struct PyTorchPart {
  size_t parameter; // in the manifest's table
  PyTorchForm form;
  int64_t offset; // of its first entry
};

/// A tensor of a `state_dict` and what it is made of.
struct PyTorchTensor {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<PyTorchPart> parts;

  int64_t elements() const;
};

/// The tensors of a model's parameters, in the order of the parameters. Parameters of a kind
/// without a rule have the same name and shape there. Errors: a model whose parameters cannot be
/// PyTorch's.
Result<std::vector<PyTorchTensor>> pytorchTensors(const Configuration &configuration,
                                                  std::span<const ParameterInfo> parameters);

/// Whether a `state_dict` may have a tensor that holds no parameter: what it computes once.
bool isPyTorchBuffer(std::string_view kind, std::string_view name);

/// Copies a parameter out of its tensor, or into it.
void readPart(const Configuration &configuration, const PyTorchPart &part,
              const ParameterInfo &parameter, std::span<const float> tensor,
              std::span<float> values);
void writePart(const Configuration &configuration, const PyTorchPart &part,
               const ParameterInfo &parameter, std::span<const float> values,
               std::span<float> tensor);

/// The rules of a kind as rows of a Markdown table, as docs/ has them; N stands for a layer and `*`
/// for `weight` and `bias`. Empty where names are the same.
std::vector<std::string> pytorchNames(std::string_view kind);

} // namespace memformer
