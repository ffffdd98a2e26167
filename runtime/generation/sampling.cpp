// Temperature, top-k and top-p, in double precision and in one order.
#include "runtime/generation/sampling.h"
#include "runtime/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace memformer {

Result<void> checkSampling(const Sampling &sampling) {
  if (!(sampling.temperature >= 0) || !std::isfinite(sampling.temperature))
    return error("expected a temperature of at least 0, but got {}", sampling.temperature);
  if (sampling.topK < 0)
    return error("expected top-k to be at least 0, but got {}", sampling.topK);
  if (!(sampling.topP > 0 && sampling.topP <= 1))
    return error("expected top-p in (0, 1], but got {}", sampling.topP);
  return {};
}

Result<int32_t> Sampler::sample(std::span<const float> logits, uint64_t index, uint64_t row) {
  for (size_t token = 0; token < logits.size(); ++token)
    if (std::isnan(logits[token]) || logits[token] == INFINITY)
      return error("the logit of token {} is {}: the weights are not those of a trained model",
                   token, logits[token]);
  const auto best = std::ranges::max_element(logits);
  if (best == logits.end() || std::isinf(*best))
    return error("expected a token that is possible, but every logit is -inf");
  if (settings.temperature == 0 || settings.topK == 1)
    return int32_t(best - logits.begin());

  order.resize(logits.size());
  std::iota(order.begin(), order.end(), 0);
  auto likelier = [&](int32_t a, int32_t b) {
    return logits[size_t(a)] != logits[size_t(b)] ? logits[size_t(a)] > logits[size_t(b)] : a < b;
  };
  if (settings.topK > 0 && size_t(settings.topK) < order.size()) {
    std::ranges::partial_sort(order, order.begin() + settings.topK, likelier);
    order.resize(size_t(settings.topK));
  } else if (settings.topP < 1) {
    std::ranges::sort(order, likelier);
  }
  weights.clear();
  double total = 0;
  for (int32_t token : order) {
    weights.push_back(
        std::exp((double(logits[size_t(token)]) - double(*best)) / settings.temperature));
    total += weights.back();
  }
  if (settings.topP < 1) {
    double sum = 0;
    size_t kept = 0;
    while (kept < weights.size() && sum < settings.topP * total)
      sum += weights[kept++];
    weights.resize(kept);
    total = sum;
  }
  const uint64_t key = extendKey(extendKey(extendKey(0, settings.seed), "sample"), row);
  double rest = uniformFromBits(randomBits(key, index)) * total;
  for (size_t i = 0; i < weights.size(); ++i) {
    rest -= weights[i];
    if (rest < 0)
      return order[i];
  }
  // Rounding: the last that is possible.
  for (size_t i = weights.size(); i > 1; --i)
    if (weights[i - 1] > 0)
      return order[i - 1];
  return order[0];
}

} // namespace memformer
