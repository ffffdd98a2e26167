// IDX files: arrays of bytes with a magic number and dimensions, plain or compressed with gzip.
#include "runtime/data/random.h"
#include "runtime/data/sequences.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/ranges.h>
#include <limits>
#include <string>
#include <vector>
#include <zlib.h>

namespace memformer {

namespace {

// The first dimension counts items; the others make one item of `itemBytes` bytes.
struct IdxFile {
  int64_t items = 0;
  int64_t itemBytes = 1;
  std::vector<int64_t> extents; // of an item
  int64_t first = 0, count = 0; // the items that are kept
  std::vector<uint8_t> bytes;   // [count, itemBytes]
};

// What a split takes of a file: all but the last `held` items, or only those.
struct ItemRange {
  double heldFraction = 0;
  bool held = false;
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

Result<IdxFile> readIdx(const std::string &path, const ItemRange &range) {
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
    if (d > 0)
      idx.extents.push_back(extent);
  }

  const int64_t held = int64_t(double(idx.items) * range.heldFraction);
  idx.first = range.held ? idx.items - held : 0;
  idx.count = range.held ? held : idx.items - held;
  if (idx.count == 0)
    return error("{}: expected at least one item in the {} part, but data.validation = {} of {} "
                 "items leaves none",
                 path, range.held ? "held-out" : "training", range.heldFraction, idx.items);

  // The header may lie: no memory for more than a file of this size can hold, at deflate's best.
  const uint64_t total = uint64_t(idx.items) * uint64_t(idx.itemBytes);
  const uint64_t begin = uint64_t(idx.first) * uint64_t(idx.itemBytes);
  const uint64_t end = begin + uint64_t(idx.count) * uint64_t(idx.itemBytes);
  std::error_code code;
  const uint64_t fileBytes = std::filesystem::file_size(path, code);
  idx.bytes.reserve(size_t(std::min(end - begin, code ? 0 : fileBytes * 1032)));
  std::vector<uint8_t> piece(size_t(1) << 16);
  for (uint64_t done = 0; done < total;) {
    size_t wanted = size_t(std::min<uint64_t>(piece.size(), total - done));
    got = reader.read(piece.data(), wanted);
    if (!got)
      return std::unexpected(got.error());
    if (*got < wanted)
      return error("{}: expected {} x {} = {} bytes after the header, but got {}", path, idx.items,
                   idx.itemBytes, total, done + *got);
    const uint64_t from = std::clamp(begin, done, done + wanted) - done;
    const uint64_t to = std::clamp(end, done, done + wanted) - done;
    idx.bytes.insert(idx.bytes.end(), piece.begin() + int64_t(from), piece.begin() + int64_t(to));
    done += wanted;
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

/// Images of size x size pixels, each the mean of a block, and pixels of so many grey levels. Means
/// are not rounded before they are cut into levels.
Result<void> reduce(IdxFile &idx, const std::string &path, int64_t size, int64_t levels) {
  if (size == 0 && levels == 256)
    return {};
  int64_t rows = 1, columns = idx.itemBytes, blockRows = 1, blockColumns = 1;
  if (size) {
    if (idx.extents.size() != 2 || idx.extents[0] % size != 0 || idx.extents[1] % size != 0)
      return error(
          "{}: expected images whose rows and columns are multiples of data.size = {}, but "
          "got items of {}",
          path, size, fmt::join(idx.extents, " x "));
    rows = columns = size;
    blockRows = idx.extents[0] / size;
    blockColumns = idx.extents[1] / size;
  }
  const int64_t area = blockRows * blockColumns, stride = columns * blockColumns;
  // What is written lies at or before what is read next.
  uint8_t *out = idx.bytes.data();
  for (int64_t item = 0; item < idx.count; ++item) {
    const uint8_t *image = idx.bytes.data() + item * idx.itemBytes;
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t column = 0; column < columns; ++column) {
        int64_t sum = 0;
        for (int64_t y = 0; y < blockRows; ++y)
          for (int64_t x = 0; x < blockColumns; ++x)
            sum += image[(row * blockRows + y) * stride + column * blockColumns + x];
        *out++ = uint8_t(sum * levels / (256 * area));
      }
    }
  }
  idx.itemBytes = rows * columns;
  idx.bytes.resize(size_t(idx.count * idx.itemBytes));
  idx.bytes.shrink_to_fit();
  return {};
}

class IdxSource : public SequenceSource {
public:
  IdxSource(IdxFile contents, bool endless, uint64_t key, const DataShape &shape, int32_t bos)
      : SequenceSource(shape, bos), file(std::move(contents)), endless(endless), key(key) {}

  bool finished() const override { return !endless && group * shape.batch >= file.count; }

protected:
  int64_t length(int64_t) const override {
    return (file.itemBytes + shape.segment - 1) / shape.segment;
  }

  void fill(int64_t group, int64_t row, int64_t index, std::span<int32_t> tokens,
            std::span<int32_t> targets) const override {
    int64_t item = group * shape.batch + row;
    if (endless) {
      // Every epoch has an order of its own; a key of 0 keeps that of the file.
      int64_t epoch = item / file.count;
      item %= file.count;
      if (key != 0)
        item = permute(hashKey({key, uint64_t(epoch)}), item, file.count);
    } else if (item >= file.count) {
      return; // rows beyond the last item count nothing
    }
    const uint8_t *bytes = file.bytes.data() + item * file.itemBytes;
    int64_t begin = index * shape.segment;
    int64_t end = std::min(begin + shape.segment, file.itemBytes);
    for (int64_t i = begin; i < end; ++i)
      tokens[size_t(i - begin)] = targets[size_t(i - begin)] = bytes[i];
  }

private:
  const IdxFile file;
  const bool endless;
  const uint64_t key;
};

} // namespace

Result<std::unique_ptr<Source>> openIdx(const DataSettings &settings, Split split,
                                        const DataShape &shape, uint64_t seed) {
  bool validation = split == Split::Validation;
  bool ownFile = validation && !settings.validationPath.empty();
  const std::string &path = ownFile ? settings.validationPath : settings.path;
  if (shape.vocab < settings.levels)
    return error("expected model.vocab to be at least {} for data.kind = \"idx\", but got {}",
                 settings.levels, shape.vocab);
  const double heldFraction = settings.validationPath.empty() ? settings.validation : 0;
  Result<IdxFile> file = readIdx(path, {heldFraction, validation && !ownFile});
  if (!file)
    return std::unexpected(file.error());
  MEMFORMER_TRY(reduce(*file, path, settings.size, settings.levels));
  uint64_t key = settings.shuffle ? hashKey({seed, 3}) | 1 : 0;
  return std::make_unique<IdxSource>(std::move(*file), !validation, key, shape,
                                     int32_t(settings.bos));
}

} // namespace memformer
