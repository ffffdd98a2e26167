// How far the logits of generated positions are from those of whole segments.
#pragma once

#include "runtime/session.h"

#include <optional>

namespace memformer {

/// Over all positions and rows of a stream of random tokens. Divergences are those of the
/// distributions that the logits stand for, Σ p log(p / q) in nats, p being the whole segment's.
struct LogitError {
  int64_t positions = 0;
  double largest = 0;    // |logit| of whole segments
  double difference = 0; // the largest
  double meanDivergence = 0, largestDivergence = 0;
};

/// Runs some segments both ways, with the session's parameters; its state is overwritten. Nothing
/// for a model whose inputs are not those of a data source. Errors: a model that does not generate.
Result<std::optional<LogitError>> measureLogitError(Session &session);

} // namespace memformer
