// A GPU as the code generator sees it.

#ifndef MEMFORMER_CODEGEN_NVPTX_GPUTARGET_H
#define MEMFORMER_CODEGEN_NVPTX_GPUTARGET_H

#include "mlir/IR/Types.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>

namespace memformer::nvptx {

/// One architecture, with the numbers of a GPU that has it.
struct GpuTarget {
  /// "sm_80"; the name of the GPU that the numbers are of.
  llvm::StringRef architecture, gpu;
  /// Compute capability, times ten.
  int capability;
  /// The PTX version that kernels are written in, times ten: the lowest that has what they use, so
  /// that the drivers of the architecture's first days take them.
  int ptxVersion;
  /// Bytes of shared memory: most of a block without asking, most when asked for, and of a
  /// multiprocessor.
  int64_t sharedBytes, mostSharedBytes, sharedBytesOfMultiprocessor;
  /// Of the L2 cache.
  int64_t cacheBytes;
  int64_t multiprocessors;
  int64_t threadsOfMultiprocessor;
  /// Bytes a second, and operations a second of f32 on ordinary lanes and of types of 16 bits on
  /// tensor cores.
  double bandwidth, f32Rate, tensorRate;
  /// Of tf32 on tensor cores: half of that on all of them.
  double tf32Rate() const { return tensorRate / 2; }

  static constexpr int64_t warp = 32;
  static constexpr int64_t registersOfMultiprocessor = 65536;

  /// mma.sync of bf16 and of tf32, and of f16 with a depth of 16, conversions of two numbers at a
  /// time, cp.async: compute capability 8. All have mma.sync of f16 with a depth of 8, and
  /// ldmatrix.
  bool hasBF16() const { return capability >= 80; }
  bool hasTF32() const { return capability >= 80; }
  bool hasDeepF16() const { return capability >= 80; }
  bool hasPairConversions() const { return capability >= 80; }
  /// Whether tensor cores multiply entries of this type here.
  bool hasMatrixProducts(mlir::Type type) const {
    return type.isF16() || (type.isBF16() && hasBF16()) || (type.isTF32() && hasTF32());
  }
  bool hasAsyncCopies() const { return capability >= 80; }

  /// Columns of a panel that `kernel.pack` makes: a block of columns of a product.
  int64_t panelWidth() const { return 64; }
  /// wgmma: of sm_90a alone.
  bool hasWarpgroupProducts() const { return capability == 90; }
  /// Rows whose entries are side by side in a panel of 16 bits each: those of a core matrix, where
  /// warpgroups multiply.
  int64_t panelGroup() const { return hasWarpgroupProducts() ? 8 : 2; }

  /// "sm_80" and so on; a name that is not known is an error which lists those that are.
  static llvm::Expected<GpuTarget> get(llvm::StringRef architecture);
  static llvm::ArrayRef<GpuTarget> all();
};

} // namespace memformer::nvptx

#endif
