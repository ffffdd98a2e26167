// The three schedules compute the same bits, and those are the gradient.

#include "frontend/Model.h"
#include "test/schedules/rollout.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace mlir;
using namespace memformer;

namespace {

ModelBuilder fromText(const std::string &text) {
  return [text](MLIRContext &context) {
    auto configuration = parseConfiguration(text, "test");
    EXPECT_TRUE(configuration.has_value());
    return buildModel(context, *configuration, 3);
  };
}

ModelBuilder fromFile(const std::string &name) {
  return [name](MLIRContext &context) {
    FailureOr<Model> model = loadModel(context, std::string(MODELS) + "/" + name, 0);
    EXPECT_TRUE(succeeded(model));
    return std::move(model->module);
  };
}

const char *const preNorm = R"(
[model]
vocab = 11
d_model = 6
heads = 2
d_ff = 7
encoder_layers = 1
decoder_layers = 1
segment = 5
cls_tokens = 1
dropout = 0.1
[memory]
slots = 3
temperature = 0.5
write_heads = 3
)";

const char *const postNorm = R"(
[model]
vocab = 5
d_model = 3
heads = 3
d_ff = 4
encoder_layers = 1
decoder_layers = 1
segment = 3
norm = "post"
activation = "relu"
tie_embeddings = true
[memory]
slots = 1
slot_value = "projected"
output_projection = true
forget = false
)";

const char *const noMemory = R"(
[model]
vocab = 7
d_model = 4
heads = 1
d_ff = 5
encoder_layers = 1
decoder_layers = 1
segment = 3
dropout = 0.1
)";

const char *const transformer = R"(
[model]
kind = "transformer"
vocab = 7
d_model = 4
heads = 2
d_ff = 5
layers = 2
segment = 5
dropout = 0.1
)";

const char *const lstm = R"(
[model]
kind = "lstm"
vocab = 7
d_model = 3
layers = 2
segment = 4
dropout = 0.1
)";

struct TestModel {
  std::string name;
  ModelBuilder build;
  bool dropout;
};

std::vector<TestModel> models() {
  return {{"pre_norm", fromText(preNorm), true},
          {"post_norm", fromText(postNorm), false},
          {"no_memory", fromText(noMemory), true},
          {"transformer", fromText(transformer), true},
          {"lstm", fromText(lstm), true},
          {"two_states", fromFile("two-states.mlir"), true},
          {"integer_states", fromFile("integer-states.mlir"), true}};
}

void expectSame(const NamedTensors &one, const NamedTensors &other, const std::string &where) {
  ASSERT_EQ(one.size(), other.size()) << where;
  for (const auto &[key, tensor] : one)
    EXPECT_TRUE(tensor.bytes == other.at(key).bytes) << where << ": " << key;
}

class Schedules : public testing::TestWithParam<TestModel> {};

} // namespace

TEST_P(Schedules, AgreeToTheBit) {
  constexpr int64_t segments = 3;
  ScheduledModel bptt(GetParam().build, ScheduleKind::Bptt, /*wide=*/false);
  RolloutResult expected = bptt.train(segments);
  bool anyGradient = false;
  for (const auto &[name, bytes] : expected.gradients)
    for (std::byte byte : bytes)
      anyGradient |= byte != std::byte(0);
  EXPECT_TRUE(anyGradient);
  for (ScheduleKind schedule : {ScheduleKind::Checkpoint, ScheduleKind::Mrbp}) {
    ScheduledModel model(GetParam().build, schedule, /*wide=*/false);
    RolloutResult rollout = model.train(segments);
    std::string where = schedule == ScheduleKind::Mrbp ? "mrbp" : "checkpoint";
    ASSERT_EQ(rollout.states.size(), size_t(segments + 1)) << where;
    for (int64_t segment = 0; segment < segments; ++segment) {
      expectSame(expected.losses[segment], rollout.losses[segment], where);
      expectSame(expected.states[segment + 1], rollout.states[segment + 1], where);
    }
    ASSERT_EQ(expected.gradients.size(), rollout.gradients.size());
    for (const auto &[name, bytes] : expected.gradients)
      EXPECT_TRUE(bytes == rollout.gradients.at(name)) << where << ": " << name;
  }
}

TEST_P(Schedules, ObserveWhatTrainingComputes) {
  ScheduledModel model(GetParam().build, ScheduleKind::Checkpoint, /*wide=*/false);
  RolloutResult rollout = model.train(3);
  for (int64_t segment : {0, 2}) {
    NamedTensors evaluated = model.observe("evaluate", segment, rollout.states[segment]);
    NamedTensors traced = model.observe("trace", segment, rollout.states[segment]);
    expectSame(withRole(evaluated, "state", "state"), withRole(traced, "state", "state"), "trace");
    for (const char *output : {"output loss", "output prediction"})
      EXPECT_TRUE(evaluated.at(output).bytes == traced.at(output).bytes) << output;
    // What enters is the state before the segment, where no row restarts.
    if (segment == 2) {
      for (const auto &[key, tensor] : rollout.states[segment])
        EXPECT_TRUE(traced.at("output" + key.substr(key.find(' '))).bytes == tensor.bytes) << key;
    }
    bool same =
        evaluated.at("output loss").bytes == rollout.losses[segment].at("output loss").bytes;
    EXPECT_EQ(same, !GetParam().dropout) << "evaluation drops nothing";
  }
}

TEST_P(Schedules, GiveTheGradientOfTheRollout) {
  constexpr int64_t segments = 3;
  ScheduledModel model(GetParam().build, ScheduleKind::Checkpoint, /*wide=*/true);
  model.train(segments);
  constexpr double step = 1e-5;
  for (auto &[name, values] : model.parameters()) {
    llvm::ArrayRef<double> gradient = model.gradient(name);
    double largest = 0;
    for (double entry : gradient)
      largest = std::max(largest, std::abs(entry));
    // A few entries of each: the first, the last and a stride between.
    for (size_t i = 0; i < values.size(); i += std::max<size_t>(1, values.size() / 4)) {
      double value = values[i];
      values[i] = value + step;
      double above = model.forwardLoss(segments);
      values[i] = value - step;
      double below = model.forwardLoss(segments);
      values[i] = value;
      EXPECT_NEAR((above - below) / (2 * step), gradient[i], 1e-6 * std::max(1.0, largest))
          << name << "[" << i << "]";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Schedules, testing::ValuesIn(models()),
                         [](const auto &info) { return info.param.name; });
