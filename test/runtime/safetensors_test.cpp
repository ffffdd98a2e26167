// safetensors: round trips, conversions, lies, and weights of a session.

#include "runtime/file.h"
#include "runtime/random.h"
#include "runtime/safetensors.h"
#include "test/runtime/toy_model.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>

namespace memformer {
namespace {

namespace fs = std::filesystem;

class SafetensorsTest : public testing::Test {
protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "memformerXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    path = folder / "t.safetensors";
  }
  void TearDown() override { fs::remove_all(folder); }

  /// One tensor "x" of these entries, read back.
  template <class Entry>
  SafetensorsFile write(SafetensorsType type, std::span<const Entry> entries) {
    const SafetensorsTensor tensors[] = {
        {"x", type, {int64_t(entries.size())}, std::as_bytes(entries)}};
    EXPECT_TRUE(writeSafetensors(path, tensors));
    auto file = SafetensorsFile::open(path);
    EXPECT_TRUE(file.has_value()) << file.error().message;
    return std::move(*file);
  }
  template <class Entry> std::vector<float> floats(SafetensorsType type, std::vector<Entry> from) {
    auto file = write<Entry>(type, from);
    std::vector<float> values(from.size());
    auto read = file.readFloats(*file.find("x"), values, /*finite=*/false);
    EXPECT_TRUE(read.has_value()) << read.error().message;
    return values;
  }

  fs::path folder, path;
};

TEST_F(SafetensorsTest, RoundTrip) {
  const std::vector<float> a = {1, 2, 3, 4, 5, 6};
  const std::vector<int32_t> b = {-7};
  const SafetensorsTensor tensors[] = {
      {"z \"quoted\" \xc3\xa9", SafetensorsType::F32, {2, 3}, std::as_bytes(std::span(a))},
      {"scalar", SafetensorsType::I32, {}, std::as_bytes(std::span(b))},
      {"empty", SafetensorsType::F32, {0, 5}, {}}};
  ASSERT_TRUE(writeSafetensors(path, tensors, {{"step", "12"}}));
  auto file = SafetensorsFile::open(path);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->metadata().at("step"), "12");
  ASSERT_EQ(file->header().tensors.size(), 3u);
  const auto *z = file->find(tensors[0].name);
  ASSERT_NE(z, nullptr);
  EXPECT_EQ(z->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(z->begin % 64, 0u);
  std::vector<float> values(6);
  ASSERT_TRUE(file->readFloats(*z, values));
  EXPECT_EQ(values, a);
  std::vector<int32_t> scalar(1);
  ASSERT_TRUE(file->readIntegers(*file->find("scalar"), scalar));
  EXPECT_EQ(scalar, b);
  EXPECT_EQ(file->find("empty")->elements(), 0);
  EXPECT_EQ(file->find("none"), nullptr);
}

TEST_F(SafetensorsTest, EveryHalf) {
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i)
    all[i] = uint16_t(i);
  const auto values = floats(SafetensorsType::F16, all);
  const auto brain = floats(SafetensorsType::BF16, all);
  for (uint32_t i = 0; i < 65536; ++i) {
    const int exponent = i >> 10 & 31, fraction = i & 1023;
    double expected =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31 && fraction == 0)
      expected = std::numeric_limits<double>::infinity();
    if (exponent == 31 && fraction != 0) {
      ASSERT_TRUE(std::isnan(values[i])) << i;
    } else {
      ASSERT_EQ(values[i], i & 0x8000 ? -expected : expected) << i;
      ASSERT_EQ(std::signbit(values[i]), i >= 0x8000) << i;
    }
    ASSERT_EQ(std::bit_cast<uint32_t>(brain[i]), i << 16);
  }
}

TEST_F(SafetensorsTest, OtherTypes) {
  EXPECT_EQ(floats<double>(SafetensorsType::F64, {0.1, -3}), (std::vector<float>{0.1f, -3}));
  EXPECT_EQ(floats<uint8_t>(SafetensorsType::U8, {0, 255}), (std::vector<float>{0, 255}));
  EXPECT_EQ(floats<int32_t>(SafetensorsType::I32, {-5}), (std::vector<float>{-5}));

  const std::vector<int64_t> wide = {1, -2, int64_t(1) << 31};
  auto file = write<int64_t>(SafetensorsType::I64, wide);
  std::vector<int32_t> integers(3);
  EXPECT_EQ(file.readIntegers(*file.find("x"), integers).error().message,
            path.native() + ": tensor 'x': entry 2 is 2147483648, which does not fit in 32 bits");
  std::vector<float> values(3);
  EXPECT_EQ(file.readFloats(*file.find("x"), values).error().message,
            path.native() + ": tensor 'x': expected floating-point numbers, but got I64");
}

// Longer than the blocks that are read at a time.
TEST_F(SafetensorsTest, LongTensorsAndNotFinite) {
  std::vector<float> values(20011);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = float(i);
  EXPECT_EQ(floats(SafetensorsType::F32, values), values);
  values[20010] = std::numeric_limits<float>::quiet_NaN();
  auto file = write<float>(SafetensorsType::F32, values);
  std::vector<float> read(values.size());
  EXPECT_EQ(file.readFloats(*file.find("x"), read).error().message,
            path.native() + ": tensor 'x': entry 20010 is not a number");
  const std::vector<double> huge = {1e300};
  auto wide = write<double>(SafetensorsType::F64, huge);
  EXPECT_EQ(wide.readFloats(*wide.find("x"), std::span(read).first(1)).error().message,
            path.native() + ": tensor 'x': entry 0 is infinite");
}

/// Header text and a number of bytes after it.
Result<SafetensorsHeader> parse(std::string_view text, size_t dataBytes) {
  std::vector<std::byte> bytes(8 + text.size());
  const uint64_t length = text.size();
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, text.data(), text.size());
  return parseSafetensorsHeader(bytes, bytes.size() + dataBytes);
}

TEST(SafetensorsHeader, Lies) {
  auto message = [](std::string_view text, size_t dataBytes) {
    auto result = parse(text, dataBytes);
    return result ? "" : result.error().message;
  };
  EXPECT_EQ(message(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8), "");
  EXPECT_EQ(message(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 9),
            "the tensors end at byte 8 of the data, but the file has 9");
  EXPECT_EQ(message(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7),
            "tensor 'a'.data_offsets: expected places in the 7 bytes that follow the header, but "
            "got 0 to 8");
  EXPECT_EQ(message(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
            "tensor 'a'.data_offsets: expected 12 bytes, as shape and type say, but got 8");
  EXPECT_EQ(message(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}})", 8),
            "tensor 'a'.data_offsets: expected places in the 8 bytes that follow the header, but "
            "got 8 to 4");
  EXPECT_EQ(message(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                    R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                    4),
            "tensor 'b' begins at byte 0 of the data, but expected 4, where the one before ends");
  EXPECT_EQ(message(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8),
            "tensor 'a' begins at byte 4 of the data, but expected 0, where the one before ends");
  EXPECT_EQ(message(R"({"a":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}})", 1),
            "tensor 'a'.dtype: expected F64, F32, F16, BF16, I64, I32 or U8, but got 'F8'");
  EXPECT_EQ(message(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4),
            "tensor 'a'.shape[0]: expected an integer in [0, 1125899906842624], but got -1");
  EXPECT_EQ(message(R"({"a":{"dtype":"F32","shape":[1073741824,1073741824,1073741824],)"
                    R"("data_offsets":[0,0]}})",
                    0),
            "tensor 'a'.shape: expected at most 1125899906842624 bytes");
  EXPECT_EQ(message(R"({"a":{},"a":{}})", 0), "header: JSON key 'a' occurs twice in an object");
  EXPECT_EQ(message("[]", 0), "header: expected an object, but got array");
  EXPECT_EQ(message(R"({"__metadata__":{"a":1}})", 0),
            "metadata 'a': expected a string, but got number");
  EXPECT_EQ(message("nonsense", 0), "header: JSON syntax error at byte 2");
}

TEST(SafetensorsHeader, LyingLengths) {
  std::vector<std::byte> bytes(16);
  for (uint64_t length : {uint64_t(9), uint64_t(1) << 26, uint64_t(1) << 40, ~uint64_t(0)}) {
    std::memcpy(bytes.data(), &length, 8);
    EXPECT_FALSE(parseSafetensorsHeader(bytes, bytes.size()).has_value()) << length;
  }
  EXPECT_EQ(parseSafetensorsHeader({}, 0).error().message,
            "not a safetensors file: expected at least 8 bytes, but got 0");
}

TEST_F(SafetensorsTest, RandomCorruption) {
  const std::vector<float> a(12, 1.0f);
  const SafetensorsTensor tensors[] = {
      {"first", SafetensorsType::F32, {2, 3}, std::as_bytes(std::span(a).first(6))},
      {"second", SafetensorsType::F32, {6}, std::as_bytes(std::span(a).last(6))}};
  ASSERT_TRUE(writeSafetensors(path, tensors, {{"k", "v"}}));
  const auto file = *readFile(path);
  int refused = 0;
  for (uint64_t i = 0; i < 20000; ++i) {
    auto damaged = file;
    for (uint64_t k = 0; k <= i % 4; ++k) // mostly in the header
      damaged[randomBits(i, 2 * k) % (file.size() - 40)] = std::byte(randomBits(i, 2 * k + 1));
    if (i % 5 == 0)
      damaged.resize(randomBits(i, 99) % file.size());
    auto result = parseSafetensorsHeader(damaged, damaged.size());
    refused += !result;
    if (result) {
      for (const auto &tensor : result->tensors) {
        EXPECT_LE(tensor.begin + tensor.bytes, damaged.size());
      }
    }
  }
  EXPECT_GT(refused, 10000);
  // The same through files, for the reading around the parser.
  for (size_t size = 0; size < file.size(); size += 3) {
    ASSERT_TRUE(writeFileAtomically(path, std::span(file).first(size)));
    EXPECT_FALSE(SafetensorsFile::open(path).has_value());
  }
}

TEST_F(SafetensorsTest, WeightsOfASession) {
  auto session = toy::session(toy::Schedule::Replay, 1, 1);
  ASSERT_TRUE(saveParameters(*session, path, {{"step", "3"}}));
  auto other = toy::session(toy::Schedule::Replay, 1, 1);
  other->initializeParameters(99);
  EXPECT_FALSE(std::ranges::equal(session->parameter(0), other->parameter(0)));
  ASSERT_TRUE(loadParameters(*other, *SafetensorsFile::open(path)));
  EXPECT_TRUE(std::ranges::equal(session->parameter(0), other->parameter(0)));
}

TEST_F(SafetensorsTest, WeightsThatDoNotFit) {
  auto session = toy::session(toy::Schedule::Replay, 1, 1);
  const std::vector<float> before(session->parameter(0).begin(), session->parameter(0).end());
  std::vector<float> data(toy::V * toy::D + 8);
  auto message = [&](std::vector<SafetensorsTensor> tensors) {
    for (auto &tensor : tensors) {
      size_t count = 1;
      for (int64_t dimension : tensor.shape)
        count *= size_t(dimension);
      tensor.bytes = std::as_bytes(std::span(data).first(count));
    }
    EXPECT_TRUE(writeSafetensors(path, tensors));
    auto result = loadParameters(*session, *SafetensorsFile::open(path));
    EXPECT_FALSE(result.has_value());
    EXPECT_TRUE(std::ranges::equal(session->parameter(0), before));
    return result ? "" : result.error().message.substr(path.native().size());
  };
  constexpr auto f32 = SafetensorsType::F32;
  EXPECT_EQ(message({}), ": expected tensors that are missing: 'weight'");
  EXPECT_EQ(message({{"weight", f32, {toy::D, toy::V}, {}}}),
            ": tensor 'weight': expected shape [11, 7], but got [7, 11]");
  EXPECT_EQ(message({{"weight", f32, {11, 7}, {}},
                     {"a", f32, {1}, {}},
                     {"b", f32, {1}, {}},
                     {"c", f32, {1}, {}},
                     {"d", f32, {1}, {}}}),
            ": tensors that the model does not have: 'a', 'b', 'c' and 1 more");
  data[76] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(message({{"weight", f32, {11, 7}, {}}}), ": tensor 'weight': entry 76 is infinite");
}

} // namespace
} // namespace memformer
