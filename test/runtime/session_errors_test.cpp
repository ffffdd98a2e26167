// Requests to a session that it must refuse, and what it says.

#include "runtime/rollout.h"
#include "test/runtime/toy_model.h"

#include <gtest/gtest.h>

namespace memformer {
namespace {

using namespace toy;

class SessionErrors : public testing::Test {
protected:
  std::string message(const Rollout &rollout, std::span<const OutputSink> outputs = {}) {
    auto result = session->train(rollout, outputs);
    EXPECT_FALSE(result.has_value());
    return result ? "" : result.error().message;
  }

  std::unique_ptr<Session> session = toy::session(Schedule::Replay, 4, 1);
  std::vector<int32_t> data = tokens(4);
  InputData inputs[1] = {{"tokens", data.data()}};
};

TEST_F(SessionErrors, OutOfBoundsNamesThePlace) {
  data[size_t((2 * B + 1) * L + 3)] = int32_t(V);
  EXPECT_EQ(
      message({.segments = 4, .inputs = inputs}),
      "input 'tokens', segment 2, row 1, position 3: expected a value in [0, 11), but got 11");
  data[size_t((2 * B + 1) * L + 3)] = -1;
  EXPECT_EQ(
      message({.segments = 4, .inputs = inputs}),
      "input 'tokens', segment 2, row 1, position 3: expected a value in [0, 11), but got -1");
  // Entries of segments that are not in the rollout do not matter.
  EXPECT_TRUE(session->train({.segments = 2, .inputs = inputs}));
}

TEST_F(SessionErrors, IgnoredAllowsMinusOneAlone) {
  auto json = manifest(Schedule::Replay);
  json["inputs"][0]["ignored"] = true;
  const auto host = kernels();
  const SectionData sections[] = {{"host", host}};
  auto artifact = Artifact::load(*assembleArtifact(json, sections));
  session = *Session::create(*artifact, {.segments = 4});
  data[7] = -2;
  EXPECT_EQ(
      message({.segments = 4, .inputs = inputs}),
      "input 'tokens', segment 0, row 1, position 2: expected a value in [-1, 11), but got -2");
}

TEST_F(SessionErrors, SegmentsAndStored) {
  EXPECT_EQ(message({.segments = 5, .inputs = inputs}),
            "expected a rollout of 1 to 4 segments, but got 5");
  EXPECT_EQ(message({.segments = 0, .inputs = inputs}),
            "expected a rollout of 1 to 4 segments, but got 0");
  EXPECT_EQ(message({.segments = 2, .stored = 3, .inputs = inputs}),
            "expected 0 to 2 stored states, but got 3");
  EXPECT_EQ(message({.segments = 2, .stored = -1, .inputs = inputs}),
            "expected 0 to 2 stored states, but got -1");
}

TEST_F(SessionErrors, Names) {
  EXPECT_EQ(message({.segments = 4}), "missing input 'tokens'");
  const InputData wrong[] = {{"tokens", data.data()}, {"token", data.data()}};
  EXPECT_EQ(message({.segments = 4, .inputs = wrong}), "the artifact has no input 'token'");
  const InputData own[] = {{"tokens", data.data()}, {"reset", data.data()}};
  EXPECT_EQ(message({.segments = 4, .inputs = own}), "the artifact has no input 'reset'");
  const InputData null[] = {{"tokens", nullptr}};
  EXPECT_EQ(message({.segments = 4, .inputs = null}), "input 'tokens' has no data");
  const OutputSink sink[] = {{"prediction", data.data()}};
  EXPECT_EQ(message({.segments = 4, .inputs = inputs}, sink),
            "the function 'train' has no output 'prediction'");
}

TEST_F(SessionErrors, OptionsAndFunctions) {
  auto create = [](const nlohmann::json &json, const SessionOptions &options) -> std::string {
    const auto host = kernels();
    const SectionData sections[] = {{"host", host}};
    auto session = Session::create(*Artifact::load(*assembleArtifact(json, sections)), options);
    return session ? "" : session.error().message;
  };
  auto json = manifest(Schedule::Replay);
  EXPECT_EQ(create(json, {.segments = 0}), "expected 1 to 65536 segments in a rollout, but got 0");
  EXPECT_EQ(create(json, {.segments = 1, .threads = 5000}),
            "expected at most 1024 threads, but got 5000");
  auto huge = json;
  huge["spaces"][9]["segment_bytes"] = uint64_t(1) << 44;
  EXPECT_TRUE(create(huge, {.segments = 1000})
                  .starts_with("cannot reserve 17592186044416256 bytes "
                               "for 'workspace': "))
      << create(huge, {.segments = 1000});
  auto missing = json;
  missing["kernels"][0]["symbol"] = "nowhere";
  EXPECT_EQ(create(missing, {}), "the artifact's code has no kernel 'nowhere'");

  auto inference = json;
  inference["functions"]["update"] = nlohmann::json::array();
  inference["functions"]["train"] = nlohmann::json::array();
  const auto host = kernels();
  const SectionData sections[] = {{"host", host}};
  session =
      *Session::create(*Artifact::load(*assembleArtifact(inference, sections)), {.segments = 4});
  EXPECT_EQ(message({.segments = 4, .inputs = inputs}), "the artifact has no function 'train'");
  EXPECT_EQ(session->update({}).error().message, "the artifact has no function 'update'");
}

TEST(StateEntries, AreThoseThatTheModelMayIndexBy) {
  Manifest manifest;
  manifest.state.resize(2);
  manifest.state[0].name = "memory";
  manifest.state[0].shape = {2, 3};
  manifest.state[1].name = "tokens";
  manifest.state[1].type = ElementType::I32;
  manifest.state[1].shape = {2, 2, 3};
  manifest.state[1].offset = 64;
  manifest.state[1].bound = 5;
  std::vector<int32_t> slot(16 + 12, -7); // floats may have any bits
  std::fill(slot.begin() + 16, slot.end(), 4);
  auto check = [&] {
    auto checked = checkStateEntries(manifest, std::as_bytes(std::span(slot)));
    return checked ? "" : checked.error().message;
  };
  EXPECT_EQ(check(), "");
  slot[16 + 10] = 5;
  EXPECT_EQ(check(), "state 'tokens', row 1, entry 4: expected a value in [0, 5), but got 5");
  slot[16 + 10] = -1;
  EXPECT_EQ(check(), "state 'tokens', row 1, entry 4: expected a value in [0, 5), but got -1");
  manifest.state[1].ignored = true;
  EXPECT_EQ(check(), "");
  slot[16] = -2;
  EXPECT_EQ(check(), "state 'tokens', row 0, entry 0: expected a value in [-1, 5), but got -2");
}

TEST_F(SessionErrors, CodeThatIsNone) {
  auto json = manifest(Schedule::Replay);
  auto create = [&](std::span<const SectionData> sections) -> std::string {
    auto session = Session::create(*Artifact::load(*assembleArtifact(json, sections)), {});
    return session ? "" : session.error().message;
  };
  EXPECT_EQ(create({}),
            "the artifact has no code for the CPU: it was compiled for GPUs alone, or as a plan");
  std::vector<std::byte> text(100, std::byte{'x'});
  const SectionData noElf[] = {{"host", text}};
  EXPECT_EQ(create(noElf), "the artifact's section 'host' is not an ELF shared object");
  auto half = kernels();
  half.resize(80);
  const SectionData truncated[] = {{"host", half}};
  EXPECT_TRUE(create(truncated).starts_with("cannot load kernels: ")) << create(truncated);
}

} // namespace
} // namespace memformer
