// Barriers, shuffles and shared memory; and what is found when they are missing.

#include "test/emulator/device_harness.h"

#include <algorithm>
#include <chrono>

namespace memformer::emulator {

namespace {

const char *const orders[] = {"order=forward", "order=reverse", "order=random,seed=3",
                              "order=random,seed=4,threads=3"};

const char *const buffer = ".shared .align 4 .b8 buffer[4096];";

/// Reverses the block's numbers through shared memory.
std::string reversal(const std::string &barrier) {
  return ptxKernel(2, R"(
    cvt.u64.u32 %rd0, %t4;
    add.s64 %rd1, %a0, %rd0;
    ld.global.b32 %r0, [%rd1];
    mov.b64 %rd2, buffer;
    add.s64 %rd3, %rd2, %rd0;
    st.shared.b32 [%rd3], %r0;
    )" + barrier + R"(
    mov.u32 %r1, %ntid.x;
    sub.s32 %r1, %r1, 1;
    sub.s32 %r1, %r1, %t;
    mul.wide.u32 %rd4, %r1, 4;
    add.s64 %rd4, %rd2, %rd4;
    ld.shared.b32 %r2, [%rd4];
    add.s64 %rd5, %a1, %rd0;
    st.global.b32 [%rd5], %r2;)",
                   buffer);
}

std::vector<uint32_t> numbers(size_t count) {
  std::vector<uint32_t> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = uint32_t(i * 2654435761u + 17);
  return values;
}

} // namespace

TEST(Barrier, OrdersSharedMemoryInEveryOrderOfThreads) {
  for (const char *order : orders)
    for (unsigned threads : {1u, 7u, 32u, 33u, 256u, 1024u}) {
      Device device(std::string(order) + ",races=on");
      std::vector<uint32_t> values = numbers(threads);
      CUdeviceptr from = device.put(values), to = device.allocate(4 * threads);
      ASSERT_EQ(device.launch(device.load(reversal("bar.sync 0;")), 5, threads, {from, to}),
                CUDA_SUCCESS)
          << device.fault();
      std::reverse(values.begin(), values.end());
      EXPECT_EQ(device.get<uint32_t>(to, threads), values) << order << " " << threads;
    }
}

TEST(Barrier, IsMissedByTheRaceDetectorInEveryOrder) {
  for (const char *order : orders) {
    Device device(std::string(order) + ",races=on");
    CUdeviceptr from = device.put(numbers(64)), to = device.allocate(256);
    EXPECT_EQ(device.launch(device.load(reversal("")), 1, 64, {from, to}),
              CUDA_ERROR_LAUNCH_FAILED);
    EXPECT_NE(device.fault().find("a race: "), std::string::npos) << device.fault();
    EXPECT_NE(device.fault().find("kernel 'k', block (0,0,0), thread ("), std::string::npos);
  }
}

TEST(Barrier, IsMissedByPoisonWhereTheOrderShowsIt) {
  Device device("order=forward");
  CUdeviceptr from = device.put(numbers(64)), to = device.allocate(256);
  ASSERT_EQ(device.launch(device.load(reversal("")), 1, 64, {from, to}), CUDA_SUCCESS);
  EXPECT_EQ(device.get<uint32_t>(to, 1)[0], 0xffffffffu);
}

TEST(Barrier, OfAWarpOrdersAWarpAlone) {
  Device device("races=on");
  CUdeviceptr from = device.put(numbers(64)), to = device.allocate(256);
  CUfunction kernel = device.load(reversal("bar.warp.sync 0xffffffff;"));
  EXPECT_EQ(device.launch(kernel, 1, 32, {from, to}), CUDA_SUCCESS) << device.fault();
  EXPECT_EQ(device.launch(kernel, 1, 64, {from, to}), CUDA_ERROR_LAUNCH_FAILED);
}

TEST(Barrier, ThatSomeThreadsNeverReachIsADeadlock) {
  for (const char *order : orders) {
    Device device(order);
    CUfunction kernel = device.load(ptxKernel(0, R"(
      setp.lt.u32 %p0, %t, 40;
      @%p0 bra skip;
      bar.sync 0;
    skip:)"));
    EXPECT_EQ(device.launch(kernel, 1, 96, {}), CUDA_ERROR_LAUNCH_TIMEOUT);
    EXPECT_NE(device.fault().find("deadlock: threads 0-39 have returned, threads 40-95 wait at"),
              std::string::npos)
        << device.fault();
    EXPECT_NE(device.fault().find("(bar.sync 0)"), std::string::npos) << device.fault();
  }
}

TEST(Barrier, ThatDivergesWithinAWarpIsFound) {
  Device device;
  CUfunction kernel = device.load(ptxKernel(0, R"(
    setp.lt.u32 %p0, %t, 16;
    @%p0 bra other;
    bar.sync 0;
    bra done;
  other:
    bar.sync 0;
  done:)"));
  EXPECT_EQ(device.launch(kernel, 1, 64, {}), CUDA_ERROR_LAUNCH_FAILED);
  EXPECT_NE(device.fault().find("a divergent barrier"), std::string::npos) << device.fault();
}

TEST(Barrier, WithANumberOfThreadsSerialisesWarps) {
  // Warp 0 writes and arrives; warp 1 waits, and reads what warp 0 wrote.
  Device device("races=on,order=reverse");
  CUfunction kernel = device.load(ptxKernel(1, R"(
    mov.b64 %rd2, buffer;
    and.b32 %r0, %t, 31;
    mul.wide.u32 %rd0, %r0, 4;
    add.s64 %rd3, %rd2, %rd0;
    setp.ge.u32 %p0, %t, 32;
    @%p0 bra consumer;
    st.shared.b32 [%rd3], %t;
    bar.arrive 3, 64;
    bra done;
  consumer:
    bar.sync 3, 64;
    ld.shared.b32 %r1, [%rd2+124];
    add.s64 %rd5, %a0, %rd0;
    st.global.b32 [%rd5], %r1;
  done:)",
                                            buffer));
  CUdeviceptr to = device.allocate(128);
  ASSERT_EQ(device.launch(kernel, 1, 64, {to}), CUDA_SUCCESS) << device.fault();
  EXPECT_EQ(device.get<uint32_t>(to, 32), std::vector<uint32_t>(32, 31));
}

TEST(Barrier, SwitchesFast) {
  Device device("threads=1");
  constexpr unsigned threads = 256, rounds = 2000;
  CUfunction kernel = device.load(ptxKernel(0, R"(
    mov.u32 %r0, 0;
  loop:
    bar.sync 0;
    add.u32 %r0, %r0, 1;
    setp.lt.u32 %p0, %r0, )" + std::to_string(rounds) +
                                                   R"(;
    @%p0 bra loop;)"));
  auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(device.launch(kernel, 1, threads, {}), CUDA_SUCCESS);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  double each = seconds * 1e9 / (threads * rounds);
  std::printf("%.0f ns a switch\n", each);
  EXPECT_LT(each, 10000); // far from what it takes, for machines that are busy
}

TEST(Shuffle, ModesAndSegments) {
  struct Case {
    const char *mode;
    unsigned distance, clamp;
    int (*source)(int lane);
  };
  const Case cases[] = {
      {"bfly", 5, 31, [](int lane) { return lane ^ 5; }},
      {"up", 3, 0, [](int lane) { return lane < 3 ? -1 : lane - 3; }},
      {"down", 7, 31, [](int lane) { return lane + 7 > 31 ? -1 : lane + 7; }},
      {"idx", 9, 31, [](int) { return 9; }},
      // In segments of 8 lanes.
      {"idx", 3, 0x181f, [](int lane) { return lane / 8 * 8 + 3; }},
      {"down", 2, 0x181f, [](int lane) { return lane % 8 + 2 > 7 ? -1 : lane + 2; }},
      {"up", 1, 0x1800, [](int lane) { return lane % 8 < 1 ? -1 : lane - 1; }},
  };
  for (const char *order : orders)
    for (const Case &c : cases) {
      Device device(order);
      CUfunction kernel = device.load(ptxKernel(
          1, "mul.lo.u32 %r0, %t, 10;\nshfl.sync." + std::string(c.mode) + ".b32 %r1|%p1, %r0, " +
                 std::to_string(c.distance) + ", " + std::to_string(c.clamp) + R"(, -1;
        selp.b32 %r2, %r1, -1, %p1;
        cvt.u64.u32 %rd0, %t4;
        add.s64 %rd1, %a0, %rd0;
        st.global.b32 [%rd1], %r2;)"));
      CUdeviceptr to = device.allocate(256);
      ASSERT_EQ(device.launch(kernel, 1, 64, {to}), CUDA_SUCCESS) << device.fault();
      std::vector<int> got = device.get<int>(to, 64);
      for (int i = 0; i < 64; ++i) {
        int source = c.source(i % 32);
        EXPECT_EQ(got[size_t(i)], source < 0 ? -1 : (source + i / 32 * 32) * 10)
            << c.mode << " lane " << i;
      }
    }
}

TEST(Shuffle, OfDivergedLanesIsFound) {
  Device device;
  CUfunction kernel = device.load(ptxKernel(0, R"(
    setp.lt.u32 %p0, %t, 8;
    @%p0 shfl.sync.bfly.b32 %r0, %t, 1, 31, -1;
    shfl.sync.bfly.b32 %r1, %t, 1, 31, -1;)"));
  EXPECT_EQ(device.launch(kernel, 1, 32, {}), CUDA_ERROR_LAUNCH_FAILED);
  EXPECT_NE(device.fault().find("diverged"), std::string::npos) << device.fault();
}

TEST(Vote, AllAnyUniformBallot) {
  Device device("order=random,seed=9");
  CUfunction kernel = device.load(ptxKernel(1, R"(
    setp.gt.u32 %p0, %t, 27;
    vote.sync.ballot.b32 %r0, %p0, -1;
    vote.sync.any.pred %p1, %p0, -1;
    vote.sync.all.pred %p2, %p0, -1;
    vote.sync.uni.pred %p3, !%p0, -1;
    selp.b32 %r1, 1, 0, %p1;
    selp.b32 %r2, 2, 0, %p2;
    selp.b32 %r3, 4, 0, %p3;
    or.b32 %r1, %r1, %r2;
    or.b32 %r1, %r1, %r3;
    redux.sync.add.u32 %r4, %t, -1;
    mul.wide.u32 %rd0, %t, 16;
    add.s64 %rd1, %a0, %rd0;
    st.global.v4.b32 [%rd1], {%r0, %r1, %r4, %t};)"));
  CUdeviceptr to = device.allocate(16 * 45);
  ASSERT_EQ(device.launch(kernel, 1, 45, {to}), CUDA_SUCCESS) << device.fault();
  std::vector<uint32_t> got = device.get<uint32_t>(to, 4 * 45);
  for (uint32_t i = 0; i < 45; ++i) {
    bool whole = i < 32; // the second warp has 13 lanes, all above
    EXPECT_EQ(got[4 * i], whole ? 0xf0000000u : 0x1fffu);
    EXPECT_EQ(got[4 * i + 1], whole ? 1u : 7u);
    EXPECT_EQ(got[4 * i + 2], whole ? 496u : 494u);
  }
}

} // namespace memformer::emulator
