// CPUs by name: what their vectors are, and which features an artifact then asks for.

#include "codegen/host/HostTarget.h"
#include "llvm/ADT/STLExtras.h"

#include <gtest/gtest.h>

using memformer::host::HostTarget;
using memformer::host::TileSupport;

namespace {

TEST(HostTarget, VectorsFollowFromTheName) {
  struct Case {
    const char *cpu;
    int64_t lanes, registers;
    bool wide;
    TileSupport tiles = TileSupport::None;
  };
  for (const Case &test : {Case{"x86-64-v3", 8, 16, false}, Case{"haswell", 8, 16, false},
                           Case{"znver3", 8, 16, false}, Case{"x86-64-v4", 16, 32, true},
                           Case{"skylake-avx512", 16, 32, true}, Case{"znver4", 16, 32, true},
                           Case{"sapphirerapids", 16, 32, true, TileSupport::Registers},
                           Case{"graniterapids", 16, 32, true, TileSupport::Registers}}) {
    SCOPED_TRACE(test.cpu);
    auto target = HostTarget::get(test.cpu);
    ASSERT_TRUE(bool(target)) << llvm::toString(target.takeError());
    EXPECT_EQ(target->lanes, test.lanes);
    EXPECT_EQ(target->vectorRegisters, test.registers);
    EXPECT_EQ(target->unitLanes, std::string(test.cpu) == "znver4" ? 8 : test.lanes);
    EXPECT_TRUE(llvm::is_contained(target->features, "fma"));
    EXPECT_EQ(llvm::is_contained(target->features, "avx512f"), test.wide);
    EXPECT_EQ(target->tiles, test.tiles);
    EXPECT_EQ(llvm::is_contained(target->features, "amx-tile"), test.tiles != TileSupport::None);
    // Nothing that kernels have no use for.
    EXPECT_FALSE(llvm::is_contained(target->features, "aes"));
  }
}

TEST(HostTarget, UnknownAndUnsuitableNamesAreErrors) {
  for (const char *cpu : {"", "z80", "x86-64", "nehalem"}) {
    auto target = HostTarget::get(cpu);
    ASSERT_FALSE(bool(target)) << cpu;
    std::string message = llvm::toString(target.takeError());
    EXPECT_NE(message.find("expected "), std::string::npos) << message;
    EXPECT_NE(message.find("'" + std::string(cpu) + "'"), std::string::npos) << message;
  }
}

} // namespace
