// Runs the C program of c_interface_use.c.

#include "runtime/file.h"
#include "test/runtime/cuda/toy_device.h"

#include <gtest/gtest.h>

extern "C" const char *use_c_interface(const char *path, const char *weightsPath,
                                       const char *device);

namespace memformer {
namespace {

TEST(CInterface, ProgramInC) {
  const auto folder = std::filesystem::path(testing::TempDir());
  const auto path = folder / "c_interface.mfa", weights = folder / "c_interface.safetensors";
  const auto program = toy::device(toy::Schedule::Saved, "sm_80");
  auto file = toy::assembleWith(toy::manifest(toy::Schedule::Saved), {program});
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE(writeFileAtomically(path, *file));
  toy::FakeCuda fake;
  for (const char *device : {static_cast<const char *>(nullptr), "cuda:0"}) {
    const char *message = use_c_interface(path.c_str(), weights.c_str(), device);
    EXPECT_EQ(message, nullptr) << message;
  }
  EXPECT_GT(fake.calls("cuGraphLaunch"), 0);
  std::filesystem::remove(path);
  std::filesystem::remove(weights);
}

} // namespace
} // namespace memformer
