// The native code of an artifact, loaded into this process.
#pragma once

#include "runtime/artifact.h"
#include "runtime/result.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace memformer {

using Kernel = void (*)(void *const *arguments, int64_t workgroup);

class KernelLibrary {
public:
  /// Loads the section `host` and finds every kernel in it. Errors: this machine lacks what the
  /// code needs, the section is missing or is no shared object, or a symbol is missing.
  static Result<std::unique_ptr<KernelLibrary>> load(const Artifact &artifact);
  ~KernelLibrary();
  KernelLibrary(const KernelLibrary &) = delete;
  KernelLibrary &operator=(const KernelLibrary &) = delete;

  Kernel kernel(uint32_t index) const { return kernels[index]; }
  /// About how long one thread takes for a dispatch.
  double seconds(uint32_t index) const { return estimates[index]; }

private:
  KernelLibrary() = default;
  // Open as long as the library is: the loader takes two libraries of one path for the same, and
  // the path is made of the descriptor's number.
  int descriptor = -1;
  void *handle = nullptr;
  std::vector<Kernel> kernels;
  std::vector<double> estimates;
};

} // namespace memformer
