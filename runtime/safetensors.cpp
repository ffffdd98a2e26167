// Reads tensors of a safetensors file, a block at a time.

#include "runtime/safetensors.h"

#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <sys/stat.h>
#include <unistd.h>

namespace memformer {

namespace {

// A multiple of every entry's size; the conversion's input is on the stack.
constexpr size_t blockBytes = size_t(1) << 15;

float floatFromHalf(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000) << 16;
  const uint32_t exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
  if (exponent == 0x1f)
    return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  if (exponent == 0) // zero or denormal: fraction * 2^-24
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(float(fraction) * 0x1p-24f));
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

template <class Entry> Entry load(const std::byte *from) {
  Entry entry;
  std::memcpy(&entry, from, sizeof(entry));
  return entry;
}

float loadFloat(SafetensorsType type, const std::byte *from) {
  switch (type) {
  case SafetensorsType::F64:
    return float(load<double>(from));
  case SafetensorsType::F32:
    return load<float>(from);
  case SafetensorsType::F16:
    return floatFromHalf(load<uint16_t>(from));
  case SafetensorsType::BF16:
    return std::bit_cast<float>(uint32_t(load<uint16_t>(from)) << 16);
  case SafetensorsType::I32:
    return float(load<int32_t>(from));
  case SafetensorsType::U8:
    return float(load<uint8_t>(from));
  case SafetensorsType::I64:
    break; // refused before
  }
  return 0;
}

int64_t loadInteger(SafetensorsType type, const std::byte *from) {
  switch (type) {
  case SafetensorsType::I64:
    return load<int64_t>(from);
  case SafetensorsType::I32:
    return load<int32_t>(from);
  default:
    return load<uint8_t>(from);
  }
}

} // namespace

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path &path) {
  SafetensorsFile file;
  file.name = path.native();
  file.descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file.descriptor < 0)
    return error("cannot open {}: {}", file.name, std::strerror(errno));
  struct stat status;
  if (::fstat(file.descriptor, &status) != 0)
    return error("cannot read {}: {}", file.name, std::strerror(errno));
  if (!S_ISREG(status.st_mode))
    return error("cannot read {}: expected a regular file", file.name);
  const auto fileBytes = uint64_t(status.st_size);

  std::vector<std::byte> beginning(std::min<uint64_t>(fileBytes, sizeof(uint64_t)));
  MEMFORMER_TRY(file.readAt(0, beginning));
  // Only a length that can be true makes memory be taken; the parser refuses the others.
  if (beginning.size() == sizeof(uint64_t)) {
    const auto length = load<uint64_t>(beginning.data());
    if (length <= fileBytes - sizeof(length) && length <= uint64_t(100) << 20) {
      beginning.resize(sizeof(length) + length);
      MEMFORMER_TRY(file.readAt(sizeof(length), std::span(beginning).subspan(sizeof(length))));
    }
  }
  auto header = parseSafetensorsHeader(beginning, fileBytes);
  if (!header)
    return withContext(header, file.name);
  file.contents = std::move(*header);
  return file;
}

SafetensorsFile::SafetensorsFile(SafetensorsFile &&other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)), name(std::move(other.name)),
      contents(std::move(other.contents)) {}

SafetensorsFile &SafetensorsFile::operator=(SafetensorsFile &&other) noexcept {
  std::swap(descriptor, other.descriptor);
  std::swap(name, other.name);
  std::swap(contents, other.contents);
  return *this;
}

SafetensorsFile::~SafetensorsFile() {
  if (descriptor >= 0)
    ::close(descriptor);
}

Result<void> SafetensorsFile::readAt(uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t got = ::pread(descriptor, out.data(), out.size(), off_t(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return error("cannot read {}: {}", name, std::strerror(errno));
    if (got == 0)
      return error("cannot read {}: it has become shorter", name);
    out = out.subspan(size_t(got));
    offset += uint64_t(got);
  }
  return {};
}

Result<void> SafetensorsFile::readBytes(const SafetensorsInfo &tensor,
                                        std::span<std::byte> out) const {
  if (out.size() != tensor.bytes)
    return error("{}: tensor '{}': expected {} bytes, but got {}", name, tensor.name, out.size(),
                 tensor.bytes);
  return readAt(tensor.begin, out);
}

namespace {

// `read(offset, bytes)` a block of the file at a time; `onEntry(index, bytes)` each entry.
template <class Read, class OnEntry>
Result<void> forEachEntry(std::string_view file, const SafetensorsInfo &tensor, size_t entries,
                          Read &&read, OnEntry &&onEntry) {
  if (int64_t(entries) != tensor.elements())
    return error("{}: tensor '{}': expected {} entries, but got {}", file, tensor.name, entries,
                 tensor.elements());
  const size_t size = bytesOf(tensor.type), perBlock = blockBytes / size;
  std::array<std::byte, blockBytes> block;
  for (size_t begin = 0; begin < entries; begin += perBlock) {
    const size_t count = std::min(perBlock, entries - begin);
    MEMFORMER_TRY(read(tensor.begin + begin * size, std::span(block).first(count * size)));
    for (size_t i = 0; i < count; ++i)
      MEMFORMER_TRY(onEntry(begin + i, block.data() + i * size));
  }
  return {};
}

} // namespace

Result<void> SafetensorsFile::readFloats(const SafetensorsInfo &tensor, std::span<float> out,
                                         bool finite) const {
  if (tensor.type == SafetensorsType::I64)
    return error("{}: tensor '{}': expected floating-point numbers, but got I64", name,
                 tensor.name);
  auto read = [&](uint64_t offset, std::span<std::byte> bytes) { return readAt(offset, bytes); };
  return forEachEntry(name, tensor, out.size(), read,
                      [&](size_t i, const std::byte *bytes) -> Result<void> {
                        out[i] = loadFloat(tensor.type, bytes);
                        if (finite && !std::isfinite(out[i]))
                          return error("{}: tensor '{}': entry {} is {}", name, tensor.name, i,
                                       std::isnan(out[i]) ? "not a number" : "infinite");
                        return {};
                      });
}

Result<void> SafetensorsFile::readIntegers(const SafetensorsInfo &tensor,
                                           std::span<int32_t> out) const {
  if (tensor.type != SafetensorsType::I32 && tensor.type != SafetensorsType::I64 &&
      tensor.type != SafetensorsType::U8)
    return error("{}: tensor '{}': expected integers, but got {}", name, tensor.name,
                 memformer::name(tensor.type));
  auto read = [&](uint64_t offset, std::span<std::byte> bytes) { return readAt(offset, bytes); };
  return forEachEntry(
      name, tensor, out.size(), read, [&](size_t i, const std::byte *bytes) -> Result<void> {
        const int64_t value = loadInteger(tensor.type, bytes);
        if (value != int64_t(int32_t(value)))
          return error("{}: tensor '{}': entry {} is {}, which does not fit in 32 bits", name,
                       tensor.name, i, value);
        out[i] = int32_t(value);
        return {};
      });
}

} // namespace memformer
