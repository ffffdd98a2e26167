// What this machine can execute, in LLVM's words.
#pragma once

#include "runtime/artifact.h"
#include "runtime/result.h"

#include <string_view>

namespace memformer {

enum class FeatureSupport { Present, Absent, Unknown };

/// Of a CPU feature by LLVM's name ("avx512bw"); Absent also where the operating system does not
/// save its registers. Unknown: no name that this runtime can ask the CPU about.
FeatureSupport findFeature(std::string_view feature);

/// An error says what the target asks for and this machine lacks.
Result<void> checkMachine(const TargetInfo &target);

/// Generated code treats denormal numbers as zeros, on every thread alike: they cost a hundred
/// times as much as others where an optimizer's moments fade out. Restores the caller's mode at the
/// end of its scope. Whoever compiles code rounds its constants with denormals kept.
class FloatingPointMode {
public:
  enum class Denormals { Zero, Kept };
  explicit FloatingPointMode(Denormals denormals = Denormals::Zero);
  ~FloatingPointMode();
  FloatingPointMode(const FloatingPointMode &) = delete;
  FloatingPointMode &operator=(const FloatingPointMode &) = delete;

private:
  [[maybe_unused]] unsigned long saved;
};

} // namespace memformer
