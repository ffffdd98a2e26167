// The model of what a kernel moves: more than its arguments once where L2 is too small, and only
// there.

#include "codegen/EachKernel.h"
#include "codegen/nvptx/Compile.h"
#include "codegen/nvptx/Traffic.h"

#include <gtest/gtest.h>

using namespace memformer;

namespace {

nvptx::GpuTarget target(const char *name) { return llvm::cantFail(nvptx::GpuTarget::get(name)); }

int64_t movedByGemm(int64_t m, int64_t n, int64_t k, const char *gpu) {
  auto type = [](int64_t rows, int64_t columns) {
    return "tensor<" + std::to_string(rows) + "x" + std::to_string(columns) + "xf32>";
  };
  std::string body = "kernel.gemm %0, %1 n " + std::to_string(n) + " : (" + type(m, k) + ", " +
                     type(k, n) + ") -> " + type(m, n) +
                     " {\n^bb0(%x: f32, %i: i32):\n  kernel.yield %x : f32\n}";
  auto compiled =
      nvptx::compileKernel(textOfKernel(body, {type(m, k), type(k, n)}, {type(m, n)}), target(gpu));
  if (!compiled) {
    ADD_FAILURE() << llvm::toString(compiled.takeError());
    return 0;
  }
  return compiled->movedBytes;
}

TEST(Traffic, OfProductsThatFitIsOnce) {
  EXPECT_EQ(movedByGemm(512, 512, 512, "sm_75"), 4 * 3 * 512 * 512);
  // B alone is larger than the cache, but what uses it runs at one time.
  EXPECT_EQ(movedByGemm(64, 4096, 4096, "sm_80"), 4 * (2 * 64 * 4096 + 4096 * 4096));
}

TEST(Traffic, OfProductsThatDoNotFitIsMore) {
  constexpr int64_t n = 8192, once = 4 * 3 * n * n;
  const int64_t small = movedByGemm(n, n, n, "sm_75"), large = movedByGemm(n, n, n, "sm_120a");
  EXPECT_GT(small, 3 * once);
  EXPECT_GT(large, once);
  EXPECT_GT(small, large) << "a cache 24 times the size, and four times the multiprocessors";
}

// Two parts in turn by waves of blocks: kept both where there is room, none where there is not.
TEST(Traffic, OfPartsInTurn) {
  nvptx::GpuTarget gpu = target("sm_80");
  gpu.multiprocessors = 4;
  gpu.cacheBytes = 100;
  auto moved = [&](int64_t bytes) {
    return nvptx::movedBytes({{bytes, 4, 2, true, false}}, /*grid=*/24, gpu);
  };
  EXPECT_EQ(moved(50), 100);
  EXPECT_EQ(moved(51), 6 * 51);
  // Written and read counts twice.
  EXPECT_EQ(nvptx::movedBytes({{10, 1, 24, true, true}}, 24, gpu), 480);
}

} // namespace
