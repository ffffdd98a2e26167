// Initializers, each a function of (key, index) and so free to run on any thread.

#include "runtime/initialize.h"
#include "runtime/random.h"

#include <algorithm>
#include <cmath>

namespace memformer {

namespace {

constexpr size_t blockEntries = size_t(1) << 14; // even: a pair of normals is in one block

void fillNormal(uint64_t key, size_t begin, std::span<float> values, double deviation) {
  for (size_t i = 0; i < values.size(); i += 2) {
    const auto [first, second] = normalPair(key, (begin + i) / 2);
    values[i] = float(deviation * first);
    if (i + 1 < values.size())
      values[i + 1] = float(deviation * second);
  }
}

/// A normal vector has a random direction; scaled to `length`.
void fillRow(uint64_t key, std::span<float> row, double length) {
  double squares = 0;
  auto forEachEntry = [&](auto &&use) {
    for (size_t i = 0; i < row.size(); i += 2) {
      const auto [first, second] = normalPair(key, i / 2);
      use(i, first);
      if (i + 1 < row.size())
        use(i + 1, second);
    }
  };
  forEachEntry([&](size_t, double value) { squares += value * value; });
  const double scale = squares > 0 ? length / std::sqrt(squares) : 0;
  forEachEntry([&](size_t i, double value) { row[i] = float(scale * value); });
}

/// Sines and then cosines of a position, of wavelengths from 2π to about 2π · base.
void fillSinusoids(double position, double base, std::span<float> row) {
  const size_t sines = (row.size() + 1) / 2;
  for (size_t i = 0; i < row.size(); ++i) {
    const size_t k = i < sines ? i : i - sines;
    const double angle = position * std::pow(base, -2 * double(k) / double(row.size()));
    row[i] = float(i < sines ? std::sin(angle) : std::cos(angle));
  }
}

} // namespace

void initializeParameter(const ParameterInfo &parameter, uint64_t seed, std::span<float> values,
                         ThreadPool &pool) {
  const uint64_t key = extendKey(extendKey(0, seed), std::string_view(parameter.name));
  const double value = parameter.initializer.value;
  if (parameter.initializer.kind == Initializer::Kind::Rows) {
    const size_t width = parameter.shape.empty() ? 1 : size_t(parameter.shape.back());
    if (width == 0)
      return;
    auto fill = [&](int64_t row) {
      fillRow(extendKey(key, uint64_t(row)), values.subspan(size_t(row) * width, width), value);
    };
    pool.run(int64_t(values.size() / width), fill);
    return;
  }
  if (parameter.initializer.kind == Initializer::Kind::Sinusoids) {
    const size_t width = size_t(parameter.shape[1]), rows = size_t(parameter.shape[0]);
    auto fill = [&](int64_t row) {
      fillSinusoids(double(rows - 1 - size_t(row)), value,
                    values.subspan(size_t(row) * width, width));
    };
    pool.run(int64_t(values.empty() ? 0 : rows), fill);
    return;
  }
  auto fill = [&](int64_t index) {
    const size_t begin = size_t(index) * blockEntries;
    auto block = values.subspan(begin, std::min(blockEntries, values.size() - begin));
    switch (parameter.initializer.kind) {
    case Initializer::Kind::Normal:
      fillNormal(key, begin, block, value);
      break;
    case Initializer::Kind::Uniform:
      for (size_t i = 0; i < block.size(); ++i)
        block[i] = float(value * (2 * uniformFromBits(randomBits(key, begin + i)) - 1));
      break;
    default:
      std::ranges::fill(block, float(value));
    }
  };
  pool.run(int64_t((values.size() + blockEntries - 1) / blockEntries), fill);
}

} // namespace memformer
