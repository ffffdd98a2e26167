// The configuration of a model and of its training: TOML text parsed into plain, checked values.
#include "runtime/configuration.h"

#include "runtime/file.h"
#include "runtime/loss_scale.h"
#include "runtime/table_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>

namespace memformer {

namespace {

constexpr int64_t mostWidth = 1 << 20;
constexpr int64_t mostCount = 1 << 24;
constexpr int64_t mostLayers = 4096;
constexpr double infinite = std::numeric_limits<double>::infinity();

bool cachesHiddenStates(const ModelSettings &model) {
  return model.kind == "transformer-xl" || model.kind == "compressive-transformer";
}

void readModel(TableReader &reader, ModelSettings &model) {
  reader.enter("model");
  const std::vector<std::string_view> types = {"f32", "bf16", "int8"};
  const std::vector<std::string_view> kinds = {"memformer", "transformer", "transformer-xl",
                                               "compressive-transformer", "lstm"};
  size_t kind = 0, activation = 0, norm = 0, precision = 0;
  reader.choice("kind", kind, kinds);
  model.kind = kinds[kind];
  auto size = [&](std::string_view key, int64_t &value, int64_t most) {
    reader.require(key);
    reader.integer(key, value, 1, most);
  };
  size("vocab", model.vocab, std::numeric_limits<int32_t>::max() - 1);
  size("d_model", model.width, mostWidth);
  size("segment", model.segment, mostWidth);
  reader.number("dropout", model.dropout, 0, 1, ")");
  reader.boolean("tie_embeddings", model.tieEmbeddings);
  if (model.kind != "lstm") {
    size("heads", model.heads, mostWidth);
    size("d_ff", model.feedForward, mostCount);
    reader.choice("activation", activation, {"gelu", "relu"});
    reader.choice("norm", norm, {"pre", "post"});
  }
  if (model.kind == "memformer") {
    size("encoder_layers", model.encoderLayers, mostLayers);
    size("decoder_layers", model.decoderLayers, mostLayers);
    reader.integer("cls_tokens", model.clsTokens, 0, mostWidth);
  } else {
    size("layers", model.layers, mostLayers);
  }
  if (cachesHiddenStates(model))
    reader.boolean("untied_biases", model.untiedBiases);
  const std::vector<std::string_view> precisions = {"f32", "bf16", "f16", "tf32"};
  reader.choice("precision", precision, precisions);
  model.precision = precisions[precision];
  // CPUs, where alone these are read, multiply f32 in the other precisions.
  size_t weights = model.precision == "bf16" ? 1 : 0;
  reader.choice("generation_weights", weights, types);
  model.generationWeights = types[weights];
  model.activation = activation == 0 ? "gelu" : "relu";
  model.postNorm = norm == 1;
  if (model.width > 0 && model.heads > 0 && model.width % model.heads != 0)
    reader.fail("heads", fmt::format("expected heads to divide d_model = {}, but got {}",
                                     model.width, model.heads));
}

void readCaches(TableReader &reader, const ModelSettings &model, MemorySettings &memory) {
  const std::vector<std::string_view> compressions = {"convolution", "mean", "max", "most-used"};
  size_t gradient = 0, compression = 0;
  memory.length = model.segment;
  reader.integer("length", memory.length, 1, mostWidth);
  reader.choice("gradient", gradient, {"stop", "replay"});
  memory.replayGradient = gradient == 1;
  if (model.kind != "compressive-transformer")
    return;
  memory.compressedLength = memory.length;
  reader.integer("compressed_length", memory.compressedLength, 1, mostWidth);
  reader.integer("compression_rate", memory.compressionRate, 1, mostWidth);
  reader.choice("compression", compression, compressions);
  reader.number("reconstruction_weight", memory.reconstructionWeight, 0, infinite);
  memory.compression = compressions[compression];
  if (memory.compressionRate > 0 && model.segment % memory.compressionRate != 0)
    reader.fail("compression_rate",
                reader.has("compression_rate")
                    ? fmt::format("expected compression_rate to divide segment = {}, but got {}",
                                  model.segment, memory.compressionRate)
                    : fmt::format("expected compression_rate to divide segment = {}, but it is not "
                                  "set, and {} by default",
                                  model.segment, memory.compressionRate));
}

void readMemory(TableReader &reader, const ModelSettings &model, MemorySettings &memory) {
  reader.enter("memory");
  if (cachesHiddenStates(model))
    return readCaches(reader, model, memory);
  if (model.kind != "memformer")
    return;
  memory.writeHeads = model.heads;
  size_t slotValue = 0;
  reader.integer("slots", memory.slots, 0, mostWidth);
  reader.number("temperature", memory.temperature, 0, infinite, "(");
  reader.integer("write_heads", memory.writeHeads, 1, mostWidth);
  memory.readLayers = model.encoderLayers;
  // Where the number of layers is wrong, that is said and not what follows from it.
  const int64_t layers = model.encoderLayers > 0 ? model.encoderLayers : mostLayers;
  reader.integer("read_layers", memory.readLayers, 1, layers);
  reader.integer("write_layers", memory.writeLayers, 1, layers);
  reader.boolean("forget", memory.forget);
  reader.choice("slot_value", slotValue, {"identity", "projected"});
  reader.boolean("output_projection", memory.outputProjection);
  memory.projectedSlotValue = slotValue == 1;
  if (model.width > 0 && memory.writeHeads > 0 && model.width % memory.writeHeads != 0 &&
      reader.has("write_heads"))
    reader.fail("write_heads",
                fmt::format("expected write_heads to divide d_model = {}, but got {}", model.width,
                            memory.writeHeads));
}

void readInitializer(TableReader &reader, const ModelSettings &model,
                     InitializerSettings &initializer) {
  reader.enter("initializer");
  reader.number("embedding", initializer.embedding, 0, infinite);
  initializer.position = initializer.embedding;
  if (model.kind == "memformer" || model.kind == "transformer")
    reader.number("position", initializer.position, 0, infinite);
  if (model.kind == "memformer")
    reader.number("memory_bias", initializer.memoryBias, 0, infinite, "(");
}

void readTrain(TableReader &reader, const ModelSettings &model, TrainSettings &train) {
  reader.enter("train");
  const std::vector<std::string_view> schedules = {"bptt", "checkpoint", "mrbp"};
  size_t schedule = 2, decay = 0;
  int64_t seed = 0;
  reader.choice("schedule", schedule, schedules);
  reader.integer("batch", train.batch, 1, 1 << 20);
  reader.integer("horizon", train.horizon, 1, 1 << 20);
  reader.integer("stride", train.stride, 1, 1 << 20);
  reader.integer("steps", train.steps, 1);
  reader.number("minutes", train.minutes, 0, infinite);
  reader.number("learning_rate", train.learningRate, 0, infinite);
  reader.number("final_learning_rate", train.finalLearningRate, 0, infinite);
  reader.integer("warmup", train.warmup, 0);
  reader.choice("decay", decay, {"constant", "cosine", "linear"});
  reader.number("weight_decay", train.weightDecay, 0, infinite);
  reader.number("beta1", train.beta1, 0, 1, ")");
  reader.number("beta2", train.beta2, 0, 1, ")");
  reader.number("epsilon", train.epsilon, 0, infinite, "(");
  reader.number("max_gradient_norm", train.maxGradientNorm, 0, infinite);
  train.dynamicLossScale = model.precision == "f16";
  reader.powerOfTwo("loss_scale", train.lossScale, LossScale::leastExponent,
                    LossScale::mostExponent, "dynamic", train.dynamicLossScale);
  reader.integer("seed", seed, 0, std::numeric_limits<int64_t>::max());
  reader.integer("log_every", train.logEvery, 1);
  reader.integer("evaluate_every", train.evaluateEvery, 0);
  reader.integer("checkpoint_every", train.checkpointEvery, 0);
  reader.integer("evaluate_rollouts", train.evaluateRollouts, 0);
  train.schedule = schedules[schedule];
  train.decay = Decay(decay);
  train.seed = uint64_t(seed);
  if (train.horizon > 0 && train.stride > train.horizon)
    reader.fail("stride", fmt::format("expected stride to be at most horizon = {}, but got {}",
                                      train.horizon, train.stride));
}

void readData(TableReader &reader, DataSettings &data) {
  reader.enter("data");
  const std::vector<std::string_view> kinds = {"recall", "copy", "text", "idx", "tokens"};
  size_t kind = kinds.size(), type = 0;
  reader.choice("kind", kind, kinds);
  if (kind < kinds.size())
    data.kind = kinds[kind];
  reader.string("path", data.path);
  reader.string("validation_path", data.validationPath);
  reader.number("validation", data.validation, 0, 1, ")");
  reader.integer("bos", data.bos, 0);
  reader.string("separator", data.separator);
  reader.integer("separator_token", data.separatorToken, 0);
  reader.choice("dtype", type, {"u16", "u32"});
  data.tokenBytes = type == 0 ? 2 : 4;
  reader.boolean("shuffle", data.shuffle);
  reader.integer("size", data.size, 0, 1 << 15);
  reader.integer("levels", data.levels, 2, 256);
  reader.range("gap", data.minGap, data.maxGap, 0);
  reader.number("curriculum", data.curriculum, 0, 1, ")");
  reader.integer("curriculum_every", data.curriculumEvery, 1);
  reader.integer("facts", data.facts, 1, 1 << 16);
  reader.integer("keys", data.keys, 1, mostCount);
  reader.integer("values", data.values, 1, mostCount);
  reader.integer("symbols", data.symbols, 1, mostCount);
  reader.integer("noise", data.noise, 1, mostCount);
  if (data.facts > data.keys)
    reader.fail("facts", fmt::format("expected facts to be at most keys = {}, but got {}",
                                     data.keys, data.facts));
  bool file = data.kind == "text" || data.kind == "idx" || data.kind == "tokens";
  if (file && data.path.empty())
    reader.fail("path", fmt::format("expected [data] with kind = \"{}\" to set path", data.kind));
}

// Puts one `section.key=value` into the document. False with a message on a malformed option.
bool apply(toml::table &document, const std::string &option,
           std::map<std::string, std::string> &applied, std::string &message) {
  size_t equals = option.find('=');
  size_t dot = option.find('.');
  if (equals == std::string::npos || dot == std::string::npos || dot > equals || dot == 0 ||
      dot + 1 == equals || option.find('.', dot + 1) < equals) {
    message = fmt::format("--set {}: expected SECTION.KEY=VALUE", option);
    return false;
  }
  std::string section = option.substr(0, dot);
  std::string key = option.substr(dot + 1, equals - dot - 1);
  std::string value = option.substr(equals + 1);
  toml::parse_result parsed = toml::parse("value = " + value);
  toml::node *table = document.get(section);
  if (!table) {
    document.insert(section, toml::table{});
    table = document.get(section);
  }
  if (!table->is_table()) {
    message = fmt::format("--set {}: '{}' is not a section", option, section);
    return false;
  }
  // What is no TOML value is taken for a string, so that shells need no second pair of quotes.
  if (parsed.succeeded() && parsed.table().size() == 1)
    parsed.table().get("value")->visit(
        [&](auto &node) { table->as_table()->insert_or_assign(key, node); });
  else
    table->as_table()->insert_or_assign(key, value);
  applied[section + "." + key] = option;
  return true;
}

// TOML that reads back as the same values. Strings are quoted and escaped: a literal one that
// begins with a newline would lose it.
std::string printDocument(const toml::table &document) {
  constexpr auto flags =
      toml::toml_formatter::default_flags &
      ~(toml::format_flags::allow_literal_strings | toml::format_flags::allow_multi_line_strings);
  std::ostringstream stream;
  stream << toml::toml_formatter(document, flags) << '\n';
  return stream.str();
}

} // namespace

Result<Configuration> parseConfiguration(std::string_view text, std::string_view file,
                                         std::span<const std::string> overrides) {
  toml::parse_result parsed = toml::parse(text, file);
  if (parsed.failed()) {
    const toml::parse_error &problem = parsed.error();
    return error("{}:{}: {}", file, problem.source().begin.line, problem.description());
  }
  toml::table &document = parsed.table();
  std::map<std::string, std::string> applied;
  for (const std::string &option : overrides) {
    std::string message;
    if (!apply(document, option, applied, message))
      return error("{}", message);
  }

  Configuration configuration;
  configuration.hasModel = document.contains("model");
  TableReader reader(document, file, applied);
  if (configuration.hasModel)
    readModel(reader, configuration.model);
  else
    reader.enter("model");
  readMemory(reader, configuration.model, configuration.memory);
  readInitializer(reader, configuration.model, configuration.initializer);
  readTrain(reader, configuration.model, configuration.train);
  readData(reader, configuration.data);
  reader.rejectUnknown();
  if (!reader.errors().empty())
    return error("{}", fmt::join(reader.errors(), "\n"));

  if (overrides.empty()) {
    configuration.text = text;
  } else {
    configuration.text = printDocument(document);
  }
  toml::table model;
  for (std::string_view section : {"model", "memory", "initializer"})
    if (const toml::table *table = document[section].as_table())
      model.insert(section, *table);
  configuration.modelText = printDocument(model);
  return configuration;
}

Result<Configuration> readConfiguration(const std::string &path,
                                        std::span<const std::string> overrides) {
  Result<std::vector<std::byte>> bytes = readFile(path);
  if (!bytes)
    return std::unexpected(bytes.error());
  std::string_view text(reinterpret_cast<const char *>(bytes->data()), bytes->size());
  return parseConfiguration(text, path, overrides);
}

} // namespace memformer
