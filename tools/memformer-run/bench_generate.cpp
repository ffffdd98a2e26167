// bench --mode generate: tokens a second, one after the other.
#include "tools/memformer-run/bench_generate.h"

#include "runtime/generation/generator.h"
#include "runtime/generation/sampling.h"
#include "runtime/training/checkpoint.h"
#include "tools/memformer-run/logit_error.h"

#include <algorithm>
#include <chrono>

namespace memformer {

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Seconds of a segment: its beginning with the first position, and each later position.
struct SegmentTime {
  double whole = 0, first = 0;
};

Result<SegmentTime> timeSegment(Generator &generator, Sampler &sampler) {
  std::vector<int32_t> next(static_cast<size_t>(generator.rows()));
  const auto vocab = size_t(generator.vocab());
  SegmentTime time;
  const auto begin = Clock::now();
  for (int64_t i = 0; i < generator.segment(); ++i) {
    auto logits = generator.logits();
    if (!logits)
      return std::unexpected(logits.error());
    for (size_t row = 0; row < next.size(); ++row) {
      auto token = sampler.sample(logits->subspan(row * vocab, vocab), 0, 0);
      if (!token)
        return std::unexpected(token.error());
      next[row] = *token;
    }
    MEMFORMER_TRY(generator.feed(next));
    if (i == 0)
      time.first = secondsSince(begin);
  }
  time.whole = secondsSince(begin);
  return time;
}

Result<std::vector<SegmentTime>> measure(Generator &generator, int64_t repeat, double seconds) {
  Sampler sampler({.temperature = 0});
  std::vector<SegmentTime> times;
  double spent = 0;
  for (int64_t i = -1; i < repeat || spent < seconds; ++i) {
    auto time = timeSegment(generator, sampler);
    if (!time)
      return std::unexpected(time.error());
    if (i < 0)
      continue;
    times.push_back(*time);
    spent += time->whole;
  }
  std::ranges::sort(times, {}, &SegmentTime::whole);
  return times;
}

} // namespace

Result<int> benchGeneration(ModelRequest request, unsigned threads, int64_t segments,
                            int64_t repeat, double seconds, bool asJson, bool profiled) {
  request.generation = true;
  auto model = openModel(request);
  if (!model)
    return std::unexpected(model.error());
  auto session = openSession(*model, request, 1, threads);
  if (!session)
    return std::unexpected(session.error());
  const Manifest &manifest = (*session)->manifest();
  (*session)->initializeParameters(1);
  if (!model->weights.empty())
    MEMFORMER_TRY(loadWeights(**session, model->weights));
  auto error = measureLogitError(**session);
  if (!error)
    return withContext(error, request.path);
  auto generator = Generator::create(**session, 0);
  if (!generator)
    return withContext(generator, request.path);
  auto times = measure(*generator, repeat, seconds);
  if (!times)
    return std::unexpected(times.error());

  const SegmentTime median = (*times)[times->size() / 2];
  const auto positions = double(generator->segment()), rows = double(generator->rows());
  // Of a position that is not the first.
  const double token =
      generator->segment() > 1 ? (median.whole - median.first) / (positions - 1) : median.whole;
  uint64_t bytes = 0;
  for (const Instruction &instruction : manifest.function(Function::Step))
    if (instruction.op == Instruction::Op::Dispatch)
      bytes += manifest.kernels[instruction.kernel].bytes;
  nlohmann::ordered_json json = {
      {"model", request.path},
      {"mode", "generate"},
      {"batch", generator->rows()},
      {"segment", generator->segment()},
      {"device", (*session)->deviceName()},
      {"threads", (*session)->threads()},
      {"segments", segments},
      {"segments_timed", times->size()},
      {"step_seconds",
       {{"min", double(segments) * times->front().whole},
        {"median", double(segments) * median.whole}}},
      {"tokens_per_second", rows * positions / median.whole},
      {"segment_seconds", {{"min", times->front().whole}, {"median", median.whole}}},
      {"position_seconds", token},
      {"position_bytes", bytes},
      {"gigabytes_per_second", double(bytes) / token * 1e-9},
      {"flops",
       {{"begin", manifest.flops(Function::Begin, 1)},
        {"step", manifest.flops(Function::Step, 1)},
        {"end", manifest.flops(Function::End, 1)}}},
      {"compile_seconds", model->compileSeconds},
      {"cached", model->cached},
      {"memory", memoryJson(manifest, 1)}};
  if (*error)
    json["logits"] = {{"positions", (*error)->positions},
                      {"largest", (*error)->largest},
                      {"largest_difference", (*error)->difference},
                      {"mean_divergence", (*error)->meanDivergence},
                      {"largest_divergence", (*error)->largestDivergence}};
  if (profiled) {
    std::vector<KernelTime> kernelTimes(manifest.kernels.size());
    (*session)->setProfile(kernelTimes);
    auto again = measure(*generator, repeat, seconds);
    if (!again)
      return std::unexpected(again.error());
    json["profile"] = profileJson(manifest, kernelTimes, int64_t(again->size()) + 1);
  }
  if (asJson) {
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  fmt::print("generate, batch {}, segments of {}, {}\n", generator->rows(), generator->segment(),
             placeOf(**session));
  fmt::print("tokens    {:.0f} a second, median of {} segments\n",
             json["tokens_per_second"].get<double>(), times->size());
  fmt::print("position  {:.2f} us, {:.2f} MB read and written, {:.1f} GB/s\n", token * 1e6,
             double(bytes) * 1e-6, double(bytes) / token * 1e-9);
  fmt::print("segment   {:.2f} us until its first token\n", median.first * 1e6);
  if (*error)
    fmt::print(
        "logits    within {:.3g} of those of whole segments, whose largest is {:.3g}; divergence "
        "{:.3g} nats, at most {:.3g}, at {} positions\n",
        (*error)->difference, (*error)->largest, (*error)->meanDivergence,
        (*error)->largestDivergence, (*error)->positions);
  fmt::print("memory    {}\n", printBytes(manifest.memoryReport(1).total));
  fmt::print("compiled  in {:.3f} s{}\n", model->compileSeconds, model->cached ? " (cached)" : "");
  if (profiled)
    printProfile(json["profile"], median.whole);
  return 0;
}

} // namespace memformer
