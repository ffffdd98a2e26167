// A CPU as the code generator sees it.

#ifndef MEMFORMER_CODEGEN_HOST_HOSTTARGET_H
#define MEMFORMER_CODEGEN_HOST_HOSTTARGET_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <string>

namespace memformer::host {

/// Whether products of bf16 use tile registers: AMX's, or, for tests of any other CPU, memory that
/// is read and written where they would be.
enum class TileSupport { None, Registers, Emulated };

struct HostTarget {
  std::string triple;
  /// LLVM's name of the CPU and the features ("avx2", "fma", …) that compiled kernels may use.
  std::string cpu;
  llvm::SmallVector<std::string> features;
  /// f32 lanes of the widest vector that is worth using, and how many such registers there are.
  int64_t lanes = 8;
  int64_t vectorRegisters = 16;
  /// Lanes that a unit works on at a time: fewer than `lanes` where wide instructions take turns.
  int64_t unitLanes = 8;
  TileSupport tiles = TileSupport::None;
  /// Bytes of the first and second level caches of one core.
  int64_t l1Bytes = 32 * 1024;
  int64_t l2Bytes = 512 * 1024;

  /// Columns of a panel that `kernel.pack` makes for this CPU: a small multiple of the lanes.
  int64_t panelWidth() const { return 2 * lanes; }
  std::string featureString() const;

  /// The CPU at hand, or an LLVM CPU name such as "znver3" or "skylake-avx512".
  static llvm::Expected<HostTarget> get(llvm::StringRef cpu = "native");
};

} // namespace memformer::host

#endif
