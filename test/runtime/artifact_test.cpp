// Artifacts: what is read is what was written, reports, and manifests that lie.

#include "runtime/file.h"
#include "test/runtime/toy_model.h"

#include <gtest/gtest.h>

namespace memformer {
namespace {

using nlohmann::json;
using toy::Schedule;

/// The error of an artifact with this manifest, without what assembleArtifact says before it.
std::string messageOf(const json &manifest) {
  auto file = assembleArtifact(manifest, {});
  if (file)
    return "";
  constexpr std::string_view prefix = "the runtime would refuse this artifact: ";
  EXPECT_TRUE(file.error().message.starts_with(prefix)) << file.error().message;
  return file.error().message.substr(prefix.size());
}

/// The same after one change of the toy model.
template <class Change> std::string messageAfter(Change &&change) {
  auto manifest = toy::manifest(Schedule::Replay);
  change(manifest);
  return messageOf(manifest);
}

TEST(Artifact, ReadsWhatWasWritten) {
  const std::string_view text = "some code";
  const auto code = std::as_bytes(std::span(text));
  const std::vector<std::byte> more(130, std::byte{3});
  const SectionData sections[] = {{"host", code}, {"empty", {}}, {"more", more}};
  const auto path = std::filesystem::path(testing::TempDir()) / "written.mfa";
  ASSERT_TRUE(writeArtifact(path, toy::manifest(Schedule::Saved), sections));
  auto artifact = Artifact::load(path);
  ASSERT_TRUE(artifact.has_value()) << artifact.error().message;
  const auto &manifest = (*artifact)->manifest();
  EXPECT_EQ(manifest.name, "toy");
  EXPECT_EQ(manifest.batch, toy::B);
  ASSERT_EQ(manifest.parameters.size(), 1u);
  EXPECT_EQ(manifest.parameters[0].shape, (std::vector<int64_t>{toy::V, toy::D}));
  EXPECT_EQ(manifest.parameters[0].initializer.kind, Initializer::Kind::Normal);
  EXPECT_EQ(manifest.parameters[0].initializer.value, 0.25);
  EXPECT_EQ(manifest.inputs[0].bound, toy::V);
  EXPECT_EQ(manifest.parameterElements(), toy::V * toy::D);
  const auto &train = manifest.function(Function::Train);
  ASSERT_EQ(train.size(), 5u);
  EXPECT_TRUE(train[4].descending);
  EXPECT_EQ(train[3].body[3].when, Instruction::When::Unstored);
  EXPECT_EQ(train[3].body[3].to.stride, 128u);
  for (const auto &section : sections) {
    auto read = (*artifact)->section(section.name);
    ASSERT_TRUE(read.has_value());
    EXPECT_TRUE(std::ranges::equal(*read, section.bytes));
  }
  for (const auto &info : (*artifact)->sections())
    EXPECT_EQ(info.offset % 64, 0u);
  EXPECT_FALSE((*artifact)->section("cuda").has_value());
  std::filesystem::remove(path);
}

TEST(Artifact, ReportsMemoryAndOperations) {
  const auto replay = toy::artifact(Schedule::Replay), saved = toy::artifact(Schedule::Saved);
  const auto report = replay->manifest().memoryReport(8);
  EXPECT_EQ(report[Category::Parameters], 2 * 320u); // 11 * 7 * 4 = 308 in whole 64s, and packed
  EXPECT_EQ(report[Category::Gradients], 320u);
  EXPECT_EQ(report[Category::Optimizer], 640u);
  EXPECT_EQ(report[Category::Replay], 9 * 128u);
  EXPECT_EQ(report[Category::Saved], 0u);
  EXPECT_EQ(report[Category::Workspace], 192u + 320 + 64 + 256);
  EXPECT_EQ(report.total, 640u + 320 + 640 + 9 * 128 + 832);
  EXPECT_EQ(saved->manifest().memoryReport(8)[Category::Saved], 8 * 128u);

  const auto flops = [](const auto &artifact, Function which, int64_t t, int64_t stored = 0) {
    return artifact->manifest().flops(which, t, stored);
  };
  EXPECT_EQ(flops(replay, Function::Train, 8), 7 * 100u + 8 * 1110);
  EXPECT_EQ(flops(replay, Function::Train, 8, 5), 2 * 100u + 8 * 1110);
  EXPECT_EQ(flops(replay, Function::Train, 8, 8), 8 * 1110u);
  EXPECT_EQ(flops(replay, Function::Train, 1), 1110u);
  EXPECT_EQ(flops(saved, Function::Train, 8), 8 * 1110u);
  EXPECT_EQ(flops(replay, Function::Update, 8), 12u);
  EXPECT_EQ(flops(replay, Function::Evaluate, 3), 330u);
}

TEST(Artifact, CountsConditionalDispatches) {
  auto json = toy::manifest(Schedule::Saved);
  json["functions"]["train"][3]["body"][1]["when"] = "unstored"; // 100
  json["functions"]["train"][4]["body"][0]["when"] = "last";     // 1000
  auto artifact = Artifact::load(*assembleArtifact(json, {}));
  EXPECT_EQ((*artifact)->manifest().flops(Function::Train, 8, 6), 2 * 100u + 8 * 10 + 1000);
}

TEST(Artifact, MissingFiles) {
  EXPECT_EQ(Artifact::load(std::filesystem::path("no/such.mfa")).error().message,
            "cannot open no/such.mfa: No such file or directory");
  EXPECT_EQ(Artifact::load(std::filesystem::path("/")).error().message,
            "cannot read /: it is a directory");
}

TEST(Artifact, WrongTypes) {
  EXPECT_EQ(messageAfter([](json &m) { m.erase("batch"); }), "manifest.batch: missing");
  EXPECT_EQ(messageAfter([](json &m) { m["batch"] = "8"; }),
            "manifest.batch: expected a non-negative integer, but got string");
  EXPECT_EQ(messageAfter([](json &m) { m["batch"] = -1; }),
            "manifest.batch: expected an integer in [0, 16777216], but got -1");
  EXPECT_EQ(messageAfter([](json &m) { m["spaces"] = 3; }),
            "manifest.spaces: expected an array, but got number");
  EXPECT_EQ(messageAfter([](json &m) { m["spaces"][1]["bytes"] = 1e3; }),
            "manifest.spaces[1].bytes: expected a non-negative integer, but got number");
  EXPECT_EQ(messageAfter([](json &m) { m["state"][0]["type"] = "f64"; }),
            "manifest.state[0].type: expected f32 or i32, but got 'f64'");
  EXPECT_EQ(messageAfter([](json &m) { m["functions"]["train"][0] = "fill"; }),
            "manifest.functions.train[0]: expected an object, but got string");
  EXPECT_EQ(messageAfter([](json &m) { m["functions"]["go"] = json::array(); }),
            "manifest.functions: unknown function 'go'");
  EXPECT_EQ(messageOf(json::object()), "manifest.producer: missing");
  EXPECT_EQ(assembleArtifact(json::array(), {}).error().message,
            "expected the manifest to be an object, but got array");
}

TEST(Artifact, Stream) {
  // Functions of generation that zero a place, and what they are given.
  auto withStream = [](json &m) {
    for (const char *name : {"step_inputs", "step_outputs"})
      m["spaces"].push_back({{"name", name},
                             {"category", "workspace"},
                             {"bytes", 256},
                             {"segment_bytes", 0},
                             {"extra_segments", 0}});
    const json fill = {{"op", "fill"}, {"to", {9, 0, 0}}, {"bytes", 64}};
    m["functions"]["begin"] = json::array({fill});
    m["functions"]["step"] = json::array({fill});
    const json token = {
        {"name", "tokens"}, {"type", "i32"}, {"shape", {toy::B, 1}}, {"offset", 0}, {"bound", 11}};
    const json position = {
        {"name", "position"}, {"type", "i32"}, {"shape", json::array()}, {"offset", 64}};
    const json output = {
        {"name", "logits"}, {"type", "f32"}, {"shape", {toy::B, 1, 11}}, {"offset", 0}};
    m["stream"] = {{"inputs", {token, position}}, {"outputs", json::array({output})}};
  };
  auto after = [&](auto &&change) {
    return messageAfter([&](json &m) {
      withStream(m);
      change(m);
    });
  };
  EXPECT_EQ(after([](json &) {}), "");
  EXPECT_EQ(after([](json &m) { m["functions"].erase("step"); }),
            "manifest.functions: expected 'step' with manifest.stream and only then");
  EXPECT_EQ(after([](json &m) { m.erase("stream"); }),
            "manifest.functions: expected 'begin' with manifest.stream and only then");
  EXPECT_EQ(after([](json &m) { m["functions"]["step"][0] = m["functions"]["train"][3]; }),
            "manifest.functions.step[0]: expected loops only at the top level of train, evaluate, "
            "trace, begin and end");
  EXPECT_EQ(after([](json &m) { m["stream"]["inputs"].erase(1); }),
            "manifest.stream: expected two inputs and an output, but got 1 and 1");
  EXPECT_EQ(after([](json &m) { m["stream"]["inputs"][0]["name"] = "words"; }),
            "manifest.stream: expected the first input, 'words', to be one position of an input");
  EXPECT_EQ(after([](json &m) { m["stream"]["inputs"][0]["shape"] = {2, 1}; }),
            "manifest.stream: expected the first input, 'tokens', to be one position of an input");
  EXPECT_EQ(after([](json &m) { m["stream"]["inputs"][1]["shape"] = {1}; }),
            "manifest.stream: expected the second input to be 'position', i32 []");
  EXPECT_EQ(after([](json &m) { m["stream"]["inputs"][1]["offset"] = 0; }),
            "manifest.stream: 'tokens' and 'position' overlap");
  EXPECT_EQ(after([](json &m) { m["stream"]["outputs"][0]["offset"] = 192; }),
            "manifest.stream: 'logits' has bytes 192 to 324, but its space ends at 256");
  EXPECT_EQ(after([](json &m) { m["stream"]["outputs"][0]["shape"] = {3, 11}; }),
            "manifest.stream: expected the output 'logits' to be of one position");
  EXPECT_EQ(after([](json &m) { m["spaces"].erase(10); }),
            "manifest.spaces: expected a space named 'step_inputs'");
}

TEST(Artifact, TablesThatDisagree) {
  EXPECT_EQ(messageAfter([](json &m) { m["parameters"][0]["offset"] = 64; }),
            "manifest.parameters: 'weight' has bytes 64 to 372, but its space ends at 320");
  EXPECT_EQ(messageAfter([](json &m) { m["parameters"][0]["offset"] = 4; }),
            "manifest.parameters[0].offset: expected a multiple of 64, but got 4");
  EXPECT_EQ(messageAfter([](json &m) { m["inputs"][1]["offset"] = 0; }),
            "manifest.inputs: 'tokens' and 'reset' overlap");
  EXPECT_EQ(messageAfter([](json &m) { m["inputs"][1]["shape"] = {4}; }),
            "manifest.inputs: expected 'reset' to be i32 [3]");
  EXPECT_EQ(messageAfter([](json &m) { m["outputs"][1]["name"] = "loss"; }),
            "manifest.outputs: the name 'loss' occurs twice");
  EXPECT_EQ(messageAfter([](json &m) { m["scalars"][0]["name"] = "gamma"; }),
            "manifest.scalars: unknown scalar 'gamma'");
  EXPECT_EQ(
      messageAfter([](json &m) { m["spaces"][3]["extra_segments"] = 0; }),
      "manifest.spaces: expected replay to have bytes 0 and extra_segments 1, but got 0 and 0");
  EXPECT_EQ(messageAfter([](json &m) { m["spaces"][2]["bytes"] = 320; }),
            "manifest.spaces: expected optimizer to have 640 bytes, twice those of the parameters "
            "that are trained, but "
            "got 320");
  EXPECT_EQ(messageAfter([](json &m) { m["parameters"][0]["shape"] = {1 << 30, 1 << 30}; }),
            "manifest.parameters[0].shape: expected at most 4398046511104 entries");
}

TEST(Artifact, AddressesOutsideTheirSpaces) {
  auto train = [](json &m) -> json & { return m["functions"]["train"]; };
  EXPECT_EQ(messageAfter([&](json &m) { train(m)[0]["to"] = {10, 0, 0}; }),
            "manifest.functions.train[0].to: space 10 of 10");
  EXPECT_EQ(
      messageAfter([&](json &m) { train(m)[0]["to"] = {0, 64, 0}; }),
      "manifest.functions.train[0].to: bytes 64 to 384 of 'parameters', which has 320 for the "
      "shortest rollout");
  EXPECT_EQ(messageAfter([&](json &m) { train(m)[0]["to"] = {3, 0, 128}; }),
            "manifest.functions.train[0].to: expected stride 0 outside a loop, but got 128");
  EXPECT_EQ(messageAfter([&](json &m) { train(m)[4]["body"][2]["to"] = {3, 0, 192}; }),
            "manifest.functions.train[4].body[2].to: stride 192 exceeds segment_bytes 128 of "
            "'replay'");
  // Slot t + 2 is there only where t + 1 < T: the loop to segments-1 may use it, the other may not.
  EXPECT_EQ(messageAfter([&](json &m) { train(m)[3]["body"][1]["arguments"][4] = {3, 384, 128}; }),
            "");
  EXPECT_EQ(
      messageAfter([&](json &m) { train(m)[4]["body"][2]["to"] = {3, 256, 128}; }),
      "manifest.functions.train[4].body[2].to: bytes 256 to 384 of 'replay', which has 256 for "
      "the shortest rollout");
  EXPECT_EQ(messageAfter([&](json &m) { train(m)[4]["body"][0]["kernel"] = 8; }),
            "manifest.functions.train[4].body[0].kernel: kernel 8 of 8");
  EXPECT_EQ(messageAfter([&](json &m) { train(m)[4]["body"][0] = train(m)[3]; }),
            "manifest.functions.train[4].body[0]: expected loops only at the top level of train, "
            "evaluate, trace, begin and end");
  EXPECT_EQ(
      messageAfter([&](json &m) { m["functions"]["prepare"][0] = train(m)[3]; }),
      "manifest.functions.prepare[0]: expected loops only at the top level of train, evaluate, "
      "trace, begin and end");
  EXPECT_EQ(messageAfter([&](json &m) { train(m)[4]["outputs"][0] = "lost"; }),
            "manifest.functions.train[4].outputs[0]: unknown output 'lost'");
  EXPECT_EQ(messageAfter([&](json &m) { train(m)[0]["when"] = "last"; }),
            "manifest.functions.train[0].when: expected it inside a loop only");
  EXPECT_EQ(messageAfter([&](json &m) {
              train(m)[4]["body"][0] = m["functions"]["prepare"][0];
              train(m)[4]["body"][0]["together"] = true;
            }),
            "manifest.functions.train[4].body[0].together: expected two dispatches that run for "
            "every segment");
}

} // namespace
} // namespace memformer
