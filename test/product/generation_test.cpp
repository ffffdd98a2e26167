// Generation, token by token, computes what a rollout over whole segments computes.
#include "runtime/file.h"
#include "runtime/generation/generator.h"
#include "runtime/generation/sampling.h"
#include "runtime/random.h"
#include "runtime/training/checkpoint.h"
#include "runtime/training/feed.h"
#include "test/product/process.h"
#include "test/training/temporary_folder.h"

#include <cmath>
#include <filesystem>
#include <gtest/gtest.h>

using namespace memformer;
using namespace memformer::test;

namespace {

// Of the largest absolute logit; with weights of bf16 and of int8 in the positions.
constexpr double f32Tolerance = 1e-5, bf16Tolerance = 5e-3, int8Tolerance = 2e-2;
constexpr int32_t bos = 1;

struct Shape {
  const char *name;
  std::string model; // the text of a configuration, or the folder of a case
  int64_t batch = 1;
  int64_t segments = 3;
  const char *cpu = "native";
  double tolerance = f32Tolerance;
};

// Names must be unique; weights of written models are drawn.
std::vector<Shape> shapes() {
  auto model = [](const char *sizes, const char *more = "", const char *memory = "") {
    return fmt::format("[model]\n{}\n{}\n[initializer]\nembedding = 0.5\n[memory]\n{}\n", sizes,
                       more, memory);
  };
  const char *narrow = "vocab = 11\nd_model = 6\nheads = 6\nd_ff = 5\nencoder_layers = 1\n"
                       "decoder_layers = 2\nsegment = 5";
  const char *prime = "vocab = 37\nd_model = 21\nheads = 3\nd_ff = 19\nencoder_layers = 2\n"
                      "decoder_layers = 1\nsegment = 7";
  const char *single = "vocab = 5\nd_model = 8\nheads = 2\nd_ff = 9\nencoder_layers = 1\n"
                       "decoder_layers = 1\nsegment = 1";
  // One past a vector in every extent that kernels cut.
  const char *wide = "vocab = 65\nd_model = 132\nheads = 2\nd_ff = 129\nencoder_layers = 1\n"
                     "decoder_layers = 1\nsegment = 33";
  // Sums in several steps, several workgroups for a product.
  const char *deep = "vocab = 1030\nd_model = 520\nheads = 4\nd_ff = 600\nencoder_layers = 1\n"
                     "decoder_layers = 1\nsegment = 6";
  return {
      {"base", "base", 8},
      {"noMemory", "no-memory", 1},
      {"oddShapes", "odd-shapes", 1},
      {"oddShapesBatch3", "odd-shapes", 3},
      {"postNorm", "projected-post-norm", 1},
      {"postNormBatch3", "projected-post-norm", 3},
      {"headOne", "head-one", 1},
      {"placements", "placements", 1},
      {"placementsPostNorm", "placements-post-norm", 2},
      {"manySlots", "many-slots", 1},
      {"tiny", "tiny", 1, 5},
      {"transformer", "transformer", 1, 2},
      {"lstm", "lstm", 1, 4},
      {"lstmBatch3", "lstm", 3, 3},
      {"lstmOfOne", "lstm-tied", 1, 6},
      {"lstmOfHalfVectors", "lstm", 5, 2, "haswell"},
      {"transformerBatch3", "transformer-post-norm", 3, 1},
      {"transformerXl", "transformer-xl", 1, 4},
      {"transformerXlBatch3", "transformer-xl-replay", 3, 3},
      {"transformerXlOfOne", "transformer-xl-tiny", 1, 6},
      {"compressive", "compressive-transformer", 2, 4},
      {"compressiveBatch3", "compressive-transformer-replay", 3, 4},
      {"compressiveOfMaxima", "compressive-transformer-max", 1, 3, "haswell"},
      {"compressiveOfMostUsed", "compressive-transformer-most-used", 3, 4},
      {"columnHeads", model(narrow, "dropout = 0.1", "slots = 1"), 1, 4},
      {"columnHeadsBatch3", model(narrow, "norm = \"post\"", "slots = 2"), 3, 4},
      {"primeCls", model(prime, "cls_tokens = 2\ntie_embeddings = true", "slots = 3"), 1},
      {"primeClsBatch3", model(prime, "cls_tokens = 1\nactivation = \"relu\"", "slots = 1"), 3},
      {"primePostNormTied", model(prime, "norm = \"post\"\ntie_embeddings = true"), 1},
      {"segmentOfOne", model(single, "", "slots = 2"), 1, 6},
      {"segmentOfOneBatch3", model(single, "tie_embeddings = true"), 3, 6},
      {"wide", model(wide, "", "slots = 17"), 1},
      {"wideBatch5", model(wide, "", "slots = 17"), 5, 2},
      {"deep", model(deep, "norm = \"post\"", "slots = 2"), 1, 2},
      {"deepBatch2", model(deep, "", "slots = 2"), 2, 2},
      {"wideOfHalfVectors", model(wide, "", "slots = 17"), 1, 2, "haswell"},
      {"wideOfBytes", model(wide, "generation_weights = \"int8\"", "slots = 17"), 1, 2, "native",
       int8Tolerance},
      {"primeOfBytesBatch3", model(prime, "generation_weights = \"int8\"", "slots = 3"), 3, 2,
       "haswell", int8Tolerance},
      {"tiedOfBytes",
       model(prime, "tie_embeddings = true\nprecision = \"bf16\"\ngeneration_weights = \"int8\""),
       1, 2, "native", int8Tolerance},
      {"deepOfBytesBatch2", model(deep, "generation_weights = \"int8\"", "slots = 2"), 2, 2,
       "native", int8Tolerance},
      {"wideOfHalves", model(wide, "generation_weights = \"bf16\"", "slots = 17"), 1, 2, "native",
       bf16Tolerance},
      {"deepOfHalves", model(deep, "generation_weights = \"bf16\"", "slots = 2"), 1, 2, "haswell",
       bf16Tolerance},
      // Too many rows: the weights are f32.
      {"wideOfBytesBatch5", model(wide, "generation_weights = \"int8\"", "slots = 17"), 5, 2},
      {"primeOfHalfVectors", model(prime, "cls_tokens = 2", "slots = 3"), 3, 2, "haswell"},
  };
}

class Generation : public testing::TestWithParam<Shape> {
protected:
  void SetUp() override {
    const Shape &shape = GetParam();
    const bool isCase = shape.model.find('\n') == std::string::npos;
    const auto caseFolder = std::filesystem::path(MEMFORMER_CASES) / shape.model;
    const std::string path =
        isCase ? (caseFolder / "model.toml").native() : (folder.path() / "m.toml").native();
    if (!isCase) {
      ASSERT_TRUE(writeFileAtomically(path, shape.model));
    }
    const std::string artifactPath = (folder.path() / "m.mfa").native();
    Outcome outcome = runTool({"memformer-compile", path, "--for", "generation", "--batch",
                               std::to_string(shape.batch), "--cpu", shape.cpu, "-o", artifactPath},
                              folder.path());
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    auto loaded = Artifact::load(artifactPath);
    ASSERT_TRUE(loaded) << loaded.error().message;
    artifact = *loaded;
    if (isCase)
      weights = (caseFolder / "weights.safetensors").native();
    const auto &inputs = artifact->manifest().inputs;
    auto tokens = artifact->manifest().findInput("decoder_tokens");
    ASSERT_TRUE(tokens);
    segment = inputs[*tokens].shape[1];
    vocab = *inputs[*tokens].bound;
  }

  std::unique_ptr<Session> open(unsigned threads, int64_t segments = 1) {
    auto session = Session::create(artifact, {segments, threads, 0});
    EXPECT_TRUE(session) << session.error().message;
    (*session)->initializeParameters(7);
    if (!weights.empty()) {
      EXPECT_TRUE(loadWeights(**session, weights));
    }
    return std::move(*session);
  }

  /// Logits [T,B,L,V] of a stream [B, T·L] by a rollout.
  std::vector<float> rollout(const std::vector<int32_t> &stream, int64_t segments) {
    const int64_t batch = GetParam().batch, length = segments * segment;
    TokenRollout tokens;
    for (int64_t t = 0; t < segments; ++t)
      for (int64_t row = 0; row < batch; ++row)
        for (int64_t i = t * segment; i < (t + 1) * segment; ++i) {
          tokens.encoderTokens.push_back(t == 0 ? bos : stream[size_t(row * length + i - segment)]);
          tokens.decoderTokens.push_back(i == 0 ? bos : stream[size_t(row * length + i - 1)]);
        }
    tokens.targets.assign(tokens.decoderTokens.size(), 0);
    const auto inputs = inputsOf(tokens, artifact->manifest());
    std::vector<float> logits(tokens.targets.size() * size_t(vocab));
    const OutputSink sink{"logits", logits.data()};
    auto session = open(1, segments);
    Rollout request;
    request.segments = segments;
    request.inputs = inputs;
    auto traced = session->trace(request, {&sink, 1});
    EXPECT_TRUE(traced) << traced.error().message;
    return logits;
  }

  /// The same token by token, in the same order.
  std::vector<float> generate(const std::vector<int32_t> &stream, int64_t segments,
                              unsigned threads) {
    const int64_t batch = GetParam().batch, length = segments * segment;
    std::vector<float> result(stream.size() * size_t(vocab));
    auto session = open(threads);
    auto generator = Generator::create(*session, bos);
    EXPECT_TRUE(generator) << generator.error().message;
    for (int64_t i = 0; i < length; ++i) {
      auto logits = generator->logits();
      EXPECT_TRUE(logits) << logits.error().message;
      std::vector<int32_t> next;
      for (int64_t row = 0; row < batch; ++row) {
        std::copy_n(logits->begin() + row * vocab, vocab,
                    result.begin() +
                        (((i / segment) * batch + row) * segment + i % segment) * vocab);
        next.push_back(stream[size_t(row * length + i)]);
      }
      EXPECT_TRUE(generator->feed(next));
    }
    return result;
  }

  void compareWithRollout();
  void goOnGreedily();

  std::vector<int32_t> randomStream(int64_t segments) const {
    std::vector<int32_t> stream(size_t(GetParam().batch * segments * segment));
    for (size_t i = 0; i < stream.size(); ++i)
      stream[i] = int32_t(randomBits(3, i) % uint64_t(vocab));
    return stream;
  }

  TemporaryFolder folder;
  std::shared_ptr<const Artifact> artifact;
  std::string weights;
  int64_t segment = 0, vocab = 0;
};

// One test, as every test of a shape compiles it.
TEST_P(Generation, IsARolloutTokenByToken) {
  compareWithRollout();
  goOnGreedily();
}

void Generation::compareWithRollout() {
  const int64_t segments = GetParam().segments;
  const auto stream = randomStream(segments);
  const auto expected = rollout(stream, segments);
  const auto found = generate(stream, segments, 1);
  ASSERT_EQ(found.size(), expected.size());
  double largest = 0, worst = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_TRUE(std::isfinite(found[i])) << "entry " << i;
    largest = std::max(largest, std::abs(double(expected[i])));
    worst = std::max(worst, std::abs(double(found[i]) - double(expected[i])));
  }
  EXPECT_GT(largest, 0);
  EXPECT_LE(worst, GetParam().tolerance * largest);
  if (GetParam().tolerance > f32Tolerance) {
    EXPECT_GT(worst, f32Tolerance * largest) << "the positions read f32 weights";
  }
  fmt::print("worst difference {:.1e} of the largest logit\n", worst / largest);
  EXPECT_EQ(found, generate(stream, segments, 2)) << "the bits depend on the number of threads";
}

// What is taken greedily is what a rollout over all of it, evaluated from scratch, finds likeliest.
void Generation::goOnGreedily() {
  const int64_t segments = GetParam().segments, batch = GetParam().batch;
  const int64_t length = segments * segment, prompt = length / 3;
  auto stream = randomStream(segments);
  auto session = open(1);
  auto generator = Generator::create(*session, bos);
  ASSERT_TRUE(generator) << generator.error().message;
  Sampler sampler({.temperature = 0});
  std::vector<int32_t> next(static_cast<size_t>(batch));
  for (int64_t i = 0; i < length; ++i) {
    for (int64_t row = 0; row < batch; ++row)
      next[size_t(row)] = stream[size_t(row * length + i)];
    if (i >= prompt) {
      auto logits = generator->logits();
      ASSERT_TRUE(logits) << logits.error().message;
      for (int64_t row = 0; row < batch; ++row) {
        auto token = sampler.sample(logits->subspan(size_t(row * vocab), size_t(vocab)), 0, 0);
        ASSERT_TRUE(token) << token.error().message;
        next[size_t(row)] = stream[size_t(row * length + i)] = *token;
      }
    }
    ASSERT_TRUE(generator->feed(next));
  }
  const auto logits = rollout(stream, segments);
  for (int64_t i = prompt; i < length; ++i)
    for (int64_t row = 0; row < batch; ++row) {
      auto begin = logits.begin() + (((i / segment) * batch + row) * segment + i % segment) * vocab;
      float best = *std::max_element(begin, begin + vocab);
      // Of two tokens that are equally likely but for rounding either may be taken.
      EXPECT_GE(begin[stream[size_t(row * length + i)]],
                best - float(GetParam().tolerance) * std::max(1.0f, std::abs(best)))
          << "row " << row << ", token " << i;
    }
}

std::string shapeName(const testing::TestParamInfo<Shape> &info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Shapes, Generation, testing::ValuesIn(shapes()), shapeName);

} // namespace
