// Sessions: what they hold and when packed weights are made again.

#include "runtime/session.h"
#include "runtime/initialize.h"
#include "runtime/kernels.h"
#include "runtime/machine.h"
#include "runtime/manifest.h"
#include "runtime/rollout.h"
#include "runtime/session_memory.h"
#include "runtime/thread_pool.h"

#include <cassert>
#include <cmath>
#include <cstring>

namespace memformer {

struct Session::Implementation {
  Implementation(std::shared_ptr<const Artifact> artifact, const SessionOptions &options,
                 std::unique_ptr<KernelLibrary> kernels, std::unique_ptr<ThreadPool> pool,
                 SessionMemory memory)
      : artifact(std::move(artifact)), options(options), kernels(std::move(kernels)),
        pool(std::move(pool)), memory(std::move(memory)),
        hooks(manifest(), this->memory, options.segments) {
    for (size_t i = 0; i < numFunctions; ++i)
      programs[i] = Program(manifest().functions[i], this->memory.spaces(), *this->kernels);
  }

  const Manifest &manifest() const { return artifact->manifest(); }

  /// Kernels are called with the default floating-point environment, whatever the caller's is.
  void execute(Function which, int64_t segments, int64_t stored) {
    FloatingPointMode mode;
    programs[size_t(which)].run(*pool, hooks, segments, stored, profile);
  }

  void prepareIfDirty() {
    if (dirty)
      execute(Function::Prepare, 0, 0);
    dirty = false;
  }

  Result<void> runRollout(Function which, const Rollout &rollout,
                          std::span<const OutputSink> outputs) {
    MEMFORMER_TRY(
        hooks.prepare(rollout, outputs, programs[size_t(which)], name(which), options.seed, step));
    prepareIfDirty();
    setScalar("loss_scale", rollout.lossScale);
    execute(which, rollout.segments, rollout.stored);
    return {};
  }

  void setScalar(std::string_view name, double value) {
    if (float *scalar = memory.scalar(name))
      *scalar = float(value);
  }

  std::span<std::byte> slot(int64_t index) const {
    assert(index >= 0 && index <= options.segments);
    return memory.slots().subspan(memory.slotBytes() * uint64_t(index), memory.slotBytes());
  }

  std::shared_ptr<const Artifact> artifact;
  SessionOptions options;
  std::unique_ptr<KernelLibrary> kernels;
  std::unique_ptr<ThreadPool> pool;
  SessionMemory memory;
  RolloutHooks hooks;
  std::array<Program, numFunctions> programs;
  std::span<KernelTime> profile;
  uint64_t step = 0;
  bool dirty = true;
  int64_t nextPosition = -1; // the positions before it are computed; -1: no segment has begun
};

Result<std::unique_ptr<Session>> Session::create(std::shared_ptr<const Artifact> artifact,
                                                 const SessionOptions &options) {
  if (options.segments < 1 || uint64_t(options.segments) > maxSegments)
    return error("expected 1 to {} segments in a rollout, but got {}", maxSegments,
                 options.segments);
  // Before the threads: what the kernels need may be granted only to threads that start later.
  auto kernels = KernelLibrary::load(*artifact);
  if (!kernels)
    return std::unexpected(kernels.error());
  auto pool = ThreadPool::create(options.threads);
  if (!pool)
    return std::unexpected(pool.error());
  auto memory = SessionMemory::reserve(artifact->manifest(), options.segments);
  if (!memory)
    return std::unexpected(memory.error());
  return std::unique_ptr<Session>(new Session(std::make_unique<Implementation>(
      std::move(artifact), options, std::move(*kernels), std::move(*pool), std::move(*memory))));
}

Session::Session(std::unique_ptr<Implementation> implementation)
    : impl(std::move(implementation)) {}
Session::~Session() = default;

const Manifest &Session::manifest() const { return impl->manifest(); }
const SessionOptions &Session::options() const { return impl->options; }
unsigned Session::threads() const { return impl->pool->threads(); }

std::span<const float> Session::parameter(size_t index) const {
  return impl->memory.parameter(manifest().parameters[index]);
}
std::span<float> Session::mutableParameter(size_t index) {
  impl->dirty = true;
  return impl->memory.parameter(manifest().parameters[index]);
}
std::span<const float> Session::gradient(size_t index) const {
  return impl->memory.gradient(manifest().parameters[index]);
}
std::span<float> Session::firstMoment(size_t index) {
  return impl->memory.firstMoment(manifest().parameters[index]);
}
std::span<float> Session::secondMoment(size_t index) {
  return impl->memory.secondMoment(manifest().parameters[index]);
}
std::span<const float> Session::firstMoment(size_t index) const {
  return impl->memory.firstMoment(manifest().parameters[index]);
}
std::span<const float> Session::secondMoment(size_t index) const {
  return impl->memory.secondMoment(manifest().parameters[index]);
}

void Session::initializeParameters(uint64_t seed) {
  FloatingPointMode mode; // the workers' mode for the caller's share
  for (const auto &info : manifest().parameters)
    initializeParameter(info, seed, impl->memory.parameter(info), *impl->pool);
  auto moments = impl->memory.moments();
  if (!moments.empty())
    std::memset(moments.data(), 0, moments.size());
  impl->dirty = true;
}

size_t Session::stateBytes() const { return impl->memory.slotBytes(); }
std::span<std::byte> Session::state(int64_t slot) { return impl->slot(slot); }
std::span<const std::byte> Session::state(int64_t slot) const { return impl->slot(slot); }

std::span<float> Session::stateTensor(int64_t slot, size_t index) {
  const auto &info = manifest().state[index];
  return {reinterpret_cast<float *>(impl->slot(slot).data() + info.offset),
          size_t(info.elements())};
}

void Session::moveState(int64_t from, int64_t to) {
  if (stateBytes() != 0 && from != to)
    std::memcpy(impl->slot(to).data(), impl->slot(from).data(), stateBytes());
}

void Session::shiftState(int64_t count) {
  assert(count >= 0 && count <= segments());
  auto slots = impl->memory.slots();
  const uint64_t dropped = uint64_t(count) * stateBytes();
  if (dropped != 0)
    std::memmove(slots.data(), slots.data() + dropped, slots.size() - dropped);
}

void Session::setProfile(std::span<KernelTime> times) {
  assert(times.empty() || times.size() == manifest().kernels.size());
  impl->profile = times;
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
  std::memcpy(impl->memory.stepInput(info), token.data(), token.size_bytes());
  const auto place = int32_t(position);
  std::memcpy(impl->memory.stepInput(manifest().stream->inputs[1]), &place, sizeof(place));
  impl->execute(Function::Step, 0, 0);
  impl->nextPosition = position + 1;
  return std::span(reinterpret_cast<const float *>(impl->memory.stepOutput(output)),
                   size_t(output.elements()));
}

Result<double> Session::update(const OptimizerScalars &scalars) {
  if (impl->programs[size_t(Function::Update)].empty())
    return error("the artifact has no function 'update'");
  if (scalars.step < 1)
    return error("expected an optimizer step of at least 1, but got 0");
  impl->setScalar("learning_rate", scalars.learningRate);
  impl->setScalar("beta1", scalars.beta1);
  impl->setScalar("beta2", scalars.beta2);
  impl->setScalar("epsilon", scalars.epsilon);
  impl->setScalar("weight_decay", scalars.weightDecay);
  impl->setScalar("max_gradient_norm", scalars.maxGradientNorm);
  // Of the betas as the kernels see them, in f32.
  auto correction = [&](double beta) {
    return 1 - std::pow(double(float(beta)), double(scalars.step));
  };
  impl->setScalar("bias_correction1", correction(scalars.beta1));
  impl->setScalar("bias_correction2", correction(scalars.beta2));
  impl->execute(Function::Update, 0, 0);
  impl->dirty = true;
  const float *norm = impl->memory.scalar("gradient_norm");
  return norm ? double(*norm) : 0.0;
}

} // namespace memformer
