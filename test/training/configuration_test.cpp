// Configurations: values, defaults, overrides, and errors that say where.
#include "runtime/configuration.h"

#include <gtest/gtest.h>

using namespace memformer;

namespace {

constexpr std::string_view model = R"([model]
vocab = 37
d_model = 30
heads = 3
d_ff = 50
encoder_layers = 1
decoder_layers = 2
segment = 7
)";

std::string with(std::string_view more) { return std::string(model) + std::string(more); }

std::string messageOf(std::string_view text, std::vector<std::string> overrides = {}) {
  auto configuration = parseConfiguration(text, "m.toml", overrides);
  EXPECT_FALSE(configuration.has_value());
  return configuration ? "" : configuration.error().message;
}

TEST(Configuration, ModelAndDefaults) {
  auto configuration = parseConfiguration(model, "m.toml");
  ASSERT_TRUE(configuration) << configuration.error().message;
  EXPECT_TRUE(configuration->hasModel);
  EXPECT_EQ(configuration->model.vocab, 37);
  EXPECT_EQ(configuration->model.width, 30);
  EXPECT_EQ(configuration->model.activation, "gelu");
  EXPECT_FALSE(configuration->model.postNorm);
  EXPECT_EQ(configuration->memory.slots, 0);
  EXPECT_EQ(configuration->memory.writeHeads, 3) << "as many as heads";
  EXPECT_EQ(configuration->memory.readLayers, 1) << "all of the encoder";
  EXPECT_EQ(configuration->memory.writeLayers, 1);
  EXPECT_EQ(configuration->initializer.memoryBias, 0.3);
  EXPECT_EQ(configuration->train.schedule, "mrbp");
  EXPECT_EQ(configuration->text, model);
}

TEST(Configuration, WeightsOfGenerationAreThoseOfProducts) {
  for (auto [more, precision, weights] :
       {std::tuple{"", "f32", "f32"}, std::tuple{"precision = \"bf16\"\n", "bf16", "bf16"},
        std::tuple{"generation_weights = \"int8\"\n", "f32", "int8"},
        std::tuple{"precision = \"tf32\"\n", "tf32", "f32"},
        std::tuple{"precision = \"f16\"\n", "f16", "f32"},
        std::tuple{"precision = \"bf16\"\ngeneration_weights = \"f32\"\n", "bf16", "f32"}}) {
    auto configuration = parseConfiguration(with(more), "m.toml");
    ASSERT_TRUE(configuration) << configuration.error().message;
    EXPECT_EQ(configuration->model.precision, precision);
    EXPECT_EQ(configuration->model.generationWeights, weights);
  }
}

TEST(Configuration, LossScaleIsDynamicInF16) {
  for (auto [more, dynamic, value] :
       {std::tuple{"", false, 1.0}, std::tuple{"precision = \"bf16\"\n", false, 1.0},
        std::tuple{"precision = \"f16\"\n", true, 1.0},
        std::tuple{"precision = \"f16\"\n[train]\nloss_scale = 1024\n", false, 1024.0},
        std::tuple{"[train]\nloss_scale = 0.5\n", false, 0.5},
        std::tuple{"[train]\nloss_scale = \"dynamic\"\n", true, 1.0}}) {
    auto configuration = parseConfiguration(with(more), "m.toml");
    ASSERT_TRUE(configuration) << configuration.error().message;
    EXPECT_EQ(configuration->train.dynamicLossScale, dynamic) << more;
    EXPECT_EQ(configuration->train.lossScale, value) << more;
  }
  for (const char *wrong : {"3", "0", "-2", "0.3", "nan", "inf", "1e-30", "\"static\"", "true"})
    EXPECT_EQ(messageOf(model, {std::string("train.loss_scale=") + wrong})
                  .find(std::string("--set train.loss_scale=") + wrong +
                        ": expected loss_scale to be \"dynamic\" or a power of two, 2^-24 to 2^64, "
                        "but got "),
              0u)
        << messageOf(model, {std::string("train.loss_scale=") + wrong});
}

TEST(Configuration, EveryKindOfModelHasKeysOfItsOwn) {
  constexpr std::string_view transformer = R"([model]
kind = "transformer"
vocab = 37
d_model = 30
heads = 3
d_ff = 50
layers = 2
segment = 7
)";
  auto configuration = parseConfiguration(transformer, "m.toml");
  ASSERT_TRUE(configuration) << configuration.error().message;
  EXPECT_EQ(configuration->model.kind, "transformer");
  EXPECT_EQ(configuration->model.layers, 2);
  EXPECT_NE(messageOf(transformer, {"model.encoder_layers=1"}).find("unknown key 'encoder_layers'"),
            std::string::npos);
  EXPECT_EQ(messageOf(transformer, {"memory.slots=4"}),
            "--set memory.slots=4: unknown key 'slots' in [memory], which has no keys here");
  EXPECT_NE(messageOf(model, {"model.kind=transformer"}).find("unknown key 'decoder_layers'"),
            std::string::npos);
  EXPECT_NE(messageOf("[model]\nkind = \"transformer\"\n").find("expected [model] to set layers"),
            std::string::npos);
}

TEST(Configuration, LstmHasNoHeads) {
  constexpr std::string_view lstm = R"([model]
kind = "lstm"
vocab = 37
d_model = 30
layers = 2
segment = 7
)";
  auto configuration = parseConfiguration(lstm, "m.toml");
  ASSERT_TRUE(configuration) << configuration.error().message;
  EXPECT_EQ(configuration->model.layers, 2);
  EXPECT_NE(messageOf(lstm, {"model.heads=3"}).find("unknown key 'heads'"), std::string::npos);
  EXPECT_NE(messageOf(lstm, {"model.layers=0"}).find("layers"), std::string::npos);
}

TEST(Configuration, EveryKindOfValue) {
  auto configuration = parseConfiguration(with(R"(activation = "relu"
norm = "post"
dropout = 0.1
tie_embeddings = true
[memory]
slots = 5
temperature = 1
write_heads = 5
read_layers = 1
write_layers = 1
slot_value = "projected"
[initializer]
embedding = 0.5
[train]
decay = "cosine"
seed = 9223372036854775807
[data]
kind = "recall"
gap = [2, 5]
)"),
                                          "m.toml");
  ASSERT_TRUE(configuration) << configuration.error().message;
  EXPECT_EQ(configuration->model.activation, "relu");
  EXPECT_TRUE(configuration->model.postNorm);
  EXPECT_EQ(configuration->memory.writeHeads, 5);
  EXPECT_EQ(configuration->memory.temperature, 1.0) << "an integer is a number";
  EXPECT_TRUE(configuration->memory.projectedSlotValue);
  EXPECT_EQ(configuration->initializer.position, 0.5) << "as the embedding";
  EXPECT_EQ(configuration->train.decay, Decay::Cosine);
  EXPECT_EQ(configuration->train.seed, 9223372036854775807u);
  EXPECT_EQ(configuration->data.minGap, 2);
  EXPECT_EQ(configuration->data.maxGap, 5);
}

TEST(Configuration, UnknownKeysNameTheNearest) {
  EXPECT_EQ(messageOf(with("dropuot = 0.1\n")),
            "m.toml:9: unknown key 'dropuot' in [model]; did you mean 'dropout'?");
  EXPECT_EQ(messageOf(with("learning_rate = 0.1\n")),
            "m.toml:9: unknown key 'learning_rate' in [model]; it belongs to [train]");
  EXPECT_EQ(messageOf(with("[memoy]\nslots = 1\n")),
            "m.toml:9: unknown section [memoy]; did you mean [memory]?");
  EXPECT_EQ(messageOf("seed = 1\n"),
            "m.toml:1: unknown section [seed]; expected one of [data], [initializer], [memory], "
            "[model], [train]");
  EXPECT_EQ(messageOf("model = 1\n"), "m.toml:1: expected [model] to be a table, but got 1");
}

TEST(Configuration, WrongTypesAndRanges) {
  EXPECT_EQ(messageOf(with("dropout = 1.0\n")),
            "m.toml:9: expected dropout to be a number in [0, 1), but got 1.0");
  EXPECT_EQ(messageOf(with("dropout = nan\n")),
            "m.toml:9: expected dropout to be a number in [0, 1), but got nan");
  EXPECT_EQ(messageOf(with("tie_embeddings = 1\n")),
            "m.toml:9: expected tie_embeddings to be true or false, but got 1");
  EXPECT_EQ(messageOf(with("norm = \"mid\"\n")),
            "m.toml:9: expected norm to be \"pre\" or \"post\", but got 'mid'");
  EXPECT_EQ(messageOf(with("[memory]\nslots = -1\n")),
            "m.toml:10: expected slots to be an integer in [0, 1048576], but got -1");
  EXPECT_EQ(messageOf(with("[memory]\ntemperature = 0\n")),
            "m.toml:10: expected temperature to be a number greater than 0, but got 0");
  EXPECT_EQ(messageOf(with("[memory]\nslots = 4\nwrite_heads = 4\n")),
            "m.toml:11: expected write_heads to divide d_model = 30, but got 4");
  EXPECT_EQ(messageOf(with("[memory]\nslots = 4\nread_layers = 0\n")),
            "m.toml:11: expected read_layers to be an integer in [1, 1], but got 0");
  EXPECT_EQ(messageOf(with("[memory]\nslots = 4\nwrite_layers = 2\n")),
            "m.toml:11: expected write_layers to be an integer in [1, 1], but got 2");
  EXPECT_EQ(messageOf(with("[train]\nhorizon = 4\nstride = 5\n")),
            "m.toml:11: expected stride to be at most horizon = 4, but got 5");
  EXPECT_EQ(messageOf(with("[data]\ngap = [5, 2]\n")),
            "m.toml:10: expected gap to be an integer of at least 0, or [LOW, HIGH] with 0 <= LOW "
            "<= HIGH, but got [ 5, 2 ]");
  EXPECT_EQ(messageOf(with("[data]\nkind = \"text\"\n")),
            "m.toml:9: expected [data] with kind = \"text\" to set path");
}

TEST(Configuration, CompressionDividesTheSegment) {
  const std::string model = "[model]\nkind = \"compressive-transformer\"\nvocab = 5\nd_model = 4\n"
                            "heads = 2\nd_ff = 3\nlayers = 1\nsegment = 6\n";
  EXPECT_EQ(messageOf(model), "m.toml: expected compression_rate to divide segment = 6, but it is "
                              "not set, and 4 by default");
  EXPECT_EQ(messageOf(model + "[memory]\nlength = 6\n"),
            "m.toml:9: expected compression_rate to divide segment = 6, but it is not set, and 4 "
            "by default");
  EXPECT_EQ(messageOf(model + "[memory]\ncompression_rate = 5\n"),
            "m.toml:10: expected compression_rate to divide segment = 6, but got 5");
}

TEST(Configuration, MissingKeysAndBrokenText) {
  EXPECT_EQ(messageOf("[model]\nvocab = 3\nd_model = 4\nheads = 2\nd_ff = 4\nencoder_layers = 1\n"
                      "decoder_layers = 1\n"),
            "m.toml:1: expected [model] to set segment");
  EXPECT_TRUE(messageOf("[model\n").starts_with("m.toml:1: "));
  EXPECT_TRUE(messageOf("[model]\nvocab = 3\nvocab = 4\n").starts_with("m.toml:3: "));
}

TEST(Configuration, Overrides) {
  std::vector<std::string> overrides = {"memory.slots=4", "train.decay=linear",
                                        "data.separator=\"\\n\"", "train.learning_rate=3e-4",
                                        "memory.slots=6"};
  auto configuration = parseConfiguration(model, "m.toml", overrides);
  ASSERT_TRUE(configuration) << configuration.error().message;
  EXPECT_EQ(configuration->memory.slots, 6) << "the last one counts";
  EXPECT_EQ(configuration->train.decay, Decay::Linear) << "a bare word is a string";
  EXPECT_EQ(configuration->data.separator, "\n");
  EXPECT_EQ(configuration->train.learningRate, 3e-4);
  // The text that is kept says the same without the overrides.
  auto again = parseConfiguration(configuration->text, "again.toml");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->memory.slots, 6);
  EXPECT_EQ(again->data.separator, "\n");
  EXPECT_EQ(again->train.learningRate, 3e-4);
  EXPECT_EQ(again->modelText, configuration->modelText);
}

TEST(Configuration, ModelTextDependsOnTheModelAlone) {
  auto one = parseConfiguration(with("[train]\nsteps = 5\n"), "m.toml");
  auto two = parseConfiguration("# a comment\n" + with("[train]\nsteps = 6\n"), "m.toml");
  auto other = parseConfiguration(with("[memory]\nslots = 1\n"), "m.toml");
  ASSERT_TRUE(one && two && other);
  EXPECT_EQ(one->modelText, two->modelText);
  EXPECT_NE(one->modelText, other->modelText);
}

TEST(Configuration, OverridesThatAreWrong) {
  EXPECT_EQ(messageOf(model, {"memory.slots"}), "--set memory.slots: expected SECTION.KEY=VALUE");
  EXPECT_EQ(messageOf(model, {"slots=1"}), "--set slots=1: expected SECTION.KEY=VALUE");
  EXPECT_EQ(messageOf(model, {"model.heads=4"}),
            "--set model.heads=4: expected heads to divide d_model = 30, but got 4");
  EXPECT_EQ(messageOf(model, {"train.stesp=4"}),
            "--set train.stesp=4: unknown key 'stesp' in [train]; did you mean 'steps'?");
}

TEST(Configuration, MissingFile) {
  auto configuration = readConfiguration("/nonexistent/m.toml");
  ASSERT_FALSE(configuration);
  EXPECT_EQ(configuration.error().message,
            "cannot open /nonexistent/m.toml: No such file or directory");
}

} // namespace
