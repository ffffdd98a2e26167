// memformer-run trace: one rollout on given weights and tokens, and everything that it computes.
#include "runtime/loss_scale.h"
#include "runtime/safetensors.h"
#include "runtime/training/checkpoint.h"
#include "runtime/training/feed.h"
#include "tools/memformer-run/command.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <fmt/ranges.h>
#include <limits>

namespace memformer {

namespace {

struct Options {
  ModelRequest request;
  std::string weights, tokens, out;
  unsigned threads = 1;
};

// The token tensors of a file, all [T,B,L].
struct TokensFile {
  TokenRollout rollout;
  int64_t batch = 0, segment = 0;
};

Result<TokensFile> readTokens(const std::string &path) {
  auto opened = SafetensorsFile::open(path);
  if (!opened)
    return std::unexpected(opened.error());
  const SafetensorsFile &file = *opened;
  TokensFile tokens;
  std::vector<int64_t> shape;
  auto read = [&](const char *name, std::vector<int32_t> &values) -> Result<void> {
    const SafetensorsInfo *tensor = file.find(name);
    if (!tensor)
      return error("{}: expected a tensor '{}', but there is none", path, name);
    if (shape.empty())
      shape = tensor->shape;
    if (tensor->shape != shape || shape.size() != 3 || tensor->elements() == 0)
      return error("{}: expected '{}' to be [segments, batch, segment] like the other tokens, but "
                   "got [{}]",
                   path, name, fmt::join(tensor->shape, ", "));
    values.resize(size_t(tensor->elements()));
    return file.readIntegers(*tensor, values);
  };
  TokenRollout &rollout = tokens.rollout;
  // Not every model reads the segment before.
  if (file.find("encoder_tokens"))
    MEMFORMER_TRY(read("encoder_tokens", rollout.encoderTokens));
  MEMFORMER_TRY(read("decoder_tokens", rollout.decoderTokens));
  MEMFORMER_TRY(read("targets", rollout.targets));
  rollout.segments = shape[0];
  tokens.batch = shape[1];
  tokens.segment = shape[2];
  rollout.reset.assign(size_t(rollout.segments * tokens.batch), 0);
  std::fill_n(rollout.reset.begin(), tokens.batch, 1);
  if (const SafetensorsInfo *tensor = file.find("reset")) {
    if (tensor->shape != std::vector<int64_t>{rollout.segments, tokens.batch})
      return error("{}: expected 'reset' to be [{}, {}], segments and batch, but got [{}]", path,
                   rollout.segments, tokens.batch, fmt::join(tensor->shape, ", "));
    MEMFORMER_TRY(file.readIntegers(*tensor, rollout.reset));
  }
  rollout.counted = std::ranges::count_if(rollout.targets, [](int32_t t) { return t >= 0; });
  return tokens;
}

// Tensors for a file, with the memory behind those that were computed here.
class TensorList {
public:
  void add(std::string name, std::vector<int64_t> shape, std::span<const float> values,
           SafetensorsType type = SafetensorsType::F32) {
    tensors.push_back({std::move(name), type, std::move(shape), std::as_bytes(values)});
  }
  /// Memory of f32, or of as many i32.
  std::vector<float> &own(size_t count) { return owned.emplace_back(count); }
  std::vector<SafetensorsTensor> tensors;

private:
  std::deque<std::vector<float>> owned; // grows without moving its entries
};

// The outputs that a function collects, in its loops.
std::vector<uint32_t> outputsOf(const std::vector<Instruction> &instructions) {
  std::vector<uint32_t> outputs;
  for (const Instruction &instruction : instructions)
    for (uint32_t output : instruction.outputs)
      if (std::ranges::find(outputs, output) == outputs.end())
        outputs.push_back(output);
  return outputs;
}

Result<void> traceForward(Session &session, const Rollout &rollout, TensorList &list) {
  const Manifest &manifest = session.manifest();
  std::vector<OutputSink> sinks;
  for (uint32_t index : outputsOf(manifest.function(Function::Trace))) {
    const TensorInfo &output = manifest.outputs[index];
    // The loss is that of the schedule's own traversal; the rest is what model.md names.
    auto state = manifest.findState(output.name);
    if (output.name == "loss" || (output.type != ElementType::F32 && !state))
      continue;
    // The state before each segment, and after them all the one in the last slot.
    int64_t count = rollout.segments + (state ? 1 : 0);
    std::vector<float> &values = list.own(size_t(count * output.elements()));
    std::vector<int64_t> shape = output.shape;
    shape.insert(shape.begin(), count);
    list.add(output.name, shape, values,
             output.type == ElementType::F32 ? SafetensorsType::F32 : SafetensorsType::I32);
    sinks.push_back({output.name, values.data()});
  }
  MEMFORMER_TRY(session.trace(rollout, sinks));
  for (const SafetensorsTensor &tensor : list.tensors) {
    auto state = manifest.findState(tensor.name);
    if (!state)
      continue;
    const TensorInfo &info = manifest.state[*state];
    auto last = std::as_const(session).state(rollout.segments).subspan(info.offset, info.bytes());
    auto *bytes = const_cast<std::byte *>(tensor.bytes.data());
    std::ranges::copy(last, bytes + tensor.bytes.size() - last.size());
  }
  return session.status();
}

// The gradients of a rollout, times the loss scale that is returned: the configuration's, or where
// that is dynamic the largest with which they are finite.
Result<double> trainScaled(Session &session, const TrainSettings &train, Rollout &rollout,
                           int64_t counted, std::span<const OutputSink> outputs) {
  LossScale scale = train.dynamicLossScale ? LossScale::dynamic() : LossScale{train.lossScale};
  for (;; scale.update(std::numeric_limits<double>::infinity())) {
    rollout.lossScale = counted ? float(scale.value) / float(counted) : 0.0f;
    MEMFORMER_TRY(session.train(rollout, outputs));
    auto isFinite = [](float x) { return std::isfinite(x); };
    bool all = true;
    for (size_t i = 0; i < session.manifest().parameters.size(); ++i)
      all &= std::ranges::all_of(std::as_const(session).gradient(i), isFinite);
    if (all || !scale.isDynamic || LossScale{scale.value / 2}.isExhausted())
      return scale.value;
  }
}

Result<int> run(const Options &options) {
  auto tokens = readTokens(options.tokens);
  if (!tokens)
    return std::unexpected(tokens.error());
  ModelRequest request = options.request;
  request.batch = tokens->batch;
  auto model = openModel(request);
  if (!model)
    return std::unexpected(model.error());
  auto shape = dataShape(model->artifact->manifest());
  if (!shape)
    return std::unexpected(shape.error());
  if (shape->segment != tokens->segment)
    return error("{}: expected segments of {} tokens, as the model has, but got {}", options.tokens,
                 shape->segment, tokens->segment);
  TokenRollout &data = tokens->rollout;
  if (model->artifact->manifest().findInput("encoder_tokens") && data.encoderTokens.empty())
    return error("{}: expected a tensor 'encoder_tokens', but there is none", options.tokens);
  auto session = openSession(*model, options.request, data.segments, options.threads);
  if (!session)
    return std::unexpected(session.error());
  MEMFORMER_TRY(loadWeights(**session, options.weights));
  (*session)->setSeed(model->configuration.train.seed);
  (*session)->setStep(1);

  const auto inputs = inputsOf(data, model->artifact->manifest());
  Rollout rollout;
  rollout.segments = data.segments;
  rollout.inputs = inputs;
  rollout.reset = data.reset.data();
  TensorList list;
  if (auto traced = traceForward(**session, rollout, list); !traced)
    return withContext(traced, options.tokens);

  std::vector<float> &loss = list.own(data.targets.size());
  const OutputSink outputs[] = {{"loss", loss.data()}};
  auto scale = trainScaled(**session, model->configuration.train, rollout, data.counted, outputs);
  if (!scale)
    return withContext(scale, options.tokens);
  std::vector<float> &segmentLoss = list.own(size_t(data.segments));
  const size_t perSegment = data.targets.size() / size_t(data.segments);
  double total = 0;
  for (size_t t = 0; t < segmentLoss.size(); ++t) {
    double sum = 0;
    for (size_t i = 0; i < perSegment; ++i)
      sum += double(loss[t * perSegment + i]);
    segmentLoss[t] = float(sum);
    total += sum;
  }
  std::vector<float> &mean = list.own(1);
  mean[0] = data.counted ? float(total / double(data.counted)) : 0.0f;
  list.add("loss", {1}, mean);
  list.add("segment_loss", {data.segments}, segmentLoss);
  const auto &parameters = model->artifact->manifest().parameters;
  for (size_t i = 0; i < parameters.size(); ++i) {
    auto scaled = std::as_const(**session).gradient(i);
    std::vector<float> &gradient = list.own(scaled.size());
    std::ranges::transform(scaled, gradient.begin(),
                           [&](float entry) { return float(double(entry) / *scale); });
    list.add("grad." + parameters[i].name, parameters[i].shape, gradient);
  }
  MEMFORMER_TRY((*session)->status());
  MEMFORMER_TRY(writeSafetensors(options.out, list.tensors));
  fmt::print("loss {:.6f}, {} tensors in {}\n", mean[0], list.tensors.size(), options.out);
  return 0;
}

} // namespace

void addTrace(CLI::App &app, Action &action) {
  auto options = std::make_shared<Options>();
  CLI::App *command = app.add_subcommand(
      "trace", "run one rollout and write its loss, logits, memories, attention and gradients");
  addModelOptions(*command, options->request);
  addThreads(*command, options->threads);
  addDevice(*command, options->request);
  command->add_option("--weights", options->weights, "weights or a checkpoint")->required();
  command
      ->add_option("--tokens", options->tokens,
                   "safetensors with decoder_tokens, targets and, where the model reads them, "
                   "encoder_tokens, [segments, batch, segment]; reset, [segments, batch], nonzero "
                   "where a row restarts before a segment [1 in the first, else 0]")
      ->required();
  command->add_option("--out", options->out, "safetensors file to write")->required();
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

} // namespace memformer
