// memformer-run inspect: what is in a compiled model.
#include "tools/memformer-run/command.h"
#include "tools/memformer-run/costs.h"

#include <fmt/ranges.h>
#include <map>

namespace memformer {

namespace {

struct Options {
  ModelRequest request;
  int64_t batch = 0, segments = 0, sequence = 0;
  bool json = false;
};

// Dispatches of each kernel in a list of instructions, one pass of each loop.
void countDispatches(const std::vector<Instruction> &instructions, std::vector<int64_t> &counts) {
  for (const Instruction &instruction : instructions) {
    if (instruction.op == Instruction::Op::Dispatch)
      ++counts[instruction.kernel];
    countDispatches(instruction.body, counts);
  }
}

nlohmann::ordered_json tensorJson(const TensorInfo &tensor) {
  return {{"name", tensor.name},
          {"type", tensor.type == ElementType::F32 ? "f32" : "i32"},
          {"shape", tensor.shape}};
}

template <class List> nlohmann::ordered_json tensorsJson(const List &list) {
  auto json = nlohmann::ordered_json::array();
  for (const TensorInfo &tensor : list)
    json.push_back(tensorJson(tensor));
  return json;
}

/// Kernels of a program, with the dispatches of each.
nlohmann::ordered_json kernelsJson(const Manifest &manifest) {
  auto kernels = nlohmann::ordered_json::array();
  std::vector<int64_t> counts(manifest.kernels.size());
  for (size_t i = 0; i < numFunctions; ++i)
    countDispatches(manifest.functions[i], counts);
  for (size_t i = 0; i < manifest.kernels.size(); ++i) {
    const KernelInfo &kernel = manifest.kernels[i];
    nlohmann::ordered_json entry = {{"symbol", kernel.symbol},
                                    {"kind", kernel.kind},
                                    {"flops", kernel.flops},
                                    {"bytes", kernel.bytes},
                                    {"dispatches", counts[i]}};
    if (!manifest.target.isHost()) {
      entry["threads"] = kernel.threads;
      entry["shared_bytes"] = kernel.sharedBytes;
      entry["registers"] = kernel.registers;
      entry["ptx_bytes"] = kernel.ptx.bytes;
      entry["cubin_bytes"] = kernel.cubin ? kernel.cubin->bytes : 0;
    }
    kernels.push_back(std::move(entry));
  }
  return kernels;
}

nlohmann::ordered_json devicesJson(std::span<const Manifest> devices, int64_t segments) {
  auto json = nlohmann::ordered_json::array();
  for (const Manifest &device : devices)
    json.push_back({{"target",
                     {{"kind", device.target.kind},
                      {"architecture", device.target.architecture},
                      {"ptx_version", device.target.ptxVersion}}},
                    {"memory", memoryJson(device, segments)},
                    {"flops", flopsJson(device, segments)},
                    {"kernels", kernelsJson(device)}});
  return json;
}

nlohmann::ordered_json describe(const Artifact &artifact, int64_t segments) {
  const Manifest &manifest = artifact.manifest();
  nlohmann::ordered_json stream;
  if (manifest.stream)
    stream = {{"inputs", tensorsJson(manifest.stream->inputs)},
              {"outputs", tensorsJson(manifest.stream->outputs)},
              {"flops",
               {{"begin", manifest.flops(Function::Begin, 1)},
                {"step", manifest.flops(Function::Step, 1)},
                {"end", manifest.flops(Function::End, 1)}}}};
  nlohmann::ordered_json json = {{"name", manifest.name},
                                 {"producer", manifest.producer},
                                 {"schedule", manifest.schedule},
                                 {"batch", manifest.batch},
                                 {"segments", segments},
                                 {"target",
                                  {{"kind", manifest.target.kind},
                                   {"triple", manifest.target.triple},
                                   {"cpu", manifest.target.cpu}}},
                                 {"parameter_count", manifest.parameterElements()},
                                 {"parameters", tensorsJson(manifest.parameters)},
                                 {"state", tensorsJson(manifest.state)},
                                 {"inputs", tensorsJson(manifest.inputs)},
                                 {"outputs", tensorsJson(manifest.outputs)},
                                 {"memory", memoryJson(manifest, segments)},
                                 {"flops", flopsJson(manifest, segments)},
                                 {"kernels", kernelsJson(manifest)},
                                 {"devices", devicesJson(artifact.devices(), segments)}};
  if (manifest.stream)
    json["stream"] = stream;
  return json;
}

void printTensors(std::string_view title, const nlohmann::ordered_json &tensors) {
  fmt::print("\n{}\n", title);
  size_t width = 0;
  for (const auto &tensor : tensors)
    width = std::max(width, tensor["name"].get_ref<const std::string &>().size());
  for (const auto &tensor : tensors)
    fmt::print("  {:<{}}  {} [{}]\n", tensor["name"].get_ref<const std::string &>(), width,
               tensor["type"].get_ref<const std::string &>(),
               fmt::join(tensor["shape"].get<std::vector<int64_t>>(), ", "));
}

void print(const Manifest &manifest, const nlohmann::ordered_json &json, int64_t segments) {
  fmt::print("{}: {} parameters, schedule {}, batch {}\n", manifest.name,
             manifest.parameterElements(), manifest.schedule, manifest.batch);
  fmt::print("for {} ({}), by {}\n", manifest.target.triple, manifest.target.cpu,
             manifest.producer);
  printTensors("parameters", json["parameters"]);
  if (!manifest.state.empty())
    printTensors("state", json["state"]);
  printTensors("inputs of a segment", json["inputs"]);
  printTensors("outputs of a segment", json["outputs"]);
  if (manifest.stream) {
    printTensors("generation, position after position: inputs", json["stream"]["inputs"]);
    printTensors("generation, position after position: outputs", json["stream"]["outputs"]);
  }
  printCosts(json["costs"], manifest.batch, segments);
  std::map<std::string, std::pair<int64_t, int64_t>> kinds; // kernels, dispatches
  for (const auto &kernel : json["kernels"]) {
    auto &[kernels, dispatches] = kinds[kernel["kind"].get<std::string>()];
    kernels += 1;
    dispatches += kernel["dispatches"].get<int64_t>();
  }
  fmt::print("\n{} kernels\n", manifest.kernels.size());
  for (const auto &[kind, counts] : kinds)
    fmt::print("  {:<20}  {:>4}, dispatched at {} places\n", kind, counts.first, counts.second);
  for (const auto &device : json["devices"]) {
    const auto &target = device["target"];
    const auto &list = device["kernels"];
    const bool assembled = std::ranges::all_of(
        list, [](const auto &kernel) { return kernel["cubin_bytes"].template get<int64_t>() > 0; });
    fmt::print("\nfor CUDA devices of {}: {} kernels as PTX {:.1f}{}, {}\n",
               target["architecture"].get<std::string>(), list.size(),
               target["ptx_version"].get<double>() / 10, assembled ? " and cubins" : "",
               printBytes(device["memory"]["total"].get<uint64_t>()));
  }
}

Result<int> run(const Options &options) {
  ModelRequest request = options.request;
  if (options.batch)
    request.batch = options.batch;
  auto plans = openPlans(request, options.sequence, options.segments);
  if (!plans)
    return std::unexpected(plans.error());
  const Model &model = plans->model;
  int64_t horizon = model.configuration.train.horizon;
  int64_t segments = options.sequence   ? plans->segments
                     : options.segments ? options.segments
                     : horizon          ? horizon
                                        : 8;
  const Manifest &manifest = model.artifact->manifest();
  nlohmann::ordered_json json = describe(*model.artifact, segments);
  json["costs"] = costsJson(*plans, segments);
  if (options.json)
    fmt::print("{}\n", json.dump(2));
  else
    print(manifest, json, segments);
  return 0;
}

} // namespace

void addInspect(CLI::App &app, Action &action) {
  auto options = std::make_shared<Options>();
  CLI::App *command = app.add_subcommand(
      "inspect", "print parameters, state, planned memory, operations and kernels");
  addModelOptions(*command, options->request);
  command->add_option("--batch", options->batch, "rows [train.batch]")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  CLI::Option *segments = command
                              ->add_option("--segments", options->segments,
                                           "segments in a rollout [train.horizon or 8]")
                              ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  command
      ->add_option("--sequence", options->sequence,
                   "tokens in a sequence, which is a rollout [those of the segments]")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 30))
      ->excludes(segments);
  command->add_flag("--generation", options->request.generation,
                    "as it is compiled for generation, not for training");
  command->add_flag("--json", options->json, "print JSON");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

} // namespace memformer
