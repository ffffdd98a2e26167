// The tools on an NVIDIA device, which is emulated: training, generation, and what is said where
// there is something wrong.
#include "test/product/cases.h"
#include "test/product/cuda_fixture.h"
#include "test/product/tensors.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace memformer;
using namespace memformer::test;

namespace {

TEST_F(Cuda, TrainsInBF16AsTheHostDoes) {
  const std::string model = recall;
  for (const char *device : {"cpu", "cuda:0"}) {
    Outcome outcome = run({"memformer-run", "train", model, "--out", folder.path() / device,
                           "--set", "model.precision=bf16", "--device", device});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }
  const auto host = losses(folder.path() / "cpu"), found = losses(folder.path() / "cuda:0");
  ASSERT_EQ(host.size(), 6u);
  ASSERT_EQ(found.size(), 6u);
  double worst = 0;
  for (size_t step = 0; step < host.size(); ++step) {
    EXPECT_NEAR(found[step], host[step], precisionBound(0x1p-8) * host[step]) << step;
    worst = std::max(worst, std::abs(found[step] - host[step]) / host[step]);
  }
  fmt::print("losses differ by {:.1e} of {:.1e} that is allowed\n", worst, precisionBound(0x1p-8));
  for (const char *schedule : {"checkpoint", "bptt"}) {
    Outcome outcome =
        run({"memformer-run", "train", model, "--out", folder.path() / schedule, "--set",
             "model.precision=bf16", "--device", "cuda:0", "--schedule", schedule});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_EQ(losses(folder.path() / schedule), found) << schedule;
  }
}

TEST_F(Cuda, TrainsAsTheHostDoes) {
  const std::string model = recall;
  auto train = [&](const char *name, std::vector<std::string> more) {
    std::vector<std::string> words = {"memformer-run", "train", model, "--out",
                                      folder.path() / name};
    words.insert(words.end(), more.begin(), more.end());
    Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return outcome.output;
  };
  train("host", {});
  const std::string output = train("cuda", {"--device", "cuda:0"});
  EXPECT_NE(output.find("cuda:0 ("), std::string::npos) << output;
  const auto host = losses(folder.path() / "host"), found = losses(folder.path() / "cuda");
  ASSERT_EQ(host.size(), 6u);
  ASSERT_EQ(found.size(), 6u);
  for (size_t step = 0; step < host.size(); ++step)
    EXPECT_NEAR(found[step], host[step], 1e-4 * host[step]) << step;

  // Of a run that ended at step 3: goes on to the same bits on the same device, and says so where
  // it is another.
  train("part", {"--device", "cuda", "--set", "train.steps=3"});
  std::filesystem::copy(folder.path() / "part", folder.path() / "elsewhere",
                        std::filesystem::copy_options::recursive);
  EXPECT_EQ(train("part", {"--device", "cuda", "--resume"}).find("the checkpoint was made on"),
            std::string::npos);
  EXPECT_EQ(losses(folder.path() / "part"), found);
  const std::string elsewhere = train("elsewhere", {"--resume"});
  EXPECT_NE(elsewhere.find("the checkpoint was made on cuda sm_80, and this is cpu: from here on, "
                           "results may differ in their last bits"),
            std::string::npos)
      << elsewhere;
  const auto mixed = losses(folder.path() / "elsewhere");
  ASSERT_EQ(mixed.size(), 6u);
  for (size_t step = 0; step < host.size(); ++step)
    EXPECT_NEAR(mixed[step], host[step], 1e-4 * host[step]) << step;

  // What was trained there is evaluated here, and the other way round.
  auto accuracy = [&](const char *weights, const char *device) {
    Outcome outcome =
        run({"memformer-run", "eval", model, "--weights",
             folder.path() / weights / "weights.safetensors", "--device", device, "--json"});
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return nlohmann::json::parse(outcome.output, nullptr, false)["loss"].get<double>();
  };
  EXPECT_NEAR(accuracy("cuda", "cpu"), accuracy("cuda", "cuda:0"), 1e-4);
}

// Dropout draws by the number of an entry in the whole batch, whichever block computes it.
TEST_F(Cuda, TrainsTheSameInChains) {
  const std::string model = recall;
  Tensors expected;
  for (int64_t batch : {1, 3, 6, 7})
    for (const char *multiprocessors : {"108", "1", "2"}) {
      SCOPED_TRACE(fmt::format("batch {}, {} multiprocessors", batch, multiprocessors));
      const std::string artifact = (folder.path() / "m.mfa").native(),
                        out =
                            (folder.path() / fmt::format("{}-{}", batch, multiprocessors)).native();
      Outcome compiled =
          run({"memformer-compile", model, "--target=sm_80", "--without-host", "--batch",
               std::to_string(batch), "--multiprocessors", multiprocessors, "-o", artifact});
      ASSERT_EQ(compiled.status, 0) << compiled.output;
      Outcome trained = run({"memformer-run", "train", artifact, "--out", out, "--device", "cuda:0",
                             "--set", "train.steps=3"});
      ASSERT_EQ(trained.status, 0) << trained.output;
      auto found = readTensors(std::filesystem::path(out) / "weights.safetensors");
      ASSERT_TRUE(found) << found.error().message;
      if (std::string_view(multiprocessors) == "108")
        expected = *found;
      EXPECT_EQ(compareBits(expected, *found), "");
    }
}

TEST_F(Cuda, GeneratesAsTheHostDoes) {
  const std::string model = recall;
  const std::string weights = (folder.path() / "run" / "weights.safetensors").native();
  ASSERT_EQ(run({"memformer-run", "train", model, "--out", folder.path() / "run"}).status, 0);
  const std::string prompt = write("prompt", "1 2 3 4 5 6 7");
  auto generate = [&](const char *device) {
    Outcome outcome = run({"memformer-run", "generate", model, "--weights", weights,
                           "--prompt-tokens", prompt, "--tokens", "12", "--device", device});
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return outcome.output;
  };
  EXPECT_EQ(generate("cuda:0"), generate("cpu"));
}

class CudaGeneration : public Cuda, public testing::WithParamInterface<std::string> {};

// Across the ends of segments, where the state is what the positions have left, or what is computed
// of them together.
TEST_P(CudaGeneration, IsThatOfTheHost) {
  const auto path = std::filesystem::path(MEMFORMER_CASES) / GetParam();
  const std::string prompt = write("prompt", "1 2 3 4 5 6 7 8 9 10 11");
  auto generate = [&](const char *device) {
    Outcome outcome = run({"memformer-run", "generate", path / "model.toml", "--weights",
                           path / "weights.safetensors", "--prompt-tokens", prompt, "--tokens",
                           "12", "--temperature", "0", "--device", device});
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return outcome.output;
  };
  EXPECT_EQ(generate("cuda:0"), generate("cpu"));
}

INSTANTIATE_TEST_SUITE_P(Cases, CudaGeneration,
                         testing::Values("lstm", "transformer-xl", "compressive-transformer",
                                         "compressive-transformer-most-used"),
                         caseName);

TEST_F(Cuda, BenchesAndInspects) {
  const std::string model = recall;
  Outcome bench = run({"memformer-run", "bench", model, "--device", "cuda:0", "--segments", "2",
                       "--repeat", "1", "--seconds", "0", "--profile", "--json"});
  ASSERT_EQ(bench.status, 0) << bench.output;
  const auto json = nlohmann::json::parse(bench.output, nullptr, false);
  EXPECT_EQ(json["device"].get<std::string>().substr(0, 8), "cuda:0 (");
  double dispatches = 0;
  for (const auto &row : json["profile"])
    dispatches += row["dispatches"].get<double>();
  EXPECT_GT(dispatches, 10);

  const std::string artifact = (folder.path() / "m.mfa").native();
  ASSERT_EQ(
      run({"memformer-compile", model, "--target", "host,sm_75,sm_80", "-o", artifact}).status, 0);
  Outcome inspect = run({"memformer-run", "inspect", artifact, "--json"});
  ASSERT_EQ(inspect.status, 0) << inspect.output;
  const auto devices = nlohmann::json::parse(inspect.output, nullptr, false)["devices"];
  ASSERT_EQ(devices.size(), 2u);
  EXPECT_EQ(devices[1]["target"]["architecture"], "sm_80");
  EXPECT_GT(devices[1]["kernels"][0]["threads"], 0);
  EXPECT_GT(devices[1]["kernels"][0]["ptx_bytes"], 100);
  Outcome text = run({"memformer-run", "inspect", artifact});
  EXPECT_NE(text.output.find("for CUDA devices of sm_75: "), std::string::npos) << text.output;
}

TEST_F(Cuda, SaysWhatIsWrong) {
  const std::string model = recall;
  const std::string artifact = (folder.path() / "m.mfa").native();
  ASSERT_EQ(run({"memformer-compile", model, "--target", "host,sm_80", "-o", artifact}).status, 0);
  auto message = [&](const std::string &path, const std::string &device,
                     const std::string &emulator, int status = 1,
                     const std::vector<std::string> &variables = {}) {
    Outcome outcome = run({"memformer-run", "bench", path, "--device", device, "--segments", "2",
                           "--repeat", "1", "--seconds", "0"},
                          emulator, variables);
    EXPECT_EQ(outcome.status, status) << outcome.output;
    return outcome.output;
  };
  auto contains = [](const std::string &text, const std::string &part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  contains(message(artifact, "cuda:0", "", 1, {"MEMFORMER_CUDA_DRIVER=/nonexistent.so"}),
           "cannot load the CUDA driver: /nonexistent.so");
  contains(message(artifact, "gpu", "", 2),
           "expected a device to be cpu, cuda or cuda:N, but got 'gpu'");
  contains(message(artifact, "cuda:1", ""),
           "expected a device in cuda:0 ... cuda:0, but got cuda:1");
  contains(message(artifact, "cuda:0", "devices=0"), "finds no device; use --device cpu");
  contains(message(artifact, "cuda:0", "architecture=75"),
           "runs sm_75, but the artifact has programs for sm_80; compile the model with "
           "--target=host,sm_75");
  contains(message(model, "cuda:0", "architecture=70"),
           "runs sm_70, but the oldest architecture that there is a program for is sm_75");
  contains(message(artifact, "cuda:0", "driver=10020"),
           "expected a driver of CUDA 11.0 or later for PTX 7.0, but got one of CUDA 10.2");
  // A newer device has the PTX compiled by its driver.
  EXPECT_EQ(message(artifact, "cuda:0", "architecture=89", 0).find("error"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(launches));
  // What does not fit is known before anything is launched.
  std::filesystem::remove(launches);
  contains(message(artifact, "cuda:0", "memory=10000"), "of free memory for 2 segments, but of");
  EXPECT_FALSE(std::filesystem::exists(launches));
  // The host needs no driver.
  EXPECT_EQ(
      message(artifact, "cpu", "", 0, {"MEMFORMER_CUDA_DRIVER=/nonexistent.so"}).find("error"),
      std::string::npos);
}

} // namespace
