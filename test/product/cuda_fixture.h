// What tests of the tools on an emulated NVIDIA device share.
#pragma once

#include "runtime/file.h"
#include "test/product/process.h"
#include "test/training/temporary_folder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace memformer::test {

inline constexpr double tolerance = 1e-4; // of the largest absolute entry, for products of f32

/// What is allowed of products whose factors are rounded, relative to the largest entry of a
/// tensor: docs/emulator.md derives it. `roundoff` is that of a factor, 2⁻⁸ of bf16 and 2⁻¹¹ of
/// tf32.
inline double precisionBound(double roundoff) {
  constexpr double products = 64; // in a row
  return 4 * std::sqrt(products) * roundoff;
}

class Cuda : public testing::Test {
protected:
  Cuda() {
    // What is launched in this test, and was not in one of an earlier run.
    const testing::TestInfo *info = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string(info->test_suite_name()) + "." + info->name();
    std::replace(name.begin(), name.end(), '/', '-');
    std::filesystem::create_directories(MEMFORMER_LAUNCHES);
    launches = std::filesystem::path(MEMFORMER_LAUNCHES) / name;
    std::filesystem::remove(launches);
  }

  /// Runs a tool with the emulator as the driver; `emulator` are its settings.
  Outcome run(std::vector<std::string> words, const std::string &emulator = "",
              const std::vector<std::string> &more = {}) {
    // The first of a name is the one that counts.
    std::vector<std::string> variables = more;
    variables.push_back("MEMFORMER_PTXAS="); // the emulator reads PTX
    variables.push_back(std::string("MEMFORMER_CUDA_DRIVER=") + MEMFORMER_EMULATOR_LIBRARY);
    variables.push_back("MEMFORMER_EMULATOR=" + emulator + (emulator.empty() ? "" : ",") +
                        "launches=" + launches.native());
    return runTool(words, folder.path() / "cache", 0, variables);
  }

  std::string write(const char *name, const std::string &text) {
    const std::string path = (folder.path() / name).native();
    EXPECT_TRUE(writeFileAtomically(path, text));
    return path;
  }

  TemporaryFolder folder;
  std::filesystem::path launches;
};

/// The losses of a run's steps.
inline std::vector<double> losses(const std::filesystem::path &run) {
  auto bytes = readFile(run / "metrics.jsonl");
  std::vector<double> result;
  if (!bytes)
    return result;
  std::string_view rest(reinterpret_cast<const char *>(bytes->data()), bytes->size());
  while (!rest.empty()) {
    const auto line = nlohmann::json::parse(rest.substr(0, rest.find('\n')), nullptr, false);
    rest.remove_prefix(std::min(rest.size(), rest.find('\n') + 1));
    if (line.is_object() && line.contains("loss"))
      result.push_back(line["loss"].get<double>());
  }
  return result;
}

/// The smallest model that trains.
inline const std::string recall = std::string(MEMFORMER_CASES) + "/../product/recall.toml";

} // namespace memformer::test
