// Which device a session runs on, as a user says it.
#pragma once

#include "runtime/result.h"

#include <string>
#include <string_view>

namespace memformer {

struct DeviceChoice {
  enum class Kind { Host, Cuda };
  Kind kind = Kind::Host;
  int index = 0; // of a CUDA device

  bool isHost() const { return kind == Kind::Host; }
  std::string text() const;
};

/// "cpu", "cuda" (the first device) or "cuda:N".
Result<DeviceChoice> parseDevice(std::string_view text);

} // namespace memformer
