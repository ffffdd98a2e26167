// From what a user names (a configuration, IR, an artifact or a run) to a compiled model and its
// settings.
#include "tools/memformer-run/model.h"

#include "runtime/cuda/device.h"
#include "runtime/file.h"
#include "runtime/training/run_folder.h"
#include "tools/memformer-run/compile_cache.h"

#include <chrono>

namespace memformer {

namespace {

namespace fs = std::filesystem;

bool startsWithMagic(const std::vector<std::byte> &bytes) {
  constexpr std::string_view magic = "MEMFORMR";
  return bytes.size() >= magic.size() &&
         std::string_view(reinterpret_cast<const char *>(bytes.data()), magic.size()) == magic;
}

// What the compiler has fixed cannot be set on its result.
Result<void> checkArtifactRequest(const ModelRequest &request, const Manifest &manifest) {
  if (request.schedule && *request.schedule != manifest.schedule)
    return error("{}: compiled for the schedule {}, not {}: give the model instead", request.path,
                 manifest.schedule, *request.schedule);
  if (request.batch && *request.batch != manifest.batch)
    return error("{}: compiled for batch {}, not {}: give the model instead", request.path,
                 manifest.batch, *request.batch);
  if (request.generation && !manifest.stream)
    return error("{}: compiled without generation: give the model instead, or compile it with "
                 "--for=generation",
                 request.path);
  for (const std::string &option : request.overrides)
    for (std::string_view fixed :
         {"model.", "memory.", "initializer.", "train.batch=", "train.schedule="})
      if (option.starts_with(fixed))
        return error("--set {}: this is compiled into {}: give the model instead", option,
                     request.path);
  return {};
}

Result<Model> openArtifact(const ModelRequest &request, std::vector<std::byte> bytes) {
  Model model;
  auto artifact = Artifact::load(std::move(bytes));
  if (!artifact)
    return withContext(artifact, request.path);
  model.artifact = *artifact;
  const Manifest &manifest = model.artifact->manifest();
  MEMFORMER_TRY(checkArtifactRequest(request, manifest));
  Result<Configuration> configuration =
      request.settings.empty()
          ? parseConfiguration(manifest.configuration, request.path + " (configuration)",
                               request.overrides)
          : readConfiguration(request.settings, request.overrides);
  if (!configuration)
    return std::unexpected(configuration.error());
  model.configuration = std::move(*configuration);
  model.configuration.train.batch = manifest.batch;
  model.configuration.train.schedule = manifest.schedule;
  model.cached = true;
  model.fixed = true;
  return model;
}

Result<Model> compile(const ModelRequest &request, std::string text, std::string suffix,
                      Configuration configuration) {
  CompileRequest compileRequest;
  compileRequest.text = std::move(text);
  compileRequest.suffix = std::move(suffix);
  compileRequest.name = request.path;
  compileRequest.original = compileRequest.suffix != ".toml";
  compileRequest.schedule = request.schedule.value_or(configuration.train.schedule);
  // A model as IR is written for one batch; what is generated is one stream.
  compileRequest.batch = request.batch.value_or(compileRequest.original ? 0
                                                : request.generation ? 1
                                                                     : configuration.train.batch);
  compileRequest.cache = request.cache;
  compileRequest.generation = request.generation;
  compileRequest.plan = request.plan;
  if (!request.device.isHost()) {
    auto device = cuda::describeDevice(request.device.index);
    if (!device)
      return std::unexpected(device.error());
    auto target = cuda::compilerTarget(device->capability);
    if (!target)
      return error("{} runs {}, but the oldest architecture that there is a program for is sm_75",
                   device->name, device->capability.name());
    compileRequest.gpu = *target;
  }
  auto compiled = compileCached(compileRequest);
  if (!compiled)
    return std::unexpected(compiled.error());
  Model model;
  model.artifact = compiled->artifact;
  model.cached = compiled->cached;
  model.configuration = std::move(configuration);
  model.configuration.train.batch = model.artifact->manifest().batch;
  model.configuration.train.schedule = compileRequest.schedule;
  return model;
}

Result<Model> open(const ModelRequest &request) {
  std::error_code code;
  if (fs::is_directory(request.path, code)) {
    RunFolder folder{request.path};
    if (!fs::exists(folder.configuration(), code))
      return error("{}: expected the folder of a run, but it has no {}", request.path,
                   folder.configuration().filename().native());
    ModelRequest inside = request;
    inside.path = folder.configuration().native();
    auto model = open(inside);
    if (!model)
      return model;
    fs::path weights = fs::exists(folder.weights(), code) ? folder.weights() : folder.checkpoint();
    if (fs::exists(weights, code))
      model->weights = weights.native();
    return model;
  }

  auto bytes = readFile(request.path);
  if (!bytes)
    return std::unexpected(bytes.error());
  fs::path path(request.path);
  if (startsWithMagic(*bytes) || path.extension() == ".mfa")
    return openArtifact(request, std::move(*bytes));
  std::string text(reinterpret_cast<const char *>(bytes->data()), bytes->size());
  if (path.extension() == ".mlir" || path.extension() == ".mlirbc") {
    for (const std::string &option : request.overrides)
      for (std::string_view section : {"model.", "memory.", "initializer."})
        if (option.starts_with(section))
          return error("--set {}: {} is a model as IR, which has no configuration", option,
                       request.path);
    auto configuration = request.settings.empty()
                             ? parseConfiguration("", "", request.overrides)
                             : readConfiguration(request.settings, request.overrides);
    if (!configuration)
      return std::unexpected(configuration.error());
    return compile(request, std::move(text), path.extension(), std::move(*configuration));
  }
  if (path.extension() != ".toml")
    return error("{}: expected a configuration (.toml), a model (.mlir), an artifact (.mfa) or the "
                 "folder of a run",
                 request.path);
  auto configuration = parseConfiguration(text, request.path, request.overrides);
  if (!configuration)
    return std::unexpected(configuration.error());
  if (!configuration->hasModel)
    return error("{}: expected a section [model]", request.path);
  if (request.data) {
    const DataShape shape{request.batch.value_or(configuration->train.batch),
                          configuration->model.segment, configuration->model.vocab};
    auto source = openSource(configuration->data, *request.data, shape, configuration->train.seed);
    if (!source)
      return std::unexpected(source.error());
  }
  std::string modelText = configuration->modelText;
  return compile(request, std::move(modelText), ".toml", std::move(*configuration));
}

} // namespace

Result<Model> openModel(const ModelRequest &request) {
  auto begin = std::chrono::steady_clock::now();
  auto model = open(request);
  if (model)
    model->compileSeconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return model;
}

Result<std::string> weightsOf(const Model &model, const std::string &given, const std::string &path,
                              std::string_view purpose) {
  const std::string &weights = given.empty() ? model.weights : given;
  if (weights.empty())
    return error("{}: expected weights {}: give --weights FILE, or the folder of a run", path,
                 purpose);
  return weights;
}

} // namespace memformer
