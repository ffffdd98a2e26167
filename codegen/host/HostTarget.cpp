// CPUs as the code generator sees them.

#include "codegen/host/HostTarget.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <mutex>
#include <unistd.h>

using namespace llvm;

namespace memformer::host {

// What changes the code of a kernel. Others (encryption, random numbers, …) would only keep an
// artifact from running on a CPU that lacks them.
static constexpr StringLiteral x86Features[] = {
    "avx",      "avx2",     "fma",      "bmi",      "bmi2",       "lzcnt",    "avx512f",
    "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512bf16", "amx-tile", "amx-bf16"};

static void initializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    InitializeNativeTarget();
    InitializeNativeTargetAsmPrinter();
    InitializeNativeTargetAsmParser();
  });
}

static Expected<StringSet<>> featuresOf(StringRef cpu, const Triple &triple) {
  StringSet<> present;
  if (cpu == "native") {
    for (const auto &feature : sys::getHostCPUFeatures())
      if (feature.getValue())
        present.insert(feature.getKey());
    return present;
  }
  std::string message;
  const Target *target = TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return createStringError(message);
  std::unique_ptr<MCSubtargetInfo> baseline(target->createMCSubtargetInfo(triple, "", ""));
  if (!baseline || !baseline->isCPUStringValid(cpu))
    return createStringError("expected 'native' or a CPU of " + triple.getArchName() +
                             " that LLVM knows, but got '" + cpu + "'");
  // Asked one by one: what a CPU's features imply counts too.
  std::unique_ptr<MCSubtargetInfo> info(target->createMCSubtargetInfo(triple, cpu, ""));
  for (StringRef name :
       triple.isX86() ? ArrayRef<StringLiteral>(x86Features) : ArrayRef<StringLiteral>())
    if (info->checkFeatures(("+" + name).str()))
      present.insert(name);
  return present;
}

static int64_t cacheBytes(int name, int64_t otherwise) {
  long bytes = ::sysconf(name);
  return bytes > 0 ? bytes : otherwise;
}

Expected<HostTarget> HostTarget::get(StringRef cpu) {
  initializeTargets();
  HostTarget host;
  Triple triple(sys::getDefaultTargetTriple());
  host.triple = triple.str();
  Expected<StringSet<>> features = featuresOf(cpu, triple);
  if (!features)
    return features.takeError();
  host.cpu = cpu == "native" ? sys::getHostCPUName().str() : cpu.str();
  if (cpu == "native") {
    host.l1Bytes = cacheBytes(_SC_LEVEL1_DCACHE_SIZE, host.l1Bytes);
    host.l2Bytes = cacheBytes(_SC_LEVEL2_CACHE_SIZE, host.l2Bytes);
  }
  if (!triple.isX86()) {
    // Four lanes and 32 registers are every other 64-bit CPU's baseline.
    host.lanes = 4;
    host.vectorRegisters = 32;
    return host;
  }
  if (!features->contains("avx2") || !features->contains("fma"))
    return createStringError("expected a CPU with AVX2 and FMA, but got '" + host.cpu + "'");
  bool wide = llvm::all_of(ArrayRef<StringRef>{"avx512f", "avx512bw", "avx512dq", "avx512vl"},
                           [&](StringRef name) { return features->contains(name); });
  bool tiles = wide && features->contains("amx-tile") && features->contains("amx-bf16");
  for (StringRef name : x86Features) {
    bool usable = name.starts_with("amx") ? tiles : wide || !name.starts_with("avx512");
    if (features->contains(name) && usable)
      host.features.push_back(name.str());
  }
  host.tiles = tiles ? TileSupport::Registers : TileSupport::None;
  host.lanes = wide ? 16 : 8;
  host.vectorRegisters = wide ? 32 : 16;
  // Zen 4 has AVX-512 on units of 256 bits.
  host.unitLanes = host.cpu == "znver4" ? 8 : host.lanes;
  return host;
}

std::string HostTarget::featureString() const {
  std::string text;
  for (const std::string &feature : features)
    text += (text.empty() ? "+" : ",+") + feature;
  return text;
}

} // namespace memformer::host
