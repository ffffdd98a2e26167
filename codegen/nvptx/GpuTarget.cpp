// The table of architectures.

#include "codegen/nvptx/GpuTarget.h"
#include "llvm/ADT/STLExtras.h"
#include <string>

using namespace llvm;

namespace memformer::nvptx {

// Shared memory and threads as in the CUDA programming guide's table of compute capabilities, the
// other numbers as in the GPU's data sheet (dense rates).
static const GpuTarget targets[] = {
    {"sm_75", "T4", 75, 65, 48 << 10, 64 << 10, 64 << 10, 4 << 20, 40, 1024, 320e9, 8.1e12, 65e12},
    {"sm_80", "A100", 80, 70, 48 << 10, 163 << 10, 164 << 10, 40 << 20, 108, 2048, 1555e9, 19.5e12,
     312e12},
    {"sm_86", "A10", 86, 71, 48 << 10, 99 << 10, 100 << 10, 6 << 20, 72, 1536, 600e9, 31.2e12,
     125e12},
    {"sm_89", "L4", 89, 78, 48 << 10, 99 << 10, 100 << 10, 48 << 20, 58, 1536, 300e9, 30.3e12,
     121e12},
    {"sm_90a", "H100", 90, 80, 48 << 10, 227 << 10, 228 << 10, 50 << 20, 132, 2048, 3350e9, 67e12,
     989e12},
    {"sm_100a", "B200", 100, 86, 48 << 10, 227 << 10, 228 << 10, 126 << 20, 148, 2048, 8000e9,
     75e12, 2250e12},
    {"sm_120a", "RTX 5090", 120, 87, 48 << 10, 99 << 10, 100 << 10, 96 << 20, 170, 1536, 1792e9,
     105e12, 210e12},
};

ArrayRef<GpuTarget> GpuTarget::all() { return targets; }

Expected<GpuTarget> GpuTarget::get(StringRef architecture) {
  for (const GpuTarget &target : targets)
    if (target.architecture == architecture)
      return target;
  std::string names;
  for (const GpuTarget &target : targets)
    names += ", " + target.architecture.str();
  return createStringError("expected a target of host" + names + ", but got '" + architecture +
                           "'");
}

} // namespace memformer::nvptx
