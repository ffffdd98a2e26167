// Integer arithmetic, logic, bits and comparisons.

#include "test/emulator/instruction_table.h"

#include <algorithm>
#include <bit>

namespace memformer::emulator {

namespace {

using U = uint32_t;
using S = int32_t;
using UL = uint64_t;
using SL = int64_t;

const std::vector<U> words = {0,  1,          2,          5,          31,        32,
                              33, 0x7fffffff, 0x80000000, 0xffffffff, 0xdeadbeef};
const std::vector<UL> longs = {
    0, 1, 3, 63, 64, 0xffffffff, 0x8000000000000000, ~0ul, 0x123456789abcdef0, 0x7fffffffffffffff};

U reversed(U a) {
  U result = 0;
  for (unsigned i = 0; i < 32; ++i)
    result |= (a >> i & 1) << (31 - i);
  return result;
}

U permuted(U a, U b, U selector) {
  UL bytes = UL(b) << 32 | a;
  U result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    U choice = selector >> (4 * i) & 15, byte = U(bytes >> (8 * (choice & 7))) & 255;
    if (choice & 8)
      byte = byte & 128 ? 255 : 0;
    result |= byte << (8 * i);
  }
  return result;
}

U extracted(U a, U first, U length, bool isSigned) {
  first &= 255;
  length &= 255;
  U sign = 0;
  if (isSigned && length)
    sign = a >> std::min<U>(first + length - 1, 31) & 1;
  U result = 0;
  for (U i = 0; i < 32; ++i) {
    bool inside = i < length && first + i < 32;
    result |= (inside ? a >> (first + i) & 1 : sign) << i;
  }
  return result;
}

U inserted(U field, U into, U first, U length) {
  for (U i = 0; i < (length & 255) && (first & 255) + i < 32; ++i) {
    U at = (first & 255) + i;
    into = (into & ~(U(1) << at)) | (i < 32 ? field >> i & 1 : 0) << at;
  }
  return into;
}

U funnel(U low, U high, U amount, bool left, bool clamps) {
  amount = clamps ? std::min(amount, U(32)) : amount & 31;
  UL whole = UL(high) << 32 | low;
  return left ? U(whole << amount >> 32) : U(whole >> amount);
}

} // namespace

TEST(Integer, Words) {
  checkInstructions<U>(
      {
          {"add.s32 %r3, %r0, %r1;", [](U a, U b, U) { return a + b; }},
          {"add.sat.s32 %r3, %r0, %r1;",
           [](U a, U b, U) {
             return U(std::clamp(SL(S(a)) + S(b), SL(INT32_MIN), SL(INT32_MAX)));
           }},
          {"sub.u32 %r3, %r0, %r1;", [](U a, U b, U) { return a - b; }},
          {"sub.s32 %r3, %r0, 7;", [](U a, U, U) { return a - 7; }},
          {"mul.lo.s32 %r3, %r0, %r1;", [](U a, U b, U) { return a * b; }},
          {"mul.hi.u32 %r3, %r0, %r1;", [](U a, U b, U) { return U(UL(a) * b >> 32); }},
          {"mul.hi.s32 %r3, %r0, %r1;", [](U a, U b, U) { return U(SL(S(a)) * S(b) >> 32); }},
          {"mad.lo.s32 %r3, %r0, %r1, %r2;", [](U a, U b, U c) { return a * b + c; }},
          {"mad.hi.u32 %r3, %r0, %r1, %r2;", [](U a, U b, U c) { return U(UL(a) * b >> 32) + c; }},
          {"div.u32 %r3, %r0, %r1;", [](U a, U b, U) { return b ? a / b : ~U(0); }},
          {"rem.u32 %r3, %r0, %r1;", [](U a, U b, U) { return b ? a % b : a; }},
          {"div.s32 %r3, %r0, %r1;", [](U a, U b, U) { return b ? U(SL(S(a)) / S(b)) : ~U(0); }},
          {"rem.s32 %r3, %r0, %r1;", [](U a, U b, U) { return b ? U(SL(S(a)) % S(b)) : a; }},
          {"min.s32 %r3, %r0, %r1;", [](U a, U b, U) { return U(std::min(S(a), S(b))); }},
          {"max.u32 %r3, %r0, %r1;", [](U a, U b, U) { return std::max(a, b); }},
          {"abs.s32 %r3, %r0;", [](U a, U, U) { return S(a) < 0 ? 0 - a : a; }},
          {"neg.s32 %r3, %r0;", [](U a, U, U) { return 0 - a; }},
          {"sad.u32 %r3, %r0, %r1, %r2;",
           [](U a, U b, U c) { return c + (a > b ? a - b : b - a); }},
          {"add.cc.u32 %r4, %r0, %r1; addc.u32 %r3, %r2, 0;",
           [](U a, U b, U c) { return c + (UL(a) + b > 0xffffffff); }},
          {"sub.cc.u32 %r4, %r0, %r1; subc.u32 %r3, %r2, 0;",
           [](U a, U b, U c) { return c - (a < b); }},
      },
      words);
}

TEST(Integer, Bits) {
  checkInstructions<U>(
      {
          {"and.b32 %r3, %r0, %r1;", [](U a, U b, U) { return a & b; }},
          {"or.b32 %r3, %r0, %r1;", [](U a, U b, U) { return a | b; }},
          {"xor.b32 %r3, %r0, %r1;", [](U a, U b, U) { return a ^ b; }},
          {"not.b32 %r3, %r0;", [](U a, U, U) { return ~a; }},
          {"cnot.b32 %r3, %r0;", [](U a, U, U) { return U(a == 0); }},
          {"shl.b32 %r3, %r0, %r1;", [](U a, U b, U) { return b > 31 ? 0 : a << b; }},
          {"shr.u32 %r3, %r0, %r1;", [](U a, U b, U) { return b > 31 ? 0 : a >> b; }},
          {"shr.s32 %r3, %r0, %r1;", [](U a, U b, U) { return U(S(a) >> std::min<U>(b, 31)); }},
          {"shf.l.wrap.b32 %r3, %r0, %r1, %r2;",
           [](U a, U b, U c) { return funnel(a, b, c, true, false); }},
          {"shf.r.wrap.b32 %r3, %r0, %r1, %r2;",
           [](U a, U b, U c) { return funnel(a, b, c, false, false); }},
          {"shf.l.clamp.b32 %r3, %r0, %r1, %r2;",
           [](U a, U b, U c) { return funnel(a, b, c, true, true); }},
          {"shf.r.clamp.b32 %r3, %r0, %r1, %r2;",
           [](U a, U b, U c) { return funnel(a, b, c, false, true); }},
          {"popc.b32 %r3, %r0;", [](U a, U, U) { return U(std::popcount(a)); }},
          {"clz.b32 %r3, %r0;", [](U a, U, U) { return U(std::countl_zero(a)); }},
          {"brev.b32 %r3, %r0;", [](U a, U, U) { return reversed(a); }},
          {"bfind.u32 %r3, %r0;", [](U a, U, U) { return U(31 - std::countl_zero(a)); }},
          {"bfind.s32 %r3, %r0;",
           [](U a, U, U) { return U(31 - std::countl_zero(S(a) < 0 ? ~a : a)); }},
          {"bfind.shiftamt.u32 %r3, %r0;",
           [](U a, U, U) { return a ? U(std::countl_zero(a)) : ~U(0); }},
          {"prmt.b32 %r3, %r0, %r1, %r2;", permuted},
          {"prmt.b32 %r3, %r0, 0, 0x0123;", [](U a, U, U) { return permuted(a, 0, 0x123); }},
          {"prmt.b32 %r3, %r0, %r1, 0x7f84U;", [](U a, U b, U) { return permuted(a, b, 0x7f84); }},
          {"bfe.u32 %r3, %r0, %r1, %r2;", [](U a, U b, U c) { return extracted(a, b, c, false); }},
          {"bfe.s32 %r3, %r0, %r1, %r2;", [](U a, U b, U c) { return extracted(a, b, c, true); }},
          {"bfi.b32 %r3, %r0, %r1, %r2, 5;", [](U a, U b, U c) { return inserted(a, b, c, 5); }},
          {"lop3.b32 %r3, %r0, %r1, %r2, 0x96;", [](U a, U b, U c) { return a ^ b ^ c; }},
          {"lop3.b32 %r3, %r0, %r1, %r2, 0xca;", [](U a, U b, U c) { return (a & b) | (~a & c); }},
          {"selp.b32 %r3, %r0, %r1, %p0;", [](U, U b, U) { return b; }},
          {"setp.lt.s32 %p1, %r0, %r1; selp.b32 %r3, 1, 0, %p1;",
           [](U a, U b, U) { return U(S(a) < S(b)); }},
          {"setp.hs.u32 %p1, %r0, %r1; selp.b32 %r3, 1, 0, %p1;",
           [](U a, U b, U) { return U(a >= b); }},
          {"setp.ne.b32 %p1|%p2, %r0, %r1; selp.b32 %r4, 1, 0, %p1;\n"
           "selp.b32 %r5, 2, 0, %p2; or.b32 %r3, %r4, %r5;",
           [](U a, U b, U) { return a != b ? U(1) : U(2); }},
          {"setp.eq.u32 %p3, %r2, 0; setp.gt.and.s32 %p1, %r0, %r1, !%p3;\n"
           "selp.b32 %r3, 1, 0, %p1;",
           [](U a, U b, U c) { return U(S(a) > S(b) && c); }},
          {"set.le.u32.s32 %r3, %r0, %r1;", [](U a, U b, U) { return S(a) <= S(b) ? ~U(0) : 0; }},
          {"slct.b32.s32 %r3, %r0, %r1, %r2;", [](U a, U b, U c) { return S(c) >= 0 ? a : b; }},
          {"mov.b32 {%h3, %h4}, %r0; mov.b32 %r3, {%h4, %h3};",
           [](U a, U, U) { return a >> 16 | a << 16; }},
          // Inline assembly has registers and labels of its own.
          {"{ .reg .b32 %r3x; .reg .pred q; setp.gt.u32 q, %r0, 40; mov.u32 %r3x, 1;\n"
           "@q bra L; mov.u32 %r3x, 2; L: mov.b32 %r3, %r3x; }",
           [](U a, U, U) { return a > 40 ? U(1) : U(2); }},
          {"{ .reg .pred q; setp.gt.u32 q, %r0, 40; mov.u32 %r3, 5;\n"
           "@!q bra L; mov.u32 %r3, 6; L: }",
           [](U a, U, U) { return a > 40 ? U(6) : U(5); }},
      },
      words);
}

TEST(Integer, Longs) {
  using Wide = unsigned __int128;
  checkInstructions<UL>(
      {
          {"add.s64 %rd3, %rd0, %rd1;", [](UL a, UL b, UL) { return a + b; }},
          {"sub.s64 %rd3, %rd0, %rd1;", [](UL a, UL b, UL) { return a - b; }},
          {"mul.lo.s64 %rd3, %rd0, %rd1;", [](UL a, UL b, UL) { return a * b; }},
          {"mul.hi.u64 %rd3, %rd0, %rd1;", [](UL a, UL b, UL) { return UL(Wide(a) * b >> 64); }},
          {"mul.hi.s64 %rd3, %rd0, %rd1;",
           [](UL a, UL b, UL) { return UL(__int128(SL(a)) * SL(b) >> 64); }},
          {"mad.lo.s64 %rd3, %rd0, %rd1, %rd2;", [](UL a, UL b, UL c) { return a * b + c; }},
          {"cvt.u32.u64 %r0, %rd0; cvt.u32.u64 %r1, %rd1; mul.wide.u32 %rd3, %r0, %r1;",
           [](UL a, UL b, UL) { return UL(U(a)) * U(b); }},
          {"cvt.u32.u64 %r0, %rd0; cvt.u32.u64 %r1, %rd1; mad.wide.s32 %rd3, %r0, %r1, %rd2;",
           [](UL a, UL b, UL c) { return UL(SL(S(a)) * S(b)) + c; }},
          {"div.u64 %rd3, %rd0, %rd1;", [](UL a, UL b, UL) { return b ? a / b : ~UL(0); }},
          {"rem.s64 %rd3, %rd0, %rd1;",
           [](UL a, UL b, UL) { return b ? b + 1 ? UL(SL(a) % SL(b)) : 0 : a; }},
          {"shl.b64 %rd3, %rd0, 5;", [](UL a, UL, UL) { return a << 5; }},
          {"cvt.u32.u64 %r1, %rd1; shl.b64 %rd3, %rd0, %r1;",
           [](UL a, UL b, UL) { return U(b) > 63 ? 0 : a << U(b); }},
          {"cvt.u32.u64 %r1, %rd1; shr.s64 %rd3, %rd0, %r1;",
           [](UL a, UL b, UL) { return UL(SL(a) >> std::min<U>(U(b), 63)); }},
          {"min.u64 %rd3, %rd0, %rd1;", [](UL a, UL b, UL) { return std::min(a, b); }},
          {"max.s64 %rd3, %rd0, %rd1;", [](UL a, UL b, UL) { return UL(std::max(SL(a), SL(b))); }},
          {"popc.b64 %r3, %rd0; cvt.u64.u32 %rd3, %r3;",
           [](UL a, UL, UL) { return UL(std::popcount(a)); }},
          {"mov.b64 {%r0, %r1}, %rd0; mov.b64 %rd3, {%r1, %r0};",
           [](UL a, UL, UL) { return a << 32 | a >> 32; }},
          {"setp.lt.s64 %p0, %rd0, %rd1; selp.b64 %rd3, %rd0, %rd2, %p0;",
           [](UL a, UL b, UL c) { return SL(a) < SL(b) ? a : c; }},
          {"cvt.s64.s8 %rd3, %rd0;", [](UL a, UL, UL) { return UL(SL(int8_t(a))); }},
          {"cvt.u64.u16 %rd3, %rd0;", [](UL a, UL, UL) { return a & 0xffff; }},
          {"cvt.sat.u8.s64 %rd3, %rd0;",
           [](UL a, UL, UL) { return UL(std::clamp<SL>(SL(a), 0, 255)); }},
          {"cvt.sat.s32.u64 %r3, %rd0; cvt.u64.u32 %rd3, %r3;",
           [](UL a, UL, UL) { return std::min<UL>(a, INT32_MAX); }},
          {"cvt.s16.s32 %h3, %rd0; cvt.u64.u16 %rd3, %h3;",
           [](UL a, UL, UL) { return a & 0xffff; }},
      },
      longs);
}

// What dropout masks are made of, against the generator's published vectors.
TEST(Integer, PhiloxKnownAnswers) {
  std::string body = "mov.u32 %r0, %r20; mov.u32 %r1, %r21; mov.u32 %r2, %r22; mov.u32 %r3, %r23;\n"
                     "mov.u32 %r4, %r24; mov.u32 %r5, %r25;\n";
  for (unsigned round = 0; round < 10; ++round)
    body += R"(
      mul.hi.u32 %r6, %r0, 0xD2511F53;
      mul.lo.u32 %r7, %r0, 0xD2511F53;
      mul.wide.u32 %rd5, %r2, 0xCD9E8D57;
      mov.b64 {%r9, %r8}, %rd5;
      lop3.b32 %r0, %r8, %r1, %r4, 0x96;
      lop3.b32 %r2, %r6, %r3, %r5, 0x96;
      mov.u32 %r1, %r9;
      mov.u32 %r3, %r7;
      add.u32 %r4, %r4, 0x9E3779B9;
      add.u32 %r5, %r5, 0xBB67AE85;)";
  std::string loads = "mul.wide.u32 %rd0, %t, 24;\nadd.s64 %rd0, %rd0, %a0;\n";
  for (unsigned i = 0; i < 6; ++i)
    loads +=
        "ld.global.u32 %r" + std::to_string(20 + i) + ", [%rd0+" + std::to_string(4 * i) + "];\n";
  Device device;
  CUfunction kernel = device.load(ptxKernel(2, loads + body + R"(
    mul.wide.u32 %rd1, %t, 16;
    add.s64 %rd1, %rd1, %a1;
    st.global.v4.u32 [%rd1], {%r0, %r1, %r2, %r3};)"));
  U ones = ~U(0);
  std::vector<U> inputs = {0,          0,          0,          0,          0,          0,
                           ones,       ones,       ones,       ones,       ones,       ones,
                           0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0};
  std::vector<U> expected = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8,
                             0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd,
                             0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
  CUdeviceptr to = device.allocate(48);
  ASSERT_EQ(device.launch(kernel, 1, 3, {device.put(inputs), to}), CUDA_SUCCESS) << device.fault();
  EXPECT_EQ(device.get<U>(to, 12), expected);
}

} // namespace memformer::emulator
