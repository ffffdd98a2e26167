// Names of devices.

#include "runtime/device_choice.h"

#include <charconv>

namespace memformer {

std::string DeviceChoice::text() const { return isHost() ? "cpu" : fmt::format("cuda:{}", index); }

Result<DeviceChoice> parseDevice(std::string_view text) {
  if (text == "cpu")
    return DeviceChoice{};
  DeviceChoice choice{DeviceChoice::Kind::Cuda, 0};
  if (text == "cuda")
    return choice;
  constexpr std::string_view prefix = "cuda:";
  if (text.starts_with(prefix)) {
    const std::string_view number = text.substr(prefix.size());
    const auto [end, code] =
        std::from_chars(number.data(), number.data() + number.size(), choice.index);
    if (code == std::errc() && end == number.data() + number.size() && choice.index >= 0)
      return choice;
  }
  return error("expected a device to be cpu, cuda or cuda:N, but got '{}'", text);
}

} // namespace memformer
