// A model in memory: parameters, state and the execution of an artifact's functions.
#pragma once

#include "runtime/artifact.h"
#include "runtime/device.h"
#include "runtime/device_choice.h"
#include "runtime/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace memformer {

struct SessionOptions {
  int64_t segments = 1; // the longest rollout, T
  unsigned threads = 1; // 0: as many as this process may use
  uint64_t seed = 0;    // of dropout
  DeviceChoice device{};
  bool replayOnHost = false; // the replay buffer of a CUDA device lies in memory of the host
};

/// Data of one input for all segments of a rollout: `[T', ...]`, 4 bytes an entry.
struct InputData {
  std::string_view name{};
  const void *data = nullptr;
};

/// Where an output goes: `[T', ...]`, 4 bytes an entry; outputs that are not named are dropped.
struct OutputSink {
  std::string_view name{};
  void *data = nullptr;
};

struct Rollout {
  int64_t segments = 0; // T', in [1, T]
  int64_t stored = 0;   // the states before segments 0 ... stored are in the replay buffer already
  std::span<const InputData> inputs{}; // every input but `reset` and `dropout_key`
  // `[T', B]`, nonzero where a row restarts from the initial state before that segment. Null: every
  // row at segment 0 of a fresh rollout (stored == 0), else none. A segment that is computed again
  // needs the flags that it had the first time.
  const int32_t *reset = nullptr;
  uint64_t position = 0; // of the first segment in its stream, for dropout
  float lossScale = 1;   // 1 / counted targets of the rollout, times that of OptimizerScalars
};

struct OptimizerScalars {
  double learningRate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weightDecay = 0;
  double maxGradientNorm = 0; // 0: no clipping
  uint64_t step = 1;          // n >= 1, in the bias corrections 1 - beta^n
  double lossScale = 1;       // gradients are divided by it first: a power of two (LossScale)
};

/// All memory is reserved by `create`; no step allocates. One thread at a time.
///
/// Spans show parameters, moments, gradients and states until the next function runs: ask for them
/// again after it. On a CUDA device they are copies that are made when they are asked for, and what
/// is written to those that can be written is there when the next function runs. Where a device
/// fails under that, they mean nothing: `status` tells.
class Session {
public:
  /// Errors: a machine, a device or a runtime that cannot run the artifact, or no memory for T
  /// segments.
  /// Parameters, moments and states begin as zeros.
  static Result<std::unique_ptr<Session>> create(std::shared_ptr<const Artifact> artifact,
                                                 const SessionOptions &options);
  ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  /// Of the program for this session's device.
  const Manifest &manifest() const;
  /// The error after which the device does nothing any more; every function returns it too.
  Result<void> status() const;
  /// "cpu", or "cuda:0 (name of the device)".
  const std::string &deviceName() const;
  const SessionOptions &options() const;
  unsigned threads() const; // of the host
  int64_t segments() const { return options().segments; }

  // Parameters, by their index in manifest().parameters (see Manifest::findParameter). Gradients
  // and moments are empty where the artifact has none.
  std::span<const float> parameter(size_t index) const;
  /// Packed copies of the weights are made again before the next function that runs.
  std::span<float> mutableParameter(size_t index);
  std::span<const float> gradient(size_t index) const;
  std::span<float> firstMoment(size_t index);
  std::span<float> secondMoment(size_t index);
  std::span<const float> firstMoment(size_t index) const;
  std::span<const float> secondMoment(size_t index) const;
  /// Draws every parameter from its initializer, keyed by the seed and the parameter's name: the
  /// same values on every machine, whatever other parameters there are. Moments become zero.
  void initializeParameters(uint64_t seed);

  // The replay buffer: slot t in [0, T] holds the state before segment t; after a rollout of T'
  // segments, slots 0 ... T' hold its states.
  size_t stateBytes() const;
  std::span<std::byte> state(int64_t slot);
  std::span<const std::byte> state(int64_t slot) const;
  /// One tensor of a slot, by its index in manifest().state; f32.
  std::span<float> stateTensor(int64_t slot, size_t index);
  void moveState(int64_t from, int64_t to); // copies slot `from` over slot `to`
  void shiftState(int64_t count);           // slot count + i becomes slot i: drops the oldest

  // What dropout depends on, besides the position in the stream.
  void setSeed(uint64_t seed);
  void setStep(uint64_t step);

  /// One rollout forward and backward; leaves the gradients. Checks shapes of the request and the
  /// bounds of every entry first: on an error nothing has run.
  Result<void> train(const Rollout &rollout, std::span<const OutputSink> outputs = {});
  /// A rollout forward: outputs `loss` and `prediction`.
  Result<void> evaluate(const Rollout &rollout, std::span<const OutputSink> outputs = {});
  /// A rollout forward that yields everything the model names (gradients are those of `train`).
  Result<void> trace(const Rollout &rollout, std::span<const OutputSink> outputs = {});
  /// Clips the gradients and steps the optimizer; returns the norm of the gradients before
  /// clipping. Where that is not finite the step is left out: parameters and moments stay.
  Result<double> update(const OptimizerScalars &scalars);

  // Generation: `begin` takes one segment from slot 0 to slot 1 and makes ready its positions, each
  // of which is then one `step`, in order. Errors: an artifact that was not compiled for it.
  /// `rollout` has one segment, and of the inputs those that do not wait for the positions.
  Result<void> begin(const Rollout &rollout);
  /// The streamed input's entries `[B, 1, ...]` at a position of at most one more than the last;
  /// gives the output `[B, 1, ...]`, which lasts until the next step. A position may be computed
  /// again with another token, and those after it then too.
  Result<std::span<const float>> step(std::span<const int32_t> token, int64_t position);
  /// Whether the next state depends on the streamed input: it is then there after `end` only.
  bool endsSegments() const;
  /// Whether `end` reads what the steps have left: then it comes after that of the last position.
  /// Otherwise it reads the streamed input, and needs no steps.
  bool endsAfterSteps() const;
  /// Leaves the state of the next segment, as `begin` does where it does not depend on the streamed
  /// input. `rollout` has one segment; of its inputs the streamed one, all of it, is read where
  /// `endsAfterSteps` is false.
  Result<void> end(const Rollout &rollout);
  /// Positions of a segment; 0 for an artifact without generation.
  int64_t positions() const;

  /// From now on every kernel's dispatches add their time to its entry of `times`, which has one
  /// for each of manifest().kernels; an empty span ends it.
  void setProfile(std::span<KernelTime> times);

private:
  struct Implementation;
  explicit Session(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> impl;
};

} // namespace memformer
