// First values of parameters.
#pragma once

#include "runtime/artifact.h"
#include "runtime/thread_pool.h"

#include <span>

namespace memformer {

/// Draws one parameter from its initializer. The values depend on the seed, the parameter's name
/// and its initializer alone.
void initializeParameter(const ParameterInfo &parameter, uint64_t seed, std::span<float> values,
                         ThreadPool &pool);

} // namespace memformer
