// Traces of the stored cases on an emulated NVIDIA device.
#pragma once

#include "test/product/case_fixture.h"
#include "test/product/cuda_fixture.h"

#include <fmt/format.h>

namespace memformer::test {

class CudaTrace : public Cuda, public OfCase {
protected:
  Tensors expected() const {
    auto tensors = readTensors(caseFile("expected.safetensors"));
    EXPECT_TRUE(tensors.has_value()) << tensors.error().message;
    return tensors ? *tensors : Tensors();
  }

  /// Of the case's model, or of an artifact that was made of it.
  Tensors trace(const std::vector<std::string> &more, const std::string &emulator = "",
                const std::vector<std::string> &variables = {}, const std::string &artifact = "") {
    return traceCase(artifact.empty() ? caseFile("model.toml").native() : artifact, more,
                     folder.path() / "out.safetensors",
                     [&](const auto &words) { return run(words, emulator, variables); });
  }

  /// On the device, in a precision of products; under all three schedules, whose bits are the same.
  Tensors traceUnderSchedules(const std::string &precision, const std::string &emulator = "") {
    Tensors first;
    for (const char *schedule : {"mrbp", "checkpoint", "bptt"}) {
      SCOPED_TRACE(schedule);
      Tensors found = trace(
          {"--device", "cuda:0", "--schedule", schedule, "--set", "model.precision=" + precision},
          emulator);
      if (first.empty())
        first = found;
      else
        EXPECT_EQ(compareBits(first, found), "");
    }
    return first;
  }

  /// Sees that `found` differs from `reference` by no more than products of rounded factors may,
  /// and returns by how much, relative to a tensor's largest entry.
  double checkClose(Tensors found, Tensors reference, double roundoff) {
    // A softmax does not see what is added to all keys: the gradient of their bias is zero, and
    // what is computed of it is rounding alone.
    for (Tensors *tensors : {&found, &reference})
      std::erase_if(*tensors, [](const auto &entry) { return entry.first.ends_with("key.bias"); });
    auto difference = compareToExpected(found, reference);
    if (!difference) {
      ADD_FAILURE() << difference.error().message;
      return 0;
    }
    fmt::print("off by {:.1e} of the largest entry in {}, of {:.1e} that is allowed\n",
               difference->relative, difference->tensor, precisionBound(roundoff));
    EXPECT_LE(difference->relative, precisionBound(roundoff)) << difference->tensor;
    return difference->relative;
  }
};

} // namespace memformer::test
