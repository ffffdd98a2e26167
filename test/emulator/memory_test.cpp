// Loads, stores and asynchronous copies of all spaces, and what wrong addresses give.

#include "test/emulator/device_harness.h"

#include <numeric>

namespace memformer::emulator {

namespace {

std::vector<uint32_t> numbers(size_t count) {
  std::vector<uint32_t> values(count);
  std::iota(values.begin(), values.end(), 100u);
  return values;
}

/// One thread runs `body` with buffers of 16 words at %a0 and %a1.
CUresult runOne(Device &device, const std::string &body, const std::string &variables = "",
                std::vector<uint32_t> *result = nullptr) {
  CUfunction kernel = device.load(ptxKernel(2, body, variables));
  CUdeviceptr from = device.put(numbers(16)), to = device.put(std::vector<uint32_t>(16));
  CUresult error = device.launch(kernel, 1, 1, {from, to});
  if (result && error == CUDA_SUCCESS)
    *result = device.get<uint32_t>(to, 16);
  return error;
}

} // namespace

TEST(Memory, VectorsAndNarrowTypes) {
  Device device;
  std::vector<uint32_t> got;
  ASSERT_EQ(runOne(device, R"(
    ld.global.nc.L1::no_allocate.L2::128B.v4.b32 {%r0, %r1, %r2, %r3}, [%a0+16];
    st.global.v4.b32 [%a1], {%r3, %r2, %r1, %r0};
    ld.global.v2.b64 {%rd0, %rd1}, [%a0];
    st.global.v2.b64 [%a1+16], {%rd1, %rd0};
    ld.global.u8 %r4, [%a0+4];
    ld.global.s8 %r5, [%a1+63];
    st.global.b16 [%a1+32], %r4;
    st.global.b8 [%a1+34], 255;
    ld.volatile.global.s8 %r6, [%a1+34];
    ld.relaxed.gpu.global.s16 %rd2, [%a1+34];
    st.global.b32 [%a1+36], %r6;
    st.global.b64 [%a1+40], %rd2;)",
                   "", &got),
            CUDA_SUCCESS)
      << device.fault();
  std::vector<uint32_t> expected = {107,        106,        105,  104, 102, 103, 100, 101,
                                    0x00ff0065, 0xffffffff, 0xff, 0,   0,   0,   0,   0};
  EXPECT_EQ(got, expected);
}

TEST(Memory, ConstantsLocalsAndGenericAddresses) {
  Device device;
  std::vector<uint32_t> got;
  ASSERT_EQ(runOne(device, R"(
    .local .align 8 .b8 depot[24];
    .shared .align 8 .b8 mine[8];
    mov.b64 %rd0, table;
    ld.const.b32 %r0, [%rd0+4];
    ld.global.nc.b32 %r1, [values+8];
    mov.b64 %rd1, depot;
    st.local.v2.b32 [%rd1+8], {%r0, %r1};
    cvta.local.u64 %rd2, %rd1;
    ld.b32 %r2, [%rd2+12];
    mov.b64 %rd3, mine;
    cvta.shared.u64 %rd4, %rd3;
    st.b32 [%rd4+4], %r0;
    ld.shared.b32 %r3, [mine+4];
    cvta.to.shared.u64 %rd5, %rd4;
    ld.shared.b32 %r4, [%rd5+4];
    cvta.to.global.u64 %rd6, %a1;
    isspacep.shared %p0, %rd4;
    isspacep.shared %p1, %rd6;
    selp.b32 %r5, 1, 0, %p0;
    selp.b32 %r6, 1, 0, %p1;
    st.global.v4.b32 [%rd6], {%r0, %r1, %r2, %r3};
    st.global.v2.b32 [%rd6+16], {%r4, %r5};
    st.b32 [%rd6+24], %r6;)",
                   ".const .align 4 .b8 table[8] = {1, 0, 0, 0, 7, 1};\n"
                   ".global .align 4 .b32 values[3] = {5, 6, 0x10};",
                   &got),
            CUDA_SUCCESS)
      << device.fault();
  got.resize(7);
  EXPECT_EQ(got, (std::vector<uint32_t>{263, 16, 16, 263, 263, 1, 0}));
}

TEST(Memory, OneOfSeveralParametersIsChosenAtRunTime) {
  const std::string choice = R"(
    ld.global.b32 %r0, [%a0+4];
    setp.eq.b32 %p0, %r0, 101;
    mov.b64 %rd0, p0;
    mov.b64 %rd1, p1;
    selp.b64 %rd2, %rd0, %rd1, %p0;
    ld.param.b64 %rd3, [%rd2)";
  const std::string rest = R"(];
    sub.s64 %rd4, %rd3, %a0;
    st.global.b64 [%a1], %rd4;)";
  Device device;
  std::vector<uint32_t> got;
  ASSERT_EQ(runOne(device, choice + rest, "", &got), CUDA_SUCCESS) << device.fault();
  EXPECT_EQ(got[0], 0u);
  // Behind the last one.
  EXPECT_EQ(runOne(device, choice + "+16" + rest), CUDA_ERROR_ILLEGAL_ADDRESS);
}

TEST(Memory, DynamicSharedFollowsStatic) {
  for (const char *modes : {"placement=adversarial,poison=off", "placement=aligned,poison=off"}) {
    Device device(modes);
    CUfunction kernel = device.load(ptxKernel(1, R"(
      mov.b64 %rd0, dynamic;
      mov.b64 %rd1, fixed;
      cvt.u64.u32 %rd2, %t4;
      add.s64 %rd3, %rd0, %rd2;
      st.shared.b32 [%rd3], %t;
      st.shared.b32 [fixed], 77;
      bar.sync 0;
      ld.shared.b32 %r0, [dynamic+124];
      and.b64 %rd4, %rd0, 31;
      st.global.b32 [%a0], %r0;
      st.global.b64 [%a0+8], %rd4;)",
                                              ".extern .shared .align 16 .b8 dynamic[];\n"
                                              ".shared .align 4 .b8 fixed[4];"));
    CUdeviceptr to = device.allocate(16);
    ASSERT_EQ(device.launch(kernel, 1, 32, {to}, 128), CUDA_SUCCESS) << device.fault();
    std::vector<uint32_t> got = device.get<uint32_t>(to, 4);
    EXPECT_EQ(got[0], 31u);
    bool adversarial = std::string(modes).find("adversarial") != std::string::npos;
    EXPECT_EQ(got[2], adversarial ? 16u : got[2] / 16 * 16) << "aligned to what it asks for";
    // One byte too few.
    EXPECT_EQ(device.launch(kernel, 1, 32, {to}, 127), CUDA_ERROR_ILLEGAL_ADDRESS);
  }
}

TEST(Memory, AddressesOutsideAreFound) {
  struct Case {
    const char *body, *message;
  };
  const Case cases[] = {
      {"ld.global.b32 %r0, [%a0+64];", "loads 4 bytes of global memory"},
      {"st.global.v2.b32 [%a1+64], {%r0, %r1};", "stores 8 bytes of global memory"},
      {"mov.b64 %rd0, 0; ld.global.b32 %r0, [%rd0];", "outside of what is allocated"},
      {"ld.global.b32 %r0, [%a0+-4];", "outside of what is allocated"},
      {"ld.b32 %r0, [%a0+1024];", "outside of what is allocated"},
      {"ld.shared.b32 %r0, [buffer+64];", "loads 4 bytes of shared memory"},
      {"mov.b64 %rd0, -4; ld.shared.b32 %r0, [%rd0];", "loads 4 bytes of shared memory"},
      {"mov.b64 %rd0, buffer; cp.async.cg.shared.global [%rd0], [%a0+64], 16;", "global memory"},
      {"mov.b64 %rd0, buffer; cp.async.cg.shared.global [%rd0+64], [%a0], 16;", "shared memory"},
      {".local .align 4 .b8 d[8]; mov.b64 %rd0, d; st.local.b32 [%rd0+8], 0;",
       "stores 4 bytes of local memory"},
      {"atom.global.add.u32 %r0, [%a0+64], 1;", "stores 4 bytes of global memory"},
  };
  for (const Case &c : cases) {
    Device device;
    EXPECT_EQ(runOne(device, c.body, ".shared .align 16 .b8 buffer[64];"),
              CUDA_ERROR_ILLEGAL_ADDRESS)
        << c.body;
    EXPECT_NE(device.fault().find(c.message), std::string::npos) << device.fault();
    EXPECT_NE(device.fault().find("kernel 'k', block (0,0,0), thread (0,0,0), line "),
              std::string::npos)
        << device.fault();
  }
}

TEST(Memory, MisalignmentIsFound) {
  for (const char *body : {"ld.global.v4.b32 {%r0, %r1, %r2, %r3}, [%a0+8];",
                           "st.global.b32 [%a1+2], %r0;", "ld.global.v2.b16 {%h0, %h1}, [%a0+2];",
                           "ld.shared.v4.b32 {%r0, %r1, %r2, %r3}, [buffer+4];",
                           "mov.b64 %rd0, buffer; cp.async.cg.shared.global [%rd0+8], [%a0], 16;",
                           "mov.b64 %rd0, buffer; cp.async.ca.shared.global [%rd0], [%a0+2], 4;",
                           "ld.b64 %rd0, [%a0+4];"}) {
    Device device;
    EXPECT_EQ(runOne(device, body, ".shared .align 16 .b8 buffer[64];"),
              CUDA_ERROR_MISALIGNED_ADDRESS)
        << body;
    EXPECT_NE(device.fault().find("no multiple of"), std::string::npos) << device.fault();
  }
}

TEST(Memory, RowsOfMatricesAreAligned) {
  Device device;
  CUfunction kernel = device.load(ptxKernel(0, R"(
    mov.b64 %rd0, buffer;
    mul.wide.u32 %rd1, %t, 24;
    add.s64 %rd0, %rd0, %rd1;
    ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r0}, [%rd0];)",
                                            ".shared .align 16 .b8 buffer[1024];"));
  EXPECT_EQ(device.launch(kernel, 1, 32, {}), CUDA_ERROR_MISALIGNED_ADDRESS);
  EXPECT_NE(device.fault().find("thread (1,0,0)"), std::string::npos) << device.fault();
}

TEST(Memory, AllocationsAreAlignedToNoMoreThanPromised) {
  for (bool adversarial : {true, false}) {
    Device device(adversarial ? "placement=adversarial" : "placement=aligned");
    for (size_t bytes : {1, 255, 256, 1000, 65536})
      EXPECT_EQ(device.allocate(bytes) % 512, adversarial ? 256u : 0u);
  }
}

TEST(Memory, FreshMemoryIsNotANumber) {
  Device poisoned("poison=on");
  EXPECT_EQ(poisoned.get<uint32_t>(poisoned.allocate(64), 16),
            std::vector<uint32_t>(16, 0xffffffff));
  Device clean("poison=off");
  EXPECT_EQ(clean.get<uint32_t>(clean.allocate(64), 16), std::vector<uint32_t>(16, 0));
}

TEST(Copies, LandWhenTheyAreWaitedFor) {
  // Two groups; the second has the first 5 bytes of its source, and zeros.
  const char *body = R"(
    mov.b64 %rd0, buffer;
    st.shared.b32 [%rd0], 1;
    st.shared.b32 [%rd0+16], 2;
    st.shared.b32 [%rd0+20], 3;
    st.shared.b32 [%rd0+28], 4;
    cp.async.ca.shared.global [%rd0], [%a0], 4;
    cp.async.commit_group;
    mov.u32 %r9, 5;
    cp.async.cg.shared.global.L2::128B [%rd0+16], [%a0+16], 16, %r9;
    cp.async.commit_group;
    ld.shared.b32 %r0, [%rd0];
    cp.async.wait_group 1;
    ld.shared.b32 %r1, [%rd0];
    ld.shared.b32 %r2, [%rd0+16];
    cp.async.wait_all;
    ld.shared.b32 %r3, [%rd0+16];
    ld.shared.b32 %r4, [%rd0+20];
    ld.shared.b32 %r5, [%rd0+28];
    st.global.v4.b32 [%a1], {%r0, %r1, %r2, %r3};
    st.global.v2.b32 [%a1+16], {%r4, %r5};)";
  std::vector<uint32_t> got;
  Device lazy("copies=lazy");
  ASSERT_EQ(runOne(lazy, body, ".shared .align 16 .b8 buffer[64];", &got), CUDA_SUCCESS);
  got.resize(6);
  EXPECT_EQ(got, (std::vector<uint32_t>{1, 100, 2, 104, 105, 0}));
  Device eager("copies=eager");
  ASSERT_EQ(runOne(eager, body, ".shared .align 16 .b8 buffer[64];", &got), CUDA_SUCCESS);
  got.resize(6);
  EXPECT_EQ(got, (std::vector<uint32_t>{100, 100, 104, 104, 105, 0}));
  for (const char *modes : {"copies=lazy,races=on", "copies=eager,races=on"}) {
    Device racing(modes);
    EXPECT_EQ(runOne(racing, body, ".shared .align 16 .b8 buffer[64];"), CUDA_ERROR_LAUNCH_FAILED);
    EXPECT_NE(racing.fault().find("may not have landed"), std::string::npos) << racing.fault();
  }
}

TEST(Copies, AnotherThreadNeedsTheWaitAndTheBarrier) {
  auto kernel = [](const std::string &order) {
    return ptxKernel(2,
                     R"(
      mov.b64 %rd0, buffer;
      mul.wide.u32 %rd1, %t, 16;
      add.s64 %rd2, %rd0, %rd1;
      add.s64 %rd3, %a0, %rd1;
      cp.async.cg.shared.global [%rd2], [%rd3], 16;
      cp.async.commit_group;)" +
                         order + R"(
      xor.b32 %r0, %t, 33;
      mul.wide.u32 %rd4, %r0, 16;
      add.s64 %rd4, %rd4, %rd0;
      ld.shared.b32 %r1, [%rd4];
      cvt.u64.u32 %rd5, %t4;
      add.s64 %rd5, %a1, %rd5;
      st.global.b32 [%rd5], %r1;)",
                     ".shared .align 16 .b8 buffer[1024];");
  };
  for (const char *copies : {"lazy", "eager"}) {
    Device device("races=on,copies=" + std::string(copies));
    CUdeviceptr from = device.put(numbers(256)), to = device.allocate(256);
    auto run = [&](const char *order) {
      return device.launch(device.load(kernel(order)), 1, 64, {from, to});
    };
    ASSERT_EQ(run("cp.async.wait_group 0;\nbar.sync 0;"), CUDA_SUCCESS) << device.fault();
    EXPECT_EQ(device.get<uint32_t>(to, 64)[0], 100u + 33 * 4);
    EXPECT_EQ(run("bar.sync 0;\ncp.async.wait_group 0;"), CUDA_ERROR_LAUNCH_FAILED);
  }
}

TEST(Atomics, CountInAnyOrder) {
  Device device("order=random,seed=8,threads=3");
  CUfunction kernel = device.load(ptxKernel(1, R"(
    mov.b64 %rd0, counter;
    setp.ne.u32 %p0, %t, 0;
    @!%p0 st.shared.b32 [%rd0], 0;
    bar.sync 0;
    atom.shared.add.u32 %r0, [%rd0], %t;
    bar.sync 0;
    ld.shared.b32 %r1, [%rd0];
    @!%p0 red.global.add.u32 [%a0], %r1;
    atom.global.max.s32 %r2, [%a0+4], %t;
    atom.global.cas.b32 %r3, [%a0+8], 5, 6;)",
                                            ".shared .align 4 .b8 counter[4];"));
  CUdeviceptr to = device.put(std::vector<uint32_t>{0, 0x80000000, 5});
  ASSERT_EQ(device.launch(kernel, 10, 70, {to}), CUDA_SUCCESS) << device.fault();
  EXPECT_EQ(device.get<uint32_t>(to, 3), (std::vector<uint32_t>{10 * 69 * 70 / 2, 69, 6}));
}

} // namespace memformer::emulator
