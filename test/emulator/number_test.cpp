// Floating-point arithmetic and conversions, compared bit by bit.

#include "test/emulator/instruction_table.h"
#include "test/emulator/numbers.h"

#include <algorithm>

namespace memformer::emulator {

namespace {

using U = uint32_t;

float f(U bits) { return std::bit_cast<float>(bits); }
U bits(float value) { return std::bit_cast<U>(value); }
float flushed(float a) { return std::fabs(a) < 0x1p-126f ? std::copysign(0.0f, a) : a; }

// No NaN here: its payload is not defined. Zeros, denormals, ties of bf16, f16 and tf32, infinity.
const std::vector<U> values = {
    0,          0x80000000, bits(1.0f), bits(-1.5f), bits(0.1f),      bits(3.14159274f),
    0x00000001, 0x007fffff, 0x80012345, 0x3f808000,  0x3f818000,      0x3f808001,
    0x3f801000, 0x3f803000, 0x477fefff, 0x477ff000,  0x33800000,      0x33000000,
    0x38ffffff, 0x7f7fffff, 0x7f800000, 0xff800000,  bits(-65520.0f), bits(2147483648.0f),
};

/// Values without infinities, in threes that make no NaN.
std::vector<U> finite() {
  std::vector<U> result;
  for (U value : values)
    if ((value & 0x7f800000) != 0x7f800000)
      result.push_back(value);
  return result;
}

U tf32(U a) {
  if ((a & 0x7f800000) == 0x7f800000)
    return a;
  return (a + 0x1000) & 0xffffe000;
}

float clampUnit(float a) { return a > 0 ? std::min(a, 1.0f) : 0.0f; }

} // namespace

TEST(Number, ArithmeticOfSingles) {
  checkInstructions<U>(
      {
          {"add.rn.f32 %r3, %f0, %f1;", [](U a, U b, U) { return bits(f(a) + f(b)); }},
          {"sub.f32 %r3, %f0, %f1;", [](U a, U b, U) { return bits(f(a) - f(b)); }},
          {"mul.rn.f32 %r3, %f0, %f1;", [](U a, U b, U) { return bits(f(a) * f(b)); }},
          {"mul.ftz.f32 %r3, %f0, %f1;",
           [](U a, U b, U) { return bits(flushed(flushed(f(a)) * flushed(f(b)))); }},
          {"add.ftz.f32 %r3, %f0, %f1;",
           [](U a, U b, U) { return bits(flushed(flushed(f(a)) + flushed(f(b)))); }},
          // Products are rounded before they are added: nothing is contracted.
          {"mul.rn.f32 %f4, %f0, %f1; add.rn.f32 %r3, %f4, %f2;",
           [](U a, U b, U c) {
             float product = f(a) * f(b);
             return bits(product + f(c));
           }},
          {"add.sat.f32 %r3, %f0, %f1;", [](U a, U b, U) { return bits(clampUnit(f(a) + f(b))); }},
          {"max.f32 %r3, %f0, %f1;",
           [](U a, U b, U) {
             bool zeros = f(a) == 0 && f(b) == 0;
             return zeros ? a & b : bits(std::max(f(a), f(b)));
           }},
          {"min.NaN.f32 %r3, %f0, %f1;",
           [](U a, U b, U) {
             bool zeros = f(a) == 0 && f(b) == 0;
             return zeros ? a | b : bits(std::min(f(a), f(b)));
           }},
          {"abs.f32 %r3, %f0;", [](U a, U, U) { return a & 0x7fffffff; }},
          {"neg.f32 %r3, %f0;", [](U a, U, U) { return a ^ 0x80000000; }},
          {"copysign.f32 %r3, %f0, %f1;",
           [](U a, U b, U) { return (a & 0x80000000) | (b & 0x7fffffff); }},
          {"setp.lt.f32 %p0, %f0, %f1; selp.f32 %r3, %f0, %f2, %p0;",
           [](U a, U b, U c) { return f(a) < f(b) ? a : c; }},
          {"setp.equ.f32 %p0, %f0, %f1; selp.b32 %r3, 1, 0, %p0;",
           [](U a, U b, U) { return U(f(a) == f(b)); }},
          {"testp.subnormal.f32 %p0, %f0; selp.b32 %r3, 1, 0, %p0;",
           [](U a, U, U) { return U(std::fpclassify(f(a)) == FP_SUBNORMAL); }},
          {"testp.infinite.f32 %p0, %f0; selp.b32 %r3, 1, 0, %p0;",
           [](U a, U, U) { return U(std::isinf(f(a))); }},
          {"mov.f32 %r3, 0f3FC00000;", [](U, U, U) { return bits(1.5f); }},
      },
      finite());
  checkInstructions<U>({{"fma.rn.f32 %r3, %f0, %f1, %f2;",
                         [](U a, U b, U c) { return bits(std::fma(f(a), f(b), f(c))); }}},
                       finite());
}

TEST(Number, NanIsKeptOrIgnored) {
  U nan = 0x7fc00000;
  checkInstructions<U>(
      {
          {"max.f32 %r3, %f0, 0f40000000;", [](U, U, U) { return bits(2.0f); }},
          {"max.NaN.f32 %f3, %f0, 0f40000000; testp.notanumber.f32 %p0, %f3;\n"
           "selp.b32 %r3, 1, 0, %p0;",
           [](U, U, U) { return U(1); }},
          {"cvt.rn.bf16.f32 %h3, %f0; cvt.u32.u16 %r3, %h3;", [](U, U, U) { return U(0x7fff); }},
          {"cvt.rzi.s32.f32 %r3, %f0;", [](U, U, U) { return U(0); }},
          {"setp.ltu.f32 %p0, %f0, %f1; selp.b32 %r3, 1, 0, %p0;", [](U, U, U) { return U(1); }},
          {"setp.ne.f32 %p0, %f0, %f1; selp.b32 %r3, 1, 0, %p0;", [](U, U, U) { return U(0); }},
          {"setp.nan.f32 %p0, %f0, 0f00000000; selp.b32 %r3, 1, 0, %p0;",
           [](U, U, U) { return U(1); }},
          {"add.sat.f32 %r3, %f0, %f1;", [](U, U, U) { return U(0); }},
      },
      {nan});
}

TEST(Number, DivisionAndFunctions) {
  std::vector<U> positive = {bits(1.0f), bits(0.3f), bits(7.7f), bits(1e-3f), bits(1234.5f)};
  // Approximate functions are the host's.
  auto of = [](float (*function)(float)) {
    return [=](U a, U, U) { return bits(function(f(a))); };
  };
  checkInstructions<U>(
      {
          {"div.rn.f32 %r3, %f0, %f1;", [](U a, U b, U) { return bits(f(a) / f(b)); }},
          {"div.full.f32 %r3, %f0, %f1;", [](U a, U b, U) { return bits(f(a) / f(b)); }},
          {"rcp.rn.f32 %r3, %f0;", [](U a, U, U) { return bits(1 / f(a)); }},
          {"sqrt.rn.f32 %r3, %f0;", [](U a, U, U) { return bits(std::sqrt(f(a))); }},
          {"rsqrt.approx.f32 %r3, %f0;",
           [](U a, U, U) { return bits(float(1 / std::sqrt(double(f(a))))); }},
          {"ex2.approx.ftz.f32 %r3, %f0;", of(std::exp2)},
          {"lg2.approx.f32 %r3, %f0;", of(std::log2)},
          {"tanh.approx.f32 %r3, %f0;", of(std::tanh)},
          {"sin.approx.f32 %r3, %f0;", of(std::sin)},
          {"cos.approx.f32 %r3, %f0;", of(std::cos)},
      },
      positive);
}

TEST(Number, Conversions) {
  auto toBfloat = [](float a) {
    U u = bits(a);
    return U((u + 0x7fff + (u >> 16 & 1)) >> 16);
  };
  checkInstructions<U>(
      {
          {"cvt.rn.bf16.f32 %h3, %f0; cvt.u32.u16 %r3, %h3;",
           [=](U a, U, U) { return toBfloat(f(a)); }},
          {"cvt.rz.bf16.f32 %h3, %f0; cvt.u32.u16 %r3, %h3;", [](U a, U, U) { return a >> 16; }},
          {"cvt.rn.bf16x2.f32 %r3, %f0, %f1;",
           [=](U a, U b, U) { return toBfloat(f(a)) << 16 | toBfloat(f(b)); }},
          {"cvt.rn.f16x2.f32 %r3, %f0, %f1;",
           [=](U a, U b, U) { return U(halfOf(f(a))) << 16 | halfOf(f(b)); }},
          {"cvt.rn.relu.bf16x2.f32 %r3, %f0, %f1;",
           [=](U a, U b, U) {
             auto relu = [](U x) { return f(x) < 0 ? 0.0f : f(x); };
             return toBfloat(relu(a)) << 16 | toBfloat(relu(b));
           }},
          {"cvt.rna.tf32.f32 %r3, %f0;", [](U a, U, U) { return tf32(a); }},
          {"cvt.f32.bf16 %r3, %h0;", [](U a, U, U) { return a << 16; }},
          {"cvt.rni.f32.f32 %r3, %f0;", [](U a, U, U) { return bits(std::nearbyint(f(a))); }},
          {"cvt.rmi.f32.f32 %r3, %f0;", [](U a, U, U) { return bits(std::floor(f(a))); }},
          {"cvt.rpi.f32.f32 %r3, %f0;", [](U a, U, U) { return bits(std::ceil(f(a))); }},
          {"cvt.rzi.s32.f32 %r3, %f0;",
           [](U a, U, U) {
             double value = std::trunc(double(f(a)));
             return U(int32_t(std::clamp(value, -2147483648.0, 2147483647.0)));
           }},
          {"cvt.rni.u32.f32 %r3, %f0;",
           [](U a, U, U) {
             return U(std::clamp(std::nearbyint(double(f(a))), 0.0, 4294967295.0));
           }},
          {"cvt.rn.f32.s32 %r3, %r0;", [](U a, U, U) { return bits(float(int32_t(a))); }},
          {"cvt.rn.f32.u32 %r3, %r0;", [](U a, U, U) { return bits(float(a)); }},
          {"cvt.f64.f32 %rd3, %f0; cvt.rn.f32.f64 %r3, %rd3;", [](U a, U, U) { return a; }},
          {"cvt.sat.f32.f32 %r3, %f0;", [](U a, U, U) { return bits(clampUnit(f(a))); }},
          {"cvt.ftz.f32.f32 %r3, %f0;", [](U a, U, U) { return bits(flushed(f(a))); }},
      },
      values);
}

// All 65,536 halves, there and back, against a table made from the format's definition.
TEST(Number, Halves) {
  Device device;
  CUfunction kernel = device.load(ptxKernel(2, R"(
    mov.u32 %r0, %ctaid.x;
    mad.lo.u32 %r0, %r0, 256, %t;
    cvt.u16.u32 %h0, %r0;
    cvt.f32.f16 %f0, %h0;
    mul.wide.u32 %rd0, %r0, 4;
    add.s64 %rd1, %a0, %rd0;
    st.global.f32 [%rd1], %f0;
    mul.f32 %f1, %f0, 0f3F800800;
    cvt.rn.f16.f32 %h1, %f1;
    cvt.rz.f16.f32 %h2, %f1;
    mov.b32 %r2, {%h1, %h2};
    add.s64 %rd2, %a1, %rd0;
    st.global.b32 [%rd2], %r2;)"));
  CUdeviceptr wide = device.allocate(4 << 16), narrow = device.allocate(4 << 16);
  ASSERT_EQ(device.launch(kernel, 256, 256, {wide, narrow}), CUDA_SUCCESS) << device.fault();
  std::vector<float> singles = device.get<float>(wide, 1 << 16);
  std::vector<U> halves = device.get<U>(narrow, 1 << 16);
  for (U i = 0; i < 1 << 16; ++i) {
    int exponent = int(i >> 10 & 31), fraction = int(i & 1023);
    if (exponent == 31 && fraction) {
      EXPECT_TRUE(std::isnan(singles[i]));
      EXPECT_EQ(halves[i] & 0x7c00, 0x7c00u);
      continue;
    }
    float magnitude = exponent == 31 ? INFINITY
                      : exponent     ? std::ldexp(float(1024 + fraction), exponent - 25)
                                     : std::ldexp(float(fraction), -24);
    float expected = i & 0x8000 ? -magnitude : magnitude;
    ASSERT_EQ(bits(singles[i]), bits(expected)) << i;
    // The number times 1 + 2⁻¹²: never far enough to reach the next half, but past ties of none.
    U rounded = halves[i] & 0xffff, cut = halves[i] >> 16;
    ASSERT_EQ(cut, i) << std::hex << i;
    ASSERT_TRUE(rounded == i) << std::hex << i << " " << rounded;
  }
}

TEST(Number, NarrowArithmetic) {
  // Two halves in a word; finite ones, so that no NaN comes out.
  std::vector<U> words = {0x3c003c00, 0x00013bff, 0x84013555, 0xb8007bff, 0x2e66c500, 0x04000001};
  auto half = [](U word, unsigned i) { return floatOfHalf(uint16_t(word >> 16 * i)); };
  auto each = [](auto operation) {
    return [=](U a, U b, U c) { return U(operation(a, b, c, 0)) | U(operation(a, b, c, 1)) << 16; };
  };
  auto bfloat = [](U word, unsigned i) { return floatOfBfloat(uint16_t(word >> 16 * i)); };
  checkInstructions<U>(
      {
          {"add.rn.f16x2 %r3, %r0, %r1;",
           each([=](U a, U b, U, unsigned i) { return halfOf(double(half(a, i)) + half(b, i)); })},
          {"mul.rn.f16x2 %r3, %r0, %r1;",
           each([=](U a, U b, U, unsigned i) { return halfOf(double(half(a, i)) * half(b, i)); })},
          {"fma.rn.f16x2 %r3, %r0, %r1, %r2;", each([=](U a, U b, U c, unsigned i) {
             // Quadruple precision holds the sum.
             __float128 sum = __float128(half(a, i)) * half(b, i) + half(c, i);
             double nearest = double(sum);
             if (__float128(nearest) == sum)
               return halfOf(nearest);
             // To odd, so that the second rounding is the only one.
             uint64_t odd = std::bit_cast<uint64_t>(nearest);
             if (!(odd & 1))
               odd += (__float128(nearest) < sum) == (nearest > 0) ? 1 : uint64_t(-1);
             return halfOf(std::bit_cast<double>(odd));
           })},
          {"fma.rn.bf16x2 %r3, %r0, %r1, %r2;", each([=](U a, U b, U c, unsigned i) {
             __float128 sum = __float128(bfloat(a, i)) * bfloat(b, i) + bfloat(c, i);
             double nearest = double(sum);
             if (__float128(nearest) == sum)
               return bfloatOf(nearest);
             uint64_t odd = std::bit_cast<uint64_t>(nearest);
             if (!(odd & 1))
               odd += (__float128(nearest) < sum) == (nearest > 0) ? 1 : uint64_t(-1);
             return bfloatOf(std::bit_cast<double>(odd));
           })},
          {"max.f16x2 %r3, %r0, %r1;",
           each([=](U a, U b, U, unsigned i) { return halfOf(std::max(half(a, i), half(b, i))); })},
          {"neg.bf16x2 %r3, %r0;", [](U a, U, U) { return a ^ 0x80008000; }},
          {"setp.lt.f16x2 %p0|%p1, %r0, %r1; selp.b32 %r4, 1, 0, %p0; selp.b32 %r5, 2, 0, %p1;\n"
           "or.b32 %r3, %r4, %r5;",
           [=](U a, U b, U) {
             return U(half(a, 0) < half(b, 0)) | U(half(a, 1) < half(b, 1)) << 1;
           }},
      },
      words);
}

} // namespace memformer::emulator
