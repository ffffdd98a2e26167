// Programs for CUDA devices in an artifact: what is read, and what is refused.

#include "runtime/random.h"
#include "test/runtime/cuda/toy_device.h"

#include <gtest/gtest.h>

namespace memformer {
namespace {

using nlohmann::json;
using toy::Schedule;

/// The error after one change of the second of two programs; "" where there is none.
template <class Change> std::string messageAfter(Change &&change) {
  json devices = {toy::device(Schedule::Replay, "sm_80"),
                  toy::device(Schedule::Replay, "sm_90a", true)};
  change(devices[1]);
  auto file = toy::assembleWith(toy::manifest(Schedule::Replay), devices);
  if (file)
    return "";
  constexpr std::string_view prefix = "the runtime would refuse this artifact: ";
  EXPECT_TRUE(file.error().message.starts_with(prefix)) << file.error().message;
  return file.error().message.substr(prefix.size());
}

TEST(CudaManifest, ReadsPrograms) {
  auto artifact =
      toy::deviceArtifact(Schedule::Saved, {toy::device(Schedule::Saved, "sm_80"),
                                            toy::device(Schedule::Saved, "sm_120a", true)});
  ASSERT_EQ(artifact->devices().size(), 2u);
  const Manifest &first = artifact->devices()[0], &second = artifact->devices()[1];
  EXPECT_TRUE(artifact->manifest().target.isHost());
  EXPECT_EQ(first.target.kind, "cuda");
  EXPECT_EQ(first.target.architecture, "sm_80");
  EXPECT_EQ(first.target.ptxVersion, 70u);
  EXPECT_EQ(first.name, "toy");
  EXPECT_EQ(first.batch, toy::B);
  EXPECT_EQ(first.parameters.size(), 1u);
  EXPECT_EQ(first.kernels[2].threads, 96u);
  EXPECT_EQ(first.kernels[2].ptx.offset, 512u);
  EXPECT_EQ(first.kernels[2].ptx.bytes, 128u);
  EXPECT_FALSE(first.kernels[2].cubin.has_value());
  EXPECT_EQ(second.kernels[2].cubin->offset, 640u);
  EXPECT_EQ(second.flops(Function::Train, 8), artifact->manifest().flops(Function::Train, 8));
}

TEST(CudaManifest, Targets) {
  EXPECT_EQ(messageAfter([](json &) {}), "");
  EXPECT_EQ(messageAfter([](json &m) { m["target"]["kind"] = "host"; }),
            "manifest.devices[1].target.kind: expected cuda, but got 'host'");
  for (const char *name : {"sm_9", "sm_0080", "sm_090", "sm_90b", "90a", "sm_", "sm_90aa", "sm_9a"})
    EXPECT_EQ(messageAfter([&](json &m) { m["target"]["architecture"] = name; }),
              fmt::format("manifest.devices[1].target.architecture: expected an architecture such "
                          "as sm_80 or sm_90a, but got '{}'",
                          name));
  EXPECT_EQ(messageAfter([](json &m) { m["target"]["ptx_version"] = 59; }),
            "manifest.devices[1].target.ptx_version: expected at least 60, but got 59");
  EXPECT_EQ(messageAfter([](json &m) { m["target"].erase("ptx_version"); }),
            "manifest.devices[1].target.ptx_version: missing");
  json twice = {toy::device(Schedule::Replay, "sm_80"), toy::device(Schedule::Replay, "sm_80")};
  json host = toy::manifest(Schedule::Replay);
  host["devices"] = twice;
  const std::vector<std::byte> text(8 * 256, std::byte{'x'});
  EXPECT_EQ(assembleArtifact(host, {}).error().message,
            "the runtime would refuse this artifact: manifest.devices[0]: expected a section named "
            "'sm_80'");
}

TEST(CudaManifest, OneProgramForAnArchitecture) {
  json host = toy::manifest(Schedule::Replay);
  host["devices"] = {toy::device(Schedule::Replay, "sm_80"),
                     toy::device(Schedule::Replay, "sm_80")};
  std::string code;
  for (int i = 0; i < 16; ++i)
    code += std::string(127, ' ') + '\0';
  const SectionData sections[] = {{"sm_80", std::as_bytes(std::span<const char>(code))}};
  EXPECT_EQ(assembleArtifact(host, sections).error().message,
            "the runtime would refuse this artifact: manifest.devices[1].target: a program for "
            "sm_80 occurs twice");
}

TEST(CudaManifest, Kernels) {
  auto kernel = [](json &m) -> json & { return m["kernels"][3]; };
  EXPECT_EQ(messageAfter([&](json &m) { kernel(m)["threads"] = 0; }),
            "manifest.devices[1].kernels[3].threads: expected at least 1, but got 0");
  EXPECT_EQ(messageAfter([&](json &m) { kernel(m)["threads"] = 1025; }),
            "manifest.devices[1].kernels[3].threads: expected an integer in [0, 1024], but got "
            "1025");
  EXPECT_EQ(messageAfter([&](json &m) { kernel(m)["shared_bytes"] = 232449; }),
            "manifest.devices[1].kernels[3].shared_bytes: expected an integer in [0, 232448], but "
            "got 232449");
  EXPECT_EQ(messageAfter([&](json &m) { kernel(m).erase("registers"); }),
            "manifest.devices[1].kernels[3].registers: missing");
  EXPECT_EQ(messageAfter([&](json &m) { kernel(m)["ptx"] = {0}; }),
            "manifest.devices[1].kernels[3].ptx: expected [offset, bytes], but got 1 entries");
  EXPECT_EQ(messageAfter([&](json &m) { kernel(m)["ptx"] = {1 << 20, 1}; }),
            "manifest.devices[1].kernels[3].ptx: bytes 1048576 to 1048577 of section 'sm_90a', "
            "which has 2048");
  EXPECT_EQ(messageAfter([&](json &m) { kernel(m)["ptx"] = {0, 127}; }),
            "manifest.devices[1].kernels[3].ptx: expected text with a zero at its end alone");
  EXPECT_EQ(messageAfter([&](json &m) { kernel(m)["ptx"] = {0, 256}; }),
            "manifest.devices[1].kernels[3].ptx: expected text with a zero at its end alone");
  EXPECT_EQ(messageAfter([&](json &m) { kernel(m)["cubin"] = {0, 128}; }),
            "manifest.devices[1].kernels[3].cubin: expected an ELF file");
  EXPECT_EQ(
      messageAfter([&](json &m) { m["functions"]["train"][3]["body"][0]["grid"] = 1ll << 31; }),
      "manifest.devices[1].functions.train[3].body[0].grid: expected an integer in [0, "
      "2147483647], but got 2147483648");
  EXPECT_EQ(messageAfter([&](json &m) {
              m["functions"]["train"][3]["body"][0]["arguments"] = json(4096, json{0, 0, 0});
            }),
            "manifest.devices[1].functions.train[3].body[0].arguments: expected at most 4095 "
            "arguments of a GPU's kernel, but got 4096");
}

TEST(CudaManifest, TheSameModelAsTheHosts) {
  EXPECT_EQ(messageAfter([](json &m) { m["inputs"][0]["bound"] = 12; }),
            "manifest.devices[1].inputs: expected 'tokens' to be as the host's program has it");
  EXPECT_EQ(messageAfter([](json &m) { m["inputs"].erase(2); }),
            "manifest.devices[1].inputs: expected 'dropout_key', as the host's program has");
  EXPECT_EQ(messageAfter([](json &m) { m["state"][0]["shape"] = {3, 6}; }),
            "manifest.devices[1].state: expected 'memory' to be as the host's program has it");
  EXPECT_EQ(messageAfter([](json &m) {
              auto more = m["outputs"][2];
              more["name"] = "more";
              more["offset"] = 64 * 4 + 32 * 2;
              m["spaces"][5]["bytes"] = 1024;
              m["outputs"].push_back(more);
            }),
            "manifest.devices[1].outputs: the host's program has no 'more'");
  // Places are the program's own.
  EXPECT_EQ(messageAfter([](json &m) {
              m["spaces"][5]["bytes"] = 1024;
              m["outputs"][4]["offset"] = 512;
            }),
            "");
  EXPECT_EQ(
      messageAfter([](json &m) { m["spaces"][0]["bytes"] = 64; }),
      "manifest.devices[1].parameters: 'weight' has bytes 0 to 308, but its space ends at 64");
  EXPECT_EQ(messageAfter([](json &m) { m["functions"]["begin"] = m["functions"]["update"]; }),
            "manifest.devices[1].functions: expected 'begin' with manifest.devices[1].stream and "
            "only then");
  EXPECT_EQ(messageAfter([](json &m) { m["functions"]["train"][0]["to"] = {10, 0, 0}; }),
            "manifest.devices[1].functions.train[0].to: space 10 of 10");
}

/// Every value of a program, replaced by others; each must be an error or be understood.
TEST(CudaManifest, EveryFieldReplaced) {
  const json base = toy::device(Schedule::Replay, "sm_80", true);
  const json replacements[] = {
      nullptr,           -1,           0,     1.5, "x", true, json::array(), json::object(),
      uint64_t(1) << 44, ~uint64_t(0), -1e308};
  int refused = 0, accepted = 0;
  const json flat = base.flatten();
  for (const auto &[pointer, value] : flat.items()) {
    for (const auto &replacement : replacements) {
      json changed = base;
      changed[json::json_pointer(pointer)] = replacement;
      json host = toy::manifest(Schedule::Replay);
      host["devices"] = json::array({changed});
      std::string code;
      for (int i = 0; i < 8; ++i) {
        std::string cubin("\x7f"
                          "ELF");
        cubin.resize(127, ' ');
        code += std::string(127, ' ') + '\0' + cubin + '\0';
      }
      const SectionData sections[] = {{"sm_80", std::as_bytes(std::span<const char>(code))}};
      auto result = assembleArtifact(host, sections);
      ++(result ? accepted : refused);
      if (replacement.is_null() && !value.is_null()) {
        EXPECT_FALSE(result.has_value()) << pointer;
      }
    }
  }
  EXPECT_GT(refused, 3 * accepted);
  EXPECT_GT(accepted, 0);
}

} // namespace
} // namespace memformer
