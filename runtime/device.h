// What a program runs on: its memory, and the execution of its functions.
#pragma once

#include "runtime/artifact.h"
#include "runtime/result.h"
#include "runtime/thread_pool.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace memformer {

/// What a session does around each segment of a loop.
class SegmentHooks {
public:
  /// Writes a segment's inputs into the bytes of the space `inputs`.
  virtual void stageInputs(int64_t segment, std::byte *inputs) = 0;
  /// Takes a segment's outputs, by their indices, from the bytes of the space `outputs`.
  virtual void collectOutputs(int64_t segment, std::span<const uint32_t> outputs,
                              const std::byte *from) = 0;

protected:
  ~SegmentHooks() = default;
};

/// What the dispatches of one kernel took.
struct KernelTime {
  uint64_t dispatches = 0;
  double seconds = 0;
};

enum class Access { Read, Change };

/// All memory is reserved when it is made, and begins as zeros. One thread at a time.
class Device {
public:
  Device(const Manifest &manifest, std::string name, std::unique_ptr<ThreadPool> pool)
      : program(manifest), label(std::move(name)), threads(std::move(pool)) {}
  virtual ~Device() = default;
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;

  const Manifest &manifest() const { return program; }
  const std::string &name() const { return label; }
  /// Of the host, whatever the device is.
  ThreadPool &pool() const { return *threads; }

  /// Bytes of a space that the runtime knows by name, but for `inputs` and `outputs`, as the host
  /// sees them: the memory itself or a copy, until the next function runs. What is changed there
  /// is what the next function finds. Where it fails, the bytes mean nothing, and status() is an
  /// error.
  virtual std::span<std::byte> view(uint32_t space, uint64_t offset, uint64_t bytes,
                                    Access access) = 0;
  /// As memmove inside of a space.
  virtual void move(uint32_t space, uint64_t to, uint64_t from, uint64_t bytes) = 0;
  /// Runs a function over a rollout (0 segments for one without loops).
  virtual Result<void> run(Function which, SegmentHooks &hooks, int64_t segments,
                           int64_t stored) = 0;
  /// Why the device does nothing any more, if it does not.
  virtual Result<void> status() const { return {}; }

  /// One entry for each kernel, to which dispatches add their time; empty: none.
  void setProfile(std::span<KernelTime> times) { profile = times; }

protected:
  const Manifest &program;
  const std::string label;
  std::unique_ptr<ThreadPool> threads;
  std::span<KernelTime> profile;
};

/// The processors of this machine.
Result<std::unique_ptr<Device>> createHostDevice(const Artifact &artifact, int64_t segments,
                                                 unsigned threads);

} // namespace memformer
