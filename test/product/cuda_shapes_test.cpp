// Models of any shape train on an emulated NVIDIA device as they do on the host.
#include "test/product/cuda_fixture.h"

#include <cstdlib>
#include <fmt/format.h>
#include <random>

using namespace memformer;
using namespace memformer::test;

namespace {

/// A configuration at random: widths of one and of primes, uneven heads, any number of layers.
std::string randomModel(uint64_t seed) {
  std::mt19937_64 numbers(seed);
  auto one = [&](std::initializer_list<int> of) { return of.begin()[numbers() % of.size()]; };
  auto name = [&](std::initializer_list<const char *> of) {
    return of.begin()[numbers() % of.size()];
  };
  const int heads = one({1, 1, 2, 3, 5}), width = one({1, 2, 3, 7, 8, 11, 16, 17});
  const int gap = one({1, 2}), horizon = gap + 3; // a sequence of the task
  const int segment = one({3, 4, 5, 7, 9, 16, 17, 23}), batch = one({1, 2, 3, 5});
  return fmt::format(R"([model]
vocab = {}
d_model = {}
heads = {}
d_ff = {}
encoder_layers = {}
decoder_layers = {}
segment = {}
norm = "{}"
activation = "{}"
dropout = {}
[memory]
slots = {}
temperature = {}
output_projection = {}
[train]
batch = {}
horizon = {}
steps = 3
checkpoint_every = 3
evaluate_rollouts = 1
seed = {}
[data]
kind = "recall"
gap = {}
)",
                     one({26, 29, 64, 97}), heads * width, heads, one({1, 5, 13, 32, 37}),
                     one({1, 2}), one({1, 2}), segment, name({"pre", "post"}),
                     name({"gelu", "relu"}), name({"0.0", "0.1"}), one({1, 2, 3, 7, 17, 33}),
                     name({"1.0", "0.25"}), name({"true", "false"}), batch, horizon, seed, gap);
}

class CudaShapes : public Cuda {
protected:
  std::vector<double> train(const std::string &model, const std::string &device,
                            const std::string &precision, const std::string &schedule,
                            const std::string &emulator = "") {
    const auto out = folder.path() / (device.substr(0, 4) + precision + schedule);
    std::filesystem::remove_all(out);
    Outcome outcome = run({"memformer-run", "train", model, "--out", out, "--device", device,
                           "--schedule", schedule, "--set", "model.precision=" + precision},
                          emulator);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return losses(out);
  }
};

// MEMFORMER_SHAPES=FIRST:COUNT tries other seeds, as many as there is time for.
TEST_F(CudaShapes, TrainAsOnTheHost) {
  uint64_t first = 1, count = 2;
  if (const char *asked = std::getenv("MEMFORMER_SHAPES")) {
    ASSERT_EQ(std::sscanf(asked, "%lu:%lu", &first, &count), 2) << asked;
  }
  double worst[2] = {};
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const std::string text = randomModel(seed);
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + text);
    const std::string model = write("model.toml", text);
    for (const char *precision : {"f32", "bf16"}) {
      const bool narrow = std::string(precision) == "bf16";
      const double bound = narrow ? precisionBound(0x1p-8) : tolerance;
      const auto host = train(model, "cpu", precision, "mrbp");
      const auto found = train(model, "cuda:0", precision, "mrbp");
      ASSERT_EQ(host.size(), 3u);
      ASSERT_EQ(found.size(), 3u);
      for (size_t step = 0; step < host.size(); ++step) {
        const double difference = std::abs(found[step] - host[step]) / host[step];
        EXPECT_LE(difference, bound) << precision << ", step " << step;
        worst[narrow] = std::max(worst[narrow], difference);
      }
      const char *other = seed % 2 ? "bptt" : "checkpoint";
      EXPECT_EQ(found, train(model, "cuda:0", precision, other, "order=random,seed=3"))
          << precision << " under " << other;
    }
  }
  fmt::print("{} shapes, losses off by {:.1e} in f32 and {:.1e} in bf16\n", count, worst[0],
             worst[1]);
}

} // namespace
