// What the slots of a memory attend to when they are written: collected segment by segment.
#include "tools/memformer-run/analysis/analysis.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace memformer {

namespace {

constexpr size_t shownTokens = 12; // of a slot, over all segments

double rounded(double value) { return std::round(value * 1e6) / 1e6; }

} // namespace

Analysis::Analysis(int64_t slots, int64_t heads, int64_t segmentTokens, int64_t vectors,
                   const AnalysisSettings &settings)
    : slots(slots), heads(heads), segmentTokens(segmentTokens), vectors(vectors),
      views(heads == 1 ? 1 : 1 + heads), settings(settings), byHead(heads > 1),
      slotTypes(size_t(slots)), updates(size_t(slots)), received(size_t(slots)),
      mean(size_t(1 + segmentTokens + vectors)) {}

int Analysis::typeOf(uint16_t weight) const {
  // As the page has it: the same division of the same numbers.
  const double value = double(weight) / 65535;
  return value >= settings.keeps ? 1 : value <= settings.replaces ? 3 : 2;
}

void Analysis::add(std::span<const int32_t> tokens, std::span<const float> attention,
                   bool restart) {
  const auto width = size_t(1 + segmentTokens + vectors), perHead = width * size_t(slots);
  auto row = [&](int64_t head, int64_t slot) {
    return attention.subspan(size_t(head) * perHead + size_t(slot) * width, width);
  };
  segmentText.insert(segmentText.end(), tokens.begin(), tokens.end());
  restarts.push_back(restart);
  std::vector<size_t> number(width - 1);
  for (size_t i = 0; i < number.size(); ++i) {
    // Learned vectors count from -1 downwards.
    const int32_t token = i < tokens.size() ? tokens[i] : int32_t(tokens.size()) - int32_t(i) - 1;
    auto [entry, isNew] = numbers.try_emplace(token, vocabulary.size());
    if (isNew) {
      vocabulary.push_back(token);
      occurrences.push_back(0);
    }
    number[i] = entry->second;
    ++occurrences[number[i]];
  }

  std::array<int64_t, 3> found{};
  const size_t begin = selfWeights.size();
  selfWeights.resize(begin + size_t(views * slots));
  for (int64_t slot = 0; slot < slots; ++slot) {
    std::ranges::fill(mean, 0.0f);
    for (int64_t head = 0; head < heads; ++head) {
      const auto weights = row(head, slot);
      for (size_t i = 0; i < width; ++i)
        mean[i] += weights[i] / float(heads);
      if (views > 1)
        selfWeights[begin + size_t((1 + head) * slots + slot)] = quantiseWeight(double(weights[0]));
    }
    const uint16_t own = quantiseWeight(double(mean[0]));
    selfWeights[begin + size_t(slot)] = own;
    const auto type = size_t(typeOf(own) - 1);
    ++found[type];
    ++slotTypes[size_t(slot)][type];
    updates[size_t(slot)] += 1 - double(mean[0]);
    std::vector<float> &sums = received[size_t(slot)];
    sums.resize(vocabulary.size());
    for (size_t i = 0; i < number.size(); ++i)
      sums[number[i]] += mean[1 + i];
    ofMean.add(std::span<const float>(mean).subspan(1), settings.positions);
  }
  for (int64_t head = 0; byHead && head < heads; ++head)
    for (int64_t slot = 0; slot < slots; ++slot)
      ofHeads.add(row(head, slot).subspan(1), settings.positions);
  if (byHead && ofMean.size() + ofHeads.size() > settings.limit) {
    byHead = false;
    ofHeads.clear();
  }
  types.push_back(found);
}

// [token, share of the slot's attention, that over the token's share of the text], largest first.
nlohmann::ordered_json Analysis::tokensOf(int64_t slot) const {
  const std::vector<float> &sums = received[size_t(slot)];
  const double total = std::accumulate(sums.begin(), sums.end(), 0.0);
  const double all = double(std::accumulate(occurrences.begin(), occurrences.end(), int64_t(0)));
  std::vector<size_t> first(sums.size());
  std::iota(first.begin(), first.end(), size_t(0));
  const auto shown = int64_t(std::min(shownTokens, first.size()));
  std::ranges::partial_sort(first, first.begin() + shown, [&](size_t a, size_t b) {
    return sums[a] != sums[b] ? sums[a] > sums[b] : vocabulary[a] < vocabulary[b];
  });
  auto list = nlohmann::ordered_json::array();
  for (size_t token : std::span(first).first(size_t(shown))) {
    const double share = total > 0 ? double(sums[token]) / total : 0;
    list.push_back(
        {vocabulary[token], rounded(share), rounded(share / (double(occurrences[token]) / all))});
  }
  return list;
}

nlohmann::ordered_json Analysis::finish(std::span<const double> biasNorms) {
  using Json = nlohmann::ordered_json;
  int64_t most = settings.positions;
  if (ofMean.size() > settings.limit) {
    most = ofMean.fitting(settings.limit);
    ofMean.shorten(most);
  }
  Json stored = {{"least", leastAttention}, {"most", most}, {"mean", ofMean.json()}};
  if (byHead)
    stored["heads"] = ofHeads.json();
  Json norms = Json::array(), rates = Json::array(), tokens = Json::array();
  for (int64_t slot = 0; slot < slots; ++slot) {
    norms.push_back(rounded(biasNorms[size_t(slot)]));
    rates.push_back(rounded(updates[size_t(slot)] / double(segments())));
    tokens.push_back(tokensOf(slot));
  }
  Json text = Json::array();
  for (auto at = segmentText.begin(); at != segmentText.end(); at += segmentTokens)
    text.push_back(std::vector<int32_t>(at, at + segmentTokens));
  return {{"slots", slots},
          {"heads", heads},
          {"segments", segments()},
          {"segment_tokens", segmentTokens},
          {"cls_tokens", vectors},
          {"thresholds", {{"keeps", settings.keeps}, {"replaces", settings.replaces}}},
          {"types", types},
          {"slot",
           {{"bias_norm", std::move(norms)},
            {"update_rate", std::move(rates)},
            {"types", slotTypes},
            {"tokens", std::move(tokens)}}},
          {"restarts", restarts},
          {"tokens", std::move(text)},
          {"views", views},
          {"self_weights", packNumbers(selfWeights)},
          {"attention", std::move(stored)}};
}

} // namespace memformer
