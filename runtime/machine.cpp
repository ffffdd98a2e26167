// CPU features through cpuid, which needs neither a compiler's list nor /proc.

#include "runtime/machine.h"

#include <cerrno>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace memformer {

namespace {

#if defined(__x86_64__)

constexpr std::string_view machineArchitecture = "x86_64";

enum Register { EAX, EBX, ECX, EDX };
// What the operating system must save for a feature's registers, as bits of XCR0.
constexpr unsigned noState = 0, vectors256 = 0x6, vectors512 = 0xe6, tiles = 0x60000;

struct Feature {
  std::string_view name;
  unsigned leaf, subleaf;
  Register where;
  unsigned bit;
  unsigned state;
};

constexpr Feature features[] = {
    {"cmov", 1, 0, EDX, 15, noState},
    {"mmx", 1, 0, EDX, 23, noState},
    {"fxsr", 1, 0, EDX, 24, noState},
    {"sse", 1, 0, EDX, 25, noState},
    {"sse2", 1, 0, EDX, 26, noState},
    {"sse3", 1, 0, ECX, 0, noState},
    {"pclmul", 1, 0, ECX, 1, noState},
    {"ssse3", 1, 0, ECX, 9, noState},
    {"fma", 1, 0, ECX, 12, vectors256},
    {"cx16", 1, 0, ECX, 13, noState},
    {"sse4.1", 1, 0, ECX, 19, noState},
    {"sse4.2", 1, 0, ECX, 20, noState},
    {"movbe", 1, 0, ECX, 22, noState},
    {"popcnt", 1, 0, ECX, 23, noState},
    {"aes", 1, 0, ECX, 25, noState},
    {"xsave", 1, 0, ECX, 27, noState},
    {"avx", 1, 0, ECX, 28, vectors256},
    {"f16c", 1, 0, ECX, 29, vectors256},
    {"rdrnd", 1, 0, ECX, 30, noState},
    {"fsgsbase", 7, 0, EBX, 0, noState},
    {"bmi", 7, 0, EBX, 3, noState},
    {"avx2", 7, 0, EBX, 5, vectors256},
    {"bmi2", 7, 0, EBX, 8, noState},
    {"avx512f", 7, 0, EBX, 16, vectors512},
    {"avx512dq", 7, 0, EBX, 17, vectors512},
    {"rdseed", 7, 0, EBX, 18, noState},
    {"adx", 7, 0, EBX, 19, noState},
    {"avx512ifma", 7, 0, EBX, 21, vectors512},
    {"clflushopt", 7, 0, EBX, 23, noState},
    {"clwb", 7, 0, EBX, 24, noState},
    {"avx512cd", 7, 0, EBX, 28, vectors512},
    {"sha", 7, 0, EBX, 29, noState},
    {"avx512bw", 7, 0, EBX, 30, vectors512},
    {"avx512vl", 7, 0, EBX, 31, vectors512},
    {"avx512vbmi", 7, 0, ECX, 1, vectors512},
    {"avx512vbmi2", 7, 0, ECX, 6, vectors512},
    {"gfni", 7, 0, ECX, 8, noState},
    {"vaes", 7, 0, ECX, 9, vectors256},
    {"vpclmulqdq", 7, 0, ECX, 10, vectors256},
    {"avx512vnni", 7, 0, ECX, 11, vectors512},
    {"avx512bitalg", 7, 0, ECX, 12, vectors512},
    {"avx512vpopcntdq", 7, 0, ECX, 14, vectors512},
    {"avx512vp2intersect", 7, 0, EDX, 8, vectors512},
    {"amx-bf16", 7, 0, EDX, 22, tiles},
    {"avx512fp16", 7, 0, EDX, 23, vectors512},
    {"amx-tile", 7, 0, EDX, 24, tiles},
    {"amx-int8", 7, 0, EDX, 25, tiles},
    {"avxvnni", 7, 1, EAX, 4, vectors256},
    {"avx512bf16", 7, 1, EAX, 5, vectors512},
    {"amx-fp16", 7, 1, EAX, 21, tiles},
    {"avxifma", 7, 1, EAX, 23, vectors256},
    {"avxvnniint8", 7, 1, EDX, 4, vectors256},
    {"avxneconvert", 7, 1, EDX, 5, vectors256},
    {"lzcnt", 0x80000001, 0, ECX, 5, noState},
    {"sse4a", 0x80000001, 0, ECX, 6, noState},
    {"prfchw", 0x80000001, 0, ECX, 8, noState},
};

/// XCR0, or 0 where the operating system does not use xsave.
unsigned enabledState() {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 27)))
    return 0;
  unsigned low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/// Linux hands out tile registers on request; granted to all threads started afterwards.
Result<void> requestTiles() {
  constexpr int requestPermission = 0x1023, tileData = 18;
  if (::syscall(SYS_arch_prctl, requestPermission, tileData) != 0)
    return error("the operating system does not grant the AMX tile registers: {}",
                 std::strerror(errno));
  return {};
}

#elif defined(__aarch64__)

constexpr std::string_view machineArchitecture = "aarch64";

#else
#error "no code for this architecture yet"
#endif

} // namespace

#if defined(__x86_64__)

FeatureSupport findFeature(std::string_view name) {
  for (const auto &feature : features) {
    if (feature.name != name)
      continue;
    unsigned registers[4] = {};
    if (!__get_cpuid_count(feature.leaf, feature.subleaf, &registers[EAX], &registers[EBX],
                           &registers[ECX], &registers[EDX]))
      return FeatureSupport::Absent;
    const bool present = registers[feature.where] >> feature.bit & 1;
    const bool usable = (enabledState() & feature.state) == feature.state;
    return present && usable ? FeatureSupport::Present : FeatureSupport::Absent;
  }
  return FeatureSupport::Unknown;
}

FloatingPointMode::FloatingPointMode(Denormals denormals) : saved(_mm_getcsr()) {
  // The state at the start of a process (all exceptions masked, to nearest), and denormals as
  // zeros.
  constexpr unsigned initial = 0x1f80, flushToZero = 0x8000, denormalsAreZero = 0x0040;
  _mm_setcsr(denormals == Denormals::Kept ? initial : initial | flushToZero | denormalsAreZero);
}

FloatingPointMode::~FloatingPointMode() { _mm_setcsr(unsigned(saved)); }

#else

FeatureSupport findFeature(std::string_view name) {
  return name == "neon" || name == "fp-armv8" ? FeatureSupport::Present : FeatureSupport::Unknown;
}

FloatingPointMode::FloatingPointMode(Denormals denormals) {
  asm volatile("mrs %0, fpcr" : "=r"(saved));
  const unsigned long flushToZero = denormals == Denormals::Kept ? 0 : 1ul << 24;
  asm volatile("msr fpcr, %0" : : "r"(flushToZero));
}

FloatingPointMode::~FloatingPointMode() { asm volatile("msr fpcr, %0" : : "r"(saved)); }

#endif

Result<void> checkMachine(const TargetInfo &target) {
  const std::string_view triple = target.triple;
  if (auto architecture = triple.substr(0, triple.find('-')); architecture != machineArchitecture)
    return error("compiled for {}, but this machine is {}", architecture, machineArchitecture);
  if (triple.find("linux") == triple.npos)
    return error("compiled for {}, but this machine runs Linux", triple);
  std::string missing, unknown;
  bool needsTiles = false;
  for (const auto &feature : target.features) {
    const auto support = findFeature(feature);
    if (support == FeatureSupport::Absent)
      missing += (missing.empty() ? "" : ", ") + feature;
    else if (support == FeatureSupport::Unknown)
      unknown += (unknown.empty() ? "" : ", ") + feature;
    needsTiles |= feature == "amx-tile";
  }
  if (!missing.empty())
    return error("compiled for {}, but this CPU lacks {}; compile the model on this machine",
                 target.cpu, missing);
  if (!unknown.empty())
    return error("compiled for {} with CPU features unknown to this runtime: {}", target.cpu,
                 unknown);
#if defined(__x86_64__)
  if (needsTiles)
    return requestTiles();
#endif
  return {};
}

} // namespace memformer
