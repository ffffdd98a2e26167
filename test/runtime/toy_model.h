// A model small enough to write by hand: its artifact, and what it should compute.
#pragma once

#include "runtime/artifact.h"
#include "runtime/session.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace memformer::toy {

// Batch, tokens in a segment, width, vocabulary: see toy_kernels.c.
inline constexpr int64_t B = 3, L = 5, D = 7, V = 11;

// The same gradients in two ways: `saved` keeps the next state of every segment and goes forward
// through all of them; `replay` goes forward through the segments whose states are not stored, and
// computes each again on the way back.
enum class Schedule { Saved, Replay };

/// Manifest without "sections".
nlohmann::json manifest(Schedule schedule);
std::vector<std::byte> kernels();
std::shared_ptr<const Artifact> artifact(Schedule schedule);
/// A session with parameters drawn with seed 7; fails the test on an error.
std::unique_ptr<Session> session(Schedule schedule, int64_t segments, unsigned threads);

/// tokens [T, B, L] from a counter, so that a later stream is the end of a longer one.
std::vector<int32_t> tokens(int64_t segments, int64_t first = 0);
/// The triple of this machine.
std::string triple();

struct Expected {
  std::vector<float> states;   // [T+1, B, D]
  std::vector<float> loss;     // [T, B, L]
  std::vector<float> gradient; // [V, D]
};
/// The same arithmetic in the same order: equal to the last bit. `reset` is [T, B].
Expected reference(std::span<const float> weight, std::span<const float> state,
                   std::span<const int32_t> tokens, std::span<const int32_t> reset,
                   int64_t segments, float scale);

} // namespace memformer::toy
