// The file layout of an artifact, read and written.

#include "runtime/artifact.h"
#include "runtime/file.h"
#include "runtime/manifest.h"

#include <algorithm>
#include <cstring>
#include <zlib.h>

namespace memformer {

namespace {

constexpr std::string_view magic = "MEMFORMR";
constexpr uint32_t formatVersion = 1;
constexpr size_t headerBytes = 32;
constexpr size_t checkedFrom = 16; // the checksum covers all from here
constexpr int manifestDepth = 12;  // of devices[].functions.train[].body[].arguments[][]: 10

static_assert(std::endian::native == std::endian::little, "artifacts are little-endian");

template <class Integer> Integer readInteger(std::span<const std::byte> bytes, size_t offset) {
  Integer value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

template <class Integer>
void writeInteger(std::span<std::byte> bytes, size_t offset, Integer value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(value));
}

uint32_t checksum(std::span<const std::byte> file) {
  auto rest = file.subspan(checkedFrom);
  return uint32_t(crc32_z(0, reinterpret_cast<const unsigned char *>(rest.data()), rest.size()));
}

constexpr uint64_t alignUp(uint64_t offset) { return (offset + 63) / 64 * 64; }

/// The manifest's bytes, after the header is checked.
Result<std::string_view> checkHeader(std::span<const std::byte> file) {
  if (file.size() < headerBytes)
    return error("not an artifact: expected at least {} bytes, but got {}", headerBytes,
                 file.size());
  if (std::memcmp(file.data(), magic.data(), magic.size()) != 0)
    return error("not an artifact: it does not begin with {}", magic);
  if (auto version = readInteger<uint32_t>(file, 8); version != formatVersion)
    return error("expected artifact format version {}, but got {}; compile the model again",
                 formatVersion, version);
  if (auto length = readInteger<uint64_t>(file, 24); length != file.size())
    return error("the artifact is incomplete or has been extended: expected {} bytes, but got {}",
                 length, file.size());
  if (auto expected = readInteger<uint32_t>(file, 12), found = checksum(file); expected != found)
    return error("the artifact is damaged: expected checksum {:08x}, but got {:08x}", expected,
                 found);
  const auto manifestBytes = readInteger<uint64_t>(file, 16);
  if (manifestBytes > file.size() - headerBytes)
    return error("the artifact's manifest is said to have {} bytes, but the file has {}",
                 manifestBytes, file.size());
  return std::string_view(reinterpret_cast<const char *>(file.data()) + headerBytes, manifestBytes);
}

std::vector<SectionInfo> readSections(const JsonReader &reader, uint64_t begin, uint64_t end) {
  std::vector<SectionInfo> sections;
  if (!reader.expectObject())
    return sections;
  for (const auto &[key, value] : reader.json().items()) {
    const auto entry = reader.member(key.c_str());
    SectionInfo section{key, entry.unsignedInteger("offset", maxSpaceBytes),
                        entry.unsignedInteger("bytes", maxSpaceBytes)};
    if (section.offset % 64 != 0)
      entry.member("offset").fail("expected a multiple of 64, but got {}", section.offset);
    if (section.offset < begin || section.offset > end || section.bytes > end - section.offset)
      entry.fail("expected bytes between {} and {}, but got {} to {}", begin, end, section.offset,
                 section.offset + section.bytes);
    sections.push_back(std::move(section));
  }
  std::ranges::sort(sections, {}, &SectionInfo::offset);
  for (size_t i = 1; i < sections.size(); ++i)
    if (sections[i - 1].offset + sections[i - 1].bytes > sections[i].offset)
      reader.fail("'{}' and '{}' overlap", sections[i - 1].name, sections[i].name);
  return sections;
}

} // namespace

Result<std::shared_ptr<const Artifact>> Artifact::load(const std::filesystem::path &path) {
  auto bytes = readFile(path);
  if (!bytes)
    return std::unexpected(bytes.error());
  auto artifact = load(std::move(*bytes));
  if (!artifact)
    return withContext(artifact, path.native());
  return artifact;
}

Result<std::shared_ptr<const Artifact>> Artifact::load(std::vector<std::byte> bytes) {
  auto text = checkHeader(bytes);
  if (!text)
    return std::unexpected(text.error());
  auto json = parseJson(*text, manifestDepth);
  if (!json)
    return withContext(json, "manifest");

  JsonErrors errors;
  JsonReader root(*json, "manifest", errors);
  auto artifact = std::make_shared<Artifact>();
  artifact->contents = readManifest(root);
  MEMFORMER_TRY(errors.result());
  checkManifest(artifact->contents, root.path(), errors);
  MEMFORMER_TRY(errors.result());
  readFunctions(root.member("functions"), artifact->contents);
  artifact->sectionInfos =
      readSections(root.member("sections"), alignUp(headerBytes + text->size()), bytes.size());
  MEMFORMER_TRY(errors.result());
  artifact->file = std::move(bytes);
  if (root.has("devices"))
    MEMFORMER_TRY(artifact->readDevices(root.member("devices"), errors));
  return artifact;
}

Result<void> Artifact::readDevices(const JsonReader &list, JsonErrors &errors) {
  for (size_t i = 0, n = list.arraySize(); i < n; ++i) {
    const auto entry = list.element(i);
    Manifest device = readDeviceManifest(entry, contents);
    MEMFORMER_TRY(errors.result());
    checkManifest(device, entry.path(), errors);
    checkDeviceManifest(device, contents, entry.path(), errors);
    MEMFORMER_TRY(errors.result());
    readFunctions(entry.member("functions"), device);
    const std::string &architecture = device.target.architecture;
    const auto code = section(architecture);
    if (!code && !device.kernels.empty())
      entry.fail("expected a section named '{}'", architecture);
    checkDeviceCode(device, code.value_or(std::span<const std::byte>()), entry.path(), errors);
    for (const Manifest &other : deviceManifests)
      if (other.target.architecture == architecture)
        entry.member("target").fail("a program for {} occurs twice", architecture);
    MEMFORMER_TRY(errors.result());
    deviceManifests.push_back(std::move(device));
  }
  return errors.result();
}

Result<std::vector<std::byte>> assembleArtifact(nlohmann::json manifest,
                                                std::span<const SectionData> sections) {
  if (!manifest.is_object())
    return error("expected the manifest to be an object, but got {}", manifest.type_name());
  // The manifest holds the sections' offsets, and they depend on the manifest's length: lengthen
  // until both agree. An offset never shrinks from one round to the next, so this ends.
  std::string text;
  uint64_t begin = 0, end = 0;
  do {
    begin = alignUp(headerBytes + text.size());
    end = begin;
    auto table = nlohmann::json::object();
    for (const auto &section : sections) {
      if (table.contains(section.name))
        return error("the section '{}' is given twice", section.name);
      end = alignUp(end);
      table[section.name] = {{"offset", end}, {"bytes", section.bytes.size()}};
      end += section.bytes.size();
    }
    manifest["sections"] = std::move(table);
    text = manifest.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  } while (alignUp(headerBytes + text.size()) > begin);

  std::vector<std::byte> file(end);
  std::memcpy(file.data(), magic.data(), magic.size());
  writeInteger<uint32_t>(file, 8, formatVersion);
  writeInteger<uint64_t>(file, 16, text.size());
  writeInteger<uint64_t>(file, 24, end);
  std::memcpy(file.data() + headerBytes, text.data(), text.size());
  for (const auto &section : sections)
    if (!section.bytes.empty())
      std::memcpy(file.data() + manifest["sections"][section.name]["offset"].get<uint64_t>(),
                  section.bytes.data(), section.bytes.size());
  writeInteger<uint32_t>(file, 12, checksum(file));

  auto check = Artifact::load(file);
  if (!check)
    return withContext(check, "the runtime would refuse this artifact");
  return file;
}

Result<void> writeArtifact(const std::filesystem::path &path, nlohmann::json manifest,
                           std::span<const SectionData> sections) {
  auto file = assembleArtifact(std::move(manifest), sections);
  if (!file)
    return std::unexpected(file.error());
  return writeFileAtomically(path, *file);
}

} // namespace memformer
