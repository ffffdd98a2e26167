// CPU features, and targets that do not fit this machine.

#include "runtime/machine.h"
#include "test/runtime/toy_model.h"

#include <gtest/gtest.h>

namespace memformer {
namespace {

#if defined(__x86_64__)
// Two ways of asking: cpuid here, the compiler's run-time library there.
TEST(Machine, AgreesWithTheCompiler) {
  auto present = [](std::string_view feature) {
    EXPECT_NE(findFeature(feature), FeatureSupport::Unknown) << feature;
    return findFeature(feature) == FeatureSupport::Present;
  };
  EXPECT_TRUE(present("sse2"));
#define CHECK_FEATURE(feature)                                                                     \
  EXPECT_EQ(present(feature), __builtin_cpu_supports(feature) != 0) << feature
  CHECK_FEATURE("sse4.2");
  CHECK_FEATURE("avx");
  CHECK_FEATURE("avx2");
  CHECK_FEATURE("fma");
  CHECK_FEATURE("bmi");
  CHECK_FEATURE("bmi2");
  CHECK_FEATURE("popcnt");
  CHECK_FEATURE("avx512f");
  CHECK_FEATURE("avx512cd");
  CHECK_FEATURE("avx512vl");
  CHECK_FEATURE("avx512bw");
  CHECK_FEATURE("avx512dq");
  CHECK_FEATURE("avx512vnni");
  CHECK_FEATURE("avx512vbmi");
  CHECK_FEATURE("avx512vbmi2");
  CHECK_FEATURE("avx512ifma");
  CHECK_FEATURE("avx512bitalg");
  CHECK_FEATURE("avx512vpopcntdq");
  CHECK_FEATURE("avx512bf16");
  CHECK_FEATURE("avx512vp2intersect");
  CHECK_FEATURE("gfni");
  CHECK_FEATURE("vpclmulqdq");
#undef CHECK_FEATURE
}
#endif

std::string messageOf(std::string triple, std::vector<std::string> features) {
  auto result = checkMachine({.kind = "host",
                              .triple = std::move(triple),
                              .cpu = "somecpu",
                              .features = std::move(features)});
  return result ? "" : result.error().message;
}

TEST(Machine, RefusesOtherTargets) {
  EXPECT_EQ(messageOf(toy::triple(), {}), "");
  EXPECT_TRUE(messageOf("riscv64-unknown-linux-gnu", {})
                  .starts_with("compiled for riscv64, but this machine is "));
  EXPECT_TRUE(messageOf("", {}).starts_with("compiled for , but this machine is "));
  EXPECT_EQ(messageOf(toy::triple(), {"zvector", "sparkle"}),
            "compiled for somecpu with CPU features unknown to this runtime: zvector, sparkle");
}

TEST(Machine, NamesWhatIsMissing) {
  std::vector<std::string> absent;
  for (const char *feature : {"amx-fp16", "avx512vp2intersect", "amx-bf16", "avx512fp16", "sse4a"})
    if (findFeature(feature) == FeatureSupport::Absent)
      absent.push_back(feature);
#if defined(__x86_64__)
  // No CPU has Intel's newest and AMD's own.
  ASSERT_FALSE(absent.empty());
  EXPECT_EQ(messageOf(toy::triple(), {"sse2", absent[0], "nonsense"}),
            "compiled for somecpu, but this CPU lacks " + absent[0] +
                "; compile the model on this machine");
#else
  EXPECT_TRUE(absent.empty());
#endif
}

} // namespace
} // namespace memformer
