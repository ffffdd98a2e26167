// What the slots of a memory attend to when they are written: collected segment by segment.
#pragma once

#include "tools/memformer-run/analysis/sparse_attention.h"

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace memformer {

struct AnalysisSettings {
  double keeps = 0.9;     // type 1: a self weight of at least this
  double replaces = 0.1;  // type 3: a self weight of at most this
  int64_t positions = 32; // tokens that are stored for a slot at a segment, those of most weight
  // Tokens that are stored in all. Where there are more, those of single heads are not stored, and
  // of the mean over the heads fewer for each slot.
  int64_t limit = 4'000'000;
};

class Analysis {
public:
  /// Of K slots written with H heads, from segments of L tokens and C learned vectors.
  Analysis(int64_t slots, int64_t heads, int64_t segmentTokens, int64_t vectors,
           const AnalysisSettings &settings);

  /// One segment: what the encoder reads, `[L]`, and the write's attention to a slot itself and to
  /// those, `[H, K, 1 + L + C]`. `restarts` where a sequence begins.
  void add(std::span<const int32_t> tokens, std::span<const float> attention, bool restarts);

  int64_t segments() const { return int64_t(types.size()); }
  /// Slots of type 1, 2 and 3 at each segment.
  const std::vector<std::array<int64_t, 3>> &typesOverTime() const { return types; }
  /// Everything as docs/analysis.md has it, but for what it is an analysis of; nothing is added
  /// afterwards. `biasNorms`: ‖v‖ of each slot.
  nlohmann::ordered_json finish(std::span<const double> biasNorms);

private:
  int typeOf(uint16_t weight) const;
  nlohmann::ordered_json tokensOf(int64_t slot) const;

  const int64_t slots, heads, segmentTokens, vectors;
  const int64_t views; // the mean, and each head where there are several
  AnalysisSettings settings;
  bool byHead;

  std::vector<std::array<int64_t, 3>> types; // by segment
  std::vector<std::array<int64_t, 3>> slotTypes;
  std::vector<double> updates;                // by slot, sums of 1 - self weight
  std::vector<int32_t> segmentText, restarts; // [T, L], [T]
  std::vector<uint16_t> selfWeights;          // [T, views, K]
  SparseAttention ofMean, ofHeads;            // rows [T, K] and [T, H, K]

  // Attention of a slot to each token that occurs, by the order in which they first do.
  std::vector<int32_t> vocabulary;
  std::vector<int64_t> occurrences;
  std::unordered_map<int32_t, size_t> numbers;
  std::vector<std::vector<float>> received; // [K][tokens]
  std::vector<float> mean;                  // [1 + L + C]
};

} // namespace memformer
