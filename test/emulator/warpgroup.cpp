// wgmma: products of matrices in shared memory, asynchronous until they are waited for.

#include "test/emulator/collectives.h"
#include "test/emulator/cuda_driver.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace memformer::emulator {

namespace {

constexpr unsigned warpsOfGroup = 4, rowsOfWarp = 16, depth = 16, mostColumns = 256;

/// Where a matrix lies, in core matrices of 8 × 16 bytes.
struct Descriptor {
  uint32_t begin, depthStride, lineStride; // bytes

  explicit Descriptor(uint64_t bits)
      : begin(uint32_t(bits & 0x3fff) << 4), depthStride(uint32_t(bits >> 16 & 0x3fff) << 4),
        lineStride(uint32_t(bits >> 32 & 0x3fff) << 4) {}
  static bool isKnown(uint64_t bits) { return !(bits >> 46); } // no swizzle, no base offset
  uint32_t core(unsigned line, unsigned k) const {
    return begin + line / 8 * lineStride + k / 8 * depthStride;
  }
};

/// Calls `each(offset)` for the core matrices of lines [first, first + count).
template <typename Each>
void forCores(const Descriptor &matrix, unsigned first, unsigned count, Each each) {
  for (unsigned line = first; line < first + count; line += 8)
    for (unsigned k = 0; k < depth; k += 8)
      each(matrix.core(line, k), line - first, k);
}

/// numbers[k][line], of rows of A or columns of B.
template <unsigned most>
void gather(const uint8_t *shared, const Descriptor &matrix, bool transposed, bool negated,
            Element element, unsigned first, unsigned count, float (*numbers)[most]) {
  forCores(matrix, first, count, [&](uint32_t core, unsigned line, unsigned k) {
    for (unsigned i = 0; i < 8; ++i)
      for (unsigned j = 0; j < 8; ++j) {
        uint16_t bits;
        std::memcpy(&bits, shared + core + i * 16 + j * 2, 2);
        float x = narrowElement(element, bits);
        (transposed ? numbers[k + i][line + j] : numbers[k + j][line + i]) = negated ? -x : x;
      }
  });
}

// As in an mma: from the lowest k to the highest.
#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "arch=haswell", "default")))
#endif
void multiply(const float (*a)[rowsOfWarp], const float (*b)[mostColumns], float *sums,
              unsigned n) {
  for (unsigned row = 0; row < rowsOfWarp; ++row)
    for (unsigned k = 0; k < depth; ++k)
      for (unsigned column = 0; column < n; ++column)
        sums[row * n + column] = __builtin_fmaf(a[k][row], b[k][column], sums[row * n + column]);
}

unsigned firstRow(const Warp &warp) { return warp.first / warpSize % warpsOfGroup * rowsOfWarp; }

/// Sees that what is read is there, ordered and visible.
void checkReads(Processor &processor, const Warp &warp, const WarpgroupProduct &product) {
  Thread &thread = processor.thread(warp.first);
  uint32_t line = product.what->line, limit = processor.shape().sharedBytes;
  auto check = [&](uint64_t bits, unsigned first, unsigned count) {
    forCores(Descriptor(bits), first, count, [&](uint32_t core, unsigned, unsigned) {
      if (core > limit || limit - core < 128)
        processor.fault(
            thread, CUDA_ERROR_ILLEGAL_ADDRESS, line,
            "8 rows of 16 bytes at %u of shared memory, of which the block has %u bytes", core,
            limit);
      processor.asyncRead(thread, core, 128, line);
    });
  };
  check(product.a, firstRow(warp), rowsOfWarp);
  check(product.b, 0, product.what->arguments[1]);
}

void compute(Processor &processor, Warp &warp, const WarpgroupProduct &product) {
  Element element = Element(product.what->arguments[0]);
  unsigned n = product.what->arguments[1], transposes = product.what->arguments[2];
  unsigned negations = product.what->arguments[3];
  const uint8_t *shared = processor.thread(warp.first).shared;
  alignas(64) float a[depth][rowsOfWarp], b[depth][mostColumns];
  gather(shared, Descriptor(product.a), transposes & 1, negations & 1, element, firstRow(warp),
         rowsOfWarp, a);
  gather(shared, Descriptor(product.b), transposes & 2, negations & 2, element, 0, n, b);
  WarpgroupSums &sums = warp.sums[product.sums];
  if (!product.accumulates)
    std::fill(sums.values.begin(), sums.values.end(), 0.0f);
  multiply(a, b, sums.values.data(), n);
}

/// Calls `each(lane, register, place in the values)`.
template <typename Each> void forRegisters(unsigned n, Each each) {
  for (unsigned lane = 0; lane < warpSize; ++lane)
    for (unsigned i = 0; i < n / 2; ++i) {
      unsigned row = lane / 4 + i / 2 % 2 * 8, column = i / 4 * 8 + lane % 4 * 2 + i % 2;
      each(lane, i, row * n + column);
    }
}

} // namespace

void performWarpgroupFence(Processor &processor, Warp &warp, const Collective &what, uint32_t) {
  warp.isFenced |= what.line != processor.modes().skip;
}

void performWarpgroupCommit(Processor &, Warp &warp, const Collective &, uint32_t) {
  ++warp.productGroup;
}

void performWarpgroupProduct(Processor &processor, Warp &warp, const Collective &what, uint32_t) {
  Thread &thread = processor.thread(warp.first);
  auto fail = [&](const char *why) {
    processor.fault(thread, CUDA_ERROR_LAUNCH_FAILED, what.line, "%s", why);
  };
  struct Operands {
    uint64_t a, b;
    uint32_t accumulates, unused;
    uint32_t *const *registers;
  } operands[warpSize];
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    std::memcpy(&operands[lane], warp.buffers[lane], sizeof(Operands));
    if (operands[lane].a != operands[0].a || operands[lane].b != operands[0].b ||
        operands[lane].accumulates != operands[0].accumulates)
      fail("lanes of the warp differ in what they multiply");
  }
  const Launch &launch = processor.running();
  unsigned threads = launch.block[0] * launch.block[1] * launch.block[2];
  if (warp.first / (warpsOfGroup * warpSize) * (warpsOfGroup * warpSize) + 128 > threads)
    fail("expected a warpgroup of four warps");
  if (!Descriptor::isKnown(operands[0].a) || !Descriptor::isKnown(operands[0].b))
    fail("expected descriptors without swizzle or base offset");
  if (!warp.isFenced)
    fail("expected a wgmma.fence since the warp began or last waited");
  unsigned n = what.arguments[1];
  auto own = std::find_if(warp.sums.begin(), warp.sums.end(), [&](const WarpgroupSums &sums) {
    return sums.registers[0] == operands[0].registers;
  });
  if (own == warp.sums.end()) {
    WarpgroupSums &sums = warp.sums.emplace_back();
    own = warp.sums.end() - 1;
    sums.n = n;
    sums.values.resize(size_t(rowsOfWarp) * n);
    for (unsigned lane = 0; lane < warpSize; ++lane)
      sums.registers[lane] = operands[lane].registers;
    forRegisters(n, [&](unsigned lane, unsigned i, unsigned place) {
      sums.values[place] = std::bit_cast<float>(*sums.registers[lane][i]);
    });
  }
  ++own->underWay;
  forRegisters(n, [&](unsigned lane, unsigned i, unsigned) { *own->registers[lane][i] = ~0u; });
  warp.products.push_back({&what, operands[0].a, operands[0].b, operands[0].accumulates != 0,
                           warp.productGroup, size_t(own - warp.sums.begin())});
  checkReads(processor, warp, warp.products.back());
  if (!processor.modes().lazyCopies)
    compute(processor, warp, warp.products.back());
}

void performWarpgroupWait(Processor &processor, Warp &warp, const Collective &what, uint32_t) {
  uint32_t pending = what.arguments[0] + (what.line == processor.modes().skip);
  uint32_t end = warp.productGroup - std::min(pending, warp.productGroup);
  auto rest = warp.products.begin();
  for (; rest != warp.products.end() && rest->group < end; ++rest) {
    // It has read until now.
    checkReads(processor, warp, *rest);
    if (processor.modes().lazyCopies)
      compute(processor, warp, *rest);
    --warp.sums[rest->sums].underWay;
  }
  warp.products.erase(warp.products.begin(), rest);
  for (WarpgroupSums &sums : warp.sums)
    if (!sums.underWay && sums.registers[0]) {
      forRegisters(sums.n, [&](unsigned lane, unsigned i, unsigned place) {
        *sums.registers[lane][i] = std::bit_cast<uint32_t>(sums.values[place]);
      });
      sums.registers[0] = nullptr; // the registers are the kernel's again
    }
  if (warp.products.empty())
    warp.sums.clear();
  warp.isFenced = false;
}

} // namespace memformer::emulator
