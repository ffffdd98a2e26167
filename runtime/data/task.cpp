// The built-in tasks: recall (a fact, noise, a question, the answer) and copy (symbols, noise, the
// symbols again).
#include "runtime/data/random.h"
#include "runtime/data/sequences.h"

#include <algorithm>

namespace memformer {

namespace {

// Token 0 stands before a sequence, token 1 marks the question; the kinds of symbols follow and
// share none.
constexpr int32_t bosToken = 0;
constexpr int32_t questionToken = 1;
constexpr int32_t firstSymbol = 2;

// A task's sequences: segments to remember, `gap` segments of noise, the question, the answer. The
// encoder reads the question in the step in which the decoder answers, and never again what was to
// be remembered.
class TaskSource : public SequenceSource {
public:
  TaskSource(const DataSettings &settings, Split split, const DataShape &shape, uint64_t seed)
      : SequenceSource(shape, bosToken), settings(settings),
        key(hashKey({seed, split == Split::Train ? 0u : 1u})),
        curriculum(split == Split::Train && settings.curriculum > 0),
        level(curriculum ? std::max<int64_t>(settings.minGap, std::min<int64_t>(1, settings.maxGap))
                         : settings.maxGap) {}

  int64_t rolloutSegments() const override { return length(group) - index; }
  int64_t longestRollout() const override { return segmentsAround() + settings.maxGap; }
  int64_t gap() const override { return level; }

  bool harder() override {
    if (!curriculum || level >= settings.maxGap)
      return false;
    level = std::min(2 * level, settings.maxGap);
    return true;
  }

  std::vector<int64_t> position() const override { return {group, index, level}; }
  Result<void> setPosition(std::span<const int64_t> position) override {
    if (position.size() != 3 || position[2] < 0 || position[2] > settings.maxGap)
      return error("expected a data position of a group, a segment in it and a gap of at most {}",
                   settings.maxGap);
    level = position[2];
    return SequenceSource::setPosition(position.first(2));
  }

protected:
  // Segments other than noise: those to remember, the question, the answer.
  int64_t segmentsAround() const { return remembered() + 2; }
  virtual int64_t remembered() const = 0;

  // Gaps of all lengths up to the present one: a model that has only seen one learns to count to
  // it.
  int64_t gapOf(int64_t group) const {
    return settings.minGap + Random{key, uint64_t(group)}.below(level - settings.minGap + 1);
  }
  int64_t length(int64_t group) const override { return segmentsAround() + gapOf(group); }

  // Writes noise over `tokens`; `first` is the first of the noise symbols.
  void noise(int64_t group, int64_t row, int64_t index, int32_t first,
             std::span<int32_t> tokens) const {
    Random random{key, uint64_t(group), uint64_t(row), uint64_t(index), 1};
    for (int32_t &token : tokens)
      token = first + int32_t(random.below(settings.noise));
  }

  const DataSettings settings;
  const uint64_t key;
  const bool curriculum;
  int64_t level;
};

class RecallSource : public TaskSource {
public:
  using TaskSource::TaskSource;

protected:
  int64_t remembered() const override { return settings.facts; }

  void fill(int64_t group, int64_t row, int64_t index, std::span<int32_t> tokens,
            std::span<int32_t> targets) const override {
    const int32_t firstKey = firstSymbol;
    const int32_t firstValue = firstKey + int32_t(settings.keys);
    const int32_t firstNoise = firstValue + int32_t(settings.values);
    uint64_t sequence = hashKey({key, uint64_t(group), uint64_t(row), 2});
    // Keys differ within a sequence; values are free.
    auto keyOf = [&](int64_t fact) {
      return firstKey + int32_t(permute(sequence, fact, settings.keys));
    };
    auto valueOf = [&](int64_t fact) {
      return firstValue + int32_t(Random{sequence, uint64_t(fact)}.below(settings.values));
    };
    int64_t asked = Random{sequence, uint64_t(settings.facts)}.below(settings.facts);

    noise(group, row, index, firstNoise, tokens);
    int64_t question = settings.facts + gapOf(group);
    if (index < settings.facts) {
      tokens[0] = keyOf(index);
      tokens[1] = valueOf(index);
    } else if (index == question) {
      tokens[tokens.size() - 2] = questionToken;
      tokens[tokens.size() - 1] = keyOf(asked);
    } else if (index == question + 1) {
      tokens[0] = targets[0] = valueOf(asked);
    }
  }
};

class CopySource : public TaskSource {
public:
  using TaskSource::TaskSource;

protected:
  int64_t remembered() const override { return 1; }

  void fill(int64_t group, int64_t row, int64_t index, std::span<int32_t> tokens,
            std::span<int32_t> targets) const override {
    int64_t question = 1 + gapOf(group);
    if (index == 0 || index == question + 1) {
      Random random{key, uint64_t(group), uint64_t(row), 2};
      for (int32_t &token : tokens)
        token = firstSymbol + int32_t(random.below(settings.symbols));
      if (index != 0)
        std::ranges::copy(tokens, targets.begin());
      return;
    }
    noise(group, row, index, firstSymbol + int32_t(settings.symbols), tokens);
    if (index == question)
      tokens.back() = questionToken;
  }
};

} // namespace

Result<std::unique_ptr<Source>> openTask(const DataSettings &settings, Split split,
                                         const DataShape &shape, uint64_t seed) {
  bool recall = settings.kind == "recall";
  int64_t symbols =
      firstSymbol + settings.noise + (recall ? settings.keys + settings.values : settings.symbols);
  if (symbols > shape.vocab)
    return error("expected model.vocab to be at least {} for data.kind = \"{}\" (2 + {} + noise), "
                 "but got {}",
                 symbols, settings.kind, recall ? "keys + values" : "symbols", shape.vocab);
  if (recall && shape.segment < 2)
    return error("expected model.segment to be at least 2 for data.kind = \"recall\" (a key and a "
                 "value), but got {}",
                 shape.segment);
  if (recall)
    return std::make_unique<RecallSource>(settings, split, shape, seed);
  return std::make_unique<CopySource>(settings, split, shape, seed);
}

bool isTask(const DataSettings &settings) {
  return settings.kind == "recall" || settings.kind == "copy";
}

double chanceAccuracy(const DataSettings &settings) {
  return 1.0 / double(settings.kind == "recall" ? settings.values : settings.symbols);
}

} // namespace memformer
