// Files that are damaged, cut, or made for something else: an error that says so, exit status 1,
// and what stood at the place of the output stands there still.
#include "runtime/artifact.h"
#include "runtime/file.h"
#include "runtime/random.h"
#include "runtime/safetensors.h"
#include "test/product/process.h"
#include "test/training/temporary_folder.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <nlohmann/json.hpp>

using namespace memformer;
using namespace memformer::test;

namespace {

constexpr const char *kept = "this was here before";

// One tensor of a file in memory.
struct Entry {
  std::string name;
  SafetensorsType type;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;
};

class BadFiles : public testing::Test {
protected:
  static void SetUpTestSuite() {
    shared = new TemporaryFolder;
    Outcome outcome = runTool({"memformer-compile", original("model.toml"), "--batch", "2", "-o",
                               shared->path() / "model.mfa"},
                              shared->path());
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }
  static void TearDownTestSuite() {
    delete shared;
    shared = nullptr;
  }

  static std::string original(const char *name) {
    return std::string(MEMFORMER_CASES "/head-one/") + name;
  }
  static std::string artifact() { return shared->read("model.mfa"); }

  // Of a trace with these files, the rest being good.
  Outcome trace(const std::string &model, const std::string &weights, const std::string &tokens) {
    const auto out = folder.write("out.safetensors", kept);
    Outcome outcome = runTool(
        {"memformer-run", "trace", model, "--weights", weights, "--tokens", tokens, "--out", out},
        folder.path());
    if (outcome.status != 0) {
      EXPECT_EQ(folder.read("out.safetensors"), kept);
    }
    return outcome;
  }
  void refuseModel(const std::string &bytes, const std::string &message) {
    const auto path = folder.write("bad.mfa", bytes);
    expectError(trace(path, original("weights.safetensors"), original("tokens.safetensors")),
                "bad.mfa: ", message);
  }
  void refuseWeights(const std::string &path, const std::string &message) {
    expectError(trace(shared->path() / "model.mfa", path, original("tokens.safetensors")),
                path + ": ", message);
  }
  void refuseTokens(const std::string &path, const std::string &message) {
    expectError(trace(shared->path() / "model.mfa", original("weights.safetensors"), path),
                path + ": ", message);
  }
  static void expectError(const Outcome &outcome, const std::string &file,
                          const std::string &message) {
    EXPECT_EQ(outcome.status, 1) << outcome.output;
    EXPECT_TRUE(outcome.output.starts_with("memformer-run: error: ")) << outcome.output;
    EXPECT_NE(outcome.output.find(file), std::string::npos) << file << " in " << outcome.output;
    EXPECT_NE(outcome.output.find(message), std::string::npos)
        << message << " in " << outcome.output;
  }

  // The artifact with another manifest, well-formed in every other way.
  std::string withManifest(const std::function<void(nlohmann::json &)> &change) {
    const std::string bytes = artifact();
    uint64_t length;
    std::memcpy(&length, bytes.data() + 16, sizeof(length));
    auto manifest = nlohmann::json::parse(bytes.substr(32, length), nullptr, false);
    EXPECT_FALSE(manifest.is_discarded());
    auto loaded = Artifact::load(shared->path() / "model.mfa");
    EXPECT_TRUE(loaded.has_value());
    std::vector<SectionData> sections;
    for (const SectionInfo &section : (*loaded)->sections())
      sections.push_back({section.name, *(*loaded)->section(section.name)});
    manifest.erase("sections");
    change(manifest);
    auto result = assembleArtifact(std::move(manifest), sections);
    EXPECT_TRUE(result.has_value()) << result.error().message;
    return {reinterpret_cast<const char *>(result->data()), result->size()};
  }

  // A file of the case with other entries.
  std::string withEntries(const char *name,
                          const std::function<void(std::vector<Entry> &)> &change) {
    auto file = SafetensorsFile::open(original(name));
    EXPECT_TRUE(file.has_value());
    std::vector<Entry> entries;
    for (const SafetensorsInfo &info : file->header().tensors) {
      Entry &entry = entries.emplace_back(info.name, info.type, info.shape,
                                          std::vector<std::byte>(info.bytes));
      EXPECT_TRUE(file->readBytes(info, entry.bytes));
    }
    change(entries);
    std::vector<SafetensorsTensor> tensors;
    for (const Entry &entry : entries)
      tensors.push_back({entry.name, entry.type, entry.shape, entry.bytes});
    const auto path = folder.path() / "bad.safetensors";
    EXPECT_TRUE(writeSafetensors(path, tensors));
    return path;
  }
  static Entry &find(std::vector<Entry> &entries, std::string_view name) {
    return *std::ranges::find(entries, name, &Entry::name);
  }
  template <class Value> static void set(Entry &entry, size_t index, Value value) {
    std::memcpy(entry.bytes.data() + index * sizeof(Value), &value, sizeof(Value));
  }

  TemporaryFolder folder;
  static inline TemporaryFolder *shared = nullptr;
};

TEST_F(BadFiles, TheGoodOnesAreTaken) {
  Outcome outcome = trace(shared->path() / "model.mfa", original("weights.safetensors"),
                          original("tokens.safetensors"));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_NE(folder.read("out.safetensors"), kept);
  // What the tests below do to a file does nothing by itself.
  const auto same = folder.write("same.mfa", withManifest([](nlohmann::json &) {}));
  outcome = trace(same, withEntries("weights.safetensors", [](std::vector<Entry> &) {}),
                  original("tokens.safetensors"));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
}

TEST_F(BadFiles, TruncatedArtifact) {
  const std::string bytes = artifact();
  refuseModel("", "expected at least 32 bytes, but got 0");
  refuseModel(bytes.substr(0, 31), "expected at least 32 bytes, but got 31");
  for (size_t length : {size_t(32), size_t(1000), bytes.size() / 2, bytes.size() - 1})
    refuseModel(bytes.substr(0, length), "incomplete");
  refuseModel(bytes + "x", "has been extended");
}

TEST_F(BadFiles, FlippedBitsInAnArtifact) {
  for (uint64_t attempt = 0; attempt < 40; ++attempt) {
    std::string bytes = artifact();
    // Some in the header, the rest anywhere.
    const uint64_t bit = randomBits(3, attempt) % (attempt < 10 ? 32 * 8 : bytes.size() * 8);
    bytes[bit / 8] = char(bytes[bit / 8] ^ (1 << bit % 8));
    SCOPED_TRACE(fmt::format("bit {}", bit));
    refuseModel(bytes, bit < 64                  ? "not an artifact"
                       : bit < 96                ? "format version"
                       : bit >= 192 && bit < 256 ? "expected"
                                                 : "damaged");
  }
}

TEST_F(BadFiles, ArtifactOfAnotherFormat) {
  std::string bytes = artifact();
  bytes[8] = 2;
  refuseModel(bytes, "expected artifact format version 1, but got 2; compile the model again");
}

TEST_F(BadFiles, ArtifactForAnotherProcessor) {
  // AMD's own and Intel's own: no processor has both.
  refuseModel(withManifest([](nlohmann::json &manifest) {
                manifest["target"]["features"] = {"sse4a", "amx-tile"};
              }),
              "this machine");
  refuseModel(withManifest([](nlohmann::json &manifest) {
                manifest["target"]["features"].push_back("avx4096");
              }),
              "avx4096");
  refuseModel(withManifest([](nlohmann::json &manifest) {
                manifest["target"]["triple"] = "riscv64-unknown-linux-gnu";
              }),
              "riscv64");
}

// What a machine without AVX-512 says to code that has it; one that has it runs it.
TEST_F(BadFiles, ArtifactForAWiderProcessor) {
  const auto path = folder.path() / "bad.mfa";
  Outcome outcome = runTool({"memformer-compile", original("model.toml"), "--batch", "2", "--cpu",
                             "skylake-avx512", "-o", path},
                            folder.path());
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  outcome = trace(path, original("weights.safetensors"), original("tokens.safetensors"));
  auto file = readFile("/proc/cpuinfo");
  ASSERT_TRUE(file) << file.error().message;
  const std::string_view text(reinterpret_cast<const char *>(file->data()), file->size());
  if (text.find(" avx512vl") == std::string_view::npos)
    expectError(outcome, "bad.mfa: ", "compiled for skylake-avx512, but this CPU lacks avx512");
  else
    EXPECT_EQ(outcome.status, 0) << outcome.output;
}

TEST_F(BadFiles, Weights) {
  refuseWeights(folder.path() / "none.safetensors", "No such file");
  refuseWeights(withEntries("weights.safetensors",
                            [](std::vector<Entry> &entries) {
                              std::erase_if(entries, [](const Entry &entry) {
                                return entry.name == "memory.bias";
                              });
                            }),
                "memory.bias");
  refuseWeights(withEntries("weights.safetensors",
                            [](std::vector<Entry> &entries) {
                              Entry more = entries[0];
                              more.name = "memory.bais";
                              entries.push_back(more);
                            }),
                "memory.bais");
  // As many entries, in another shape.
  refuseWeights(withEntries("weights.safetensors",
                            [](std::vector<Entry> &entries) {
                              find(entries, "embedding.weight").shape = {6, 11};
                            }),
                "[11, 6]");
  refuseWeights(withEntries("weights.safetensors",
                            [](std::vector<Entry> &entries) {
                              set(find(entries, "embedding.weight"), 7,
                                  std::numeric_limits<float>::quiet_NaN());
                            }),
                "tensor 'embedding.weight': entry 7 is not a number");
  refuseWeights(withEntries("weights.safetensors",
                            [](std::vector<Entry> &entries) {
                              set(find(entries, "decoder.output.bias"), 10,
                                  -std::numeric_limits<float>::infinity());
                            }),
                "inf");
}

TEST_F(BadFiles, WeightsWithALyingHeader) {
  auto original = readFile(BadFiles::original("weights.safetensors"));
  ASSERT_TRUE(original);
  const std::string bytes(reinterpret_cast<const char *>(original->data()), original->size());
  auto refuse = [&](const std::string &bad, const std::string &message) {
    refuseWeights(folder.write("lying.safetensors", bad), message);
  };
  auto withLength = [&](uint64_t length) {
    std::string bad = bytes;
    std::memcpy(bad.data(), &length, sizeof(length));
    return bad;
  };
  refuse("", "expected");
  refuse(bytes.substr(0, 7), "expected");
  refuse(bytes.substr(0, bytes.size() - 4), "expected");
  refuse(bytes + "more", "but the file has");
  for (uint64_t length : {uint64_t(0), uint64_t(bytes.size()), uint64_t(1) << 40, ~uint64_t(0)})
    refuse(withLength(length), "header");
  // Sizes that do not fit what they are sizes of; the length of the header stays.
  auto replaced = [&](std::string_view from, std::string_view to) {
    std::string bad = bytes;
    size_t at = bad.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    EXPECT_EQ(from.size(), to.size());
    return bad.replace(at, from.size(), to);
  };
  refuse(replaced("[11,6]", "[99,9]"), "expected");
  refuse(replaced("\"F32\"", "\"Q32\""), "Q32");
  refuse(replaced("data_offsets", "data_offsats"), "data_offsets");
}

TEST_F(BadFiles, Tokens) {
  refuseTokens(folder.path() / "none.safetensors", "No such file");
  refuseTokens(withEntries("tokens.safetensors",
                           [](std::vector<Entry> &entries) {
                             set<int32_t>(find(entries, "encoder_tokens"), 3, 11);
                           }),
               "11");
  refuseTokens(withEntries("tokens.safetensors",
                           [](std::vector<Entry> &entries) {
                             set<int32_t>(find(entries, "decoder_tokens"), 29, -1);
                           }),
               "-1");
  refuseTokens(withEntries("tokens.safetensors",
                           [](std::vector<Entry> &entries) {
                             set<int32_t>(find(entries, "targets"), 0, -2);
                           }),
               "-2");
  refuseTokens(withEntries("tokens.safetensors",
                           [](std::vector<Entry> &entries) {
                             std::erase_if(entries, [](const Entry &entry) {
                               return entry.name == "targets";
                             });
                           }),
               "expected a tensor 'targets'");
  refuseTokens(
      withEntries("tokens.safetensors",
                  [](std::vector<Entry> &entries) { find(entries, "targets").shape = {2, 3, 5}; }),
      "[segments, batch, segment]");
  // Other segments than the model's, and another batch than the artifact's.
  refuseTokens(withEntries("tokens.safetensors",
                           [](std::vector<Entry> &entries) {
                             for (Entry &entry : entries)
                               entry.shape = {5, 2, 3};
                           }),
               "expected segments of 5 tokens, as the model has, but got 3");
  Outcome outcome = trace(shared->path() / "model.mfa", original("weights.safetensors"),
                          withEntries("tokens.safetensors", [](std::vector<Entry> &entries) {
                            for (Entry &entry : entries)
                              entry.shape = {2, 3, 5};
                          }));
  expectError(outcome, "model.mfa: ", "compiled for batch 2, not 3");
}

} // namespace
