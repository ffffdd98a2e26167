// Tables of instructions with what they compute, run over many inputs in one kernel.

#ifndef MEMFORMER_TEST_EMULATOR_INSTRUCTION_TABLE_H
#define MEMFORMER_TEST_EMULATOR_INSTRUCTION_TABLE_H

#include "test/emulator/device_harness.h"

#include <functional>

namespace memformer::emulator {

/// Instructions that leave their result in %r3 (or %rd3), from 32-bit %r0, %r1, %r2 (or 64-bit
/// %rd0, %rd1, %rd2); the same bits are in %f0, %f1, %f2 of f32 and, the lower half, in %h0, %h1,
/// %h2.
template <typename T> struct InstructionCase {
  std::string text;
  std::function<T(T, T, T)> expected;
};

/// Runs every case on every triple of `values` and compares bits.
template <typename T>
void checkInstructions(const std::vector<InstructionCase<T>> &cases, const std::vector<T> &values,
                       unsigned architecture = 90) {
  constexpr bool wide = sizeof(T) == 8;
  std::string width = wide ? "64" : "32", r = wide ? "%rd" : "%r", body;
  size_t count = values.size(), triples = count * count * count;
  body = "mov.u32 %r10, %ctaid.x;\nmad.lo.u32 %r11, %r10, 64, %t;\nsetp.ge.u32 %p15, %r11, " +
         std::to_string(triples) + ";\n@%p15 bra done;\n" + "mul.wide.u32 %rd10, %r11, " +
         std::to_string(3 * sizeof(T)) + ";\n" +
         "add.s64 %rd10, %rd10, %a0;\nmul.wide.u32 %rd11, %r11, " + std::to_string(sizeof(T)) +
         ";\nadd.s64 %rd11, %rd11, %a1;\n";
  for (size_t i = 0; i < cases.size(); ++i) {
    for (unsigned j = 0; j < 3; ++j) {
      std::string n = std::to_string(j),
                  from = ", [%rd10+" + std::to_string(j * sizeof(T)) + "];\n";
      body += "ld.global.b" + width + " " + r + n + from;
      if (!wide)
        body += "mov.b32 %f" + n + ", %r" + n + ";\nld.global.b16 %h" + n + from;
    }
    body += cases[i].text + "\nst.global.b" + width + " [%rd11+" +
            std::to_string(i * triples * sizeof(T)) + "], " + r + "3;\n";
  }
  body += "done:\n";
  std::vector<T> inputs;
  for (T a : values)
    for (T b : values)
      for (T c : values)
        inputs.insert(inputs.end(), {a, b, c});
  Device device("architecture=" + std::to_string(architecture));
  CUfunction kernel = device.load(ptxKernel(2, body, "", architecture));
  ASSERT_TRUE(kernel);
  CUdeviceptr to = device.allocate(cases.size() * triples * sizeof(T));
  ASSERT_EQ(device.launch(kernel, unsigned((triples + 63) / 64), 64, {device.put(inputs), to}),
            CUDA_SUCCESS)
      << device.fault();
  std::vector<T> got = device.get<T>(to, cases.size() * triples);
  for (size_t i = 0; i < cases.size(); ++i)
    for (size_t j = 0; j < triples; ++j) {
      T a = inputs[3 * j], b = inputs[3 * j + 1], c = inputs[3 * j + 2];
      ASSERT_EQ(got[i * triples + j], cases[i].expected(a, b, c))
          << std::hex << cases[i].text << "\nof " << a << ", " << b << ", " << c;
    }
}

} // namespace memformer::emulator

#endif
