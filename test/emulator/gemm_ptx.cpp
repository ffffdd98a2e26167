// Writes the PTX of a matrix product.

#include "test/emulator/gemm_ptx.h"

#include "test/emulator/device_harness.h"

namespace memformer::emulator {

namespace {

// Bytes: rows are longer than they need to be, so that ldmatrix meets no bank twice.
constexpr unsigned rowOfA = 80, rowOfB = 144, tileOfA = 64 * rowOfA, stage = tileOfA + 32 * rowOfB;

std::string number(uint64_t value) { return std::to_string(value); }

} // namespace

std::string gemmPtx(unsigned m, unsigned n, unsigned k) {
  unsigned steps = k / 32;
  std::string body, registers = "  .reg .f32 %acc<32>;\n  .reg .b32 %x<64>, %step, %next;\n"
                                "  .reg .b64 %y<64>;\n";
  auto line = [&](const std::string &text) { body += "  " + text + "\n"; };
  line("mov.u32 %x0, %ctaid.x;");
  line("div.u32 %x1, %x0, " + number(n / 64) + ";");
  line("rem.u32 %x2, %x0, " + number(n / 64) + ";");
  line("shl.b32 %x1, %x1, 6;"); // first row
  line("shl.b32 %x2, %x2, 6;"); // first column
  line("mov.b64 %y0, tiles;");
  // Where a thread copies from and to: two chunks of 16 bytes of each tile.
  for (unsigned i = 0; i < 2; ++i) {
    std::string a = number(4 + i), b = number(8 + i);
    line("add.u32 %x3, %t, " + number(128 * i) + ";");
    line("shr.u32 %x4, %x3, 2;");
    line("and.b32 %x5, %x3, 3;");
    line("add.u32 %x6, %x1, %x4;");
    line("mul.wide.u32 %y1, %x6, " + number(2 * k) + ";");
    line("mul.wide.u32 %y2, %x5, 16;");
    line("add.s64 %y" + a + ", %a0, %y1;");
    line("add.s64 %y" + a + ", %y" + a + ", %y2;");
    line("mul.lo.u32 %x" + number(10 + i) + ", %x4, " + number(rowOfA) + ";");
    line("mad.lo.u32 %x" + number(10 + i) + ", %x5, 16, %x" + number(10 + i) + ";");
    line("shr.u32 %x4, %x3, 3;");
    line("and.b32 %x5, %x3, 7;");
    line("mul.wide.u32 %y1, %x4, " + number(2 * n) + ";");
    line("mad.lo.u32 %x6, %x5, 8, %x2;");
    line("mul.wide.u32 %y2, %x6, 2;");
    line("add.s64 %y" + b + ", %a1, %y1;");
    line("add.s64 %y" + b + ", %y" + b + ", %y2;");
    line("mul.lo.u32 %x" + number(12 + i) + ", %x4, " + number(rowOfB) + ";");
    line("mad.lo.u32 %x" + number(12 + i) + ", %x5, 16, %x" + number(12 + i) + ";");
    line("add.u32 %x" + number(12 + i) + ", %x" + number(12 + i) + ", " + number(tileOfA) + ";");
  }
  // Copies the tiles of step %next, if there is one, to stage %next & 1.
  auto copy = [&](const std::string &label) {
    line("setp.ge.u32 %p0, %next, " + number(steps) + ";");
    line("@%p0 bra " + label + ";");
    line("and.b32 %x7, %next, 1;");
    line("mul.wide.u32 %y20, %x7, " + number(stage) + ";");
    line("add.s64 %y20, %y20, %y0;");
    for (unsigned i = 0; i < 2; ++i) {
      line("mad.wide.u32 %y21, %next, 64, %y" + number(4 + i) + ";");
      line("cvt.u64.u32 %y22, %x" + number(10 + i) + ";");
      line("add.s64 %y22, %y22, %y20;");
      line("cp.async.cg.shared.global [%y22], [%y21], 16;");
      line("mad.wide.u32 %y21, %next, " + number(64 * n) + ", %y" + number(8 + i) + ";");
      line("cvt.u64.u32 %y22, %x" + number(12 + i) + ";");
      line("add.s64 %y22, %y22, %y20;");
      line("cp.async.cg.shared.global [%y22], [%y21], 16;");
    }
    body += label + ":\n";
    line("cp.async.commit_group;");
  };
  // Where a lane of a warp, which has 32 rows and 32 columns, reads from.
  line("and.b32 %x20, %t, 31;");
  line("shr.u32 %x21, %t, 5;");
  line("shr.u32 %x22, %x21, 1;"); // rows
  line("and.b32 %x23, %x21, 1;"); // columns
  line("and.b32 %x24, %x20, 15;");
  line("shr.u32 %x25, %x20, 4;");
  line("mad.lo.u32 %x26, %x22, 32, %x24;");
  line("mul.lo.u32 %x26, %x26, " + number(rowOfA) + ";");
  line("mad.lo.u32 %x26, %x25, 16, %x26;");
  line("mul.lo.u32 %x27, %x24, " + number(rowOfB) + ";");
  line("mad.lo.u32 %x27, %x25, 16, %x27;");
  line("mad.lo.u32 %x27, %x23, 64, %x27;");
  line("add.u32 %x27, %x27, " + number(tileOfA) + ";");
  for (unsigned i = 0; i < 32; ++i)
    line("mov.f32 %acc" + number(i) + ", 0f00000000;");
  line("mov.u32 %next, 0;");
  copy("first");
  line("mov.u32 %step, 0;");
  body += "loop:\n";
  line("add.u32 %next, %step, 1;");
  copy("copied");
  line("cp.async.wait_group 1;");
  line("bar.sync 0;");
  line("and.b32 %x7, %step, 1;");
  line("mul.wide.u32 %y20, %x7, " + number(stage) + ";");
  line("add.s64 %y20, %y20, %y0;");
  line("cvt.u64.u32 %y21, %x26;");
  line("add.s64 %y21, %y21, %y20;");
  line("cvt.u64.u32 %y22, %x27;");
  line("add.s64 %y22, %y22, %y20;");
  for (unsigned half = 0; half < 2; ++half) {
    for (unsigned row = 0; row < 2; ++row)
      line("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r" + number(4 * row) + ", %r" +
           number(4 * row + 1) + ", %r" + number(4 * row + 2) + ", %r" + number(4 * row + 3) +
           "}, [%y21+" + number(row * 16 * rowOfA + half * 32) + "];");
    for (unsigned pair = 0; pair < 2; ++pair)
      line("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r" + number(8 + 4 * pair) + ", %r" +
           number(9 + 4 * pair) + ", %r" + number(10 + 4 * pair) + ", %r" + number(11 + 4 * pair) +
           "}, [%y22+" + number(half * 16 * rowOfB + pair * 32) + "];");
    for (unsigned row = 0; row < 2; ++row)
      for (unsigned column = 0; column < 4; ++column) {
        unsigned first = (row * 4 + column) * 4;
        std::string sums = "{%acc" + number(first) + ", %acc" + number(first + 1) + ", %acc" +
                           number(first + 2) + ", %acc" + number(first + 3) + "}";
        line("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 " + sums + ", {%r" +
             number(4 * row) + ", %r" + number(4 * row + 1) + ", %r" + number(4 * row + 2) +
             ", %r" + number(4 * row + 3) + "}, {%r" + number(8 + 2 * column) + ", %r" +
             number(9 + 2 * column) + "}, " + sums + ";");
      }
  }
  line("bar.sync 0;");
  line("mov.u32 %step, %next;");
  line("setp.lt.u32 %p1, %step, " + number(steps) + ";");
  line("@%p1 bra loop;");
  line("shr.u32 %x30, %x20, 2;");
  line("and.b32 %x31, %x20, 3;");
  line("mad.lo.u32 %x30, %x22, 32, %x30;");
  line("add.u32 %x30, %x30, %x1;");
  line("mad.lo.u32 %x31, %x31, 2, %x2;");
  line("mad.lo.u32 %x31, %x23, 32, %x31;");
  line("mad.lo.u32 %x30, %x30, " + number(n) + ", %x31;");
  line("mad.wide.u32 %y30, %x30, 4, %a2;");
  for (unsigned row = 0; row < 4; ++row)
    for (unsigned column = 0; column < 4; ++column) {
      unsigned first = (row / 2 * 4 + column) * 4 + row % 2 * 2;
      line("st.global.v2.f32 [%y30+" + number(4 * (row * 8 * n + column * 8)) + "], {%acc" +
           number(first) + ", %acc" + number(first + 1) + "};");
    }
  return ptxKernel(3, registers + body, ".shared .align 16 .b8 tiles[" + number(2 * stage) + "];");
}

} // namespace memformer::emulator
