// Sources that read one long run of tokens: text as bytes, and token ids.
#include "runtime/data/stream.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace memformer {

int32_t StreamSource::token(int64_t index) const {
  const auto *bytes = reinterpret_cast<const uint8_t *>(file.bytes().data()) + index * tokenBytes;
  uint32_t value = 0;
  for (int64_t i = 0; i < tokenBytes; ++i)
    value |= uint32_t(bytes[i]) << (8 * i);
  return int32_t(value);
}

Result<void> StreamSource::checkTokens(const std::string &path) const {
  // Every value of the type is a token: nothing to look for.
  if (tokenBytes < 4 && shape.vocab >= int64_t(1) << (8 * tokenBytes))
    return {};
  int64_t count = int64_t(file.bytes().size()) / tokenBytes;
  for (int64_t i = 0; i < count; ++i) {
    uint32_t value = uint32_t(token(i));
    if (int64_t(value) >= shape.vocab)
      return error("{}: expected token ids below model.vocab = {}, but got {} at offset {}", path,
                   shape.vocab, value, i * tokenBytes);
  }
  return {};
}

void StreamSource::findDocuments(const DataSettings &settings) {
  if (tokenBytes == 1 && !settings.separator.empty()) {
    std::string_view text(reinterpret_cast<const char *>(file.bytes().data()), size_t(end));
    size_t length = settings.separator.size();
    for (size_t at = text.find(settings.separator, size_t(begin)); at != std::string_view::npos;
         at = text.find(settings.separator, at + length))
      documents.push_back(int64_t(at + length));
  }
  if (tokenBytes > 1 && settings.separatorToken >= 0)
    for (int64_t i = begin; i < end; ++i)
      if (token(i) == settings.separatorToken)
        documents.push_back(i + 1);
}

Result<std::unique_ptr<Source>> StreamSource::open(const DataSettings &settings, Split split,
                                                   const DataShape &shape) {
  bool validation = split == Split::Validation;
  bool ownFile = validation && !settings.validationPath.empty();
  const std::string &path = ownFile ? settings.validationPath : settings.path;
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return std::unexpected(file.error());
  auto source = std::unique_ptr<StreamSource>(new StreamSource(std::move(*file), shape));
  source->tokenBytes = settings.kind == "text" ? 1 : settings.tokenBytes;
  source->bos = int32_t(settings.bos);
  source->endless = !validation;
  int64_t bytes = int64_t(source->file.bytes().size());
  if (bytes % source->tokenBytes != 0)
    return error("{}: expected tokens of {} bytes, but the file ends within one: it has {} bytes",
                 path, source->tokenBytes, bytes);
  MEMFORMER_TRY(source->checkTokens(path));

  int64_t total = bytes / source->tokenBytes;
  int64_t held = settings.validationPath.empty() ? int64_t(double(total) * settings.validation) : 0;
  source->begin = validation && !ownFile ? total - held : 0;
  source->end = validation || held == 0 ? total : total - held;
  int64_t count = source->end - source->begin;
  // Held-out data may be short: its rows end with segments that are counted in part.
  int64_t least = validation ? 1 : shape.batch * shape.segment;
  if (count < least)
    return error("{}: expected at least {} {} in the {} part{}, but got {}", path, least,
                 source->tokenBytes == 1 ? "bytes" : "tokens", validation ? "held-out" : "training",
                 validation ? ""
                            : fmt::format(" (a segment of {} for each of {} rows)", shape.segment,
                                          shape.batch),
                 count);
  source->findDocuments(settings);
  source->file.release(0, size_t(bytes));
  for (int64_t row = 0; row < shape.batch; ++row) {
    source->rows.push_back({source->rowBegin(row), true});
    source->released.push_back(source->rowBegin(row));
  }
  return source;
}

void StreamSource::fillRow(Row &state, int64_t row, std::span<int32_t> encoder,
                           std::span<int32_t> decoder, std::span<int32_t> targets) const {
  int64_t length = shape.segment;
  int64_t rowEnd = rowBegin(row + 1);
  if (state.at >= rowEnd)
    return; // held-out rows that have ended
  auto document = std::ranges::upper_bound(documents, state.at);
  int64_t last = std::min(rowEnd, document == documents.end() ? rowEnd : *document);
  last = std::min(last, state.at + length);
  // What is not fresh follows a whole segment of the same document.
  for (int64_t i = 0; i < length && !state.fresh; ++i)
    encoder[size_t(i)] = token(state.at - length + i);
  decoder[0] = encoder.back();
  for (int64_t i = state.at; i < last; ++i) {
    size_t at = size_t(i - state.at);
    targets[at] = token(i);
    if (at + 1 < decoder.size())
      decoder[at + 1] = targets[at];
  }
  state.fresh = last == rowEnd || (document != documents.end() && last == *document);
  state.at = last;
  if (last == rowEnd && endless)
    state.at = rowBegin(row);
}

void StreamSource::next(int64_t segments, int64_t advance, TokenRollout &out) {
  out.assign(segments, shape, bos);
  std::vector<Row> walk = rows;
  size_t width = size_t(shape.segment);
  for (int64_t t = 0; t < segments; ++t) {
    for (int64_t row = 0; row < shape.batch; ++row) {
      size_t entry = size_t(t * shape.batch + row);
      Row &state = walk[size_t(row)];
      out.reset[entry] = state.fresh ? 1 : 0;
      std::span targets(out.targets.data() + entry * width, width);
      fillRow(state, row, {out.encoderTokens.data() + entry * width, width},
              {out.decoderTokens.data() + entry * width, width}, targets);
      out.counted += std::ranges::count_if(targets, [](int32_t target) { return target >= 0; });
    }
    if (t + 1 == advance)
      rows = walk;
  }
  releaseWhatWasRead();
}

// A stream may be longer than memory: what lies behind is given back, some pages at a time.
void StreamSource::releaseWhatWasRead() {
  constexpr int64_t kept = int64_t(1) << 17; // bytes
  for (size_t row = 0; row < rows.size(); ++row) {
    // The segment before is read again; so is a row that has begun anew.
    const int64_t behind = std::max(rows[row].at - shape.segment, rowBegin(int64_t(row)));
    if (behind < released[row])
      released[row] = behind;
    if ((behind - released[row]) * tokenBytes < kept)
      continue;
    file.release(size_t(released[row] * tokenBytes), size_t(behind * tokenBytes));
    released[row] = behind;
  }
}

bool StreamSource::finished() const {
  if (endless)
    return false;
  for (int64_t row = 0; row < shape.batch; ++row)
    if (rows[size_t(row)].at < rowBegin(row + 1))
      return false;
  return true;
}

std::vector<int64_t> StreamSource::position() const {
  std::vector<int64_t> position;
  for (const Row &row : rows) {
    position.push_back(row.at);
    position.push_back(row.fresh ? 1 : 0);
  }
  return position;
}

Result<void> StreamSource::setPosition(std::span<const int64_t> position) {
  if (position.size() != 2 * rows.size())
    return error("expected a data position of 2 numbers for each of {} rows, but got {}",
                 rows.size(), position.size());
  for (size_t row = 0; row < rows.size(); ++row) {
    int64_t at = position[2 * row];
    bool fresh = position[2 * row + 1] != 0;
    int64_t least = rowBegin(int64_t(row)) + (fresh ? 0 : shape.segment);
    if (at < least || at > rowBegin(int64_t(row) + 1))
      return error("expected the data position of row {} in [{}, {}], but got {}", row, least,
                   rowBegin(int64_t(row) + 1), at);
  }
  for (size_t row = 0; row < rows.size(); ++row)
    rows[row] = {position[2 * row], position[2 * row + 1] != 0};
  return {};
}

} // namespace memformer
