// How the result of an evaluation is printed.
#pragma once

#include "runtime/training/evaluation.h"

#include <nlohmann/json.hpp>

namespace memformer {

/// loss (nats), bits, perplexity, accuracy, standard_error, targets, of a task chance and gaps.
nlohmann::ordered_json scoreJson(const DataSettings &data, const Score &score,
                                 const std::vector<GapScore> &gaps);

/// The same as a table on standard output.
void printScore(const DataSettings &data, const Score &score, const std::vector<GapScore> &gaps);

} // namespace memformer
