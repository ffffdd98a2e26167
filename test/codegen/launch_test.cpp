// Launches of several ops: the bits of the ops alone, and barriers where they hand something on.

#ifdef MEMFORMER_HAS_EMULATOR

#include "test/codegen/kernel_harness.h"
#include "test/emulator/device_harness.h"
#include "test/emulator/ptx_mutants.h"

#include <gtest/gtest.h>

using namespace memformer;
using namespace memformer::testing;

namespace {

constexpr const char *norm = "kernel.layer_norm %0, %1, %2 {epsilon = 1.0e-5 : f64}";
// Entries depend on their number in the whole batch, as dropout's do.
constexpr const char *numbered =
    " {\n^bb0(%v: f32, %b: f32, %i: i32):\n  %k = arith.sitofp %i : i32 to f32\n"
    "  %y = arith.addf %v, %k : f32\n  %z = arith.mulf %y, %b : f32\n  kernel.yield %z : f32\n}";

std::string types(const std::string &operands, const std::string &result) {
  return " : (" + operands + ") -> " + result;
}

/// Compiled for sm_80 from the ops of a program.kernel; nullopt after a failure.
std::optional<nvptx::CompiledKernel> compile(const std::string &attributes,
                                             const std::string &arguments, const std::string &ops) {
  auto target = nvptx::GpuTarget::get("sm_80");
  if (!target)
    return std::nullopt;
  auto compiled =
      nvptx::compileKernel("program.kernel @k attributes {flops = 0 : i64, bytes = 0 : "
                           "i64" +
                               attributes + "} {\n^bb0(" + arguments + "):\n" + ops + "}\n",
                           *target);
  if (compiled)
    return std::move(*compiled);
  ADD_FAILURE() << llvm::toString(compiled.takeError());
  return std::nullopt;
}

/// What the arguments hold afterwards; empty where the launch fails, with the reason in `fault`.
std::vector<std::vector<float>> run(const nvptx::CompiledKernel &kernel, const std::string &ptx,
                                    const std::string &modes,
                                    const std::vector<std::vector<float>> &arguments,
                                    std::string &fault) {
  emulator::Device device(modes);
  CUfunction function = device.load(ptx);
  std::vector<CUdeviceptr> pointers;
  for (const std::vector<float> &argument : arguments)
    pointers.push_back(device.put(argument));
  if (device.launch(function, unsigned(kernel.grid), unsigned(kernel.threads), pointers,
                    unsigned(kernel.sharedBytes)) != CUDA_SUCCESS) {
    fault = device.fault();
    return {};
  }
  std::vector<std::vector<float>> after;
  for (size_t i = 0; i < arguments.size(); ++i)
    after.push_back(device.get<float>(pointers[i], arguments[i].size()));
  return after;
}

// A layer norm, two products of it, one of which numbers its entries, and the unit rows of that,
// alone and as a chain of one, two and all parts.
TEST(Launch, ChainsHaveTheBitsOfTheirOps) {
  const std::string x = "tensor<6x7x8xf32>", v = "tensor<8xf32>", w = "tensor<8x12xf32>",
                    b = "tensor<7x12xf32>", c = "tensor<6x7x12xf32>";
  const std::string product =
      "kernel.gemm %0, %1 extras(%2 trailing) n 12" + types(x + ", " + w + ", " + b, c) + numbered;
  Tensor X = uniform({6, 7, 8}, 1), S = uniform({8}, 2), T = uniform({8}, 3),
         W = uniform({8, 12}, 4), B = uniform({7, 12}, 5), N = zeros({6, 7, 8}),
         C = zeros({6, 7, 12});
  auto alone = [](const std::string &body, std::vector<Tensor> operands, const Tensor &result) {
    std::vector<Tensor> arguments = operands;
    arguments.push_back(result);
    return runOn("sm_80", body, operands, {result}, arguments).back();
  };
  Tensor n = alone(norm + types(x + ", " + v + ", " + v, x), {X, S, T}, N);
  Tensor p = alone(product, {n, W, B}, C);
  Tensor u = alone("kernel.normalize %0" + types(c, c), {p}, C);

  for (int parts : {1, 2, 3, 6}) {
    SCOPED_TRACE(parts);
    auto kernel =
        compile(", parts = " + std::to_string(parts) + " : i64",
                "%0: " + x + ", %1: " + v + ", %2: " + v + ", %3: " + w + ", %4: " + b,
                "%n = " + (norm + types(x + ", " + v + ", " + v, x)) +
                    "\n%p = kernel.gemm %n, %3 extras(%4 trailing) n 12" +
                    types(x + ", " + w + ", " + b, c) + numbered + "\n%q = kernel.normalize %p" +
                    types(c, c) + "\nprogram.return %q : " + c + "\n");
    ASSERT_TRUE(kernel);
    EXPECT_EQ(kernel->grid, parts);
    for (const char *modes : {"races=all", "races=all,order=reverse", "order=random,seed=4"}) {
      std::string fault;
      auto after = run(
          *kernel, kernel->code, modes,
          {X.floats, S.floats, T.floats, W.floats, B.floats, N.floats, C.floats, C.floats}, fault);
      ASSERT_EQ(after.size(), 8u) << fault;
      EXPECT_EQ(after[5], n.floats);
      EXPECT_EQ(after[6], p.floats);
      EXPECT_EQ(after[7], u.floats);
    }
  }
}

// Ops that differ in nothing but which scalar is read where are two, and those that are equal one.
TEST(Launch, OpsSideBySideReadTheirScalarsInTheirOrder) {
  const std::string x = "tensor<3x5xf32>";
  auto difference = [&](const std::string &operands, const std::string &scalars) {
    return "kernel.map " + operands + types(x + ", " + x, x) +
           " {\n^bb0(%a: f32, %b: f32, %i: " + "i32):\n  %d = arith.subf " + scalars +
           " : f32\n  kernel.yield %d : f32\n}\n";
  };
  auto kernel = compile("", "%0: " + x + ", %1: " + x,
                        "%p = " + difference("%0 trailing, %1 trailing", "%a, %b") +
                            "%q = " + difference("%0 trailing, %1 trailing", "%b, %a") +
                            "%r = " + difference("%1 trailing, %0 trailing", "%b, %a") +
                            "program.return %p, %q, %r : " + x + ", " + x + ", " + x + "\n");
  ASSERT_TRUE(kernel);
  const std::vector<float> a = uniform({3, 5}, 1).floats, b = uniform({3, 5}, 2).floats;
  const std::vector<float> none(a.size());
  std::string fault;
  auto after = run(*kernel, kernel->code, "races=all", {a, b, none, none, none}, fault);
  ASSERT_EQ(after.size(), 5u) << fault;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(after[2][i], a[i] - b[i]) << i;
    EXPECT_EQ(after[3][i], b[i] - a[i]) << i;
    EXPECT_EQ(after[4][i], a[i] - b[i]) << i;
  }
}

// Rows, entries and rows again: each op reads what other threads wrote.
TEST(Launch, BarriersBetweenOpsAreNeeded) {
  const std::string x = "tensor<2x9x24xf32>", v = "tensor<24xf32>";
  auto kernel =
      compile(", parts = 2 : i64", "%0: " + x + ", %1: " + v + ", %2: " + v,
              "%n = " + (norm + types(x + ", " + v + ", " + v, x)) +
                  "\n%p = kernel.map %n trailing, %1 trailing" + types(x + ", " + v, x) + numbered +
                  "\n%q = kernel.normalize %p" + types(x, x) + "\nprogram.return %q : " + x + "\n");
  ASSERT_TRUE(kernel);
  const std::vector<float> entries = uniform({2, 9, 24}, 1).floats, scale = uniform({24}, 2).floats;
  const std::vector<std::vector<float>> arguments = {entries, scale,   scale,
                                                     entries, entries, entries};
  std::string fault;
  ASSERT_FALSE(run(*kernel, kernel->code, "races=all", arguments, fault).empty()) << fault;
  auto sites = emulator::mutationSites(kernel->code);
  std::erase_if(sites, [](const emulator::MutationSite &site) {
    return site.kind != emulator::MutationSite::Kind::Barrier;
  });
  ASSERT_EQ(sites.size(), 2u);
  for (const emulator::MutationSite &site : sites) {
    SCOPED_TRACE(site.instruction);
    const std::string broken = emulator::mutated(kernel->code, site);
    EXPECT_TRUE(run(*kernel, broken, "races=all", arguments, fault).empty());
    EXPECT_NE(fault.find("global memory"), std::string::npos) << fault;
  }
}

// Equal ops have their code once; one of fewer threads stands beside one of more.
TEST(Launch, OpsSideBySideHaveTheBitsOfTheOpsAlone) {
  const std::string x = "tensor<70x8xf32>", v = "tensor<8xf32>";
  Tensor X = uniform({70, 8}, 1), Y = uniform({70, 8}, 2), S = uniform({8}, 3), G = uniform({8}, 4),
         H = uniform({8}, 5), N = zeros({70, 8});
  auto reduced = [&](const Tensor &from, const Tensor &gradient) {
    return runOn("sm_80", "kernel.reduce %0 entries 8 accumulate @gradient : (" + x + ") -> ()",
                 {from}, {}, {from, gradient})
        .back();
  };
  Tensor n =
      runOn("sm_80", norm + types(x + ", " + v + ", " + v, x), {X, S, S}, {N}, {X, S, S, N}).back();
  Tensor g = reduced(X, G), h = reduced(Y, H);
  const std::string reduce = "kernel.reduce %";
  const std::string accumulate = " entries 8 accumulate @gradient : (" + x + ") -> ()\n";
  auto kernel =
      compile("", "%0: " + x + ", %1: " + v + ", %2: " + v + ", %y: " + x,
              "%n = " + (norm + types(x + ", " + v + ", " + v, x)) + "\n" + reduce + "0" +
                  accumulate + reduce + "y" + accumulate + "program.return %n : " + x + "\n");
  ASSERT_TRUE(kernel);
  for (const char *modes : {"races=all", "races=all,order=reverse", "order=random,seed=9"}) {
    std::string fault;
    auto after = run(*kernel, kernel->code, modes,
                     {X.floats, S.floats, S.floats, Y.floats, N.floats, G.floats, H.floats}, fault);
    ASSERT_EQ(after.size(), 7u) << fault;
    EXPECT_EQ(after[4], n.floats);
    EXPECT_EQ(after[5], g.floats);
    EXPECT_EQ(after[6], h.floats);
  }
}

} // namespace

#endif
