// Products of matrices by a warp: D = A · B + C with A [16, k], B [k, 8], C and D [16, 8].

#include "test/emulator/collectives.h"
#include "test/emulator/numbers.h"

namespace memformer::emulator {

MmaRegisters mmaRegisters(Element element, uint32_t k, bool halfAccumulator) {
  uint32_t bytes = element == Element::Tf32 ? 4 : 2;
  return {16 * k * bytes / 4 / warpSize, 8 * k * bytes / 4 / warpSize, halfAccumulator ? 2u : 4u};
}

float narrowElement(Element element, uint16_t bits) {
  return element == Element::Bfloat ? std::bit_cast<float>(uint32_t(bits) << 16)
                                    : floatOfHalf(bits);
}

namespace {

// f32 sums of exact products, one after the other from the lowest k: what hardware does inside an
// instruction is not documented, and this at least is the same everywhere.
#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "arch=haswell", "default")))
#endif
void multiply(const float (*a)[16], const float (*b)[8], float (*c)[8], unsigned k) {
  for (unsigned row = 0; row < 16; ++row) {
    float sums[8];
    for (unsigned column = 0; column < 8; ++column)
      sums[column] = c[row][column];
    for (unsigned i = 0; i < k; ++i)
      for (unsigned column = 0; column < 8; ++column)
        sums[column] = __builtin_fmaf(a[row][i], b[i][column], sums[column]);
    for (unsigned column = 0; column < 8; ++column)
      c[row][column] = sums[column];
  }
}

template <Element element> float elementOf(uint32_t bits, unsigned half) {
  if constexpr (element == Element::Tf32) // the low bits of the significand are not looked at
    return std::bit_cast<float>(bits & 0xffffe000u);
  else if constexpr (element == Element::Bfloat)
    return std::bit_cast<float>(half ? bits & 0xffff0000u : bits << 16);
  else
    return floatOfHalf(uint16_t(half ? bits >> 16 : bits));
}

/// A register holds `packed` neighbours along k; lane l has row (of A) or column (of B) l / 4, and
/// k from l % 4 · packed. Registers of A go through rows 8 apart, then through k 4 · packed apart.
template <Element element>
void gather(uint32_t *const *buffers, const MmaRegisters &registers, float (*a)[16],
            float (*b)[8]) {
  constexpr unsigned packed = element == Element::Tf32 ? 1 : 2;
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    const uint32_t *buffer = buffers[lane];
    unsigned group = lane / 4, first = lane % 4 * packed;
    for (unsigned i = 0; i < registers.a; ++i)
      for (unsigned half = 0; half < packed; ++half)
        a[group + i % 2 * 8][first + i / 2 * 4 * packed + half] =
            elementOf<element>(buffer[i], half);
    for (unsigned i = 0; i < registers.b; ++i)
      for (unsigned half = 0; half < packed; ++half)
        b[first + i * 4 * packed + half][group] = elementOf<element>(buffer[registers.a + i], half);
  }
}

} // namespace

void performMma(Processor &, Warp &warp, const Collective &what, uint32_t) {
  Element element = Element(what.arguments[0]);
  uint32_t k = what.arguments[1];
  bool halfAccumulator = what.arguments[2];
  MmaRegisters registers = mmaRegisters(element, k, halfAccumulator);
  alignas(64) float a[16][16], b[16][8], c[16][8];
  if (element == Element::Bfloat)
    gather<Element::Bfloat>(warp.buffers, registers, a, b);
  else if (element == Element::Half)
    gather<Element::Half>(warp.buffers, registers, a, b);
  else
    gather<Element::Tf32>(warp.buffers, registers, a, b);
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    const uint32_t *sums = warp.buffers[lane] + registers.a + registers.b;
    for (unsigned i = 0; i < 4; ++i)
      c[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2] =
          halfAccumulator ? floatOfHalf(uint16_t(sums[i / 2] >> 16 * (i % 2)))
                          : std::bit_cast<float>(sums[i]);
  }
  multiply(a, b, c, k);
  for (unsigned lane = 0; lane < warpSize; ++lane)
    for (unsigned i = 0; i < 4; ++i) {
      float value = c[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
      uint32_t &to = warp.buffers[lane][halfAccumulator ? i / 2 : i];
      if (!halfAccumulator)
        to = std::bit_cast<uint32_t>(value);
      else if (i % 2)
        to |= uint32_t(halfOf(value)) << 16;
      else
        to = halfOf(value);
    }
}

} // namespace memformer::emulator
