// Which program of an artifact a CUDA device can run.
#pragma once

#include "runtime/artifact.h"
#include "runtime/result.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace memformer::cuda {

/// "sm_80": number 80. "sm_90a": its code runs on exactly that one.
struct Architecture {
  int number = 0; // 10 * major + minor
  bool exact = false;
};

/// Nullopt for text that names none.
std::optional<Architecture> parseArchitecture(std::string_view text);

/// Of a device: compute capability 8.6 is sm_86.
struct Capability {
  int major = 0, minor = 0;
  int number() const { return 10 * major + minor; }
  std::string name() const { return "sm_" + std::to_string(number()); }
};

/// A cubin runs on devices of its major version and at least its minor one.
bool runsCubin(const Architecture &code, Capability device);
/// PTX is compiled by the driver for any architecture that is not older.
bool runsPtx(const Architecture &code, Capability device);

/// A program, and whether its cubins are for this device.
struct ProgramChoice {
  const Manifest *manifest = nullptr;
  bool cubin = false;
};

/// The best of an artifact's programs: cubins of the highest architecture, else PTX. The error
/// names what the artifact has; `device` is what the message calls the device.
Result<ProgramChoice> chooseProgram(std::span<const Manifest> devices, Capability capability,
                                    std::string_view device);

/// What to compile for, for a device: the highest architecture that the compiler knows and the
/// device runs; nullopt where it is older than all of them.
std::optional<std::string> compilerTarget(Capability device);

/// "12.8": the CUDA version of the first driver that compiles this version of PTX.
std::string driverForPtx(uint32_t ptxVersion);
/// The same as cuDriverGetVersion counts, 12080.
int driverNumberForPtx(uint32_t ptxVersion);

} // namespace memformer::cuda
