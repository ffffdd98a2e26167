// The rules by which code of one architecture runs on devices of another.

#include "runtime/cuda/architecture.h"

#include <algorithm>
#include <charconv>
#include <fmt/ranges.h>

namespace memformer::cuda {

std::optional<Architecture> parseArchitecture(std::string_view text) {
  if (!text.starts_with("sm_"))
    return std::nullopt;
  text.remove_prefix(3);
  Architecture result;
  if (text.ends_with('a')) {
    result.exact = true;
    text.remove_suffix(1);
  }
  if (text.size() < 2 || text.size() > 3 ||
      !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }) || text[0] == '0')
    return std::nullopt;
  std::from_chars(text.data(), text.data() + text.size(), result.number);
  return result;
}

bool runsCubin(const Architecture &code, Capability device) {
  if (code.exact)
    return code.number == device.number();
  return code.number / 10 == device.major && code.number % 10 <= device.minor;
}

bool runsPtx(const Architecture &code, Capability device) {
  return code.exact ? code.number == device.number() : code.number <= device.number();
}

namespace {

bool hasCubins(const Manifest &manifest) {
  return std::ranges::all_of(manifest.kernels,
                             [](const KernelInfo &kernel) { return kernel.cubin.has_value(); });
}

} // namespace

Result<ProgramChoice> chooseProgram(std::span<const Manifest> devices, Capability capability,
                                    std::string_view device) {
  // The higher the rank, the better: cubins before PTX, then the architecture, then what it has
  // that later ones may not have.
  auto rank = [&](const Manifest &manifest) {
    const auto code = *parseArchitecture(manifest.target.architecture);
    const bool cubin = hasCubins(manifest) && runsCubin(code, capability);
    if (!cubin && !runsPtx(code, capability))
      return -1;
    return (cubin ? 1 << 16 : 0) + 2 * code.number + int(code.exact);
  };
  ProgramChoice choice;
  int best = -1;
  for (const Manifest &manifest : devices) {
    const int found = rank(manifest);
    if (found > best) {
      best = found;
      choice = {&manifest, found >= 1 << 16};
    }
  }
  if (choice.manifest)
    return choice;
  std::vector<std::string_view> names;
  for (const Manifest &manifest : devices)
    names.push_back(manifest.target.architecture);
  const std::string hint = compilerTarget(capability) ? "; compile the model with --target=host," +
                                                            *compilerTarget(capability)
                                                      : "";
  if (names.empty())
    return error("{} runs {}, but the artifact has a program for the host alone{}", device,
                 capability.name(), hint);
  return error("{} runs {}, but the artifact has programs for {}{}", device, capability.name(),
               fmt::join(names, ", "), hint);
}

std::optional<std::string> compilerTarget(Capability device) {
  constexpr std::string_view known[] = {"sm_120a", "sm_100a", "sm_90a", "sm_89",
                                        "sm_86",   "sm_80",   "sm_75"};
  for (std::string_view target : known)
    if (runsPtx(*parseArchitecture(target), device))
      return std::string(target);
  return std::nullopt;
}

int driverNumberForPtx(uint32_t ptxVersion) {
  // PTX 7.0 to 7.8 came with CUDA 11.0 to 11.8, 8.0 to 8.5 with 12.0 to 12.5; 12.6 brought none.
  const int major = int(ptxVersion / 10), minor = int(ptxVersion % 10);
  if (major <= 6)
    return minor <= 2 ? 9020 : 10000 + 10 * std::min(minor - 3, 2);
  return (major + 4) * 1000 + 10 * (major == 8 && minor >= 6 ? minor + 1 : minor);
}

std::string driverForPtx(uint32_t ptxVersion) {
  const int number = driverNumberForPtx(ptxVersion);
  return fmt::format("{}.{}", number / 1000, number % 1000 / 10);
}

} // namespace memformer::cuda
