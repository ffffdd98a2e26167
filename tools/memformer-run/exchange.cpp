// memformer-run import and export: weights under the names of PyTorch modules, and under ours.
#include "frontend/names/pytorch.h"
#include "runtime/training/checkpoint.h"
#include "tools/memformer-run/command.h"

#include <algorithm>
#include <fmt/ranges.h>

namespace memformer {

namespace {

struct Options {
  ModelRequest request;
  std::string weights, out, names;
  std::vector<std::string> renames; // FROM=TO
};

/// Lets names that begin with FROM begin with TO, by the first rule that says so.
Result<void> rename(std::vector<PyTorchTensor> &tensors, const std::vector<std::string> &renames) {
  std::vector<std::pair<std::string_view, std::string_view>> rules;
  for (std::string_view text : renames) {
    const size_t at = text.find('=');
    if (at == std::string_view::npos)
      return error("--rename {}: expected FROM=TO, the beginning of a name and what it is in the "
                   "file",
                   text);
    rules.emplace_back(text.substr(0, at), text.substr(at + 1));
  }
  for (PyTorchTensor &tensor : tensors)
    for (auto [from, to] : rules)
      if (tensor.name.starts_with(from)) {
        tensor.name.replace(0, from.size(), to);
        break;
      }
  for (const PyTorchTensor &tensor : tensors)
    if (std::ranges::count(tensors, tensor.name, &PyTorchTensor::name) > 1)
      return error("--rename gives several tensors the name '{}'", tensor.name);
  return {};
}

/// What PyTorch calls the model's parameters, as the options say.
Result<std::vector<PyTorchTensor>> tensorsOf(const Model &model, const Options &options) {
  auto tensors = pytorchTensors(model.configuration, model.artifact->manifest().parameters);
  if (!tensors)
    return withContext(tensors, options.request.path);
  MEMFORMER_TRY(rename(*tensors, options.renames));
  return tensors;
}

/// A model without code: its parameters and its configuration.
Result<Model> openParameters(const Options &options) {
  if (options.request.path.empty())
    return error("expected a model, or --names KIND");
  if (options.out.empty())
    return error("expected a file to write: --out FILE");
  ModelRequest request = options.request;
  request.plan = true;
  auto model = openModel(request);
  if (model && !model->configuration.hasModel)
    return error("{}: a model as IR has the names that its author gave it: expected a "
                 "configuration with [model], its artifact, or the folder of a run",
                 request.path);
  return model;
}

Result<int> printNames(const std::string &kind) {
  const auto rows = pytorchNames(kind);
  if (rows.empty())
    fmt::print("{}: the same names as here\n", kind);
  for (const std::string &row : rows)
    fmt::print("{}\n", row);
  return 0;
}

/// Every tensor is there with its shape, and no other.
Result<void> checkTensors(const SafetensorsFile &file, const std::vector<PyTorchTensor> &tensors,
                          const Options &options, std::string_view kind) {
  std::vector<std::string> missing, surplus;
  for (const PyTorchTensor &tensor : tensors) {
    const SafetensorsInfo *found = file.find(tensor.name);
    if (!found)
      missing.push_back(tensor.name);
    else if (found->shape != tensor.shape)
      return error("{}: tensor '{}': expected shape [{}], as {} has it, but got [{}]", file.path(),
                   tensor.name, fmt::join(tensor.shape, ", "), options.request.path,
                   fmt::join(found->shape, ", "));
  }
  for (const SafetensorsInfo &found : file.header().tensors)
    if (!isPyTorchBuffer(kind, found.name) &&
        std::ranges::find(tensors, found.name, &PyTorchTensor::name) == tensors.end())
      surplus.push_back(found.name);
  if (!missing.empty() && !surplus.empty())
    return error("{}: expected tensors that are missing: {}; and it has tensors that the model "
                 "does not: {}",
                 file.path(), listSome(missing), listSome(surplus));
  if (!missing.empty())
    return error("{}: expected tensors that are missing: {}", file.path(), listSome(missing));
  if (!surplus.empty())
    return error("{}: tensors that the model does not have: {}", file.path(), listSome(surplus));
  return {};
}

/// Tensors of f32 for a file.
Result<int> write(const Options &options, std::vector<SafetensorsTensor> tensors,
                  const std::vector<std::vector<float>> &values) {
  for (size_t i = 0; i < tensors.size(); ++i)
    tensors[i].bytes = std::as_bytes(std::span(values[i]));
  MEMFORMER_TRY(writeSafetensors(options.out, tensors));
  fmt::print("{} tensors in {}\n", tensors.size(), options.out);
  return 0;
}

Result<int> importWeights(const Options &options) {
  if (!options.names.empty())
    return printNames(options.names);
  auto model = openParameters(options);
  if (!model)
    return std::unexpected(model.error());
  if (options.weights.empty())
    return error("expected a safetensors file of PyTorch's to read after the model");
  const auto &parameters = model->artifact->manifest().parameters;
  auto tensors = tensorsOf(*model, options);
  if (!tensors)
    return std::unexpected(tensors.error());
  auto file = SafetensorsFile::open(options.weights);
  if (!file)
    return std::unexpected(file.error());
  MEMFORMER_TRY(checkTensors(*file, *tensors, options, model->configuration.model.kind));

  std::vector<std::vector<float>> values(parameters.size());
  std::vector<float> buffer;
  for (const PyTorchTensor &tensor : *tensors) {
    buffer.resize(size_t(tensor.elements()));
    MEMFORMER_TRY(file->readFloats(*file->find(tensor.name), buffer));
    for (const PyTorchPart &part : tensor.parts) {
      values[part.parameter].resize(size_t(parameters[part.parameter].elements()));
      readPart(model->configuration, part, parameters[part.parameter], buffer,
               values[part.parameter]);
    }
  }
  std::vector<SafetensorsTensor> out;
  for (const ParameterInfo &parameter : parameters)
    out.push_back({parameter.name, SafetensorsType::F32, parameter.shape, {}});
  return write(options, std::move(out), values);
}

Result<int> exportWeights(const Options &options) {
  if (!options.names.empty())
    return printNames(options.names);
  auto model = openParameters(options);
  if (!model)
    return std::unexpected(model.error());
  auto weights = weightsOf(*model, options.weights, options.request.path, "to export");
  if (!weights)
    return std::unexpected(weights.error());
  const auto &parameters = model->artifact->manifest().parameters;
  auto tensors = tensorsOf(*model, options);
  if (!tensors)
    return std::unexpected(tensors.error());
  auto file = SafetensorsFile::open(*weights);
  if (!file)
    return std::unexpected(file.error());
  auto values = readParameters(*file, parameters);
  if (!values)
    return std::unexpected(values.error());

  std::vector<std::vector<float>> theirs;
  std::vector<SafetensorsTensor> out;
  for (const PyTorchTensor &tensor : *tensors) {
    auto &buffer = theirs.emplace_back(size_t(tensor.elements()));
    for (const PyTorchPart &part : tensor.parts)
      writePart(model->configuration, part, parameters[part.parameter], (*values)[part.parameter],
                buffer);
    out.push_back({tensor.name, SafetensorsType::F32, tensor.shape, {}});
  }
  return write(options, std::move(out), theirs);
}

CLI::App *addExchange(CLI::App &app, const char *name, const char *help, Options &options) {
  CLI::App *command = app.add_subcommand(name, help);
  addModelOptions(*command, options.request);
  // A kind has names without a model.
  command->get_option("model")->required(false);
  command->add_option("--out", options.out, "safetensors file to write");
  command
      ->add_option(
          "--rename", options.renames,
          "FROM=TO: PyTorch's names that begin with FROM begin with TO in the file; may be "
          "repeated, and the first that fits counts")
      ->type_name("FROM=TO")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      ->add_option("--names", options.names,
                   "only print what PyTorch calls the parameters of this kind")
      ->check(CLI::IsMember(
          {"memformer", "transformer", "transformer-xl", "compressive-transformer", "lstm"}));
  return command;
}

} // namespace

void addImport(CLI::App &app, Action &action) {
  auto options = std::make_shared<Options>();
  CLI::App *command =
      addExchange(app, "import",
                  "weights of a PyTorch module, saved as safetensors, as a weights file", *options);
  command->add_option("file", options->weights, "the module's state_dict as safetensors");
  command->callback([options, &action] { action = [options] { return importWeights(*options); }; });
}

void addExport(CLI::App &app, Action &action) {
  auto options = std::make_shared<Options>();
  CLI::App *command =
      addExchange(app, "export", "weights as the state_dict of a PyTorch module", *options);
  command->add_option("--weights", options->weights, "weights or a checkpoint [those of the run]");
  command->callback([options, &action] { action = [options] { return exportWeights(*options); }; });
}

} // namespace memformer
