// Sessions: what they run, and when packed weights are made again.

#include "runtime/session.h"
#include "runtime/cuda/device.h"
#include "runtime/initialize.h"
#include "runtime/instructions.h"
#include "runtime/machine.h"
#include "runtime/manifest.h"
#include "runtime/rollout.h"
#include "runtime/session_memory.h"

#include <cassert>
#include <cmath>

namespace memformer {

struct Session::Implementation {
  Implementation(std::shared_ptr<const Artifact> artifact, const SessionOptions &options,
                 std::unique_ptr<Device> device)
      : artifact(std::move(artifact)), options(options), device(std::move(device)),
        memory(*this->device, options.segments), hooks(manifest(), options.segments) {
    for (const auto &info : manifest().fixed)
      initializeParameter(info, 0, memory.parameter(info, Access::Change), this->device->pool());
  }

  const Manifest &manifest() const { return device->manifest(); }

  Result<void> execute(Function which, int64_t segments, int64_t stored) {
    return device->run(which, hooks, segments, stored);
  }

  Result<void> prepareIfDirty() {
    if (dirty)
      MEMFORMER_TRY(execute(Function::Prepare, 0, 0));
    dirty = false;
    return {};
  }

  Result<void> runRollout(Function which, const Rollout &rollout,
                          std::span<const OutputSink> outputs) {
    MEMFORMER_TRY(hooks.prepare(rollout, outputs, which, options.seed, step));
    MEMFORMER_TRY(prepareIfDirty());
    memory.setScalar("loss_scale", rollout.lossScale);
    return execute(which, rollout.segments, rollout.stored);
  }

  std::shared_ptr<const Artifact> artifact;
  SessionOptions options;
  std::unique_ptr<Device> device;
  SessionMemory memory;
  RolloutHooks hooks;
  uint64_t step = 0;
  bool dirty = true;
  int64_t nextPosition = -1; // the positions before it are computed; -1: no segment has begun
};

Result<std::unique_ptr<Session>> Session::create(std::shared_ptr<const Artifact> artifact,
                                                 const SessionOptions &options) {
  if (options.segments < 1 || uint64_t(options.segments) > maxSegments)
    return error("expected 1 to {} segments in a rollout, but got {}", maxSegments,
                 options.segments);
  if (options.replayOnHost && options.device.isHost())
    return error("expected a CUDA device for a replay buffer on the host, but got {}",
                 options.device.text());
  auto device = options.device.isHost()
                    ? createHostDevice(*artifact, options.segments, options.threads)
                    : cuda::createDevice(*artifact, options.segments, options.threads,
                                         options.device.index, options.replayOnHost);
  if (!device)
    return std::unexpected(device.error());
  return std::unique_ptr<Session>(new Session(
      std::make_unique<Implementation>(std::move(artifact), options, std::move(*device))));
}

Session::Session(std::unique_ptr<Implementation> implementation)
    : impl(std::move(implementation)) {}
Session::~Session() = default;

const Manifest &Session::manifest() const { return impl->manifest(); }
const SessionOptions &Session::options() const { return impl->options; }
unsigned Session::threads() const { return impl->device->pool().threads(); }
Result<void> Session::status() const { return impl->device->status(); }
const std::string &Session::deviceName() const { return impl->device->name(); }

std::span<const float> Session::parameter(size_t index) const {
  return impl->memory.parameter(manifest().parameters[index], Access::Read);
}
std::span<float> Session::mutableParameter(size_t index) {
  impl->dirty = true;
  return impl->memory.parameter(manifest().parameters[index], Access::Change);
}
std::span<const float> Session::gradient(size_t index) const {
  return impl->memory.gradient(manifest().parameters[index], Access::Read);
}
std::span<float> Session::firstMoment(size_t index) {
  return impl->memory.firstMoment(manifest().parameters[index], Access::Change);
}
std::span<float> Session::secondMoment(size_t index) {
  return impl->memory.secondMoment(manifest().parameters[index], Access::Change);
}
std::span<const float> Session::firstMoment(size_t index) const {
  return impl->memory.firstMoment(manifest().parameters[index], Access::Read);
}
std::span<const float> Session::secondMoment(size_t index) const {
  return impl->memory.secondMoment(manifest().parameters[index], Access::Read);
}

void Session::initializeParameters(uint64_t seed) {
  FloatingPointMode mode; // the workers' mode for the caller's share
  for (const auto &info : manifest().parameters)
    initializeParameter(info, seed, impl->memory.parameter(info, Access::Change),
                        impl->device->pool());
  impl->memory.zeroMoments();
  impl->dirty = true;
}

size_t Session::stateBytes() const { return impl->memory.slotBytes(); }
std::span<std::byte> Session::state(int64_t slot) {
  return impl->memory.slot(slot, Access::Change);
}
std::span<const std::byte> Session::state(int64_t slot) const {
  return impl->memory.slot(slot, Access::Read);
}

std::span<float> Session::stateTensor(int64_t slot, size_t index) {
  const auto &info = manifest().state[index];
  return {reinterpret_cast<float *>(impl->memory.slot(slot, Access::Change).data() + info.offset),
          size_t(info.elements())};
}

void Session::moveState(int64_t from, int64_t to) { impl->memory.moveSlots(to, from, 1); }

void Session::shiftState(int64_t count) {
  impl->memory.moveSlots(0, count, segments() + 1 - count);
}

void Session::setProfile(std::span<KernelTime> times) {
  assert(times.empty() || times.size() == manifest().kernels.size());
  impl->device->setProfile(times);
}

void Session::setSeed(uint64_t seed) { impl->options.seed = seed; }
void Session::setStep(uint64_t step) { impl->step = step; }

Result<void> Session::train(const Rollout &rollout, std::span<const OutputSink> outputs) {
  return impl->runRollout(Function::Train, rollout, outputs);
}
Result<void> Session::evaluate(const Rollout &rollout, std::span<const OutputSink> outputs) {
  return impl->runRollout(Function::Evaluate, rollout, outputs);
}
Result<void> Session::trace(const Rollout &rollout, std::span<const OutputSink> outputs) {
  return impl->runRollout(Function::Trace, rollout, outputs);
}

Result<void> Session::begin(const Rollout &rollout) {
  if (rollout.segments != 1)
    return error("expected one segment to begin, but got {}", rollout.segments);
  impl->nextPosition = -1;
  MEMFORMER_TRY(impl->runRollout(Function::Begin, rollout, {}));
  impl->nextPosition = 0;
  return {};
}

int64_t Session::positions() const {
  if (!manifest().stream)
    return 0;
  return manifest().inputs[*manifest().findInput(manifest().stream->inputs[0].name)].shape[1];
}

Result<std::span<const float>> Session::step(std::span<const int32_t> token, int64_t position) {
  if (!manifest().stream)
    return error("the artifact has no function 'step'");
  const InputInfo &info = manifest().stream->inputs[0];
  const TensorInfo &output = manifest().stream->outputs[0];
  if (info.type != ElementType::I32 || output.type != ElementType::F32)
    return error("expected a streamed input of i32 and an output of f32");
  // What the segment's beginning has computed is of the parameters that were there then.
  if (impl->nextPosition < 0 || impl->dirty)
    return error("expected a segment to have begun since the parameters changed");
  const int64_t last = std::min(impl->nextPosition, positions() - 1);
  if (position < 0 || position > last)
    return error("expected a position in [0, {}], but got {}", last, position);
  if (int64_t(token.size()) != info.elements())
    return error("expected {} entries of '{}', but got {}", info.elements(), info.name,
                 token.size());
  for (size_t row = 0; row < token.size() && info.bound; ++row)
    if (token[row] < 0 || token[row] >= *info.bound)
      return error("input '{}', row {}, position {}: expected a value in [0, {}), but got {}",
                   info.name, row, position, *info.bound, token[row]);
  impl->memory.setStepInput(info, token.data());
  const auto place = int32_t(position);
  impl->memory.setStepInput(manifest().stream->inputs[1], &place);
  MEMFORMER_TRY(impl->execute(Function::Step, 0, 0));
  impl->nextPosition = position + 1;
  return impl->memory.stepOutput(output);
}

bool Session::endsSegments() const { return !manifest().function(Function::End).empty(); }

bool Session::endsAfterSteps() const {
  const auto &streamed =
      manifest().inputs[*manifest().findInput(manifest().stream->inputs[0].name)];
  return !touches(manifest().function(Function::End), *manifest().findSpace("inputs"),
                  streamed.offset);
}

Result<void> Session::end(const Rollout &rollout) {
  if (!endsSegments())
    return error("the artifact has no function 'end'");
  if (impl->nextPosition < 0 || impl->dirty)
    return error("expected a segment to have begun since the parameters changed");
  if (endsAfterSteps() && impl->nextPosition != positions())
    return error("expected all {} positions of the segment to have been steps", positions());
  if (rollout.segments != 1)
    return error("expected one segment to end, but got {}", rollout.segments);
  impl->nextPosition = -1;
  return impl->runRollout(Function::End, rollout, {});
}

Result<double> Session::update(const OptimizerScalars &scalars) {
  if (manifest().function(Function::Update).empty())
    return error("the artifact has no function 'update'");
  if (scalars.step < 1)
    return error("expected an optimizer step of at least 1, but got 0");
  if (scalars.lossScale != 1 && !manifest().findScalar("gradient_scale"))
    return error("expected an artifact with the scalar 'gradient_scale' for a loss scale of {}: "
                 "compile it again",
                 scalars.lossScale);
  impl->memory.setScalar("learning_rate", scalars.learningRate);
  impl->memory.setScalar("beta1", scalars.beta1);
  impl->memory.setScalar("beta2", scalars.beta2);
  impl->memory.setScalar("epsilon", scalars.epsilon);
  impl->memory.setScalar("weight_decay", scalars.weightDecay);
  impl->memory.setScalar("max_gradient_norm", scalars.maxGradientNorm);
  // Of the betas as the kernels see them, in f32.
  auto correction = [&](double beta) {
    return 1 - std::pow(double(float(beta)), double(scalars.step));
  };
  impl->memory.setScalar("bias_correction1", correction(scalars.beta1));
  impl->memory.setScalar("bias_correction2", correction(scalars.beta2));
  impl->memory.setScalar("gradient_scale", 1 / scalars.lossScale);
  MEMFORMER_TRY(impl->execute(Function::Update, 0, 0));
  impl->dirty = true;
  const double norm = impl->memory.scalar("gradient_norm");
  MEMFORMER_TRY(status());
  return norm;
}

} // namespace memformer
