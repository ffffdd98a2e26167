// memformer-run eval: measures weights on held-out data.
#include "runtime/training/checkpoint.h"
#include "tools/memformer-run/command.h"
#include "tools/memformer-run/report.h"

#include <chrono>

namespace memformer {

namespace {

struct Options {
  ModelRequest request;
  std::string weights;
  unsigned threads = 0;
  bool json = false;
  int64_t progress = 0; // tokens; 0: nothing is said
};

/// A line each time that so many more tokens have been read.
EvaluationProgress printProgress(int64_t every) {
  using Clock = std::chrono::steady_clock;
  return
      [every, begin = Clock::now(), last = int64_t(0)](int64_t tokens, const Score &score) mutable {
        if (tokens - last < every)
          return;
        last = tokens;
        fmt::print(stderr, "{} tokens in {:.3f} s, loss {:.4f}\n", tokens,
                   std::chrono::duration<double>(Clock::now() - begin).count(), score.meanLoss());
      };
}

Result<int> run(const Options &options) {
  auto model = openModel(options.request);
  if (!model)
    return std::unexpected(model.error());
  auto weights = weightsOf(*model, options.weights, options.request.path, "to evaluate");
  if (!weights)
    return std::unexpected(weights.error());
  const Configuration &configuration = model->configuration;
  auto shape = dataShape(model->artifact->manifest());
  if (!shape)
    return std::unexpected(shape.error());
  if (!hasValidation(configuration.data))
    return error("expected [data] to hold something out: validation or validation_path");
  auto source = openSource(configuration.data, Split::Validation, *shape, configuration.train.seed);
  if (!source)
    return std::unexpected(source.error());
  auto plan = planRollouts(configuration.train, **source);
  if (!plan)
    return std::unexpected(plan.error());
  auto session = openSession(*model, options.request, plan->horizon, options.threads);
  if (!session)
    return std::unexpected(session.error());
  MEMFORMER_TRY(loadWeights(**session, *weights));

  auto score =
      evaluateHeldOut(**session, configuration, *shape,
                      options.progress ? printProgress(options.progress) : EvaluationProgress());
  if (!score)
    return std::unexpected(score.error());
  std::vector<GapScore> gaps;
  if (isTask(configuration.data)) {
    int64_t rollouts = configuration.train.evaluateRollouts;
    auto scores = evaluateGaps(**session, configuration.data, *shape, configuration.train.seed,
                               rollouts ? rollouts : taskRollouts);
    if (!scores)
      return std::unexpected(scores.error());
    gaps = std::move(*scores);
  }
  if (options.json)
    fmt::print("{}\n", scoreJson(configuration.data, *score, gaps).dump(2));
  else
    printScore(configuration.data, *score, gaps);
  return 0;
}

} // namespace

void addEval(CLI::App &app, Action &action) {
  auto options = std::make_shared<Options>();
  options->request.data = Split::Validation;
  CLI::App *command = app.add_subcommand("eval", "measure weights on held-out data");
  addModelOptions(*command, options->request);
  addThreads(*command, options->threads);
  addDevice(*command, options->request);
  command->add_option("--weights", options->weights, "weights or a checkpoint [those of the run]");
  command->add_flag("--json", options->json, "print JSON");
  command
      ->add_option("--progress", options->progress,
                   "tokens after which standard error says how far it is, and the loss so far; 0: "
                   "never")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 40))
      ->capture_default_str();
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

} // namespace memformer
