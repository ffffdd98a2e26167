// Sources that read one long run of tokens: text as bytes, and token ids.
#pragma once

#include "runtime/data/mapped_file.h"
#include "runtime/data/source.h"

namespace memformer {

/// B contiguous parts of a stream, one a row. The state goes on from segment to segment; it
/// restarts where a document begins, which also begins a segment: what is left of the segment
/// before it is not counted.
class StreamSource : public Source {
public:
  static Result<std::unique_ptr<Source>> open(const DataSettings &settings, Split split,
                                              const DataShape &shape);

  void next(int64_t segments, int64_t advance, TokenRollout &out) override;
  bool finished() const override;
  std::vector<int64_t> position() const override;
  Result<void> setPosition(std::span<const int64_t> position) override;

private:
  // Where a row stands. `fresh`: a document begins here, nothing goes before it.
  struct Row {
    int64_t at = 0;
    bool fresh = true;
  };

  StreamSource(MappedFile file, const DataShape &shape) : file(std::move(file)), shape(shape) {}
  int32_t token(int64_t index) const;
  int64_t rowBegin(int64_t row) const { return begin + (end - begin) * row / shape.batch; }
  void releaseWhatWasRead();
  void findDocuments(const DataSettings &settings);
  Result<void> checkTokens(const std::string &path) const;
  void fillRow(Row &state, int64_t row, std::span<int32_t> encoder, std::span<int32_t> decoder,
               std::span<int32_t> targets) const;

  MappedFile file;
  const DataShape shape;
  int64_t tokenBytes = 1;
  int32_t bos = 0;
  bool endless = true;
  int64_t begin = 0, end = 0;     // of this split, in tokens
  std::vector<int64_t> documents; // where each document after the first begins, ascending
  std::vector<Row> rows;
  std::vector<int64_t> released; // of each row: the token up to which nothing is kept in memory
};

} // namespace memformer
