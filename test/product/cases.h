// The stored cases that a tool is run on.
#pragma once

#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>
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

/// The name of a test of a case: GoogleTest takes no hyphens.
inline std::string caseName(const testing::TestParamInfo<std::string> &info) {
  std::string name = info.param;
  std::erase(name, '-');
  return name;
}

} // namespace memformer::test
