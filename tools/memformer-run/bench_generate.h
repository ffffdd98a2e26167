// bench --mode generate, and how a profile is printed.
#pragma once

#include "runtime/device.h"
#include "tools/memformer-run/command.h"

#include <vector>

namespace memformer {

/// Times the generation of whole segments, each with its beginning, `repeat` times at least and for
/// at least so many seconds; a step is `segments` of them. Weights are a run's, or drawn; the
/// likeliest token is taken. Before that compares logits (logit_error.h).
Result<int> benchGeneration(ModelRequest request, unsigned threads, int64_t segments,
                            int64_t repeat, double seconds, bool json, bool profile);

/// Kernels by the time that a step spends in them: dispatches and seconds of `steps` steps.
nlohmann::ordered_json profileJson(const Manifest &manifest, const std::vector<KernelTime> &times,
                                   int64_t steps);
void printProfile(const nlohmann::ordered_json &profile, double step);

} // namespace memformer
