// What tests of the stored cases share: a case's files, and its trace by the tool.
#pragma once

#include "test/product/cases.h"
#include "test/product/process.h"
#include "test/product/tensors.h"

#include <functional>

namespace memformer::test {

/// Of one of the cases, by its name.
class OfCase : public testing::WithParamInterface<std::string> {
protected:
  std::filesystem::path caseFile(const char *name) const {
    return std::filesystem::path(MEMFORMER_CASES) / GetParam() / name;
  }

  /// The trace of `model`, the case's or what was compiled of it, written to `out`. Empty, and a
  /// failure of the test, where the tool fails.
  Tensors traceCase(const std::string &model, const std::vector<std::string> &more,
                    const std::filesystem::path &out,
                    const std::function<Outcome(const std::vector<std::string> &)> &run) {
    std::vector<std::string> words = {"memformer-run",
                                      "trace",
                                      model,
                                      "--weights",
                                      caseFile("weights.safetensors"),
                                      "--tokens",
                                      caseFile("tokens.safetensors"),
                                      "--out",
                                      out};
    words.insert(words.end(), more.begin(), more.end());
    std::filesystem::remove(out);
    Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    auto tensors = readTensors(out);
    EXPECT_TRUE(tensors.has_value()) << tensors.error().message;
    return tensors ? *tensors : Tensors();
  }
};

} // namespace memformer::test
