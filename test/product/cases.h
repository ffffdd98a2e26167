// The stored cases that a tool is run on.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace memformer::test {

/// The names of all folders of test/cases that have expected tensors, in their order.
inline std::vector<std::string> allCases() {
  std::vector<std::string> names;
  for (const auto &entry : std::filesystem::directory_iterator(MEMFORMER_CASES))
    if (std::filesystem::exists(entry.path() / "expected.safetensors"))
      names.push_back(entry.path().filename().native());
  std::ranges::sort(names);
  return names;
}

} // namespace memformer::test
