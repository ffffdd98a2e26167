// Runs the C program of c_interface_use.c.

#include "test/runtime/toy_model.h"

#include <gtest/gtest.h>

extern "C" const char *use_c_interface(const char *path, const char *weightsPath);

namespace memformer {
namespace {

TEST(CInterface, ProgramInC) {
  const auto folder = std::filesystem::path(testing::TempDir());
  const auto path = folder / "c_interface.mfa", weights = folder / "c_interface.safetensors";
  const auto host = toy::kernels();
  const SectionData sections[] = {{"host", host}};
  ASSERT_TRUE(writeArtifact(path, toy::manifest(toy::Schedule::Saved), sections));
  const char *message = use_c_interface(path.c_str(), weights.c_str());
  EXPECT_EQ(message, nullptr) << message;
  std::filesystem::remove(path);
  std::filesystem::remove(weights);
}

} // namespace
} // namespace memformer
