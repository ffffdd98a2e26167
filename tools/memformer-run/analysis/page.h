// The page of `memformer-run analyze`: what stands before its data, and what behind.
#pragma once

#include <string_view>

namespace memformer {

extern const std::string_view analysisPageBefore, analysisPageAfter;

} // namespace memformer
