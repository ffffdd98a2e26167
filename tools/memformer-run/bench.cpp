// memformer-run bench: times steps on random tokens.
#include "runtime/data/random.h"
#include "runtime/training/feed.h"
#include "tools/memformer-run/bench_generate.h"
#include "tools/memformer-run/command.h"

#include <algorithm>
#include <chrono>

namespace memformer {

namespace {

struct Options {
  ModelRequest request;
  int64_t batch = 0, segments = 0;
  std::string mode = "train";
  unsigned threads = 1;
  int64_t repeat = 5;
  double seconds = 2;
  bool json = false, profile = false;
};

// Every token random, every target counted.
TokenRollout randomRollout(int64_t segments, const DataShape &shape) {
  TokenRollout rollout;
  rollout.assign(segments, shape, 0);
  Random random{1};
  for (auto *tokens : {&rollout.encoderTokens, &rollout.decoderTokens, &rollout.targets})
    for (int32_t &token : *tokens)
      token = int32_t(random.below(shape.vocab));
  std::fill_n(rollout.reset.begin(), shape.batch, 1);
  rollout.counted = int64_t(rollout.targets.size());
  return rollout;
}

constexpr int64_t warmUp = 2; // steps that are not counted

// Seconds of each step after the warm-up.
Result<std::vector<double>> measure(Session &session, const TokenRollout &tokens,
                                    const Options &options) {
  const auto inputs = inputsOf(tokens, session.manifest());
  Rollout rollout;
  rollout.segments = tokens.segments;
  rollout.inputs = inputs;
  rollout.reset = tokens.reset.data();
  rollout.lossScale = 1.0f / float(tokens.counted);
  OptimizerScalars scalars;
  scalars.learningRate = 1e-4;
  scalars.maxGradientNorm = 1;
  const bool training = options.mode == "train";
  std::vector<double> times;
  double spent = 0;
  for (int64_t i = -warmUp; i < options.repeat || spent < options.seconds; ++i) {
    auto begin = std::chrono::steady_clock::now();
    if (training) {
      scalars.step = uint64_t(i + warmUp + 1);
      session.setStep(scalars.step);
      MEMFORMER_TRY(session.train(rollout));
      MEMFORMER_TRY(session.update(scalars));
    } else {
      MEMFORMER_TRY(session.evaluate(rollout));
    }
    double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (i >= 0) {
      times.push_back(seconds);
      spent += seconds;
    }
  }
  std::ranges::sort(times);
  return times;
}

} // namespace

nlohmann::ordered_json profileJson(const Manifest &manifest, const std::vector<KernelTime> &times,
                                   int64_t steps) {
  std::vector<size_t> order;
  for (size_t kernel = 0; kernel < times.size(); ++kernel)
    if (times[kernel].dispatches)
      order.push_back(kernel);
  std::ranges::sort(order, std::greater{}, [&](size_t kernel) { return times[kernel].seconds; });
  auto json = nlohmann::ordered_json::array();
  for (size_t kernel : order) {
    const KernelInfo &info = manifest.kernels[kernel];
    const KernelTime &time = times[kernel];
    double count = double(time.dispatches);
    json.push_back({{"kernel", info.symbol},
                    {"kind", info.kind},
                    {"dispatches", count / double(steps)},
                    {"seconds", time.seconds / double(steps)},
                    {"gflops", double(info.flops) * count / time.seconds * 1e-9},
                    {"gigabytes_per_second", double(info.bytes) * count / time.seconds * 1e-9}});
  }
  return json;
}

void printProfile(const nlohmann::ordered_json &profile, double step) {
  fmt::print("\n{:<28} {:>10} {:>12} {:>8} {:>10} {:>8}\n", "kernel", "dispatches", "ms a step",
             "share", "GFLOP/s", "GB/s");
  for (const auto &row : profile)
    fmt::print("{:<28} {:>10.0f} {:>12.3f} {:>6.1f} % {:>10.1f} {:>8.1f}\n",
               row["kernel"].get<std::string>(), row["dispatches"].get<double>(),
               1e3 * row["seconds"].get<double>(), 100 * row["seconds"].get<double>() / step,
               row["gflops"].get<double>(), row["gigabytes_per_second"].get<double>());
}

namespace {

Result<int> run(const Options &options) {
  ModelRequest request = options.request;
  if (options.batch)
    request.batch = options.batch;
  if (options.mode == "generate")
    return benchGeneration(request, options.threads, std::max<int64_t>(options.segments, 1),
                           options.repeat, options.seconds, options.json, options.profile);
  auto model = openModel(request);
  if (!model)
    return std::unexpected(model.error());
  auto shape = dataShape(model->artifact->manifest());
  if (!shape)
    return std::unexpected(shape.error());
  int64_t segments = options.segments                     ? options.segments
                     : model->configuration.train.horizon ? model->configuration.train.horizon
                                                          : 8;
  auto session = openSession(*model, request, segments, options.threads);
  if (!session)
    return std::unexpected(session.error());
  const Manifest &manifest = (*session)->manifest();
  (*session)->initializeParameters(1);
  auto times = measure(**session, randomRollout(segments, *shape), options);
  if (!times)
    return std::unexpected(times.error());
  // Apart from the steps that are reported: reading the clock costs time too.
  std::vector<KernelTime> kernelTimes(options.profile ? manifest.kernels.size() : 0);
  nlohmann::ordered_json profile;
  if (options.profile) {
    (*session)->setProfile(kernelTimes);
    auto profiled = measure(**session, randomRollout(segments, *shape), options);
    if (!profiled)
      return std::unexpected(profiled.error());
    profile = profileJson(manifest, kernelTimes, int64_t(profiled->size()) + warmUp);
  }

  double least = times->front(), median = (*times)[times->size() / 2];
  double tokens = double(shape->batch * segments * shape->segment);
  nlohmann::ordered_json json = {{"model", options.request.path},
                                 {"mode", options.mode},
                                 {"schedule", manifest.schedule},
                                 {"batch", shape->batch},
                                 {"segments", segments},
                                 {"segment", shape->segment},
                                 {"device", (*session)->deviceName()},
                                 {"threads", (*session)->threads()},
                                 {"steps", times->size()},
                                 {"step_seconds", {{"min", least}, {"median", median}}},
                                 {"tokens_per_second", tokens / median},
                                 {"compile_seconds", model->compileSeconds},
                                 {"cached", model->cached},
                                 {"flops", flopsJson(manifest, segments)},
                                 {"memory", memoryJson(manifest, segments)}};
  if (options.profile)
    json["profile"] = profile;
  if (options.json) {
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  auto operations = json["flops"][options.mode == "train" ? "step" : "forward"].get<double>();
  fmt::print("{}, {}, batch {}, {} segments of {}, {}\n", options.mode, manifest.schedule,
             shape->batch, segments, shape->segment, placeOf(**session));
  fmt::print("step      {:.6f} s median of {}, {:.6f} s least\n", median, times->size(), least);
  fmt::print("tokens    {:.0f} a second\n", tokens / median);
  fmt::print("work      {:.3f} GFLOP a step, {:.1f} GFLOP/s\n", operations * 1e-9,
             operations * 1e-9 / median);
  fmt::print("memory    {}\n", printBytes(manifest.memoryReport(segments).total));
  fmt::print("compiled  in {:.3f} s{}\n", model->compileSeconds, model->cached ? " (cached)" : "");
  if (options.profile)
    printProfile(profile, median);
  return 0;
}

} // namespace

void addBench(CLI::App &app, Action &action) {
  auto options = std::make_shared<Options>();
  CLI::App *command = app.add_subcommand("bench", "time steps on random tokens");
  addModelOptions(*command, options->request);
  addThreads(*command, options->threads);
  addDevice(*command, options->request);
  command->add_option("--batch", options->batch, "rows [train.batch]")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  command->add_option("--segments", options->segments, "segments in a rollout [train.horizon or 8]")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  command
      ->add_option("--mode", options->mode,
                   "train (a step), infer (forward alone) or generate (token by token)")
      ->check(CLI::IsMember({"train", "infer", "generate"}))
      ->capture_default_str();
  command->add_option("--repeat", options->repeat, "steps at least")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 30))
      ->capture_default_str();
  command->add_option("--seconds", options->seconds, "measure at least this long")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  command->add_flag("--profile", options->profile, "time of each kernel, in steps of their own");
  command->add_flag("--json", options->json, "print JSON");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

} // namespace memformer
