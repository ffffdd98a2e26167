// Attention and its gradient against double loops: causal, self column, dropout, normalised rows,
// scores by distance.

#include "test/codegen/kernel_harness.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace memformer::testing;

namespace {

struct Form {
  const char *name;
  bool causal = false, self = false, dropout = false, normalize = false, bias = false;
  bool relative = false;
  /// What is multiplied is rounded to bf16, or with `half` to f16; and it is stored so, results too
  /// where they may be.
  bool rounds = false, narrow = false, half = false;
};

struct Size {
  int64_t batch, queries, keys, heads, width;
  int64_t columns() const { return heads * width; }
};

constexpr double probability = 0.25;
constexpr uint32_t stream = 5;
constexpr int32_t key0 = 123, key1 = -456;

// The generator of dropout, in plain integers.
uint32_t mix(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352dU;
  x = (x ^ (x >> 15)) * 0x846ca68bU;
  return x ^ (x >> 16);
}
bool kept(uint32_t entry) {
  uint32_t spread = stream * 0x9e3779b9U;
  uint32_t a = mix(uint32_t(key0) + spread), b = mix((uint32_t(key1) + spread) ^ a);
  return mix(mix(entry + a) ^ b) >= uint32_t(std::ldexp(probability, 32));
}

// Sums in double with the sums of their terms' magnitudes, which bound the error.
struct Sums {
  explicit Sums(int64_t entries) : values(size_t(entries)), magnitudes(size_t(entries)) {}
  void add(int64_t at, double value, double magnitude) {
    values[size_t(at)] += value;
    magnitudes[size_t(at)] += magnitude;
  }
  Expected within(double relative) const {
    return {values, relative * *std::max_element(magnitudes.begin(), magnitudes.end())};
  }
  std::vector<double> values, magnitudes;
};

struct Inputs {
  Tensor query, key, value, selfKey, selfValue, bias, gradient, dropoutKey;
  Tensor relativeQuery, relativeKey;
  double scale;
};

Inputs inputsOf(const Size &s) {
  std::vector<int64_t> queries = {s.batch, s.queries, s.columns()},
                       keys = {s.batch, s.keys, s.columns()};
  Inputs in{uniform(queries, 1, -2, 2),
            uniform(keys, 2, -2, 2),
            uniform(keys, 3),
            uniform(queries, 4, -2, 2),
            uniform(queries, 5),
            uniform({s.queries, s.columns()}, 6),
            uniform(queries, 7),
            zeros({2}, true),
            uniform(queries, 8, -2, 2),
            uniform({s.keys, s.columns()}, 9, -2, 2),
            0};
  // The key as kernels take it: that of the stream.
  in.dropoutKey.ints = {int32_t(uint32_t(key0) + stream * 0x9e3779b9U),
                        int32_t(uint32_t(key1) + stream * 0x9e3779b9U)};
  in.scale = double(float(1 / std::sqrt(double(s.width))));
  return in;
}

// The inputs as a kernel that rounds them multiplies them.
Inputs rounded(Inputs in, bool half) {
  for (Tensor *tensor : {&in.query, &in.key, &in.value, &in.gradient})
    for (float &x : tensor->floats)
      x = roundTo16Bits(x, half);
  return in;
}

// Everything that the two kernels compute.
struct Reference {
  Reference(const Form &form, const Size &s, const Inputs &in);

  Sums result, lse, normalized, query, key, value, selfKey, selfValue, relativeQuery, relativeKey;
  /// Relative to the sums of magnitudes.
  double error;
};

Reference::Reference(const Form &form, const Size &s, const Inputs &in)
    : result(in.query.entries()), lse(s.batch * s.heads * s.queries),
      normalized(in.query.entries()), query(in.query.entries()), key(in.key.entries()),
      value(in.key.entries()), selfKey(in.query.entries()), selfValue(in.query.entries()),
      relativeQuery(in.query.entries()), relativeKey(in.key.entries()) {
  double largestScore = 0;
  int64_t d = s.columns();
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t i = 0; i < s.queries; ++i) {
        int64_t q = (b * s.queries + i) * d + h * s.width, row = (b * s.heads + h) * s.queries + i;
        // Columns: the query's own (−1) first, then the keys that it sees.
        int64_t begin = form.self ? -1 : 0;
        int64_t end = form.causal ? s.keys - s.queries + i + 1 : s.keys;
        auto place = [&](int64_t j) { return j < 0 ? q : (b * s.keys + j) * d + h * s.width; };
        auto keyOf = [&](int64_t j, int64_t c) {
          return j < 0 ? in.selfKey[q + c] : in.key[place(j) + c];
        };
        auto valueOf = [&](int64_t j, int64_t c) {
          return j < 0 ? in.selfValue[q + c] : in.value[place(j) + c];
        };
        // The row of relative keys, and a place in its gradient.
        auto relativeRow = [&](int64_t j) { return j + s.queries - 1 - i; };
        auto relativeKeyOf = [&](int64_t j, int64_t c) {
          return in.relativeKey[relativeRow(j) * d + h * s.width + c];
        };
        std::vector<double> scores;
        for (int64_t j = begin; j < end; ++j) {
          double sum = 0, magnitude = 0;
          for (int64_t c = 0; c < s.width; ++c) {
            sum += in.query[q + c] * keyOf(j, c);
            magnitude += std::abs(in.query[q + c] * keyOf(j, c));
            if (form.relative) {
              double product = in.relativeQuery[q + c] * relativeKeyOf(j, c);
              sum += product;
              magnitude += std::abs(product);
            }
          }
          scores.push_back(sum * in.scale);
          largestScore = std::max(largestScore, magnitude * in.scale);
        }
        double top = *std::max_element(scores.begin(), scores.end()), total = 0;
        for (double score : scores)
          total += std::exp(score - top);
        double log = top + std::log(total);
        lse.add(row, log, 1);
        double delta = 0, deltaMagnitude = 0;
        auto weight = [&](int64_t j) { return std::exp(scores[size_t(j - begin)] - log); };
        auto mask = [&](int64_t j) {
          if (!form.dropout)
            return 1.0;
          return kept(uint32_t(row * s.keys + j)) ? 1 / (1 - probability) : 0.0;
        };
        for (int64_t j = begin; j < end; ++j)
          for (int64_t c = 0; c < s.width; ++c) {
            double term = weight(j) * mask(j) * valueOf(j, c), g = in.gradient[q + c];
            result.add(q + c, term, std::abs(term));
            delta += g * term;
            deltaMagnitude += std::abs(g * term);
          }
        for (int64_t j = begin; j < end; ++j) {
          double product = 0, magnitude = 0, p = weight(j);
          for (int64_t c = 0; c < s.width; ++c) {
            product += in.gradient[q + c] * valueOf(j, c);
            magnitude += std::abs(in.gradient[q + c] * valueOf(j, c));
          }
          double ds = p * (mask(j) * product - delta) * in.scale;
          double size = p * (mask(j) * magnitude + deltaMagnitude) * in.scale;
          for (int64_t c = 0; c < s.width; ++c) {
            query.add(q + c, ds * keyOf(j, c), size * std::abs(keyOf(j, c)));
            Sums &ofKey = j < 0 ? selfKey : key, &ofValue = j < 0 ? selfValue : value;
            double entry = in.query[q + c], term = p * mask(j) * in.gradient[q + c];
            ofKey.add(place(j) + c, ds * entry, size * std::abs(entry));
            ofValue.add(place(j) + c, term, std::abs(term));
            if (!form.relative)
              continue;
            double p = in.relativeQuery[q + c], r = relativeKeyOf(j, c);
            relativeQuery.add(q + c, ds * r, size * std::abs(r));
            relativeKey.add(place(relativeRow(j)) + c, ds * p, size * std::abs(p));
          }
        }
      }
  for (int64_t r = 0; r < s.batch * s.queries; ++r) {
    double square = 0;
    std::vector<double> row;
    for (int64_t c = 0; c < d; ++c) {
      double bias = form.bias ? in.bias[r % s.queries * d + c] : 0;
      row.push_back(result.values[size_t(r * d + c)] + bias);
      square += row.back() * row.back();
    }
    for (int64_t c = 0; c < d; ++c)
      normalized.add(r * d + c, row[size_t(c)] / std::sqrt(square),
                     1 + std::abs(1 / std::sqrt(square)));
  }
  // Half of the distance between 1 and the next number of 16 bits. A rounded probability, or
  // gradient of a score, is off by this part of itself at most, so a sum of its products by this
  // part of the sum of their magnitudes; what is stored so is off by as much again. In f16 what is
  // below 2⁻¹⁴ is off by up to 2⁻²⁵ instead.
  const double half = form.half ? 0x1p-11 : 0x1p-8;
  const double tiny = form.half ? 0x1p-23 * double(s.keys + s.queries) : 0;
  double narrow = (form.rounds ? half : 0) + (form.narrow ? half : 0);
  // A probability is off by the errors of its score and of lse (w + 8 roundings of sums of that
  // magnitude each), the rest by the roundings of sums over columns, keys and queries.
  error =
      (2 * double(s.width + 8) * (1 + largestScore) + double(s.width + s.keys + s.queries + 64)) *
          roundoff +
      narrow * (1 + half) + tiny;
}

std::string signature(const std::vector<Tensor> &operands, const std::vector<Tensor> &results) {
  std::string text = " : (";
  for (size_t i = 0; i < operands.size(); ++i)
    text += (i ? ", " : "") + operands[i].type();
  text += ") -> (";
  for (size_t i = 0; i < results.size(); ++i)
    text += (i ? ", " : "") + results[i].type();
  return text + ")";
}

// What both kernels have in common after their first operands.
std::string optional(const Form &form, const Size &s, const Inputs &in,
                     std::vector<Tensor> &operands, bool withBias) {
  std::string text;
  auto add = [&](const Tensor &operand) {
    operands.push_back(operand);
    return "%" + std::to_string(operands.size() - 1);
  };
  if (form.self) {
    std::string first = add(in.selfKey);
    text += " self(" + first + ", " + add(in.selfValue) + ")";
  }
  if (withBias)
    text += " bias(" + add(in.bias) + ")";
  if (form.relative) {
    std::string first = add(in.relativeQuery);
    text += " relative(" + first + ", " + add(in.relativeKey) + ")";
  }
  if (form.dropout)
    text += " dropout " + add(in.dropoutKey);
  char scale[64];
  std::snprintf(scale, sizeof scale, "%.17e", in.scale);
  return text + " heads " + std::to_string(s.heads) + " scale " + scale +
         (form.causal ? " causal" : "");
}

std::string nameOf(const Form &form, const Size &s) {
  return std::string(form.name) + " batch " + std::to_string(s.batch) + " queries " +
         std::to_string(s.queries) + " keys " + std::to_string(s.keys) + " heads " +
         std::to_string(s.heads) + " width " + std::to_string(s.width) +
         (form.narrow   ? " stored as "
          : form.rounds ? " rounded to "
                        : "") +
         (!form.rounds ? ""
          : form.half  ? "f16"
                       : "bf16");
}

const char *const dropoutAttributes = "probability = 0.25 : f64";

// A tensor as a kernel is given it.
Tensor stored(const Form &form, const Tensor &tensor) {
  return form.narrow ? narrowed(tensor, form.half) : tensor;
}

// A result: heads that are wider, and rows that are normalised, are not stored in 16 bits.
Tensor storedResult(const Form &form, const Size &s, const Tensor &tensor) {
  return s.width <= 128 && !form.normalize ? stored(form, tensor) : tensor;
}

KernelCase forwardCase(const Form &form, const Size &s, const Inputs &in,
                       const Reference &reference) {
  std::vector<Tensor> operands = {stored(form, in.query), stored(form, in.key),
                                  stored(form, in.value)};
  std::vector<Tensor> results = {storedResult(form, s, in.query),
                                 zeros({s.batch, s.heads, s.queries})};
  if (form.normalize)
    results.push_back(in.query);
  std::string body = "kernel.attention %0, %1, %2" + optional(form, s, in, operands, form.bias);
  body += form.normalize ? " normalize" : "";
  body += !form.rounds ? "" : form.half ? " operands f16" : " operands bf16";
  body += form.dropout ? std::string(" {") + dropoutAttributes + "}" : "";
  body += signature(operands, results);
  size_t first = operands.size();
  return {
      nameOf(form, s), body, operands, {}, results, [=, &reference](const std::vector<Tensor> &) {
        std::vector<std::pair<size_t, Expected>> compared = {
            {first, reference.result.within(reference.error)},
            {first + 1, reference.lse.within(reference.error * 4)}};
        // A row's length is off by no more than all of its entries are together.
        double length = form.rounds ? 1 + std::sqrt(double(s.columns())) : 1;
        if (form.normalize)
          compared.push_back({first + 2, reference.normalized.within(reference.error * length)});
        return compared;
      }};
}

KernelCase gradientCase(const Form &form, const Size &s, const Inputs &in,
                        const Reference &reference) {
  Tensor result = in.query, lse = zeros({s.batch, s.heads, s.queries});
  for (size_t i = 0; i < result.floats.size(); ++i)
    result.floats[i] = float(reference.result.values[i]);
  for (size_t i = 0; i < lse.floats.size(); ++i)
    lse.floats[i] = float(reference.lse.values[i]);
  std::vector<Tensor> operands = {stored(form, in.gradient),
                                  stored(form, in.query),
                                  stored(form, in.key),
                                  stored(form, in.value),
                                  result,
                                  lse};
  std::vector<Tensor> results = {storedResult(form, s, in.query), storedResult(form, s, in.key),
                                 storedResult(form, s, in.key)};
  if (form.self)
    results.insert(results.end(), {in.query, in.query});
  if (form.relative)
    results.insert(results.end(), {in.query, in.key});
  std::string body =
      "kernel.attention_gradient %0, %1, %2, %3, %4, %5" + optional(form, s, in, operands, false);
  body += !form.rounds ? "" : form.half ? " operands f16" : " operands bf16";
  body += std::string(" {resultSegmentSizes = array<i32: 1, 1, 1, ") +
          (form.self ? "1, 1" : "0, 0") + (form.relative ? ", 1, 1>" : ", 0, 0>") +
          (form.dropout ? ", " : "") + (form.dropout ? dropoutAttributes : "") + "}" +
          signature(operands, results);
  size_t first = operands.size();
  return {nameOf(form, s) + ", gradient",
          body,
          operands,
          {},
          results,
          [=, &reference](const std::vector<Tensor> &) {
            std::vector<std::pair<size_t, Expected>> compared = {
                {first, reference.query.within(reference.error)},
                {first + 1, reference.key.within(reference.error)},
                {first + 2, reference.value.within(reference.error)}};
            if (form.self) {
              compared.push_back({first + 3, reference.selfKey.within(reference.error)});
              compared.push_back({first + 4, reference.selfValue.within(reference.error)});
            }
            if (form.relative) {
              size_t at = first + (form.self ? 5 : 3);
              compared.push_back({at, reference.relativeQuery.within(reference.error)});
              compared.push_back({at + 1, reference.relativeKey.within(reference.error)});
            }
            return compared;
          }};
}

// Causal queries are the last of the keys: there are no more of them.
Size sizeFor(const Form &form, Size size) {
  if (form.causal && size.queries > size.keys)
    std::swap(size.queries, size.keys);
  return size;
}

class Attention : public ::testing::TestWithParam<Form> {};

TEST_P(Attention, OddShapes) {
  for (const Size &each : {Size{1, 1, 1, 1, 1}, Size{2, 3, 3, 2, 5}, Size{1, 17, 17, 3, 1},
                           Size{2, 33, 33, 1, 7}, Size{1, 5, 257, 2, 16}, Size{1, 70, 1, 1, 33},
                           Size{1, 20, 300, 1, 50}, Size{2, 1, 37, 3, 5}, Size{1, 1, 300, 2, 150},
                           Size{1, 105, 57, 2, 9}, Size{1, 51, 150, 1, 3}}) {
    Size size = sizeFor(GetParam(), each);
    Inputs in = inputsOf(size);
    Reference reference(GetParam(), size, in);
    check(forwardCase(GetParam(), size, in, reference));
    if (!GetParam().normalize)
      check(gradientCase(GetParam(), size, in, reference));
  }
}

// Blocks of queries and of keys that begin where others end, and one past that; several of both;
// heads as wide as registers hold, and in chunks.
class CausalAttention : public Attention {};

TEST_P(CausalAttention, KeysBeforeTheFirstQuery) {
  for (const Size &size : {Size{2, 1, 2, 1, 1}, Size{1, 16, 17, 2, 4}, Size{2, 17, 31, 1, 3},
                           Size{1, 33, 64, 1, 8}, Size{1, 65, 129, 1, 6}, Size{1, 64, 128, 1, 4},
                           Size{1, 18, 37, 1, 128}, Size{1, 35, 71, 1, 131}}) {
    Inputs in = inputsOf(size);
    Reference reference(GetParam(), size, in);
    check(forwardCase(GetParam(), size, in, reference));
    check(gradientCase(GetParam(), size, in, reference));
  }
}

// On CPUs blocks have up to 128 keys: memories that end in a second or a third of them, panels that
// are full and not, heads in whole vectors and past them.
TEST(RelativeAttention, SeveralBlocksOfKeysOnTheHost) {
  Form form{.name = "relative", .causal = true, .relative = true};
  for (const Size &size :
       {Size{1, 131, 131, 1, 39}, Size{2, 56, 200, 2, 39}, Size{1, 57, 257, 1, 32},
        Size{1, 130, 300, 1, 33}, Size{1, 7, 400, 1, 8}}) {
    Inputs in = inputsOf(size);
    Reference reference(form, size, in);
    check(forwardCase(form, size, in, reference), testedCPUs());
    check(gradientCase(form, size, in, reference), testedCPUs());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, CausalAttention,
    ::testing::Values(
        Form{.name = "causal", .causal = true},
        Form{.name = "dropout", .causal = true, .dropout = true},
        Form{.name = "relative", .causal = true, .relative = true},
        Form{.name = "relativeDropout", .causal = true, .dropout = true, .relative = true}),
    [](const auto &info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Forms, Attention,
    ::testing::Values(Form{.name = "plain"}, Form{.name = "causal", .causal = true},
                      Form{.name = "self", .self = true},
                      Form{.name = "dropout", .causal = true, .dropout = true},
                      Form{.name = "relative", .causal = true, .relative = true},
                      Form{.name = "normalized", .self = true, .normalize = true, .bias = true}),
    [](const auto &info) { return std::string(info.param.name); });

// On GPUs alone: with operands of bf16 or f16, on tensor cores where there are any and heads have a
// width for them.
class NarrowAttention : public ::testing::TestWithParam<Form> {};

TEST_P(NarrowAttention, OddShapes) {
  for (const Size &each :
       {Size{2, 56, 56, 2, 32}, Size{1, 64, 56, 2, 32}, Size{1, 1, 1, 1, 8}, Size{2, 7, 33, 2, 17},
        Size{1, 33, 7, 1, 56}, Size{1, 257, 64, 1, 16}, Size{1, 57, 257, 1, 64},
        Size{1, 130, 130, 1, 33}, Size{1, 70, 70, 1, 128}, Size{1, 48, 40, 1, 100},
        Size{1, 40, 70, 1, 200}, Size{1, 17, 100, 1, 256}, Size{1, 9, 5, 2, 257},
        Size{2, 9, 9, 2, 7}, Size{1, 33, 1, 3, 1}, Size{1, 65, 129, 1, 24},
        Size{1, 17, 71, 1, 136}}) {
    Size size = sizeFor(GetParam(), each);
    Inputs in = inputsOf(size);
    bool isSmall = size.queries * size.keys * size.width < 10'000;
    for (bool narrow : {false, true}) {
      if (!isSmall && narrow != (size.width % 3 == 2)) // of larger ones either form
        continue;
      Form form = GetParam();
      form.rounds = true;
      form.narrow = narrow;
      for (bool half : {false, true}) {
        // f16 is the same code but where the width decides what is in registers.
        if (half && !isSmall && size.width < 128)
          continue;
        form.half = half;
        Reference reference(form, size, rounded(in, half));
        // The oldest has tensor cores for f16.
        auto gpus = testedGPUs(/*oldest=*/isSmall || half);
        if (half && !isSmall && !gpus.empty())
          gpus.resize(1);
        check(forwardCase(form, size, in, reference), gpus);
        if (!form.normalize)
          check(gradientCase(form, size, in, reference), gpus);
      }
    }
  }
}

// What is read in 16 bits is what would have been rounded to it.
TEST_P(NarrowAttention, StorageOfOperandsChangesNoBit) {
  Size size{2, 40, 100, 2, 40};
  Inputs in = inputsOf(size);
  Form form = GetParam();
  form.rounds = true;
  for (bool half : {false, true}) {
    form.half = half;
    Reference reference(form, size, rounded(in, half));
    auto gpus = testedGPUs(/*oldest=*/half);
    if (gpus.empty())
      return;
    const std::string &gpu = gpus[0];
    auto run = [&](bool narrow, bool gradient) {
      form.narrow = narrow;
      KernelCase kernel = gradient ? gradientCase(form, size, in, reference)
                                   : forwardCase(form, size, in, reference);
      // The results are stored as f32 in either case.
      for (Tensor &result : kernel.results)
        result.narrow = false;
      size_t types = kernel.body.rfind("-> (");
      kernel.body.resize(types);
      kernel.body += "-> (";
      for (size_t i = 0; i < kernel.results.size(); ++i)
        kernel.body += (i ? ", " : "") + kernel.results[i].type();
      kernel.body += ")";
      std::vector<Tensor> arguments = kernel.operands;
      arguments.insert(arguments.end(), kernel.results.begin(), kernel.results.end());
      auto after = runOn(gpu, kernel.body, kernel.operands, kernel.results, arguments);
      after.erase(after.begin(), after.begin() + long(kernel.operands.size()));
      return after;
    };
    for (bool gradient : {false, true}) {
      if (gradient && form.normalize)
        continue;
      auto wide = run(false, gradient), narrow = run(true, gradient);
      ASSERT_EQ(wide.size(), narrow.size());
      for (size_t i = 0; i < wide.size(); ++i)
        EXPECT_EQ(wide[i].floats, narrow[i].floats) << "result " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, NarrowAttention,
    ::testing::Values(Form{.name = "plain"}, Form{.name = "causal", .causal = true},
                      Form{.name = "self", .self = true},
                      Form{.name = "dropout", .causal = true, .dropout = true},
                      Form{.name = "normalized", .self = true, .normalize = true, .bias = true}),
    [](const auto &info) { return std::string(info.param.name); });

} // namespace
