// memformer-run train: trains a model into a folder.
#include "runtime/training/trainer.h"
#include "tools/memformer-run/command.h"
#include "tools/memformer-run/report.h"

#include <csignal>
#include <filesystem>

namespace memformer {

namespace {

struct Options {
  ModelRequest request;
  std::string out;
  std::string weights;
  unsigned threads = 0;
  bool resume = false, overwrite = false, json = false;
};

std::atomic<bool> stopRequested = false;

// The first signal ends training in good order, the second at once.
void stopOnSignals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { stopRequested.store(true); };
  action.sa_flags = int(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

// runs/NAME for NAME.toml; the folder itself for a run.
std::string defaultFolder(const std::string &path) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code))
    return path;
  return (std::filesystem::path("runs") / std::filesystem::path(path).stem()).native();
}

Result<int> run(const Options &options) {
  auto model = openModel(options.request);
  if (!model)
    return std::unexpected(model.error());
  const Manifest &manifest = model->artifact->manifest();
  const Configuration &configuration = model->configuration;
  auto shape = dataShape(manifest);
  if (!shape)
    return std::unexpected(shape.error());
  auto source = openSource(configuration.data, Split::Train, *shape, configuration.train.seed);
  if (!source)
    return std::unexpected(source.error());
  auto plan = planRollouts(configuration.train, **source);
  if (!plan)
    return std::unexpected(plan.error());
  // Found now, not after hours of training.
  if (hasValidation(configuration.data))
    if (auto heldOut =
            openSource(configuration.data, Split::Validation, *shape, configuration.train.seed);
        !heldOut)
      return std::unexpected(heldOut.error());

  auto session = openSession(*model, options.request, plan->horizon, options.threads);
  if (!session)
    return std::unexpected(session.error());
  TrainOptions trainOptions;
  trainOptions.folder.path =
      options.out.empty() ? defaultFolder(options.request.path) : options.out;
  trainOptions.existing = options.resume      ? ExistingRun::Resume
                          : options.overwrite ? ExistingRun::Overwrite
                                              : ExistingRun::Refuse;
  trainOptions.weights = options.weights;
  trainOptions.out = options.json ? stderr : stdout;
  trainOptions.stop = &stopRequested;
  stopOnSignals();
  fmt::print(trainOptions.out, "{}: {} parameters, batch {}, {} segments of {}, {}, {}, {}\n",
             manifest.name, manifest.parameterElements(), manifest.batch, plan->horizon,
             shape->segment, manifest.schedule, placeOf(**session),
             printBytes((*session)->manifest().memoryReport(plan->horizon).total));
  auto result = train(**session, configuration, **source, trainOptions);
  if (!result)
    return std::unexpected(result.error());

  const std::string folder = trainOptions.folder.path.native();
  if (result->stopped) {
    fmt::print(trainOptions.out, "stopped after step {}; go on with --resume --out {}\n",
               result->progress.step, folder);
    return 130; // as a shell reports an interrupt
  }
  if (options.json) {
    nlohmann::ordered_json json = {{"folder", folder},
                                   {"step", result->progress.step},
                                   {"seconds", result->progress.seconds},
                                   {"tokens", result->progress.tokens},
                                   {"loss", result->loss}};
    if (result->evaluated)
      json["evaluation"] = scoreJson(configuration.data, result->heldOut, result->gaps);
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  fmt::print("trained {} steps in {}; weights in {}\n", result->progress.step,
             printDuration(result->progress.seconds), trainOptions.folder.weights().native());
  if (result->evaluated)
    printScore(configuration.data, result->heldOut, result->gaps);
  return 0;
}

} // namespace

void addTrain(CLI::App &app, Action &action) {
  auto options = std::make_shared<Options>();
  options->request.data = Split::Train;
  CLI::App *command = app.add_subcommand("train", "train a model, or go on with a run");
  addModelOptions(*command, options->request);
  addThreads(*command, options->threads);
  addDevice(*command, options->request);
  command->add_option("--out", options->out, "folder of the run [runs/NAME]");
  command->add_option("--weights", options->weights,
                      "where a new run begins: weights or a checkpoint");
  auto *resume = command->add_flag("--resume", options->resume,
                                   "go on from the last checkpoint, or begin where there is none");
  command->add_flag("--overwrite", options->overwrite, "replace the run in the folder")
      ->excludes(resume);
  command->add_flag("--json", options->json,
                    "print the result as JSON, progress to standard error");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

} // namespace memformer
