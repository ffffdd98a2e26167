// Damaged and lying artifacts are refused, whatever is wrong with them.

#include "runtime/random.h"
#include "test/runtime/toy_model.h"

#include <cstring>
#include <gtest/gtest.h>
#include <zlib.h>

namespace memformer {
namespace {

using nlohmann::json;
using toy::Schedule;

std::vector<std::byte> wholeArtifact() {
  const auto host = toy::kernels();
  const SectionData sections[] = {{"host", host}};
  return *assembleArtifact(toy::manifest(Schedule::Replay), sections);
}

/// Written from docs/artifact.md alone: any text as the manifest, with a right length and checksum.
std::vector<std::byte> packageText(std::string_view text) {
  std::vector<std::byte> file(32 + text.size());
  const uint32_t version = 1;
  const uint64_t manifestBytes = text.size(), fileBytes = file.size();
  std::memcpy(file.data(), "MEMFORMR", 8);
  std::memcpy(file.data() + 8, &version, 4);
  std::memcpy(file.data() + 16, &manifestBytes, 8);
  std::memcpy(file.data() + 24, &fileBytes, 8);
  std::memcpy(file.data() + 32, text.data(), text.size());
  const auto crc =
      uint32_t(crc32(0, reinterpret_cast<const Bytef *>(file.data()) + 16, uInt(file.size() - 16)));
  std::memcpy(file.data() + 12, &crc, 4);
  return file;
}

TEST(ArtifactCorruption, EveryTruncationIsRefused) {
  const auto file = wholeArtifact();
  ASSERT_TRUE(Artifact::load(file).has_value());
  for (size_t size = 0; size < file.size(); size += size < 512 ? 1 : 97) {
    auto result = Artifact::load(std::vector(file.begin(), file.begin() + ptrdiff_t(size)));
    ASSERT_FALSE(result.has_value()) << size;
  }
  auto longer = file;
  longer.push_back(std::byte());
  EXPECT_FALSE(Artifact::load(longer).has_value());
}

TEST(ArtifactCorruption, EveryFlippedByteIsRefused) {
  const auto file = wholeArtifact();
  for (size_t i = 0; i < file.size(); ++i) {
    auto damaged = file;
    damaged[i] ^= std::byte(1u << i % 8);
    auto result = Artifact::load(std::move(damaged));
    ASSERT_FALSE(result.has_value()) << i;
    ASSERT_FALSE(result.error().message.empty());
  }
}

TEST(ArtifactCorruption, MessagesSayWhatIsWrong) {
  const auto file = wholeArtifact();
  auto message = [&](size_t offset, uint8_t value) {
    auto damaged = file;
    damaged[offset] = std::byte(value);
    return Artifact::load(std::move(damaged)).error().message;
  };
  EXPECT_EQ(message(0, 'm'), "not an artifact: it does not begin with MEMFORMR");
  EXPECT_EQ(message(8, 2),
            "expected artifact format version 1, but got 2; compile the model again");
  EXPECT_TRUE(message(24, 1).starts_with("the artifact is incomplete or has been extended: "));
  EXPECT_TRUE(message(40, 1).starts_with("the artifact is damaged: expected checksum "));
  EXPECT_EQ(Artifact::load(std::vector<std::byte>(31)).error().message,
            "not an artifact: expected at least 32 bytes, but got 31");
}

TEST(ArtifactCorruption, LyingLengthOfTheManifest) {
  auto file = packageText("{}");
  for (uint64_t length : {uint64_t(3), uint64_t(1) << 40, ~uint64_t(0), ~uint64_t(0) - 31}) {
    std::memcpy(file.data() + 16, &length, 8);
    const auto crc = uint32_t(
        crc32(0, reinterpret_cast<const Bytef *>(file.data()) + 16, uInt(file.size() - 16)));
    std::memcpy(file.data() + 12, &crc, 4);
    EXPECT_TRUE(
        Artifact::load(file).error().message.starts_with("the artifact's manifest is said"));
  }
}

TEST(ArtifactCorruption, JsonThatIsNone) {
  auto message = [](std::string_view text) {
    return Artifact::load(packageText(text)).error().message;
  };
  EXPECT_TRUE(message("").starts_with("manifest: JSON syntax error at byte "));
  EXPECT_TRUE(message("{\"a\":").starts_with("manifest: JSON syntax error at byte "));
  EXPECT_TRUE(message("{\"\xff\":1}").starts_with("manifest: JSON syntax error at byte "));
  EXPECT_EQ(message("{\"a\":1,\"a\":2}"), "manifest: JSON key 'a' occurs twice in an object");
  EXPECT_EQ(message(std::string(1000000, '[')),
            "manifest: JSON nested 1000000 deep, but expected at most 12");
  EXPECT_EQ(message("[]"), "manifest: expected an object, but got array");
}

TEST(ArtifactCorruption, SectionsOutsideTheFile) {
  auto manifest = toy::manifest(Schedule::Replay);
  auto message = [&](json section) {
    manifest["sections"] = {{"host", section}};
    return Artifact::load(packageText(manifest.dump())).error().message;
  };
  EXPECT_TRUE(message({{"offset", 0}, {"bytes", 0}})
                  .starts_with("manifest.sections.host: expected bytes between "));
  EXPECT_TRUE(message({{"offset", 1 << 20}, {"bytes", 1}})
                  .starts_with("manifest.sections.host: expected bytes between "));
  EXPECT_EQ(message({{"offset", 1}, {"bytes", 1}}),
            "manifest.sections.host.offset: expected a multiple of 64, but got 1");
  EXPECT_EQ(message(3), "manifest.sections.host: expected an object, but got number");
}

/// Every value of the manifest, replaced by others; each must be an error or be understood.
TEST(ArtifactCorruption, EveryFieldReplaced) {
  auto base = toy::manifest(Schedule::Replay);
  base["sections"] = json::object();
  const auto flat = base.flatten();
  const json replacements[] = {
      nullptr,           -1,           0,     1.5, "x", true, json::array(), json::object(),
      uint64_t(1) << 44, ~uint64_t(0), -1e308};
  int refused = 0, accepted = 0;
  for (const auto &[pointer, value] : flat.items()) {
    for (const auto &replacement : replacements) {
      auto changed = base;
      changed[json::json_pointer(pointer)] = replacement;
      auto result = Artifact::load(packageText(changed.dump()));
      ++(result ? accepted : refused);
      // Nothing may be null; an empty array flattens to null and is left out.
      if (replacement.is_null() && !value.is_null()) {
        EXPECT_FALSE(result.has_value()) << pointer;
      }
    }
  }
  EXPECT_GT(refused, 3 * accepted);
  EXPECT_GT(accepted, 0);
}

TEST(ArtifactCorruption, RandomBytesOfTheManifest) {
  auto base = toy::manifest(Schedule::Saved);
  base["sections"] = json::object();
  const auto text = base.dump();
  ASSERT_TRUE(Artifact::load(packageText(text)).has_value());
  int refused = 0;
  for (uint64_t i = 0; i < 3000; ++i) {
    auto damaged = text;
    for (uint64_t k = 0; k <= i % 3; ++k)
      damaged[randomBits(i, 2 * k) % text.size()] = char(randomBits(i, 2 * k + 1));
    refused += !Artifact::load(packageText(damaged)).has_value();
  }
  EXPECT_GT(refused, 2000);
}

} // namespace
} // namespace memformer
