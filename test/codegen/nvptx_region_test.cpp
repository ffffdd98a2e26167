// Regions on GPUs: every op either compiles for every architecture or is an error, and never ends
// the process.

#include "codegen/EachKernel.h"
#include "codegen/nvptx/Compile.h"

#include <gtest/gtest.h>

using namespace memformer;

namespace {

// A map of one entry of f32, whose body computes %y from %x (f32) and %i (i32).
std::string mapOf(const std::string &body) {
  return textOfKernel("kernel.map %0 trailing : (tensor<5xf32>) -> tensor<5xf32> {\n"
                      "^bb0(%x: f32, %i: i32):\n" +
                          body + "\n  kernel.yield %y : f32\n}",
                      {"tensor<5xf32>"}, {"tensor<5xf32>"});
}

std::string ofReals(const std::string &op) {
  return "  %c = arith.constant 3.0 : f32\n  %y = " + op + " %x, %c : f32";
}

std::string ofIntegers(const std::string &op) {
  return "  %c = arith.constant 3 : i32\n  %j = " + op +
         " %i, %c : i32\n  %y = arith.sitofp %j : i32 to f32";
}

TEST(NvptxRegion, OpsOfArithCompileForEveryArchitecture) {
  std::vector<std::string> bodies = {
      "  %y = arith.negf %x : f32",
      "  %j = arith.fptosi %x : f32 to i32\n  %y = arith.sitofp %j : i32 to f32",
      "  %j = arith.fptoui %x : f32 to i32\n  %y = arith.uitofp %j : i32 to f32",
      "  %j = arith.bitcast %x : f32 to i32\n  %y = arith.bitcast %j : i32 to f32",
      "  %j = arith.extf %x : f32 to f64\n  %y = arith.truncf %j : f64 to f32",
      "  %j = arith.truncf %x : f32 to bf16\n  %y = arith.extf %j : bf16 to f32",
      "  %j = arith.truncf %x : f32 to f16\n  %y = arith.extf %j : f16 to f32",
      "  %j = arith.extsi %i : i32 to i64\n  %y = arith.sitofp %j : i64 to f32",
      "  %j = arith.trunci %i : i32 to i8\n  %y = arith.uitofp %j : i8 to f32",
      "  %j = arith.index_cast %i : i32 to index\n  %k = arith.index_cast %j : index to i32\n"
      "  %y = arith.sitofp %k : i32 to f32",
      "  %c = arith.cmpf une, %x, %x : f32\n  %z = arith.constant 0.0 : f32\n"
      "  %y = arith.select %c, %z, %x : f32"};
  for (const char *op :
       {"addf", "subf", "mulf", "divf", "remf", "maximumf", "minimumf", "maxnumf", "minnumf"})
    bodies.push_back(ofReals(std::string("arith.") + op));
  for (const char *op : {"addi", "subi", "muli", "divsi", "divui", "remsi", "remui", "andi", "ori",
                         "xori", "shli", "shrsi", "shrui", "maxsi", "minsi", "maxui", "minui"})
    bodies.push_back(ofIntegers(std::string("arith.") + op));
  for (const char *op : {"exp", "exp2", "log", "tanh", "rsqrt", "sqrt", "absf", "floor", "ceil",
                         "roundeven", "trunc"})
    bodies.push_back(std::string("  %y = math.") + op + " %x : f32");
  for (const nvptx::GpuTarget &target : nvptx::GpuTarget::all())
    for (const std::string &body : bodies) {
      auto compiled = nvptx::compileKernel(mapOf(body), target);
      ASSERT_TRUE(bool(compiled)) << body << " on " << target.architecture.str() << ": "
                                  << llvm::toString(compiled.takeError());
      EXPECT_NE(compiled->code.find(".visible .entry k("), std::string::npos);
    }
}

TEST(NvptxRegion, OtherFunctionsAreErrors) {
  for (const char *op : {"sin", "cos", "erf", "log1p", "cbrt", "atan"}) {
    auto compiled = nvptx::compileKernel(mapOf(std::string("  %y = math.") + op + " %x : f32"),
                                         nvptx::GpuTarget::all().front());
    ASSERT_FALSE(bool(compiled)) << op;
    EXPECT_NE(llvm::toString(compiled.takeError()).find("the nvptx target has no form of 'math."),
              std::string::npos);
  }
}

TEST(NvptxTarget, NamesAreThoseOfTheTable) {
  for (const nvptx::GpuTarget &target : nvptx::GpuTarget::all()) {
    auto found = nvptx::GpuTarget::get(target.architecture);
    ASSERT_TRUE(bool(found));
    EXPECT_EQ(found->ptxVersion, target.ptxVersion);
    EXPECT_LE(found->sharedBytes, found->mostSharedBytes);
  }
  auto unknown = nvptx::GpuTarget::get("sm_70");
  ASSERT_FALSE(bool(unknown));
  EXPECT_NE(llvm::toString(unknown.takeError()).find("sm_75"), std::string::npos);
}

} // namespace
