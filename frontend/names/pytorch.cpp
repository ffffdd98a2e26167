// The table of names, and what is done by it in both directions.
#include "frontend/names/pytorch.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <optional>

namespace memformer {

namespace {

/// `*` stands for a part of a name without a dot, the same one on both sides.
struct Rule {
  std::string_view ours, theirs;
  PyTorchForm form = PyTorchForm::Rows;
  int64_t part = 0, parts = 1; // of its rows
};

using enum PyTorchForm;

/// nn.TransformerEncoderLayer and nn.TransformerEncoder.
constexpr Rule transformerRules[] = {
    {"layers.*.self_attention.query.*", "layers.*.self_attn.in_proj_*", Rows, 0, 3},
    {"layers.*.self_attention.key.*", "layers.*.self_attn.in_proj_*", Rows, 1, 3},
    {"layers.*.self_attention.value.*", "layers.*.self_attn.in_proj_*", Rows, 2, 3},
    {"layers.*.self_attention.output.*", "layers.*.self_attn.out_proj.*"},
    {"layers.*.self_norm.*", "layers.*.norm1.*"},
    {"layers.*.ffn_norm.*", "layers.*.norm2.*"},
    {"layers.*.ffn.up.*", "layers.*.linear1.*"},
    {"layers.*.ffn.down.*", "layers.*.linear2.*"},
};

/// The authors' code (MemTransformerLM), and `transformers`, which took its names.
constexpr Rule cachedTransformerRules[] = {
    {"embedding.weight", "word_emb.emb_layers.0.weight", Scaled},
    {"attention.content_bias", "r_w_bias", Heads},
    {"attention.position_bias", "r_r_bias", Heads},
    {"layers.*.self_attention.content_bias", "layers.*.dec_attn.r_w_bias", Heads},
    {"layers.*.self_attention.position_bias", "layers.*.dec_attn.r_r_bias", Heads},
    {"layers.*.self_attention.query.weight", "layers.*.dec_attn.qkv_net.weight", Rows, 0, 3},
    {"layers.*.self_attention.key.weight", "layers.*.dec_attn.qkv_net.weight", Rows, 1, 3},
    {"layers.*.self_attention.value.weight", "layers.*.dec_attn.qkv_net.weight", Rows, 2, 3},
    {"layers.*.self_attention.position.weight", "layers.*.dec_attn.r_net.weight"},
    {"layers.*.self_attention.output.weight", "layers.*.dec_attn.o_net.weight"},
    {"layers.*.self_norm.*", "layers.*.dec_attn.layer_norm.*"},
    {"layers.*.ffn_norm.*", "layers.*.pos_ff.layer_norm.*"},
    {"layers.*.ffn.up.*", "layers.*.pos_ff.CoreNet.0.*"},
    {"layers.*.ffn.down.*", "layers.*.pos_ff.CoreNet.3.*"},
    {"layers.*.compression.weight", "layers.*.compression.weight", Neighbours},
    {"output.*", "crit.out_layers.0.*"},
};

/// Those of a kind; an LSTM and a Memformer have the names that their modules have there.
std::span<const Rule> rulesOf(std::string_view kind) {
  if (kind == "transformer")
    return transformerRules;
  if (kind == "transformer-xl" || kind == "compressive-transformer")
    return cachedTransformerRules;
  return {};
}

/// What the stars of a pattern stand for, where a name is of it.
std::optional<std::vector<std::string_view>> match(std::string_view pattern,
                                                   std::string_view name) {
  std::vector<std::string_view> stars;
  while (!pattern.empty()) {
    if (pattern.front() == '*') {
      const size_t length = std::min(name.find('.'), name.size());
      stars.push_back(name.substr(0, length));
      name.remove_prefix(length);
    } else {
      if (name.empty() || name.front() != pattern.front())
        return std::nullopt;
      name.remove_prefix(1);
    }
    pattern.remove_prefix(1);
  }
  return name.empty() ? std::optional(stars) : std::nullopt;
}

std::string fill(std::string_view pattern, const std::vector<std::string_view> &stars) {
  std::string name;
  size_t next = 0;
  for (char letter : pattern)
    if (letter == '*')
      name += stars[next++];
    else
      name += letter;
  return name;
}

/// The tensor that a parameter is in, if it had it to itself.
std::vector<int64_t> shapeOf(const Rule &rule, const Configuration &configuration,
                             std::vector<int64_t> shape) {
  const int64_t width = configuration.model.width, heads = configuration.model.heads;
  if (rule.form == Heads)
    return {heads, width / heads};
  if (rule.form == Neighbours)
    return {width, width, shape[1] / width};
  if (!shape.empty())
    shape[0] *= rule.parts;
  return shape;
}

/// `body(place in the tensor, place in the parameter)`.
template <class Body>
void forEachEntry(const Configuration &configuration, const PyTorchPart &part,
                  const ParameterInfo &parameter, Body &&body) {
  const int64_t count = parameter.elements();
  if (part.form != Neighbours) {
    for (int64_t i = 0; i < count; ++i)
      body(part.offset + i, i);
    return;
  }
  const int64_t width = configuration.model.width, neighbours = parameter.shape[1] / width;
  for (int64_t row = 0; row < width; ++row)
    for (int64_t k = 0; k < neighbours; ++k)
      for (int64_t i = 0; i < width; ++i)
        body((row * width + i) * neighbours + k, (row * neighbours + k) * width + i);
}

double factorOf(const Configuration &configuration, const PyTorchPart &part) {
  return part.form == Scaled ? std::sqrt(double(configuration.model.width)) : 1;
}

} // namespace

int64_t PyTorchTensor::elements() const {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

Result<std::vector<PyTorchTensor>> pytorchTensors(const Configuration &configuration,
                                                  std::span<const ParameterInfo> parameters) {
  const auto rules = rulesOf(configuration.model.kind);
  std::vector<PyTorchTensor> tensors;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const ParameterInfo &parameter = parameters[i];
    Rule rule{parameter.name, parameter.name};
    std::string name = parameter.name;
    for (const Rule &candidate : rules)
      if (auto stars = match(candidate.ours, parameter.name)) {
        rule = candidate;
        name = fill(candidate.theirs, *stars);
        break;
      }
    // There is one tensor for both, which one reads multiplied and the other as it is.
    if (rule.form == Scaled && configuration.model.tieEmbeddings)
      return error("a {} whose output layer is its embedding cannot be PyTorch's, where the "
                   "embedding is multiplied by √d and the output layer is not: expected "
                   "model.tie_embeddings = false, for which there are two tensors",
                   configuration.model.kind);
    auto tensor = std::ranges::find(tensors, name, &PyTorchTensor::name);
    if (tensor == tensors.end())
      tensor = tensors.insert(tensor, {name, shapeOf(rule, configuration, parameter.shape), {}});
    tensor->parts.push_back({i, rule.form, rule.part * parameter.elements()});
  }
  return tensors;
}

bool isPyTorchBuffer(std::string_view kind, std::string_view name) {
  return (kind == "transformer-xl" || kind == "compressive-transformer") &&
         name == "pos_emb.inv_freq";
}

void readPart(const Configuration &configuration, const PyTorchPart &part,
              const ParameterInfo &parameter, std::span<const float> tensor,
              std::span<float> values) {
  const double factor = factorOf(configuration, part);
  forEachEntry(configuration, part, parameter, [&](int64_t there, int64_t here) {
    values[size_t(here)] = float(double(tensor[size_t(there)]) * factor);
  });
}

void writePart(const Configuration &configuration, const PyTorchPart &part,
               const ParameterInfo &parameter, std::span<const float> values,
               std::span<float> tensor) {
  const double factor = factorOf(configuration, part);
  forEachEntry(configuration, part, parameter, [&](int64_t there, int64_t here) {
    tensor[size_t(there)] = float(double(values[size_t(here)]) / factor);
  });
}

std::vector<std::string> pytorchNames(std::string_view kind) {
  auto text = [](std::string_view pattern) {
    std::string name(pattern);
    if (size_t star = name.find(".*."); star != std::string::npos)
      name[star + 1] = 'N';
    return name;
  };
  std::vector<std::string> rows;
  for (const Rule &rule : rulesOf(kind)) {
    if (rule.form == Neighbours && kind != "compressive-transformer")
      continue;
    std::string form;
    if (rule.parts > 1)
      form = fmt::format(", rows of part {} of {}", rule.part + 1, rule.parts);
    else if (rule.form == Heads)
      form = ", `[H,d/H]`";
    else if (rule.form == Neighbours)
      form = ", of a convolution: `[d,d,c]`";
    else if (rule.form == Scaled)
      form = ", divided by √d";
    rows.push_back(fmt::format("| `{}` | `{}`{} |", text(rule.ours), text(rule.theirs), form));
  }
  return rows;
}

} // namespace memformer
