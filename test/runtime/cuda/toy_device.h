// The toy model's artifact with programs for CUDA devices, and the fake driver that runs them.
#pragma once

#include "test/runtime/toy_model.h"

namespace memformer::toy {

/// An entry of `devices`: the toy's program again, with its code in a section that text() gives.
nlohmann::json device(Schedule schedule, const std::string &architecture, bool cubins = false);

/// An artifact of these entries; `host` is what the host's manifest becomes before. Every entry's
/// section is there.
Result<std::vector<std::byte>> assembleWith(nlohmann::json host, nlohmann::json devices);
std::shared_ptr<const Artifact> deviceArtifact(Schedule schedule, nlohmann::json devices);

/// Sets the environment that the runtime finds the fake driver by, and restores it.
class FakeCuda {
public:
  /// `settings` as in fake_driver.cpp.
  explicit FakeCuda(const std::string &settings = "", const char *library = FAKE_CUDA_DRIVER);
  ~FakeCuda();
  FakeCuda(const FakeCuda &) = delete;
  FakeCuda &operator=(const FakeCuda &) = delete;

  void set(const std::string &settings);
  /// Calls of a driver's function, or runs of a kernel, since the beginning.
  int64_t calls(const char *function) const;
  /// Allocations, contexts and scopes that have not ended.
  int64_t leaks() const;

private:
  int64_t (*countCalls)(const char *) = nullptr;
  int64_t (*countLeaks)() = nullptr;
};

/// Sets a variable of the environment until the end of its scope.
class Variable {
public:
  Variable(const char *name, const char *value);
  ~Variable();
  Variable(const Variable &) = delete;
  Variable &operator=(const Variable &) = delete;

private:
  const char *name;
};

inline constexpr DeviceChoice firstCuda{DeviceChoice::Kind::Cuda, 0};

} // namespace memformer::toy
