// What LLVM's NVPTX backend makes of LLVM IR, run on the emulator.

#include "test/emulator/device_harness.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace memformer::emulator {

namespace {

struct Target {
  const char *cpu, *features;
  unsigned architecture;
};

const Target targets[] = {{"sm_75", "+ptx70", 75},
                          {"sm_80", "+ptx70", 80},
                          {"sm_90a", "+ptx80", 90},
                          {"sm_120a", "+ptx87", 120}};

} // namespace

TEST(Backend, ReductionOverWarpsAndSharedMemory) {
  // Sums of rows of any length, one block a row; lengths that no warp divides.
  const char *ir = R"(
    @partial = internal addrspace(3) global [32 x float] undef, align 16
    declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
    declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
    declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
    declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
    declare float @llvm.nvvm.shfl.sync.bfly.f32(i32, float, i32, i32)
    define ptx_kernel void @k(ptr addrspace(1) noalias readonly %in, ptr addrspace(1) %out, i64 %count64) {
    entry:
      %count = trunc i64 %count64 to i32
      %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
      %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
      %n = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
      %row = mul i32 %b, %count
      br label %head
    head:
      %i = phi i32 [ %t, %entry ], [ %i2, %body ]
      %sum = phi float [ 0.0, %entry ], [ %sum2, %body ]
      %c = icmp slt i32 %i, %count
      br i1 %c, label %body, label %after
    body:
      %at = add i32 %row, %i
      %p = getelementptr float, ptr addrspace(1) %in, i32 %at
      %v = load float, ptr addrspace(1) %p
      %sum2 = fadd float %sum, %v
      %i2 = add i32 %i, %n
      br label %head
    after:
      %x16 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %sum, i32 16, i32 31)
      %s16 = fadd float %sum, %x16
      %x8 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s16, i32 8, i32 31)
      %s8 = fadd float %s16, %x8
      %x4 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s8, i32 4, i32 31)
      %s4 = fadd float %s8, %x4
      %x2 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s4, i32 2, i32 31)
      %s2 = fadd float %s4, %x2
      %x1 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s2, i32 1, i32 31)
      %s1 = fadd float %s2, %x1
      %w = lshr i32 %t, 5
      %lane = and i32 %t, 31
      %first = icmp eq i32 %lane, 0
      br i1 %first, label %put, label %sync
    put:
      %q = getelementptr [32 x float], ptr addrspace(3) @partial, i32 0, i32 %w
      store float %s1, ptr addrspace(3) %q
      br label %sync
    sync:
      call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
      %zero = icmp eq i32 %t, 0
      br i1 %zero, label %total, label %done
    total:
      %warps = lshr i32 %n, 5
      br label %loop
    loop:
      %j = phi i32 [ 0, %total ], [ %j2, %loop ]
      %a = phi float [ 0.0, %total ], [ %a2, %loop ]
      %r = getelementptr [32 x float], ptr addrspace(3) @partial, i32 0, i32 %j
      %rv = load float, ptr addrspace(3) %r
      %a2 = fadd float %a, %rv
      %j2 = add i32 %j, 1
      %more = icmp slt i32 %j2, %warps
      br i1 %more, label %loop, label %write
    write:
      %o = getelementptr float, ptr addrspace(1) %out, i32 %b
      store float %a2, ptr addrspace(1) %o
      br label %done
    done:
      ret void
    })";
  for (const Target &target : targets)
    for (unsigned count : {1u, 31u, 257u, 1000u}) {
      Device device("races=on,order=random,seed=2,architecture=" +
                    std::to_string(target.architecture));
      constexpr unsigned rows = 7;
      std::vector<float> in(rows * count);
      std::iota(in.begin(), in.end(), -100.0f);
      CUdeviceptr from = device.put(in), to = device.allocate(4 * rows);
      CUfunction kernel = device.load(ptxOfIr(ir, target.cpu, target.features));
      ASSERT_EQ(device.launch(kernel, rows, 128, {from, to, count}), CUDA_SUCCESS)
          << device.fault();
      std::vector<float> got = device.get<float>(to, rows);
      for (unsigned row = 0; row < rows; ++row)
        EXPECT_EQ(got[row], std::accumulate(&in[row * count], &in[row * count] + count, 0.0f));
    }
}

TEST(Backend, MatricesAndCopies) {
  // A product of two bf16 tiles that came by cp.async and ldmatrix, straight from the intrinsics.
  const char *ir = R"(
    @tile = internal addrspace(3) global [768 x i8] undef, align 16
    declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
    declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
    declare void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3), ptr addrspace(1))
    declare void @llvm.nvvm.cp.async.commit.group()
    declare void @llvm.nvvm.cp.async.wait.group(i32)
    declare {i32,i32,i32,i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3))
    declare {i32,i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.trans.b16.p3(ptr addrspace(3))
    declare {float,float,float,float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32,i32,i32,i32,i32,i32,float,float,float,float)
    define ptx_kernel void @k(ptr addrspace(1) %a, ptr addrspace(1) %b, ptr addrspace(1) %c) {
      %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
      %o = shl i32 %t, 4
      %sa = getelementptr i8, ptr addrspace(3) @tile, i32 %o
      %ga = getelementptr i8, ptr addrspace(1) %a, i32 %o
      call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %sa, ptr addrspace(1) %ga)
      %few = icmp ult i32 %t, 16
      br i1 %few, label %more, label %join
    more:
      %sb = getelementptr i8, ptr addrspace(3) %sa, i32 512
      %gb = getelementptr i8, ptr addrspace(1) %b, i32 %o
      call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %sb, ptr addrspace(1) %gb)
      br label %join
    join:
      call void @llvm.nvvm.cp.async.commit.group()
      call void @llvm.nvvm.cp.async.wait.group(i32 0)
      call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
      %r = and i32 %t, 15
      %r32 = shl i32 %r, 5
      %h = lshr i32 %t, 4
      %h16 = shl i32 %h, 4
      %oa = add i32 %r32, %h16
      %pa = getelementptr i8, ptr addrspace(3) @tile, i32 %oa
      %fa = call {i32,i32,i32,i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %pa)
      %r16 = shl i32 %r, 4
      %ob = add i32 %r16, 512
      %pb = getelementptr i8, ptr addrspace(3) @tile, i32 %ob
      %fb = call {i32,i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.trans.b16.p3(ptr addrspace(3) %pb)
      %a0 = extractvalue {i32,i32,i32,i32} %fa, 0
      %a1 = extractvalue {i32,i32,i32,i32} %fa, 1
      %a2 = extractvalue {i32,i32,i32,i32} %fa, 2
      %a3 = extractvalue {i32,i32,i32,i32} %fa, 3
      %b0 = extractvalue {i32,i32} %fb, 0
      %b1 = extractvalue {i32,i32} %fb, 1
      %d = call {float,float,float,float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a0,i32 %a1,i32 %a2,i32 %a3,i32 %b0,i32 %b1,float 0.0,float 0.0,float 0.0,float 0.0)
      %d0 = extractvalue {float,float,float,float} %d, 0
      %d1 = extractvalue {float,float,float,float} %d, 1
      %d2 = extractvalue {float,float,float,float} %d, 2
      %d3 = extractvalue {float,float,float,float} %d, 3
      %g = lshr i32 %t, 2
      %g8 = shl i32 %g, 3
      %l = and i32 %t, 3
      %l2 = shl i32 %l, 1
      %at = add i32 %g8, %l2
      %p = getelementptr float, ptr addrspace(1) %c, i32 %at
      store float %d0, ptr addrspace(1) %p
      %p1 = getelementptr float, ptr addrspace(1) %p, i32 1
      store float %d1, ptr addrspace(1) %p1
      %p2 = getelementptr float, ptr addrspace(1) %p, i32 64
      store float %d2, ptr addrspace(1) %p2
      %p3 = getelementptr float, ptr addrspace(1) %p, i32 65
      store float %d3, ptr addrspace(1) %p3
      ret void
    })";
  std::vector<uint16_t> a(16 * 16), b(16 * 8);
  std::vector<float> wideA(a.size()), wideB(b.size()), expected(16 * 8);
  auto fill = [](std::vector<uint16_t> &narrow, std::vector<float> &wide, int step) {
    for (size_t i = 0; i < wide.size(); ++i) {
      wide[i] = float(int(i) * step % 13 - 6);
      narrow[i] = uint16_t(std::bit_cast<uint32_t>(wide[i]) >> 16);
    }
  };
  fill(a, wideA, 5);
  fill(b, wideB, 7);
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column)
      for (int i = 0; i < 16; ++i)
        expected[row * 8 + column] += wideA[row * 16 + i] * wideB[i * 8 + column];
  for (const Target &target : targets) {
    if (target.architecture < 80)
      continue;
    Device device("races=on,architecture=" + std::to_string(target.architecture));
    CUdeviceptr to = device.allocate(512);
    CUfunction kernel = device.load(ptxOfIr(ir, target.cpu, target.features));
    ASSERT_EQ(device.launch(kernel, 1, 32, {device.put(a), device.put(b), to}), CUDA_SUCCESS)
        << device.fault();
    EXPECT_EQ(device.get<float>(to, 128), expected);
  }
}

TEST(Backend, SwitchesLocalsAndMathematics) {
  const char *ir = R"(
    @table = internal addrspace(4) constant [4 x i32] [i32 11, i32 22, i32 33, i32 44]
    declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
    declare float @llvm.sqrt.f32(float)
    declare float @llvm.exp2.f32(float)
    declare float @llvm.maxnum.f32(float, float)
    declare float @llvm.fma.f32(float, float, float)
    declare i32 @llvm.fshl.i32(i32, i32, i32)
    declare i32 @llvm.bswap.i32(i32)
    define ptx_kernel void @k(ptr addrspace(1) %in, ptr addrspace(1) %out) {
      %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
      %local = alloca [4 x float]
      %p = getelementptr float, ptr addrspace(1) %in, i32 %t
      %x = load float, ptr addrspace(1) %p
      %s = call float @llvm.sqrt.f32(float %x)
      %e = call afn float @llvm.exp2.f32(float %x)
      %d = fdiv float %x, 3.0
      %m = call float @llvm.maxnum.f32(float %s, float %d)
      %l0 = getelementptr [4 x float], ptr %local, i32 0, i32 0
      %l1 = getelementptr [4 x float], ptr %local, i32 0, i32 1
      %l2 = getelementptr [4 x float], ptr %local, i32 0, i32 2
      %l3 = getelementptr [4 x float], ptr %local, i32 0, i32 3
      store float %s, ptr %l0
      store float %e, ptr %l1
      store float %d, ptr %l2
      store float %m, ptr %l3
      %which = and i32 %t, 3
      %l = getelementptr [4 x float], ptr %local, i32 0, i32 %which
      %v = load float, ptr %l
      %c = getelementptr [4 x i32], ptr addrspace(4) @table, i32 0, i32 %which
      %cv = load i32, ptr addrspace(4) %c
      switch i32 %t, label %other [ i32 0, label %case0
                                    i32 1, label %case1
                                    i32 2, label %case2
                                    i32 3, label %case3
                                    i32 4, label %case4
                                    i32 5, label %case5 ]
    case0:
      br label %other
    case1:
      %f1 = call i32 @llvm.fshl.i32(i32 %cv, i32 %t, i32 9)
      br label %other
    case2:
      %f2 = call i32 @llvm.bswap.i32(i32 %cv)
      br label %other
    case3:
      %f3 = sdiv i32 %cv, 7
      br label %other
    case4:
      %f4 = mul i32 %cv, %cv
      br label %other
    case5:
      %f5 = sub i32 0, %cv
      br label %other
    other:
      %k = phi i32 [ %cv, %0 ], [ 1000, %case0 ], [ %f1, %case1 ], [ %f2, %case2 ], [ %f3, %case3 ], [ %f4, %case4 ], [ %f5, %case5 ]
      %kf = sitofp i32 %k to float
      %r = call float @llvm.fma.f32(float %v, float %x, float %kf)
      %o = getelementptr float, ptr addrspace(1) %out, i32 %t
      store float %r, ptr addrspace(1) %o
      ret void
    })";
  for (const Target &target : targets) {
    Device device("architecture=" + std::to_string(target.architecture));
    std::vector<float> in(41);
    for (size_t i = 0; i < in.size(); ++i)
      in[i] = 0.25f + 0.37f * float(i);
    CUdeviceptr from = device.put(in), to = device.allocate(4 * in.size());
    CUfunction kernel = device.load(ptxOfIr(ir, target.cpu, target.features));
    ASSERT_EQ(device.launch(kernel, 1, unsigned(in.size()), {from, to}), CUDA_SUCCESS)
        << device.fault();
    std::vector<float> got = device.get<float>(to, in.size());
    const int table[] = {11, 22, 33, 44};
    const int cases[] = {1000, 22 << 9, 0x21000000, 44 / 7, 121, -22};
    for (size_t i = 0; i < in.size(); ++i) {
      float x = in[i];
      const float values[] = {std::sqrt(x), std::exp2(x), x / 3, std::max(std::sqrt(x), x / 3)};
      int whole = i < 6 ? cases[i] : table[i % 4];
      EXPECT_EQ(got[i], std::fma(values[i % 4], x, float(whole))) << i;
    }
  }
}

} // namespace memformer::emulator
