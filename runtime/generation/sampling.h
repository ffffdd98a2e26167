// How the next token is chosen from logits.
#pragma once

#include "runtime/result.h"

#include <cstdint>
#include <span>
#include <vector>

namespace memformer {

struct Sampling {
  double temperature = 1; // 0: always the most likely token
  int64_t topK = 0;       // only the k most likely; 0: all
  double topP = 1;        // only the fewest that have together at least this probability, in (0, 1]
  uint64_t seed = 0;
};

/// Says what is wrong with the settings.
Result<void> checkSampling(const Sampling &sampling);

/// Draws by a counter-based generator: a token depends on logits, settings, index and row alone.
class Sampler {
public:
  explicit Sampler(const Sampling &sampling) : settings(sampling) {}

  /// The `index`-th token of a row. The first of equally likely tokens counts as the likelier.
  /// Errors: logits that are not numbers.
  Result<int32_t> sample(std::span<const float> logits, uint64_t index, uint64_t row);

private:
  Sampling settings;
  std::vector<int32_t> order;  // tokens, the likeliest first as far as that matters
  std::vector<double> weights; // of `order`
};

} // namespace memformer
