// wgmma, mbarriers, bulk copies and the fences between proxies.

#include "test/emulator/device_harness.h"
#include "test/emulator/ptx_mutants.h"

#include <bit>
#include <cstring>

namespace memformer::emulator {

namespace {

/// Small numbers that bf16 and f16 hold, so that products and sums are exact.
float smallNumber(size_t i) { return float(int(i * 7919 % 17) - 8) / 4; }

uint16_t narrow(float value, bool half) {
  if (!half)
    return uint16_t(std::bit_cast<uint32_t>(value) >> 16);
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t rest = bits & 0x7fffffff;
  return uint16_t(bits >> 16 & 0x8000) | uint16_t(rest ? (rest - (112u << 23)) >> 13 : 0);
}

/// A product of A [64, 16] and B [16, n] in core matrices of shared memory, the second added to the
/// first.
struct Product {
  unsigned n = 24;
  bool half = false, transposedA = false, transposedB = false;
  bool twice = false, negative = false;

  /// Strides are chosen freely: multiples of 16 bytes that make no two core matrices overlap.
  unsigned strideOfDepth(bool isA) const { return (isA ? 64 : n) * 16 + 16; }
  static constexpr unsigned strideOfLines = 128;
  unsigned bytesOf(bool isA) const { return 2 * strideOfDepth(isA); }
  unsigned bytes() const { return bytesOf(true) + bytesOf(false); }

  std::string list() const {
    std::string text = "{";
    for (unsigned i = 0; i < n / 2; ++i)
      text += (i ? ", %f" : "%f") + std::to_string(i);
    return text + "}";
  }
  std::string multiply() const {
    std::string type = half ? "f16" : "bf16";
    return "wgmma.mma_async.sync.aligned.m64n" + std::to_string(n) + "k16.f32." + type + "." +
           type + " " + list() + ", %rd10, %rd11, %p1, " + (negative ? "-1" : "1") + ", 1, " +
           (transposedA ? "1" : "0") + ", " + (transposedB ? "1" : "0") + ";\n";
  }
  std::string descriptor(const char *to, unsigned begin, bool isA) const {
    std::string number = std::to_string(uint64_t(strideOfDepth(isA) / 16) << 16 |
                                        uint64_t(strideOfLines / 16) << 32);
    return "mov.b64 %rd0, tile;\nadd.s64 %rd0, %rd0, " + std::to_string(begin) +
           ";\nand.b64 %rd0, %rd0, 262143;\nshr.u64 %rd0, %rd0, 4;\nor.b64 " + to + ", %rd0, " +
           number + ";\n";
  }
  /// The tile comes by stores of all threads, or by bulk copies; then C is added, and D stored.
  std::string kernel(bool inBulk) const {
    std::string body, total = std::to_string(bytes());
    if (inBulk) {
      std::string first = std::to_string(bytesOf(true)), second = std::to_string(bytesOf(false));
      body =
          "setp.ne.u32 %p2, %t, 0;\nmov.b64 %rd3, arrivals;\nmov.b64 %rd4, tile;\n"
          "@%p2 bra made;\nmbarrier.init.shared::cta.b64 [%rd3], 1;\nmade:\n"
          "fence.proxy.async.shared::cta;\nbar.sync 0;\n@%p2 bra asked;\n"
          "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%rd3], " +
          total +
          ";\ncp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%rd4], [%a0], " +
          first +
          ", [%rd3];\n"
          "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%rd4+" +
          first + "], [%a0+" + first + "], " + second +
          ", [%rd3];\nasked:\nwait:\nmbarrier.try_wait.parity.shared::cta.b64 %p3, [%rd3], 0;\n"
          "@!%p3 bra wait;\n";
    } else {
      body = "mov.b64 %rd3, tile;\nmov.u32 %r1, %t4;\ncopy:\nsetp.ge.u32 %p2, %r1, " + total +
             ";\n@%p2 bra copied;\ncvt.u64.u32 %rd4, %r1;\nadd.s64 %rd5, %a0, %rd4;\n"
             "ld.global.b32 %r2, [%rd5];\nadd.s64 %rd5, %rd3, %rd4;\nst.shared.b32 [%rd5], %r2;\n"
             "add.u32 %r1, %r1, 512;\nbra copy;\ncopied:\nfence.proxy.async;\nbar.sync 0;\n";
    }
    body += descriptor("%rd10", 0, true) + descriptor("%rd11", bytesOf(true), false);
    body += "mul.wide.u32 %rd6, %t, " + std::to_string(2 * n) + ";\nadd.s64 %rd7, %a1, %rd6;\n";
    for (unsigned i = 0; i < n / 2; ++i)
      body += "ld.global.f32 %f" + std::to_string(i) + ", [%rd7+" + std::to_string(4 * i) + "];\n";
    body += "setp.eq.u32 %p1, %t, %t;\nwgmma.fence.sync.aligned;\n" + multiply();
    if (twice)
      body += multiply();
    body += "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n";
    for (unsigned i = 0; i < n / 2; ++i)
      body += "st.global.f32 [%rd7+" + std::to_string(4 * i) + "], %f" + std::to_string(i) + ";\n";
    return ptxKernel(
        2, body, ".shared .align 16 .b8 tile[" + total + "];\n.shared .align 8 .b64 arrivals;", 90);
  }
  /// Entry (line, k) of a factor lies here, in bytes of the tile.
  unsigned placeOf(bool isA, unsigned line, unsigned k) const {
    bool transposed = isA ? transposedA : transposedB;
    return (isA ? 0 : bytesOf(true)) + line / 8 * strideOfLines + k / 8 * strideOfDepth(isA) +
           (transposed ? k % 8 * 16 + line % 8 * 2 : line % 8 * 16 + k % 8 * 2);
  }
  std::vector<uint8_t> tile() const {
    std::vector<uint8_t> bytes(this->bytes());
    for (bool isA : {true, false})
      for (unsigned line = 0; line < (isA ? 64 : n); ++line)
        for (unsigned k = 0; k < 16; ++k) {
          uint16_t x = narrow(smallNumber((isA ? 1 : 500) + line * 16 + k), half);
          std::memcpy(&bytes[placeOf(isA, line, k)], &x, 2);
        }
    return bytes;
  }
  /// In the order of threads and their registers.
  std::vector<float> expected() const {
    std::vector<float> sums;
    for (unsigned thread = 0; thread < 128; ++thread)
      for (unsigned i = 0; i < n / 2; ++i) {
        unsigned row = thread / 32 * 16 + thread % 32 / 4 + i / 2 % 2 * 8;
        unsigned column = i / 4 * 8 + thread % 4 * 2 + i % 2;
        float product = 0;
        for (unsigned k = 0; k < 16; ++k)
          product += smallNumber(1 + row * 16 + k) * smallNumber(500 + column * 16 + k);
        sums.push_back(float(thread % 5) + product * (twice ? 2 : 1) * (negative ? -1 : 1));
      }
    return sums;
  }
  std::vector<float> begin() const {
    std::vector<float> sums;
    for (unsigned thread = 0; thread < 128; ++thread)
      sums.insert(sums.end(), n / 2, float(thread % 5));
    return sums;
  }
  /// What a fault is told as, "other numbers", or nothing.
  std::string run(const std::string &ptx, const std::string &modes) const {
    Device device(modes + ",architecture=90");
    CUdeviceptr from = device.put(tile()), sums = device.put(begin());
    if (device.launch(device.load(ptx), 1, 128, {from, sums}) != CUDA_SUCCESS)
      return device.fault();
    std::vector<float> got = device.get<float>(sums, 64 * n), wanted = expected();
    return std::memcmp(got.data(), wanted.data(), got.size() * 4) ? "other numbers" : "";
  }
};

const std::vector<std::string> allModes = {
    "order=forward,races=on",       "order=reverse,races=on",
    "order=random,seed=3,races=on", "order=forward,copies=eager,races=on",
    "order=reverse,copies=eager",   "order=random,seed=8,copies=eager,races=on"};

} // namespace

TEST(Warpgroup, MultipliesInAllForms) {
  for (unsigned n : {8u, 24u, 64u})
    for (bool half : {false, true})
      for (unsigned form = 0; form < 16; ++form) {
        Product product{n, half, bool(form & 1), bool(form & 2), bool(form & 4), bool(form & 8)};
        for (const std::string &modes : allModes)
          EXPECT_EQ(product.run(product.kernel(form & 4), modes), "") << n << " " << form << modes;
      }
}

TEST(Warpgroup, EveryFaultOfOrderIsFound) {
  for (bool inBulk : {false, true}) {
    Product product;
    std::string ptx = product.kernel(inBulk);
    unsigned tried = 0;
    for (const MutationSite &site : mutationSites(ptx)) {
      if (site.kind > MutationSite::Kind::Fragment)
        continue;
      ++tried;
      std::string skipped, changed;
      for (const std::string &modes : allModes) {
        changed += product.run(mutated(ptx, site), modes);
        if (site.kind <= MutationSite::Kind::Wait)
          skipped += product.run(ptx, modes + ",skip=" + std::to_string(site.line));
      }
      EXPECT_NE(changed, "") << site.instruction;
      EXPECT_TRUE(site.kind == MutationSite::Kind::Fragment || !skipped.empty())
          << site.instruction;
    }
    // Two fences, the barrier, the waits, the product.
    EXPECT_EQ(tried, inBulk ? 6u : 5u);
  }
}

TEST(Warpgroup, SaysWhatIsWrong) {
  Product product;
  std::string ptx = product.kernel(false), bulk = product.kernel(true);
  auto without = [&](const std::string &text, const std::string &what) {
    std::string changed = text;
    size_t at = changed.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return changed.erase(at, what.size());
  };
  auto faultOf = [&](const std::string &text) { return product.run(text, "races=on"); };
  auto contains = [](const std::string &text, const std::string &part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  contains(faultOf(without(ptx, "fence.proxy.async;")),
           "writes at line 28 with no fence.proxy.async between");
  contains(faultOf(without(ptx, "bar.sync 0;")), "with no barrier between");
  contains(faultOf(without(ptx, "wgmma.fence.sync.aligned;")), "expected a wgmma.fence");
  contains(faultOf(without(ptx, "wgmma.wait_group.sync.aligned 0;")),
           "returns before it has waited for this");
  contains(faultOf(without(bulk, "fence.proxy.async.shared::cta;")),
           "an mbarrier that thread 0 has initialised with no fence.proxy.async since");
  contains(faultOf(without(bulk, "mbarrier.init.shared::cta.b64 [%rd3], 1;")),
           "no mbarrier is initialised at ");
  contains(faultOf(without(bulk, "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%rd3], " +
                                     std::to_string(product.bytes()) + ";")),
           "deadlock: ");
}

/// One thread asks for three copies to two places, the others read what has come.
TEST(BulkCopies, PhasesFollowEachOther) {
  std::string body = R"(
    setp.ne.u32 %p1, %t, 0;
    mov.b64 %rd0, arrivals;
    mov.b64 %rd1, place;
    @%p1 bra made;
    mbarrier.init.shared::cta.b64 [%rd0], 1;
  made:
    fence.proxy.async.shared::cta;
    bar.sync 0;
    mov.u32 %r0, 0;
    mov.b64 %rd2, %a0;
    mul.wide.u32 %rd4, %t, 4;
    add.s64 %rd5, %a1, %rd4;
    add.s64 %rd6, %rd1, %rd4;
  again:
    @%p1 bra asked;
    mbarrier.arrive.expect_tx.shared::cta.b64 _, [%rd0], 256;
    cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%rd1], [%rd2], 256, [%rd0];
  asked:
    and.b32 %r1, %r0, 1;
  wait:
    mbarrier.try_wait.parity.shared::cta.b64 %p2, [%rd0], %r1;
    @!%p2 bra wait;
    ld.shared.b32 %r2, [%rd6];
    st.global.b32 [%rd5], %r2;
    bar.sync 0;
    add.s64 %rd2, %rd2, 256;
    add.s64 %rd5, %rd5, 256;
    add.u32 %r0, %r0, 1;
    setp.lt.u32 %p3, %r0, 3;
    @%p3 bra again;
    @%p1 bra done;
    mbarrier.inval.shared::cta.b64 [%rd0];
  done:
  )";
  std::string ptx =
      ptxKernel(2, body, ".shared .align 16 .b8 place[256];\n.shared .align 8 .b64 arrivals;", 90);
  std::vector<uint32_t> numbers(192);
  for (size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = uint32_t(3 * i + 1);
  auto run = [&](const std::string &text, const std::string &modes) -> std::string {
    Device device(modes + ",architecture=90");
    CUdeviceptr from = device.put(numbers), to = device.allocate(768);
    if (device.launch(device.load(text), 1, 64, {from, to}) != CUDA_SUCCESS)
      return device.fault();
    return device.get<uint32_t>(to, 192) == numbers ? "" : "other numbers";
  };
  for (const std::string &modes : allModes)
    EXPECT_EQ(run(ptx, modes), "") << modes;
  for (const MutationSite &site : mutationSites(ptx))
    if (site.kind <= MutationSite::Kind::Wait) {
      std::string found;
      for (const std::string &modes : allModes)
        found += run(ptx, modes + ",skip=" + std::to_string(site.line));
      EXPECT_NE(found, "") << site.instruction;
    }
}

} // namespace memformer::emulator
