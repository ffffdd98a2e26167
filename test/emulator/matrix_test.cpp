// ldmatrix, stmatrix and mma against plain loops, and a GEMM that uses all of them.

#include "test/emulator/device_harness.h"
#include "test/emulator/gemm_ptx.h"
#include "test/emulator/ptx_mutants.h"

#include <bit>
#include <chrono>
#include <cmath>

namespace memformer::emulator {

namespace {

/// Small numbers that every format holds, so that products and sums are exact.
float smallNumber(size_t i) { return float(int(i * 7919 % 17) - 8) / 4; }

uint16_t narrow(float value, const std::string &type) {
  if (type == "bf16")
    return uint16_t(std::bit_cast<uint32_t>(value) >> 16);
  if (value == 0)
    return 0;
  int exponent = std::ilogb(value);
  uint16_t bits =
      uint16_t((exponent + 15) << 10 | (int(std::ldexp(std::fabs(value), 10 - exponent)) & 0x3ff));
  return value < 0 ? bits | 0x8000 : bits;
}

/// d = a b + c by one warp, with fragments loaded from row-major A [16, k], B [k, 8] and C [16, 8]
/// as the instruction set's manual describes them.
void checkMma(const std::string &type, unsigned k, const std::string &order) {
  Device device(order);
  bool wide = type == "tf32";
  std::vector<float> a(16 * k), b(k * 8), c(128), expected(128);
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = smallNumber(i);
  for (size_t i = 0; i < b.size(); ++i)
    b[i] = smallNumber(3 * i + 1);
  for (size_t i = 0; i < 128; ++i)
    c[i] = smallNumber(5 * i + 2);
  for (unsigned row = 0; row < 16; ++row)
    for (unsigned column = 0; column < 8; ++column) {
      float sum = c[row * 8 + column];
      for (unsigned i = 0; i < k; ++i)
        sum += a[row * k + i] * b[i * 8 + column];
      expected[row * 8 + column] = sum;
    }
  // Fragments, one register after the other for each lane.
  unsigned packed = wide ? 1 : 2, aRegisters = 16 * k / 32 / packed,
           bRegisters = 8 * k / 32 / packed;
  std::vector<uint32_t> fragments;
  auto pack = [&](const std::vector<float> &m, size_t first, size_t second) {
    if (wide)
      return std::bit_cast<uint32_t>(m[first]);
    return narrow(m[first], type) | uint32_t(narrow(m[second], type)) << 16;
  };
  for (unsigned lane = 0; lane < 32; ++lane) {
    unsigned group = lane / 4, inGroup = lane % 4;
    for (unsigned r = 0; r < aRegisters; ++r) {
      unsigned row = group + (r & 1 ? 8 : 0);
      unsigned column = inGroup * packed + (r & 2 ? 4 * packed : 0);
      fragments.push_back(pack(a, row * k + column, row * k + column + packed - 1));
    }
    for (unsigned r = 0; r < bRegisters; ++r) {
      unsigned row = inGroup * packed + r * 4 * packed;
      fragments.push_back(pack(b, row * 8 + group, (row + packed - 1) * 8 + group));
    }
    for (unsigned r = 0; r < 4; ++r)
      fragments.push_back(
          std::bit_cast<uint32_t>(c[(group + (r & 2 ? 8 : 0)) * 8 + inGroup * 2 + (r & 1)]));
  }
  unsigned each = aRegisters + bRegisters + 4;
  std::string body =
      "mul.wide.u32 %rd0, %t, " + std::to_string(4 * each) + ";\nadd.s64 %rd0, %a0, %rd0;\n";
  for (unsigned i = 0; i < each; ++i)
    body += "ld.global.b32 %r" + std::to_string(i) + ", [%rd0+" + std::to_string(4 * i) + "];\n";
  auto list = [](unsigned first, unsigned count) {
    std::string text = "{";
    for (unsigned i = 0; i < count; ++i)
      text += (i ? ", %r" : "%r") + std::to_string(first + i);
    return text + "}";
  };
  body += "mma.sync.aligned.m16n8k" + std::to_string(k) + ".row.col.f32." + type + "." + type +
          ".f32 {%r20, %r21, %r22, %r23}, " + list(0, aRegisters) + ", " +
          list(aRegisters, bRegisters) + ", " + list(aRegisters + bRegisters, 4) + R"(;
    mul.wide.u32 %rd1, %t, 16;
    add.s64 %rd1, %a1, %rd1;
    st.global.v4.b32 [%rd1], {%r20, %r21, %r22, %r23};)";
  CUdeviceptr from = device.put(fragments), to = device.allocate(512);
  ASSERT_EQ(device.launch(device.load(ptxKernel(2, body)), 1, 32, {from, to}), CUDA_SUCCESS)
      << device.fault();
  std::vector<float> got = device.get<float>(to, 128);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned r = 0; r < 4; ++r)
      EXPECT_EQ(got[lane * 4 + r],
                expected[(lane / 4 + (r & 2 ? 8 : 0)) * 8 + lane % 4 * 2 + (r & 1)])
          << type << " " << k;
}

} // namespace

TEST(Mma, AllShapesAndTypes) {
  for (const char *order : {"order=forward", "order=reverse", "order=random,seed=5"}) {
    checkMma("bf16", 16, order);
    checkMma("bf16", 8, order);
    checkMma("f16", 16, order);
    checkMma("f16", 8, order);
    checkMma("tf32", 8, order);
    checkMma("tf32", 4, order);
  }
}

TEST(Mma, AddsInHalfPrecisionWhereAsked) {
  // A is ones, B is ones: every entry is 16 and what C holds, two of which are rounded to 1 + 16.
  Device device("order=reverse");
  CUfunction kernel = device.load(ptxKernel(1, R"(
    mov.b32 %r0, 0x3c003c00;
    mov.b32 %r1, 0x14003c00;
    mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16
      {%r2, %r3}, {%r0, %r0, %r0, %r0}, {%r0, %r0}, {%r1, %r0};
    mul.wide.u32 %rd0, %t, 8;
    add.s64 %rd0, %a0, %rd0;
    st.global.v2.b32 [%rd0], {%r2, %r3};)"));
  CUdeviceptr to = device.allocate(256);
  ASSERT_EQ(device.launch(kernel, 1, 32, {to}), CUDA_SUCCESS) << device.fault();
  std::vector<uint32_t> expected;
  for (int lane = 0; lane < 32; ++lane) // 17 is 0x4c40; 16 + 2⁻¹⁰ is 16, 0x4c00
    expected.insert(expected.end(), {0x4c004c40, 0x4c404c40});
  EXPECT_EQ(device.get<uint32_t>(to, 64), expected);
}

TEST(Matrices, LoadAndStoreInAllForms) {
  // Row r of matrix m begins at byte 32 · (8 · m + r); entry c is 256 · m + 16 · r + c.
  for (unsigned count : {1u, 2u, 4u})
    for (const char *transposed : {"", ".trans"})
      for (const char *order : {"order=forward,races=on", "order=random,seed=6,races=on"}) {
        Device device(std::string(order) + ",architecture=90");
        std::string form = ".x" + std::to_string(count) + transposed;
        std::string list = count == 1   ? "{%r0}"
                           : count == 2 ? "{%r0, %r1}"
                                        : "{%r0, %r1, %r2, %r3}";
        CUfunction kernel = device.load(ptxKernel(2,
                                                  R"(
          mov.b64 %rd0, matrices;
          mul.wide.u32 %rd1, %t, 32;
          add.s64 %rd2, %rd0, %rd1;
          mul.wide.u32 %rd3, %t, 16;
          add.s64 %rd4, %a0, %rd3;
          ld.global.v4.b32 {%r4, %r5, %r6, %r7}, [%rd4];
          st.shared.v4.b32 [%rd2], {%r4, %r5, %r6, %r7};
          bar.warp.sync -1;
          ldmatrix.sync.aligned.m8n8)" + form + ".shared.b16 " +
                                                      list + R"(, [%rd2];
          add.s64 %rd5, %a1, %rd3;
          st.global.v4.b32 [%rd5], {%r0, %r1, %r2, %r3};
          bar.warp.sync -1;
          stmatrix.sync.aligned.m8n8)" + form + ".shared.b16 [%rd2], " +
                                                      list + R"(;
          bar.warp.sync -1;
          ld.shared.v4.b32 {%r8, %r9, %r10, %r11}, [%rd2];
          st.global.v4.b32 [%rd5+512], {%r8, %r9, %r10, %r11};)",
                                                  ".shared .align 16 .b8 matrices[1024];", 90));
        std::vector<uint16_t> entries(256);
        for (unsigned i = 0; i < 256; ++i)
          entries[i] = uint16_t(i / 64 * 256 + i / 8 % 8 * 16 + i % 8);
        CUdeviceptr to = device.allocate(1024);
        ASSERT_EQ(device.launch(kernel, 1, 32, {device.put(entries), to}), CUDA_SUCCESS)
            << device.fault();
        std::vector<uint16_t> got = device.get<uint16_t>(to, 512);
        for (unsigned lane = 0; lane < 32; ++lane)
          for (unsigned m = 0; m < count; ++m)
            for (unsigned half = 0; half < 2; ++half) {
              unsigned row = lane / 4, column = lane % 4 * 2 + half;
              if (*transposed)
                std::swap(row, column);
              EXPECT_EQ(got[lane * 8 + m * 2 + half], entries[m * 64 + row * 8 + column]) << form;
            }
        // Stored in the form in which it was loaded, everything is back in its place.
        got.erase(got.begin(), got.begin() + 256);
        EXPECT_EQ(got, entries) << form;
      }
}

TEST(Mma, NeedsAWholeWarp) {
  Device device;
  CUfunction kernel = device.load(ptxKernel(0, R"(
    mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32
      {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%r6}, {%r0, %r1, %r2, %r3};)"));
  EXPECT_EQ(device.launch(kernel, 1, 48, {}), CUDA_ERROR_LAUNCH_FAILED);
  EXPECT_NE(device.fault().find("expected all 32 lanes"), std::string::npos) << device.fault();
}

namespace {

struct Product {
  unsigned m, n, k;
  std::vector<uint16_t> a, b;
  std::vector<float> expected;

  Product(unsigned m, unsigned n, unsigned k) : m(m), n(n), k(k), a(m * k), b(k * n) {
    std::vector<float> wideA(a.size()), wideB(b.size());
    for (size_t i = 0; i < a.size(); ++i)
      a[i] = narrow(wideA[i] = smallNumber(i), "bf16");
    for (size_t i = 0; i < b.size(); ++i)
      b[i] = narrow(wideB[i] = smallNumber(5 * i + 3), "bf16");
    expected.resize(m * n);
    for (unsigned row = 0; row < m; ++row)
      for (unsigned i = 0; i < k; ++i)
        for (unsigned column = 0; column < n; ++column)
          expected[row * n + column] += wideA[row * k + i] * wideB[i * n + column];
  }

  /// Whether the kernel ran and gave the product.
  CUresult run(Device &device, const std::string &ptx, bool &right, double *seconds = nullptr) {
    CUfunction kernel = device.load(ptx);
    CUdeviceptr to = device.allocate(4 * expected.size());
    std::vector<CUdeviceptr> arguments = {device.put(a), device.put(b), to};
    CUresult error = device.launch(kernel, m / 64 * (n / 64), 128, arguments);
    if (error != CUDA_SUCCESS)
      return error;
    right = device.get<float>(to, expected.size()) == expected;
    if (!seconds)
      return error;
    auto begin = std::chrono::steady_clock::now();
    error = device.launch(kernel, m / 64 * (n / 64), 128, arguments);
    *seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return error;
  }
};

} // namespace

TEST(Gemm, InEveryMode) {
  Product product(128, 192, 160);
  std::string ptx = gemmPtx(product.m, product.n, product.k);
  for (const char *order : {"forward", "reverse", "random,seed=11"})
    for (const char *copies : {"lazy", "eager"})
      for (const char *rest : {"races=on,threads=1", "races=off,threads=2,placement=aligned"}) {
        std::string modes = "order=" + std::string(order) + ",copies=" + copies + "," + rest;
        Device device(modes);
        bool right = false;
        ASSERT_EQ(product.run(device, ptx, right), CUDA_SUCCESS) << modes << device.fault();
        EXPECT_TRUE(right) << modes;
      }
}

TEST(Gemm, EveryMutantIsFound) {
  Product product(64, 64, 128);
  std::string ptx = gemmPtx(product.m, product.n, product.k);
  std::vector<MutationSite> sites = mutationSites(ptx);
  std::erase_if(sites, [](const MutationSite &site) {
    return site.kind > MutationSite::Kind::Fragment; // found in kernels that are compiled
  });
  ASSERT_EQ(sites.size(), 2u + 1u + 16u); // barriers, waits, products
  for (const MutationSite &site : sites)
    for (const char *modes : {"races=on,copies=lazy", "races=on,copies=eager,order=reverse"}) {
      Device device(modes);
      bool right = false;
      CUresult error = product.run(device, mutated(ptx, site), right);
      EXPECT_FALSE(error == CUDA_SUCCESS && right) << modes << ": " << site.instruction;
      if (site.kind == MutationSite::Kind::Fragment)
        continue;
      // Left out by the emulator, it is the same fault.
      Device skipping(modes + std::string(",skip=") + std::to_string(site.line));
      right = false;
      EXPECT_EQ(product.run(skipping, ptx, right), error) << modes << ": " << site.instruction;
      EXPECT_FALSE(error == CUDA_SUCCESS && right) << modes << ": " << site.instruction;
    }
}

TEST(Gemm, AWeakWaitIsFoundByLazyCopiesAlone) {
  Product product(64, 64, 128);
  std::string ptx = gemmPtx(product.m, product.n, product.k);
  for (const MutationSite &site : mutationSites(ptx)) {
    if (site.kind != MutationSite::Kind::Wait)
      continue;
    bool right = false;
    Device lazy("copies=lazy");
    ASSERT_EQ(product.run(lazy, mutated(ptx, site), right), CUDA_SUCCESS);
    EXPECT_FALSE(right);
    Device eager("copies=eager");
    ASSERT_EQ(product.run(eager, mutated(ptx, site), right), CUDA_SUCCESS);
    EXPECT_TRUE(right);
  }
}

TEST(Gemm, Speed) {
  Product product(256, 256, 256); // 33 MFLOP
  Device device("threads=1");
  bool right = false;
  double seconds = 0;
  ASSERT_EQ(product.run(device, gemmPtx(256, 256, 256), right, &seconds), CUDA_SUCCESS);
  EXPECT_TRUE(right);
  std::printf("33 MFLOP in %.1f ms\n", seconds * 1e3);
  EXPECT_LT(seconds, 5); // far from what it takes, for machines that are busy
}

} // namespace memformer::emulator
