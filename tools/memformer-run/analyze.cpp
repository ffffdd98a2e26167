// memformer-run analyze: what the slots of a memory attend to on a text, as JSON and as a page.
#include "runtime/file.h"
#include "runtime/training/checkpoint.h"
#include "runtime/training/feed.h"
#include "tools/memformer-run/analysis/analysis.h"
#include "tools/memformer-run/analysis/page.h"
#include "tools/memformer-run/command.h"

#include <algorithm>
#include <cmath>
#include <fmt/ranges.h>

namespace memformer {

namespace {

struct Options {
  ModelRequest request;
  std::string weights, text, tokens, out;
  int64_t segments = 256;
  std::optional<int64_t> write; // after this layer of the encoder; else the last
  AnalysisSettings settings;
  unsigned threads = 0;
};

constexpr std::string_view lastWrite = "write_attention", biasName = "memory.bias";
constexpr int64_t maxEncoderLayers = 1024; // more than any model has
constexpr int64_t tracedTogether = 4;      // segments in a rollout: attention is large

/// What is read, and how its tokens are shown.
struct Input {
  std::unique_ptr<Source> source;
  bool text = false;
  std::string name; // for the page; "" for a built-in task
};

Result<Input> openInput(const Options &options, const Configuration &configuration,
                        const DataShape &shape) {
  DataSettings data = configuration.data;
  Input input;
  input.text = readsText(configuration, shape.vocab);
  if (!options.text.empty() && !input.text)
    return error("{}: the tokens of this model are not bytes: give --tokens FILE instead of text",
                 options.request.path);
  const std::string &path = options.text.empty() ? options.tokens : options.text;
  if (!path.empty()) {
    // All of the file is held out.
    data.kind = options.text.empty() ? "tokens" : "text";
    data.path = data.validationPath = path;
    input.text = !options.text.empty();
  } else if (data.kind.empty()) {
    return error("{}: expected --text FILE or --tokens FILE, or [data] to hold something out",
                 options.request.path);
  } else if (!hasValidation(data)) {
    return error("expected [data] to hold something out, or --text FILE or --tokens FILE");
  }
  auto source = openSource(data, Split::Validation, shape, configuration.train.seed);
  if (!source)
    return std::unexpected(source.error());
  input.source = std::move(*source);
  if (!isTask(data))
    input.name = std::filesystem::path(
                     path.empty() && data.validationPath.empty() ? data.path : data.validationPath)
                     .filename();
  return input;
}

/// Of a slot: ‖v‖.
std::vector<double> biasNorms(const Session &session, uint32_t parameter, int64_t slots) {
  const std::span<const float> values = session.parameter(parameter);
  const size_t width = values.size() / size_t(slots);
  std::vector<double> norms;
  for (int64_t slot = 0; slot < slots; ++slot) {
    double sum = 0;
    for (float value : values.subspan(size_t(slot) * width, width))
      sum += double(value) * double(value);
    norms.push_back(std::sqrt(sum));
  }
  return norms;
}

/// The sizes that an analysis needs, of a model whose write it can see.
struct MemoryShape {
  std::string attention;      // the output of the write in question
  std::vector<int64_t> early; // layers after which the memory is written too, before the last write
  int64_t heads = 0, slots = 0, vectors = 0;
  uint32_t bias = 0;
};

Result<MemoryShape> memoryShape(const Manifest &manifest, const DataShape &shape,
                                const Options &options) {
  const std::string &path = options.request.path;
  const auto last = manifest.findOutput(lastWrite);
  const auto bias = manifest.findParameter(biasName);
  if (!last || !bias || !manifest.findInput("encoder_tokens"))
    return error("{}: expected a model with memory slots that segments are written to (kind = "
                 "\"memformer\", memory.slots of at least 1), but '{}' {}",
                 path, manifest.name,
                 !last   ? "yields no attention of a write"
                 : !bias ? "has no parameter 'memory.bias'"
                         : "has no input 'encoder_tokens'");
  MemoryShape memory;
  for (int64_t layer = 0; layer < maxEncoderLayers; ++layer)
    if (manifest.findOutput(fmt::format("{}.{}", lastWrite, layer)))
      memory.early.push_back(layer);
  memory.attention = lastWrite;
  if (options.write) {
    if (std::ranges::find(memory.early, *options.write) == memory.early.end())
      return error("{}: expected --write to be a layer after which the memory is written before "
                   "the last write, {}, but got {}",
                   path,
                   memory.early.empty() ? "of which there are none"
                                        : fmt::format("{}", fmt::join(memory.early, " or ")),
                   *options.write);
    memory.attention = fmt::format("{}.{}", lastWrite, *options.write);
  }
  // [B, H, K, 1 + L + C]
  const std::vector<int64_t> &sizes =
      manifest.outputs[*manifest.findOutput(memory.attention)].shape;
  const std::vector<int64_t> &rows = manifest.parameters[*bias].shape;
  if (sizes.size() != 4 || sizes[0] != shape.batch || sizes[3] < 1 + shape.segment ||
      rows.size() != 2 || rows[0] != sizes[2])
    return error("{}: expected '{}' to be [batch, heads, slots, 1 + tokens] and '{}' [slots, "
                 "width], but got [{}] and [{}]",
                 path, memory.attention, biasName, fmt::join(sizes, ", "), fmt::join(rows, ", "));
  if (sizes[3] > 65536)
    return error("{}: expected segments of at most 65535 tokens, but got {}", path, sizes[3] - 1);
  memory.heads = sizes[1];
  memory.slots = sizes[2];
  memory.vectors = sizes[3] - 1 - shape.segment;
  memory.bias = *bias;
  return memory;
}

bool hasTargets(const TokenRollout &tokens, int64_t segment) {
  const auto perSegment = tokens.targets.size() / size_t(tokens.segments);
  return std::ranges::any_of(
      std::span(tokens.targets).subspan(size_t(segment) * perSegment, perSegment),
      [](int32_t target) { return target >= 0; });
}

Result<void> collect(Session &session, Source &source, const std::string &attentionName,
                     int64_t limit, Analysis &analysis) {
  const Manifest &manifest = session.manifest();
  const auto entries = size_t(manifest.outputs[*manifest.findOutput(attentionName)].elements());
  std::vector<float> attention(entries * size_t(session.segments()));
  TokenRollout tokens;
  uint64_t position = 0;
  for (int64_t left = 0; analysis.segments() < limit && !(left == 0 && source.finished());) {
    // A sequence of a task goes through the session in pieces.
    if (left == 0)
      left = source.rolloutSegments();
    int64_t count = std::min(session.segments(), limit - analysis.segments());
    if (left)
      count = std::min(count, left);
    source.next(count, count, tokens);
    left -= left ? count : 0;
    const auto inputs = inputsOf(tokens, manifest);
    Rollout rollout;
    rollout.segments = count;
    rollout.inputs = inputs;
    rollout.reset = tokens.reset.data();
    rollout.position = position;
    const OutputSink sinks[] = {{attentionName, attention.data()}};
    MEMFORMER_TRY(session.trace(rollout, sinks));
    MEMFORMER_TRY(session.status());
    // The last rollout of a text may be longer than what is left of it.
    int64_t read = count;
    while (source.finished() && read > 0 && !hasTargets(tokens, read - 1))
      --read;
    const size_t length = tokens.encoderTokens.size() / size_t(count);
    for (size_t t = 0; t < size_t(read); ++t)
      analysis.add(std::span<const int32_t>(tokens.encoderTokens).subspan(t * length, length),
                   std::span<const float>(attention).subspan(t * entries, entries),
                   tokens.reset[t] != 0);
    session.moveState(count, 0);
    position += uint64_t(count);
  }
  return {};
}

Result<void> write(const Options &options, const nlohmann::ordered_json &json) {
  const std::filesystem::path folder(options.out);
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  if (code)
    return error("cannot create the folder {}: {}", options.out, code.message());
  std::string text = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  MEMFORMER_TRY(writeFileAtomically(folder / "analysis.json", text + "\n"));
  // Nothing in the data may end the element that holds it.
  for (size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at))
    text.replace(at, 1, "\\u003c");
  return writeFileAtomically(folder / "analysis.html", [&](FileWriter &writer) -> Result<void> {
    MEMFORMER_TRY(writer.write(analysisPageBefore));
    MEMFORMER_TRY(writer.write(text));
    return writer.write(analysisPageAfter);
  });
}

void printSummary(const Options &options, const Analysis &analysis, const MemoryShape &memory) {
  constexpr const char *names[] = {"keeps", "blends", "replaces"};
  if (!memory.early.empty())
    fmt::print("the memory is written {} times in a segment; this is {}\n", memory.early.size() + 1,
               options.write ? fmt::format("the write after layer {}", *options.write)
                             : std::string("the last write"));
  fmt::print("{} slots with {} {}, {} {}\n", memory.slots, memory.heads,
             memory.heads == 1 ? "head" : "heads", analysis.segments(),
             analysis.segments() == 1 ? "segment" : "segments");
  for (size_t type = 0; type < 3; ++type) {
    int64_t sum = 0;
    for (const auto &counts : analysis.typesOverTime())
      sum += counts[type];
    fmt::print("type {}, {:<10} {:>5.1f} %\n", type + 1, names[type],
               100 * double(sum) / double(memory.slots * analysis.segments()));
  }
  fmt::print("{}/analysis.json, {}/analysis.html\n", options.out, options.out);
}

Result<int> run(const Options &options) {
  if (options.settings.replaces >= options.settings.keeps)
    return error("expected --replaces to be below --keeps, but got {} and {}",
                 options.settings.replaces, options.settings.keeps);
  ModelRequest request = options.request;
  request.batch = 1;
  auto model = openModel(request);
  if (!model)
    return std::unexpected(model.error());
  auto weights = weightsOf(*model, options.weights, options.request.path, "to analyse");
  if (!weights)
    return std::unexpected(weights.error());
  const Manifest &manifest = model->artifact->manifest();
  auto shape = dataShape(manifest);
  if (!shape)
    return std::unexpected(shape.error());
  auto memory = memoryShape(manifest, *shape, options);
  if (!memory)
    return std::unexpected(memory.error());
  auto input = openInput(options, model->configuration, *shape);
  if (!input)
    return std::unexpected(input.error());
  auto session = openSession(*model, options.request, std::min(tracedTogether, options.segments),
                             options.threads);
  if (!session)
    return std::unexpected(session.error());
  MEMFORMER_TRY(loadWeights(**session, *weights));

  Analysis analysis(memory->slots, memory->heads, shape->segment, memory->vectors,
                    options.settings);
  MEMFORMER_TRY(collect(**session, *input->source, memory->attention, options.segments, analysis));
  nlohmann::ordered_json json = {
      {"model", options.request.path}, {"source", input->name}, {"text", input->text}};
  // Of several writes in a segment, which one this is.
  json["write"] = memory->attention;
  json.update(analysis.finish(biasNorms(**session, memory->bias, memory->slots)));
  MEMFORMER_TRY(write(options, json));
  printSummary(options, analysis, *memory);
  return 0;
}

} // namespace

void addAnalyze(CLI::App &app, Action &action) {
  auto options = std::make_shared<Options>();
  CLI::App *command = app.add_subcommand(
      "analyze", "show what the slots of a memory attend to, as JSON and as a page");
  addModelOptions(*command, options->request);
  addThreads(*command, options->threads);
  addDevice(*command, options->request);
  command->add_option("--weights", options->weights, "weights or a checkpoint [those of the run]");
  CLI::Option *text =
      command->add_option("--text", options->text, "a file of text to read [held-out data]");
  command
      ->add_option("--tokens", options->tokens,
                   "a file of token ids to read, as data.kind = \"tokens\" has them")
      ->excludes(text);
  command->add_option("--out", options->out, "folder for analysis.json and analysis.html")
      ->required();
  command->add_option("--write", options->write,
                      "of a model that is written several times in a segment: the write after "
                      "this layer of the encoder [the last]");
  command->add_option("--segments", options->segments, "segments to look at, at most")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20))
      ->capture_default_str();
  command
      ->add_option("--keeps", options->settings.keeps,
                   "a slot keeps its content (type 1) at a self weight of at least this")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      ->add_option("--replaces", options->settings.replaces,
                   "a slot replaces its content (type 3) at a self weight of at most this")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      ->add_option("--positions", options->settings.positions,
                   "tokens to store for a slot at a segment, those of most attention")
      ->check(CLI::Range(int64_t(0), int64_t(65535)))
      ->capture_default_str();
  command
      ->add_option("--limit", options->settings.limit,
                   "tokens to store in all; beyond it those of the mean over the heads alone, and "
                   "fewer of them")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 40))
      ->capture_default_str();
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

} // namespace memformer
