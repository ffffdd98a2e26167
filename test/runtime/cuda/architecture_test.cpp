// Which program a device runs.

#include "runtime/cuda/architecture.h"
#include "test/runtime/cuda/toy_device.h"

#include <gtest/gtest.h>

namespace memformer {
namespace {

using namespace cuda;

TEST(CudaArchitecture, Parses) {
  ASSERT_TRUE(parseArchitecture("sm_90a"));
  EXPECT_EQ(parseArchitecture("sm_90a")->number, 90);
  EXPECT_TRUE(parseArchitecture("sm_90a")->exact);
  EXPECT_EQ(parseArchitecture("sm_120")->number, 120);
  EXPECT_FALSE(parseArchitecture("sm_120")->exact);
  EXPECT_FALSE(parseArchitecture("compute_80"));
  EXPECT_FALSE(parseArchitecture("sm_"));
  EXPECT_FALSE(parseArchitecture("sm_1200"));
}

TEST(CudaArchitecture, Rules) {
  EXPECT_TRUE(runsCubin({80}, {8, 0}));
  EXPECT_TRUE(runsCubin({80}, {8, 9}));
  EXPECT_FALSE(runsCubin({86}, {8, 0}));
  EXPECT_FALSE(runsCubin({80}, {9, 0}));
  EXPECT_TRUE(runsCubin({90, true}, {9, 0}));
  EXPECT_FALSE(runsCubin({120, true}, {12, 1}));
  EXPECT_TRUE(runsPtx({75}, {12, 0}));
  EXPECT_FALSE(runsPtx({90}, {8, 9}));
  EXPECT_FALSE(runsPtx({90, true}, {10, 0}));
  EXPECT_TRUE(runsPtx({90, true}, {9, 0}));
}

/// "sm_80 cubin", or the error. Programs with a "+" have cubins.
std::string choice(std::vector<std::string> programs, Capability capability) {
  std::vector<Manifest> manifests;
  for (const std::string &text : programs) {
    Manifest &manifest = manifests.emplace_back();
    const bool cubin = text.ends_with('+');
    manifest.target.architecture = text.substr(0, text.size() - cubin);
    KernelInfo &kernel = manifest.kernels.emplace_back();
    if (cubin)
      kernel.cubin.emplace();
  }
  auto chosen = chooseProgram(manifests, capability, "cuda:0 (Fake)");
  if (!chosen)
    return chosen.error().message;
  return chosen->manifest->target.architecture + (chosen->cubin ? " cubin" : " ptx");
}

TEST(CudaArchitecture, ChoosesThePrograms) {
  EXPECT_EQ(choice({"sm_75+", "sm_80+", "sm_86"}, {8, 0}), "sm_80 cubin");
  EXPECT_EQ(choice({"sm_75+", "sm_80+", "sm_86"}, {8, 9}), "sm_80 cubin");
  EXPECT_EQ(choice({"sm_75+", "sm_80+", "sm_86+"}, {8, 9}), "sm_86 cubin");
  EXPECT_EQ(choice({"sm_75", "sm_80", "sm_86"}, {9, 0}), "sm_86 ptx");
  EXPECT_EQ(choice({"sm_80+", "sm_90a+"}, {9, 0}), "sm_90a cubin");
  EXPECT_EQ(choice({"sm_90", "sm_90a"}, {9, 0}), "sm_90a ptx");
  EXPECT_EQ(choice({"sm_90a", "sm_90"}, {9, 0}), "sm_90a ptx");
  EXPECT_EQ(choice({"sm_80+", "sm_90a+"}, {10, 0}), "sm_80 ptx");
  EXPECT_EQ(choice({"sm_90a+", "sm_120a+"}, {12, 1}),
            "cuda:0 (Fake) runs sm_121, but the artifact has programs for sm_90a, sm_120a; compile "
            "the model with --target=host,sm_89");
  EXPECT_EQ(choice({}, {8, 6}), "cuda:0 (Fake) runs sm_86, but the artifact has a program for the "
                                "host alone; compile the model with --target=host,sm_86");
  EXPECT_EQ(choice({"sm_80"}, {7, 0}),
            "cuda:0 (Fake) runs sm_70, but the artifact has programs for sm_80");
}

TEST(CudaArchitecture, WhatToCompileFor) {
  EXPECT_EQ(compilerTarget({7, 5}), "sm_75");
  EXPECT_EQ(compilerTarget({8, 7}), "sm_86");
  EXPECT_EQ(compilerTarget({9, 0}), "sm_90a");
  EXPECT_EQ(compilerTarget({10, 0}), "sm_100a");
  EXPECT_EQ(compilerTarget({10, 3}), "sm_89");
  EXPECT_EQ(compilerTarget({12, 0}), "sm_120a");
  EXPECT_EQ(compilerTarget({6, 1}), std::nullopt);
}

TEST(CudaArchitecture, DriversOfPtx) {
  EXPECT_EQ(driverForPtx(63), "10.0");
  EXPECT_EQ(driverForPtx(65), "10.2");
  EXPECT_EQ(driverForPtx(70), "11.0");
  EXPECT_EQ(driverForPtx(78), "11.8");
  EXPECT_EQ(driverForPtx(80), "12.0");
  EXPECT_EQ(driverForPtx(85), "12.5");
  EXPECT_EQ(driverForPtx(86), "12.7");
  EXPECT_EQ(driverForPtx(87), "12.8");
  EXPECT_EQ(driverForPtx(90), "13.0");
  EXPECT_EQ(driverNumberForPtx(87), 12080);
}

TEST(DeviceChoice, Texts) {
  EXPECT_TRUE(parseDevice("cpu")->isHost());
  EXPECT_EQ(parseDevice("cuda")->text(), "cuda:0");
  EXPECT_EQ(parseDevice("cuda:12")->text(), "cuda:12");
  for (const char *text : {"", "gpu", "cuda:", "cuda:-1", "cuda:1x", "cuda:99999999999", "cpu:0"})
    EXPECT_EQ(parseDevice(text).error().message,
              fmt::format("expected a device to be cpu, cuda or cuda:N, but got '{}'", text));
}

} // namespace
} // namespace memformer
