// Sources of rollouts: what they hold, that they go on where they stopped, and what they reject.
#include "runtime/data/source.h"

#include "test/training/temporary_folder.h"

#include <gtest/gtest.h>
#include <map>
#include <set>
#include <zlib.h>

using namespace memformer;
using memformer::test::TemporaryFolder;

namespace {

std::unique_ptr<Source> openGood(const DataSettings &settings, Split split, const DataShape &shape,
                                 uint64_t seed = 7) {
  auto source = openSource(settings, split, shape, seed);
  EXPECT_TRUE(source) << source.error().message;
  return source ? std::move(*source) : nullptr;
}

std::string messageOf(const DataSettings &settings, Split split, const DataShape &shape) {
  auto source = openSource(settings, split, shape, 7);
  EXPECT_FALSE(source.has_value());
  return source ? "" : source.error().message;
}

std::span<const int32_t> segmentOf(const std::vector<int32_t> &tokens, const DataShape &shape,
                                   int64_t t, int64_t row) {
  return std::span(tokens).subspan(size_t((t * shape.batch + row) * shape.segment),
                                   size_t(shape.segment));
}

std::vector<int32_t> list(std::span<const int32_t> tokens) {
  return {tokens.begin(), tokens.end()};
}

DataSettings recall(int64_t gap) {
  DataSettings settings;
  settings.kind = "recall";
  settings.minGap = settings.maxGap = gap;
  return settings;
}

TEST(Recall, TheAnswerIsTheValueOfTheAskedKey) {
  const DataShape shape{5, 4, 26};
  for (int64_t facts : {1, 3}) {
    DataSettings settings = recall(2);
    settings.facts = facts;
    auto source = openGood(settings, Split::Train, shape);
    const int64_t segments = facts + 2 + 2;
    ASSERT_EQ(source->rolloutSegments(), segments);
    TokenRollout rollout;
    for (int round = 0; round < 20; ++round) {
      source->next(segments, segments, rollout);
      EXPECT_EQ(rollout.counted, shape.batch) << "one answer a row";
      for (int64_t row = 0; row < shape.batch; ++row) {
        // The encoder reads segment t-1 at t: facts at 1 ..., the question in the last step.
        std::map<int32_t, int32_t> values;
        for (int64_t fact = 0; fact < facts; ++fact) {
          auto read = segmentOf(rollout.encoderTokens, shape, fact + 1, row);
          values[read[0]] = read[1];
        }
        EXPECT_EQ(values.size(), size_t(facts)) << "keys differ";
        auto question = segmentOf(rollout.encoderTokens, shape, segments - 1, row);
        EXPECT_EQ(question[2], 1);
        auto targets = segmentOf(rollout.targets, shape, segments - 1, row);
        EXPECT_EQ(targets[0], values.at(question[3]));
        EXPECT_EQ(segmentOf(rollout.decoderTokens, shape, segments - 1, row)[0], question[3]);
        // Nothing else that the model reads in that step tells the value, and noise tells nothing.
        for (int64_t t = facts + 1; t < segments; ++t)
          for (int32_t token : segmentOf(rollout.encoderTokens, shape, t, row))
            EXPECT_TRUE(token >= 18 || t == segments - 1);
        EXPECT_EQ(rollout.reset[size_t(row)], 1);
        EXPECT_EQ(rollout.reset[size_t(shape.batch + row)], 0);
      }
    }
  }
}

TEST(Recall, ValuesAreEquallyLikelyAndSplitsDiffer) {
  const DataShape shape{64, 4, 26};
  auto train = openGood(recall(1), Split::Train, shape);
  auto heldOut = openGood(recall(1), Split::Validation, shape);
  auto other = openGood(recall(1), Split::Train, shape, 8);
  std::map<int32_t, int> counts;
  TokenRollout a, b, c;
  for (int round = 0; round < 50; ++round) {
    train->next(4, 4, a);
    heldOut->next(4, 4, b);
    other->next(4, 4, c);
    EXPECT_NE(a.encoderTokens, b.encoderTokens);
    EXPECT_NE(a.encoderTokens, c.encoderTokens);
    for (int32_t target : a.targets)
      if (target >= 0)
        ++counts[target];
  }
  ASSERT_EQ(counts.size(), 8u);
  for (auto [value, count] : counts) // 400 expected each, standard deviation 19
    EXPECT_NEAR(count, 400, 95) << value;
}

TEST(Recall, CurriculumDoublesAndIsResumed) {
  const DataShape shape{2, 2, 26};
  DataSettings settings = recall(6);
  settings.minGap = 0;
  settings.curriculum = 0.97;
  auto source = openGood(settings, Split::Train, shape);
  EXPECT_EQ(source->gap(), 1);
  EXPECT_EQ(source->longestRollout(), 9);
  for (int64_t gap : {2, 4, 6}) {
    EXPECT_TRUE(source->harder());
    EXPECT_EQ(source->gap(), gap);
    // Every gap up to the present one, and none beyond.
    std::set<int64_t> lengths, expected;
    for (int64_t present = 0; present <= gap; ++present)
      expected.insert(present + 3);
    TokenRollout rollout;
    for (int round = 0; round < 100; ++round) {
      int64_t segments = source->rolloutSegments();
      lengths.insert(segments);
      source->next(segments, segments, rollout);
    }
    EXPECT_EQ(lengths, expected);
  }
  EXPECT_FALSE(source->harder());
  auto again = openGood(settings, Split::Train, shape);
  ASSERT_TRUE(again->setPosition(source->position()));
  EXPECT_EQ(again->gap(), 6);
}

TEST(Recall, ARangeMixesGaps) {
  const DataShape shape{2, 2, 26};
  DataSettings settings = recall(5);
  settings.minGap = 2;
  auto source = openGood(settings, Split::Train, shape);
  std::set<int64_t> lengths;
  TokenRollout rollout;
  for (int round = 0; round < 60; ++round) {
    int64_t segments = source->rolloutSegments();
    lengths.insert(segments);
    source->next(segments, segments, rollout);
    EXPECT_EQ(rollout.counted, 2);
  }
  EXPECT_EQ(lengths, (std::set<int64_t>{5, 6, 7, 8}));
}

TEST(Recall, RejectsModelsThatAreTooSmall) {
  EXPECT_EQ(
      messageOf(recall(1), Split::Train, {2, 4, 25}),
      "expected model.vocab to be at least 26 for data.kind = \"recall\" (2 + keys + values + "
      "noise), but got 25");
  EXPECT_EQ(messageOf(recall(1), Split::Train, {2, 1, 26}),
            "expected model.segment to be at least 2 for data.kind = \"recall\" (a key and a "
            "value), but got 1");
}

TEST(Copy, TheSymbolsComeAgain) {
  const DataShape shape{3, 5, 18};
  DataSettings settings;
  settings.kind = "copy";
  settings.minGap = settings.maxGap = 3;
  auto source = openGood(settings, Split::Train, shape);
  ASSERT_EQ(source->rolloutSegments(), 6);
  TokenRollout rollout;
  source->next(6, 6, rollout);
  EXPECT_EQ(rollout.counted, 15);
  for (int64_t row = 0; row < 3; ++row)
    EXPECT_EQ(list(segmentOf(rollout.encoderTokens, shape, 1, row)),
              list(segmentOf(rollout.targets, shape, 5, row)));
}

// Every source: rollouts that overlap, or are cut differently, hold the same segments; a position
// goes on exactly.
void checkCutsAndPositions(const DataSettings &settings, const DataShape &shape, int64_t segments) {
  auto whole = openGood(settings, Split::Train, shape);
  auto overlapping = openGood(settings, Split::Train, shape);
  TokenRollout all, part;
  whole->next(segments, segments, all);
  const size_t width = size_t(shape.batch * shape.segment);
  for (int64_t at = 0; at + 3 <= segments; ++at) {
    overlapping->next(3, 1, part);
    auto expected = std::span(all.targets).subspan(size_t(at) * width, 3 * width);
    ASSERT_EQ(part.targets, list(expected)) << "at segment " << at;
    expected = std::span(all.encoderTokens).subspan(size_t(at) * width, 3 * width);
    ASSERT_EQ(part.encoderTokens, list(expected)) << "at segment " << at;
    auto flags = std::span(all.reset).subspan(size_t(at * shape.batch), size_t(3 * shape.batch));
    ASSERT_EQ(part.reset, list(flags)) << "at segment " << at;
    auto resumed = openGood(settings, Split::Train, shape);
    ASSERT_TRUE(resumed->setPosition(overlapping->position()));
    EXPECT_EQ(resumed->position(), overlapping->position());
    TokenRollout a, b;
    auto copy = openGood(settings, Split::Train, shape);
    ASSERT_TRUE(copy->setPosition(overlapping->position()));
    resumed->next(3, 3, a);
    copy->next(3, 3, b);
    EXPECT_EQ(a.targets, b.targets);
  }
}

DataSettings text(const std::filesystem::path &path) {
  DataSettings settings;
  settings.kind = "text";
  settings.path = path.native();
  settings.validation = 0;
  return settings;
}

TEST(Text, RowsAreContiguousAndEachByteIsATargetOnce) {
  TemporaryFolder folder;
  DataSettings settings = text(folder.write("a.txt", "abcdefghijklmnopqrstuvw"));
  const DataShape shape{2, 4, 256}; // rows of 11 and 12 bytes
  auto source = openGood(settings, Split::Train, shape);
  TokenRollout rollout;
  source->next(3, 3, rollout);
  std::string targets, decoder;
  for (int64_t t = 0; t < 3; ++t)
    for (int32_t token : segmentOf(rollout.targets, shape, t, 0))
      if (token >= 0)
        targets += char(token);
  EXPECT_EQ(targets, "abcdefghijk");
  EXPECT_EQ(rollout.counted, 23);
  EXPECT_EQ(list(segmentOf(rollout.encoderTokens, shape, 0, 0)), std::vector<int32_t>(4, 0));
  EXPECT_EQ(list(segmentOf(rollout.encoderTokens, shape, 1, 1)),
            (std::vector<int32_t>{'l', 'm', 'n', 'o'}));
  EXPECT_EQ(list(segmentOf(rollout.decoderTokens, shape, 1, 1)),
            (std::vector<int32_t>{'o', 'p', 'q', 'r'}));
  // The next epoch begins anew.
  source->next(1, 1, rollout);
  EXPECT_EQ(rollout.reset, (std::vector<int32_t>{1, 1}));
  EXPECT_EQ(rollout.targets[0], 'a');
}

TEST(Text, DocumentsBeginSegmentsAndResetTheState) {
  TemporaryFolder folder;
  DataSettings settings = text(folder.write("a.txt", "abcde--fgh--ijklmnop--"));
  settings.separator = "--";
  const DataShape shape{1, 4, 256};
  auto source = openGood(settings, Split::Train, shape);
  TokenRollout rollout;
  source->next(7, 7, rollout);
  EXPECT_EQ(rollout.reset, (std::vector<int32_t>{1, 0, 1, 0, 1, 0, 0}));
  EXPECT_EQ(list(segmentOf(rollout.targets, shape, 1, 0)),
            (std::vector<int32_t>{'e', '-', '-', -1}));
  EXPECT_EQ(list(segmentOf(rollout.targets, shape, 2, 0)),
            (std::vector<int32_t>{'f', 'g', 'h', '-'}));
  EXPECT_EQ(list(segmentOf(rollout.encoderTokens, shape, 2, 0)), std::vector<int32_t>(4, 0));
  EXPECT_EQ(rollout.counted, 22);
}

TEST(Text, CutsAndPositions) {
  TemporaryFolder folder;
  std::string content;
  for (int i = 0; i < 211; ++i)
    content += i % 13 == 5 ? '|' : char('a' + i % 26);
  DataSettings settings = text(folder.write("a.txt", content));
  checkCutsAndPositions(settings, {3, 5, 256}, 40);
  settings.separator = "|";
  checkCutsAndPositions(settings, {3, 5, 256}, 40);
}

TEST(Text, HeldOutPartIsReadOnceToItsEnd) {
  TemporaryFolder folder;
  DataSettings settings =
      text(folder.write("a.txt", std::string(900, 'x') + std::string(101, 'y')));
  settings.validation = 0.1;
  const DataShape shape{3, 7, 256};
  auto source = openGood(settings, Split::Validation, shape);
  TokenRollout rollout;
  int64_t counted = 0;
  while (!source->finished()) {
    source->next(2, 2, rollout);
    counted += rollout.counted;
    for (int32_t target : rollout.targets)
      EXPECT_TRUE(target == 'y' || target == -1);
  }
  EXPECT_EQ(counted, 100);
  auto train = openGood(settings, Split::Train, shape);
  EXPECT_FALSE(train->finished());
}

TEST(Text, Errors) {
  TemporaryFolder folder;
  const DataShape shape{2, 4, 256};
  EXPECT_EQ(messageOf(text("/nonexistent/x"), Split::Train, shape),
            "cannot open /nonexistent/x: No such file or directory");
  EXPECT_EQ(messageOf(text(folder.path()), Split::Train, shape),
            "cannot read " + folder.path().native() + ": it is a directory");
  auto empty = folder.write("empty", "");
  EXPECT_EQ(messageOf(text(empty), Split::Train, shape), empty.native() + ": the file is empty");
  auto brief = folder.write("brief", "abcdefg");
  EXPECT_EQ(messageOf(text(brief), Split::Train, shape),
            brief.native() + ": expected at least 8 bytes in the training part (a segment of 4 for "
                             "each of 2 rows), but got 7");
  auto wide = folder.write("wide", "abc\xc3\xa4"
                                   "fghij");
  EXPECT_EQ(messageOf(text(wide), Split::Train, {2, 4, 128}),
            wide.native() +
                ": expected token ids below model.vocab = 128, but got 195 at offset 3");
  DataSettings none;
  EXPECT_TRUE(messageOf(none, Split::Train, shape).starts_with("expected [data] to set kind"));
}

TEST(Tokens, LittleEndianWithDocuments) {
  TemporaryFolder folder;
  DataSettings settings;
  settings.kind = "tokens";
  settings.validation = 0;
  settings.separatorToken = 9;
  settings.path =
      folder.write("t.u16", std::string("\x01\x02\x09\x00\x03\x00\x04\x00", 8)).native();
  auto source = openGood(settings, Split::Train, {1, 2, 600});
  TokenRollout rollout;
  source->next(2, 2, rollout);
  EXPECT_EQ(rollout.targets, (std::vector<int32_t>{513, 9, 3, 4}));
  EXPECT_EQ(rollout.reset, (std::vector<int32_t>{1, 1}));

  settings.tokenBytes = 4;
  settings.separatorToken = -1;
  source = openGood(settings, Split::Train, {1, 2, 1 << 20});
  source->next(1, 1, rollout);
  EXPECT_EQ(rollout.targets, (std::vector<int32_t>{513 + (9 << 16), 3 + (4 << 16)}));
  EXPECT_EQ(messageOf(settings, Split::Train, {1, 2, 600}),
            settings.path +
                ": expected token ids below model.vocab = 600, but got 590337 at offset 0");
  settings.path = folder.write("odd", "abcde").native();
  EXPECT_EQ(messageOf(settings, Split::Train, {1, 2, 600}),
            settings.path +
                ": expected tokens of 4 bytes, but the file ends within one: it has 5 bytes");
}

std::string idxContent(int items, int rows, int columns) {
  std::string content = {0, 0, 8, 3,          0, 0, 0, char(items),
                         0, 0, 0, char(rows), 0, 0, 0, char(columns)};
  for (int i = 0; i < items * rows * columns; ++i)
    content += char(i);
  return content;
}

std::filesystem::path writeGzip(const TemporaryFolder &folder, const char *name,
                                const std::string &content) {
  auto path = folder.path() / name;
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, content.data(), unsigned(content.size()));
  gzclose(file);
  return path;
}

DataSettings idx(const std::filesystem::path &path) {
  DataSettings settings;
  settings.kind = "idx";
  settings.path = path.native();
  settings.validation = 0;
  return settings;
}

TEST(Idx, ImagesAreSequencesAndResetTheState) {
  TemporaryFolder folder;
  DataSettings settings = idx(folder.write("a.idx", idxContent(5, 3, 5)));
  settings.shuffle = false;
  const DataShape shape{2, 4, 256}; // 15 bytes: 4 segments, the last with 3
  auto source = openGood(settings, Split::Train, shape);
  TokenRollout rollout;
  source->next(3, 3, rollout);
  EXPECT_EQ(rollout.reset, (std::vector<int32_t>{1, 1, 0, 0, 0, 0}));
  EXPECT_EQ(list(segmentOf(rollout.targets, shape, 2, 1)), (std::vector<int32_t>{23, 24, 25, 26}));
  source->next(3, 3, rollout);
  EXPECT_EQ(list(segmentOf(rollout.targets, shape, 0, 0)), (std::vector<int32_t>{12, 13, 14, -1}));
  EXPECT_EQ(list(segmentOf(rollout.encoderTokens, shape, 0, 0)),
            (std::vector<int32_t>{8, 9, 10, 11}));
  EXPECT_EQ(rollout.reset, (std::vector<int32_t>{0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(list(segmentOf(rollout.targets, shape, 1, 0)), (std::vector<int32_t>{30, 31, 32, 33}));
}

TEST(Idx, ShuffledEpochsHoldEveryImageOnce) {
  TemporaryFolder folder;
  DataSettings settings = idx(writeGzip(folder, "a.gz", idxContent(7, 2, 2)));
  const DataShape shape{1, 4, 256};
  auto source = openGood(settings, Split::Train, shape);
  std::vector<std::vector<int32_t>> orders;
  TokenRollout rollout;
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::vector<int32_t> order;
    for (int i = 0; i < 7; ++i) {
      source->next(1, 1, rollout);
      order.push_back(rollout.targets[0] / 4);
    }
    EXPECT_EQ(std::set<int32_t>(order.begin(), order.end()).size(), 7u);
    orders.push_back(order);
  }
  EXPECT_NE(orders[0], orders[1]);
  checkCutsAndPositions(settings, shape, 20);
}

TEST(Idx, HeldOutImagesAreTheLast) {
  TemporaryFolder folder;
  DataSettings settings = idx(folder.write("a.idx", idxContent(10, 2, 2)));
  settings.validation = 0.3;
  const DataShape shape{2, 4, 256};
  auto source = openGood(settings, Split::Validation, shape);
  std::vector<int32_t> items;
  TokenRollout rollout;
  while (!source->finished()) {
    source->next(1, 1, rollout);
    for (int64_t row = 0; row < 2; ++row)
      items.push_back(segmentOf(rollout.targets, shape, 0, row)[0]);
  }
  EXPECT_EQ(items, (std::vector<int32_t>{28, 32, 36, -1}));
}

TEST(Idx, SmallerImagesOfFewerLevels) {
  TemporaryFolder folder;
  // Two images of 4 x 6: pixels 0 ... 47. Blocks are of 2 x 3.
  DataSettings settings = idx(folder.write("a.idx", idxContent(2, 4, 6)));
  settings.shuffle = false;
  settings.size = 2;
  const DataShape shape{2, 4, 256};
  TokenRollout rollout;
  openGood(settings, Split::Train, shape)->next(1, 1, rollout);
  // The first block is 0 1 2 6 7 8, whose mean is 4; each image is 24 brighter.
  EXPECT_EQ(rollout.targets, (std::vector<int32_t>{4, 7, 16, 19, 28, 31, 40, 43}));
  // Levels are 256 / 51 = 5.02 wide, and means are not rounded before.
  settings.levels = 51;
  openGood(settings, Split::Train, {2, 4, 51})->next(1, 1, rollout);
  EXPECT_EQ(rollout.targets, (std::vector<int32_t>{0, 1, 3, 3, 5, 6, 7, 8}));
  EXPECT_EQ(messageOf(settings, Split::Train, {2, 4, 50}),
            "expected model.vocab to be at least 51 for data.kind = \"idx\", but got 50");
  // Levels alone, of whatever items are; the brightest pixel is the last level.
  settings = idx(folder.write("b.idx", idxContent(1, 16, 16)));
  settings.levels = 2;
  openGood(settings, Split::Train, {1, 256, 2})->next(1, 1, rollout);
  EXPECT_EQ(std::ranges::count(rollout.targets, 1), 128);
  EXPECT_EQ(rollout.targets[127], 0);
  EXPECT_EQ(rollout.targets[128], 1);
  settings.size = 3;
  EXPECT_EQ(messageOf(settings, Split::Train, {1, 9, 2}),
            settings.path + ": expected images whose rows and columns are multiples of data.size = "
                            "3, but got items of 16 x 16");
  // Held-out images of a file go the same way.
  settings = idx(folder.write("c.idx", idxContent(10, 2, 2)));
  settings.validation = 0.1;
  settings.size = 1;
  openGood(settings, Split::Validation, {1, 1, 256})->next(1, 1, rollout);
  EXPECT_EQ(rollout.targets, (std::vector<int32_t>{37}));
}

TEST(Idx, Errors) {
  TemporaryFolder folder;
  const DataShape shape{1, 4, 256};
  auto message = [&](const char *name, const std::string &content) {
    auto path = folder.write(name, content);
    std::string text = messageOf(idx(path), Split::Train, shape);
    EXPECT_TRUE(text.starts_with(path.native() + ": ")) << text;
    return text.substr(path.native().size() + 2);
  };
  std::string good = idxContent(2, 2, 2);
  EXPECT_EQ(message("empty", ""), "the file is empty");
  EXPECT_TRUE(message("magic", "\x01\x02\x03\x04zzzz").starts_with("expected an IDX file"));
  std::string floats = good;
  floats[2] = 0x0d;
  EXPECT_EQ(message("floats", floats),
            "expected unsigned bytes (type 0x08 at offset 2), but got type 0x0d");
  EXPECT_EQ(message("cut", good.substr(0, good.size() - 1)),
            "expected 2 x 4 = 8 bytes after the header, but got 7");
  EXPECT_EQ(message("header", good.substr(0, 10)),
            "expected 3 dimensions of 4 bytes, but the file ends in dimension 1");
  EXPECT_EQ(message("more", good + "x"), "expected 2 x 4 = 8 bytes after the header, but there are "
                                         "more");
  std::string zero = good;
  zero[7] = 0;
  EXPECT_EQ(message("zero", zero), "dimension 0 is 0 at offset 4");
  std::string lying = good;
  lying[4] = lying[5] = '\x7f'; // two thousand million images
  EXPECT_TRUE(message("lying", lying).ends_with("bytes after the header, but got 8"));

  // Compressed: cut off, and a bit flipped at each place of the body, which is noticed or of no
  // effect (some bits are padding).
  auto path = writeGzip(folder, "whole.gz", idxContent(9, 9, 3));
  std::string packed = folder.read("whole.gz");
  EXPECT_TRUE(message("cut.gz", packed.substr(0, packed.size() / 2)).starts_with("corrupt"));
  TokenRollout expected, found;
  openGood(idx(path), Split::Train, shape)->next(63, 63, expected);
  size_t noticed = 0;
  for (size_t at = 10; at < packed.size(); ++at) {
    std::string flipped = packed;
    flipped[at] = char(flipped[at] ^ 0x10);
    auto source = openSource(idx(folder.write("flipped.gz", flipped)), Split::Train, shape, 7);
    noticed += source ? 0 : 1;
    if (!source)
      continue;
    (*source)->next(63, 63, found);
    EXPECT_EQ(found.targets, expected.targets) << "byte " << at;
  }
  EXPECT_GE(noticed, packed.size() - 12);
  EXPECT_EQ(messageOf(idx(path), Split::Train, {1, 4, 255}),
            "expected model.vocab to be at least 256 for data.kind = \"idx\", but got 255");
}

} // namespace
