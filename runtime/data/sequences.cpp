// Sources made of separate sequences: all rows begin and end theirs together.
#include "runtime/data/sequences.h"

#include <algorithm>

namespace memformer {

void TokenRollout::assign(int64_t count, const DataShape &shape, int32_t bos) {
  segments = count;
  size_t entries = size_t(count * shape.batch * shape.segment);
  encoderTokens.assign(entries, bos);
  decoderTokens.assign(entries, bos);
  targets.assign(entries, -1);
  reset.assign(size_t(count * shape.batch), 0);
  counted = 0;
}

void SequenceSource::next(int64_t segments, int64_t advance, TokenRollout &out) {
  out.assign(segments, shape, bos);
  const size_t width = size_t(shape.segment);
  std::vector<int32_t> tokens(width), ignored(width);
  int64_t atGroup = group, atIndex = index;
  for (int64_t t = 0; t < segments; ++t) {
    for (int64_t row = 0; row < shape.batch; ++row) {
      size_t at = size_t(t * shape.batch + row) * width;
      std::span encoder(out.encoderTokens.data() + at, width);
      std::span decoder(out.decoderTokens.data() + at, width);
      std::span targets(out.targets.data() + at, width);
      if (atIndex == 0) {
        out.reset[size_t(t * shape.batch + row)] = 1;
      } else {
        std::ranges::fill(ignored, -1);
        fill(atGroup, row, atIndex - 1, encoder, ignored);
      }
      std::ranges::fill(tokens, bos);
      fill(atGroup, row, atIndex, tokens, targets);
      decoder[0] = encoder.back();
      std::copy(tokens.begin(), tokens.end() - 1, decoder.begin() + 1);
      out.counted += std::ranges::count_if(targets, [](int32_t target) { return target >= 0; });
    }
    if (++atIndex == length(atGroup)) {
      ++atGroup;
      atIndex = 0;
    }
    if (t + 1 == advance) {
      group = atGroup;
      index = atIndex;
    }
  }
}

Result<void> SequenceSource::setPosition(std::span<const int64_t> position) {
  if (position.size() != 2 || position[0] < 0 || position[1] < 0 ||
      position[1] >= length(position[0]))
    return error("expected a data position of a group and a segment in it");
  group = position[0];
  index = position[1];
  return {};
}

} // namespace memformer
