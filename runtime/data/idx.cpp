// IDX files: arrays of bytes with a magic number and dimensions, plain or compressed with gzip.
#include "runtime/data/random.h"
#include "runtime/data/sequences.h"

#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <vector>
#include <zlib.h>

namespace memformer {

namespace {

// The first dimension counts items; the others make one item of `bytes` bytes.
struct IdxFile {
  int64_t items = 0;
  int64_t itemBytes = 1;
  std::vector<uint8_t> bytes; // [items, itemBytes]
};

// A file that is closed in any case. zlib reads plain files as they are.
class GzipReader {
public:
  explicit GzipReader(const std::string &path) : path(path), file(gzopen(path.c_str(), "rb")) {}
  ~GzipReader() {
    if (file)
      gzclose_r(file);
  }
  bool isOpen() const { return file != nullptr; }

  // Reads up to `count` bytes; fewer are left only at the end of the file.
  Result<size_t> read(void *out, size_t count) {
    int got = gzread(file, out, unsigned(count));
    int code = Z_OK;
    const char *message = gzerror(file, &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END))
      return error("{}: corrupt or cut off after {} bytes: {}", path, offset,
                   code == Z_ERRNO ? std::strerror(errno) : message);
    offset += size_t(got);
    return size_t(got);
  }

private:
  std::string path;
  gzFile file;
  size_t offset = 0; // in what was compressed
};

Result<IdxFile> readIdx(const std::string &path) {
  errno = 0;
  GzipReader reader(path);
  if (!reader.isOpen())
    return error("cannot open {}: {}", path, std::strerror(errno ? errno : ENOMEM));
  uint8_t magic[4];
  Result<size_t> got = reader.read(magic, 4);
  if (!got)
    return std::unexpected(got.error());
  if (*got == 0)
    return error("{}: the file is empty", path);
  if (*got < 4 || magic[0] != 0 || magic[1] != 0)
    return error("{}: expected an IDX file, which begins with two zero bytes, a type and a number "
                 "of dimensions",
                 path);
  if (magic[2] != 0x08)
    return error("{}: expected unsigned bytes (type 0x08 at offset 2), but got type {:#04x}", path,
                 magic[2]);
  if (magic[3] < 2)
    return error("{}: expected at least 2 dimensions (items and their content), but got {} at "
                 "offset 3",
                 path, magic[3]);

  IdxFile idx;
  for (int d = 0; d < magic[3]; ++d) {
    uint8_t word[4];
    got = reader.read(word, 4);
    if (!got)
      return std::unexpected(got.error());
    if (*got < 4)
      return error("{}: expected {} dimensions of 4 bytes, but the file ends in dimension {}", path,
                   magic[3], d);
    int64_t extent = int64_t(word[0]) << 24 | word[1] << 16 | word[2] << 8 | word[3];
    if (extent == 0)
      return error("{}: dimension {} is 0 at offset {}", path, d, 4 + 4 * d);
    if (d == 0)
      idx.items = extent;
    else if (idx.itemBytes > std::numeric_limits<int32_t>::max() / extent)
      return error("{}: expected items of at most 2^31 bytes, but dimension {} at offset {} is {}",
                   path, d, 4 + 4 * d, extent);
    else
      idx.itemBytes *= extent;
  }

  // The header may lie: memory grows with what is there, not with what is promised.
  const uint64_t total = uint64_t(idx.items) * uint64_t(idx.itemBytes);
  constexpr size_t piece = size_t(1) << 20;
  while (idx.bytes.size() < total) {
    size_t begin = idx.bytes.size();
    size_t wanted = size_t(std::min<uint64_t>(piece, total - begin));
    idx.bytes.resize(begin + wanted);
    got = reader.read(idx.bytes.data() + begin, wanted);
    if (!got)
      return std::unexpected(got.error());
    if (*got < wanted)
      return error("{}: expected {} x {} = {} bytes after the header, but got {}", path, idx.items,
                   idx.itemBytes, total, begin + *got);
  }
  uint8_t beyond;
  got = reader.read(&beyond, 1);
  if (!got)
    return std::unexpected(got.error());
  if (*got != 0)
    return error("{}: expected {} x {} = {} bytes after the header, but there are more", path,
                 idx.items, idx.itemBytes, total);
  return idx;
}

class IdxSource : public SequenceSource {
public:
  IdxSource(IdxFile contents, int64_t first, int64_t count, bool endless, uint64_t key,
            const DataShape &shape, int32_t bos)
      : SequenceSource(shape, bos), file(std::move(contents)), first(first), count(count),
        endless(endless), key(key) {}

  bool finished() const override { return !endless && group * shape.batch >= count; }

protected:
  int64_t length(int64_t) const override {
    return (file.itemBytes + shape.segment - 1) / shape.segment;
  }

  void fill(int64_t group, int64_t row, int64_t index, std::span<int32_t> tokens,
            std::span<int32_t> targets) const override {
    int64_t item = group * shape.batch + row;
    if (endless) {
      // Every epoch has an order of its own; a key of 0 keeps that of the file.
      int64_t epoch = item / count;
      item %= count;
      if (key != 0)
        item = permute(hashKey({key, uint64_t(epoch)}), item, count);
    } else if (item >= count) {
      return; // rows beyond the last item count nothing
    }
    const uint8_t *bytes = file.bytes.data() + (first + item) * file.itemBytes;
    int64_t begin = index * shape.segment;
    int64_t end = std::min(begin + shape.segment, file.itemBytes);
    for (int64_t i = begin; i < end; ++i)
      tokens[size_t(i - begin)] = targets[size_t(i - begin)] = bytes[i];
  }

private:
  const IdxFile file;
  const int64_t first, count; // the items of this split
  const bool endless;
  const uint64_t key;
};

} // namespace

Result<std::unique_ptr<Source>> openIdx(const DataSettings &settings, Split split,
                                        const DataShape &shape, uint64_t seed) {
  bool validation = split == Split::Validation;
  bool ownFile = validation && !settings.validationPath.empty();
  const std::string &path = ownFile ? settings.validationPath : settings.path;
  if (shape.vocab < 256)
    return error("expected model.vocab to be at least 256 for data.kind = \"idx\", but got {}",
                 shape.vocab);
  Result<IdxFile> file = readIdx(path);
  if (!file)
    return std::unexpected(file.error());
  int64_t held =
      settings.validationPath.empty() ? int64_t(double(file->items) * settings.validation) : 0;
  int64_t first = validation && !ownFile ? file->items - held : 0;
  int64_t count = validation && !ownFile ? held : file->items - held;
  if (count == 0)
    return error("{}: expected at least one item in the {} part, but data.validation = {} of {} "
                 "items leaves none",
                 path, validation ? "held-out" : "training", settings.validation, file->items);
  uint64_t key = settings.shuffle ? hashKey({seed, 3}) | 1 : 0;
  return std::make_unique<IdxSource>(std::move(*file), first, count, !validation, key, shape,
                                     int32_t(settings.bos));
}

} // namespace memformer
