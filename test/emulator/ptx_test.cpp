// PTX that is refused, and mutants of PTX.

#include "test/emulator/device_harness.h"
#include "test/emulator/ptx_mutants.h"

namespace memformer::emulator {

TEST(Ptx, ErrorsNameLineAndInstruction) {
  struct Case {
    std::string body, message;
  };
  // The body begins at line 16.
  const Case cases[] = {
      {"frobnicate.b32 %r0, %r1;", "line 16: unknown instruction 'frobnicate': frobnicate.b32"},
      {"add.s32 %r0, %r1;", "line 16: expected 3 operands, but got 2: add.s32 %r0, %r1;"},
      {"add.s32 %r0, %r1, %rd2;", "line 16: expected a register of 32 bits, but '%rd2' has 64"},
      {"\nadd.rz.f32 %f0, %f1, %f2;", "line 17: '.rz' is not supported: add.rz.f32"},
      {"add.s32 %r0, %r1, %q7;", "line 16: unknown register '%q7'"},
      {"add.s32 %r0, %r1, %r64;", "line 16: unknown register '%r64'"},
      {"ld.global.b32 %r0, [nothing];", "line 16: unknown variable or register 'nothing'"},
      {"ld.param.b64 %rd0, [p9];", "line 16: unknown parameter 'p9'"},
      {"ld.param.v2.b64 {%rd0, %rd1}, [p0];", "line 16: outside of the parameter"},
      {"bra nowhere;", "line 16: unknown label 'nowhere': bra nowhere;"},
      {"@%r1 bra done; done:", "line 16: expected a predicate, but found '%r1'"},
      {"mov.u32 %r0, %tid.w;", "line 16: unknown register '%tid.w'"},
      {"tcgen05.fence::before_thread_sync;", "line 16: unknown instruction 'tcgen05'"},
      {"wgmma.fence.sync.aligned;", "line 16: wgmma is of sm_90a alone"},
      {"atom.global.add.f32 %f0, [%a0], %f1;", "line 16: expected an operation on integers"},
      {"mma.sync.aligned.m16n8k16.row.col.f32.tf32.tf32.f32 {%r0, %r1, %r2, %r3}, "
       "{%r0, %r1, %r2, %r3}, {%r0, %r1}, {%r0, %r1, %r2, %r3};",
       "line 16: expected products of"},
      {"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r0}, [%rd0];", "line 16: expected 4 registers"},
      {"cp.async.cg.shared.global [%rd0], [%a0], 8;", "line 16: expected 16 bytes"},
      {"add.s32 %r0 %r1, %r2;", "line 16: expected ',' or ';', but found '%r1': add.s32 %r0 %r1"},
      {"call foo, ();", "line 16: expected"},
      {"mov.u32 %r0, 12x;", "line 16: expected a number, but found '12x'"},
      {"mov.u32 %r0, `;", "line 16: expected PTX, but found '`'"},
  };
  Device device;
  for (const Case &c : cases) {
    std::string log = device.refusal(ptxKernel(1, c.body));
    EXPECT_NE(log.find(c.message), std::string::npos) << c.body << "\n" << log;
  }
}

TEST(Ptx, ModulesThatAreIncomplete) {
  Device device;
  EXPECT_NE(device.refusal("").find("expected '.version' and '.target'"), std::string::npos);
  EXPECT_NE(device.refusal(ptxModule(".visible .entry k() { ret;")).find("expected '}'"),
            std::string::npos);
  EXPECT_NE(device.refusal(ptxModule(".func f() { ret; }")).find("functions other than kernels"),
            std::string::npos);
  EXPECT_NE(device.refusal(ptxModule(".shared .b32 x = 1, y;")).find("expected ';'"),
            std::string::npos);
  EXPECT_NE(device.refusal(ptxModule(".global .b8 x[] = {1};")).find("expected the number"),
            std::string::npos);
  EXPECT_NE(device.refusal(ptxModule("/* for ever")).find("comment without an end"),
            std::string::npos);
}

TEST(Ptx, TargetsAndVersionsThatTheDeviceLacks) {
  Device device("architecture=80,driver=11080");
  EXPECT_NE(device.refusal(ptxModule(""), CUDA_ERROR_UNSUPPORTED_PTX_VERSION)
                .find("expected PTX up to version 7.8, but got 8.0"),
            std::string::npos);
  std::string older = ".version 7.0\n.target sm_86\n.address_size 64\n";
  EXPECT_NE(device.refusal(older).find("expected PTX for sm_80, but got sm_86"), std::string::npos);
  EXPECT_NE(device.refusal("\177ELF", CUDA_ERROR_NO_BINARY_FOR_GPU).find("a binary"),
            std::string::npos);
}

TEST(Ptx, ATextIsTranslatedOnce) {
  Device device;
  std::string ptx = ptxKernel(1, ".shared .b32 s; mov.u32 %r0, 5; st.global.b32 [%a0], %r0;");
  CUdeviceptr to = device.allocate(8);
  EXPECT_EQ(device.launch(device.load(ptx), 1, 1, {to}), CUDA_SUCCESS);
  EXPECT_EQ(device.launch(device.load(ptx), 1, 1, {to + 4}), CUDA_SUCCESS);
  EXPECT_EQ(device.get<uint32_t>(to, 2), (std::vector<uint32_t>{5, 5}));
}

TEST(Mutants, AllSitesAreListed) {
  std::string ptx = ptxKernel(0, R"(
    bar.sync 0; // bar.sync 1;
    /* bar.sync 2; */ @%p0 bar.sync 3, 64;
    { .reg .pred q; barrier.sync 4; }
    label: bar.warp.sync -1;
    cp.async.wait_group 2;
    cp.async.wait_all;
    mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32
      {%r0, %r1, %r2, %r3},
      {%r4, %r5}, {%r6}, {%r0, %r1, %r2, %r3};
    bar.arrive 5, 32;)");
  std::vector<MutationSite> sites = mutationSites(ptx);
  using Kind = MutationSite::Kind;
  const std::vector<std::pair<Kind, std::string>> expected = {
      {Kind::Barrier, "bar.sync 0;"},         {Kind::Barrier, "@%p0 bar.sync 3, 64;"},
      {Kind::Barrier, "barrier.sync 4;"},     {Kind::WarpBarrier, "bar.warp.sync -1;"},
      {Kind::Wait, "cp.async.wait_group 2;"}, {Kind::Wait, "cp.async.wait_all;"},
  };
  ASSERT_EQ(sites.size(), expected.size() + 1);
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(sites[i].kind, expected[i].first) << i;
    EXPECT_EQ(sites[i].instruction, expected[i].second);
    EXPECT_EQ(sites[i].line, sites[0].line + i);
  }
  EXPECT_EQ(sites[6].kind, Kind::Fragment);
  auto lines = [](const std::string &text) { return std::count(text.begin(), text.end(), '\n'); };
  for (const MutationSite &site : sites) {
    std::string changed = mutated(ptx, site);
    EXPECT_NE(changed, ptx);
    EXPECT_EQ(lines(changed), lines(ptx));
    size_t left = mutationSites(changed).size();
    bool stays = site.kind == Kind::Fragment || site.instruction == "cp.async.wait_group 2;";
    EXPECT_EQ(left, stays ? 7u : 6u) << site.instruction;
  }
  EXPECT_NE(mutated(ptx, sites[4]).find("cp.async.wait_group 3;"), std::string::npos);
  EXPECT_NE(mutated(ptx, sites[6]).find("{%r5, %r4}, {%r6}"), std::string::npos);
  Device device; // what is left is still PTX
  for (const MutationSite &site : sites)
    EXPECT_TRUE(device.load(mutated(ptx, site)));
}

} // namespace memformer::emulator
