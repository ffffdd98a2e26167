// The C interface: arguments checked, errors turned into a status and a message.

#include "runtime/c_session.h"
#include "runtime/loss_scale.h"
#include "runtime/rollout.h"
#include "runtime/safetensors.h"

#include <algorithm>
#include <cstring>

using namespace memformer;

namespace {

thread_local std::string lastError;

memformer_status create(const Result<std::shared_ptr<const Artifact>> &artifact,
                        const memformer_options *options, memformer_session **session) {
  if (!artifact)
    return statusOf(artifact);
  auto device = parseDevice(options->device ? options->device : "cpu");
  if (!device)
    return badArgument(device.error().message);
  auto created = Session::create(*artifact, {.segments = options->segments,
                                             .threads = options->threads,
                                             .seed = options->seed,
                                             .device = *device,
                                             .replayOnHost = options->replay_on_host != 0});
  if (!created)
    return statusOf(created);
  (*created)->initializeParameters(options->seed);
  *session = new memformer_session{std::move(*created), {}, {}, {}, 0};
  return MEMFORMER_OK;
}

/// The entry of a table, or null: parameters, inputs and outputs are all tensors.
const TensorInfo *findTensor(const memformer_session *session, memformer_table table,
                             size_t index) {
  const auto &manifest = session->session->manifest();
  auto at = [index](const auto &entries) -> const TensorInfo * {
    return index < entries.size() ? &entries[index] : nullptr;
  };
  switch (table) {
  case MEMFORMER_PARAMETERS:
    return at(manifest.parameters);
  case MEMFORMER_STATE:
    return at(manifest.state);
  case MEMFORMER_INPUTS:
    return at(manifest.inputs);
  case MEMFORMER_OUTPUTS:
    return at(manifest.outputs);
  }
  return nullptr;
}

/// Checks an index and the number of elements that the caller has room for.
memformer_status checkTensor(const memformer_session *session, memformer_table table, size_t index,
                             const void *values, size_t count) {
  if (!session || !values)
    return badArgument("expected a session and values, but got a null pointer");
  const auto *tensor = findTensor(session, table, index);
  if (!tensor)
    return badArgument(fmt::format("expected an index below {}, but got {}",
                                   memformer_count(session, table), index));
  if (int64_t(count) != tensor->elements())
    return badArgument(
        fmt::format("'{}' has {} elements, but got {}", tensor->name, tensor->elements(), count));
  return MEMFORMER_OK;
}

memformer_status checkSlot(const memformer_session *session, int64_t slot) {
  if (!session)
    return badArgument("expected a session, but got a null pointer");
  if (slot < 0 || slot > session->session->segments())
    return badArgument(
        fmt::format("expected a slot in [0, {}], but got {}", session->session->segments(), slot));
  return MEMFORMER_OK;
}

memformer_status checkStateTensor(const memformer_session *session, int64_t slot, size_t index,
                                  const void *values, size_t count) {
  if (auto status = checkSlot(session, slot))
    return status;
  if (auto status = checkTensor(session, MEMFORMER_STATE, index, values, count))
    return status;
  if (const auto &info = session->session->manifest().state[index]; info.type != ElementType::F32)
    return badArgument(fmt::format("'{}' is not f32; set and get the whole state", info.name));
  return MEMFORMER_OK;
}

memformer_status checkState(const memformer_session *session, int64_t slot, const void *bytes,
                            size_t size) {
  if (auto status = checkSlot(session, slot))
    return status;
  if (size != session->session->stateBytes())
    return badArgument(
        fmt::format("a state has {} bytes, but got {}", session->session->stateBytes(), size));
  return bytes || size == 0 ? MEMFORMER_OK : badArgument("expected bytes, but got a null pointer");
}

/// The request in the runtime's words. Its spans are in `session`.
memformer_status translate(memformer_session *session, const memformer_rollout *from, Rollout &to) {
  if (!session || !from || (from->input_count && !from->inputs) ||
      (from->output_count && !from->outputs))
    return badArgument("expected a session and a rollout, but got a null pointer");
  session->inputs.clear();
  session->outputs.clear();
  for (size_t i = 0; i < from->input_count; ++i) {
    if (!from->inputs[i].name || !from->inputs[i].data)
      return badArgument(fmt::format("input {} has no name or no data", i));
    session->inputs.push_back({from->inputs[i].name, from->inputs[i].data});
  }
  for (size_t i = 0; i < from->output_count; ++i) {
    if (!from->outputs[i].name || !from->outputs[i].data)
      return badArgument(fmt::format("output {} has no name or no data", i));
    session->outputs.push_back({from->outputs[i].name, from->outputs[i].data});
  }
  to.segments = from->segments;
  to.stored = from->stored;
  to.inputs = session->inputs;
  to.reset = from->reset;
  to.position = from->position;
  to.lossScale = from->loss_scale;
  return MEMFORMER_OK;
}

} // namespace

memformer_status memformer::fail(memformer_status status, std::string message) {
  lastError = std::move(message);
  return status;
}

const char *memformer_error(void) { return lastError.c_str(); }

memformer_status memformer_create(const char *artifact_path, const memformer_options *options,
                                  memformer_session **session) {
  if (!artifact_path || !options || !session)
    return badArgument("expected a path, options and a session, but got a null pointer");
  *session = nullptr;
  return create(Artifact::load(std::filesystem::path(artifact_path)), options, session);
}

memformer_status memformer_create_from_memory(const void *artifact, size_t bytes,
                                              const memformer_options *options,
                                              memformer_session **session) {
  if (!artifact || !options || !session)
    return badArgument("expected an artifact, options and a session, but got a null pointer");
  *session = nullptr;
  const auto *begin = static_cast<const std::byte *>(artifact);
  return create(Artifact::load(std::vector<std::byte>(begin, begin + bytes)), options, session);
}

void memformer_destroy(memformer_session *session) { delete session; }

int64_t memformer_batch(const memformer_session *session) {
  return session ? session->session->manifest().batch : 0;
}

size_t memformer_count(const memformer_session *session, memformer_table table) {
  if (!session)
    return 0;
  const auto &manifest = session->session->manifest();
  switch (table) {
  case MEMFORMER_PARAMETERS:
    return manifest.parameters.size();
  case MEMFORMER_STATE:
    return manifest.state.size();
  case MEMFORMER_INPUTS:
    return manifest.inputs.size();
  case MEMFORMER_OUTPUTS:
    return manifest.outputs.size();
  }
  return 0;
}

memformer_status memformer_describe(const memformer_session *session, memformer_table table,
                                    size_t index, memformer_tensor *tensor) {
  if (!session || !tensor)
    return badArgument("expected a session and a tensor, but got a null pointer");
  const auto *info = findTensor(session, table, index);
  if (!info)
    return badArgument(fmt::format("expected an index below {}, but got {}",
                                   memformer_count(session, table), index));
  *tensor = {info->name.c_str(), info->type == ElementType::F32 ? "f32" : "i32", info->shape.size(),
             info->shape.data(), size_t(info->elements())};
  return MEMFORMER_OK;
}

memformer_status memformer_find(const memformer_session *session, memformer_table table,
                                const char *name, size_t *index) {
  if (!session || !name || !index)
    return badArgument("expected a session, a name and an index, but got a null pointer");
  for (size_t i = 0, n = memformer_count(session, table); i < n; ++i) {
    if (findTensor(session, table, i)->name == name) {
      *index = i;
      return MEMFORMER_OK;
    }
  }
  return badArgument(fmt::format("the model has no '{}' in that table", name));
}

memformer_status memformer_step(memformer_session *session, const memformer_rollout *rollout,
                                const memformer_optimizer *optimizer, double *gradient_norm) {
  if (!optimizer)
    return badArgument("expected an optimizer, but got a null pointer");
  if (optimizer->step < 1)
    return badArgument("expected an optimizer step of at least 1, but got 0");
  const double lossScale = optimizer->loss_scale == 0 ? 1 : optimizer->loss_scale;
  if (!LossScale::isOne(lossScale))
    return badArgument(
        fmt::format("expected a loss scale that is a power of two, 2^{} to 2^{}, but "
                    "got {}",
                    LossScale::leastExponent, LossScale::mostExponent, lossScale));
  Rollout request;
  if (auto status = translate(session, rollout, request))
    return status;
  session->session->setStep(optimizer->step);
  if (auto trained = session->session->train(request, session->outputs); !trained)
    return statusOf(trained);
  auto norm = session->session->update({.learningRate = optimizer->learning_rate,
                                        .beta1 = optimizer->beta1,
                                        .beta2 = optimizer->beta2,
                                        .epsilon = optimizer->epsilon,
                                        .weightDecay = optimizer->weight_decay,
                                        .maxGradientNorm = optimizer->max_gradient_norm,
                                        .step = optimizer->step,
                                        .lossScale = lossScale});
  if (norm && gradient_norm)
    *gradient_norm = *norm;
  return statusOf(norm);
}

double memformer_next_loss_scale(memformer_loss_scale *scale, double gradient_norm) {
  if (!scale) {
    fail(MEMFORMER_BAD_ARGUMENT, "expected a loss scale, but got a null pointer");
    return 0;
  }
  LossScale next = LossScale::dynamic();
  if (scale->value != 0) {
    next.value = scale->value;
    next.goodSteps = int64_t(scale->good_steps);
    next.update(gradient_norm);
  }
  scale->value = next.value;
  scale->good_steps = uint64_t(next.goodSteps);
  return next.value;
}

memformer_status memformer_evaluate(memformer_session *session, const memformer_rollout *rollout) {
  Rollout request;
  if (auto status = translate(session, rollout, request))
    return status;
  return statusOf(session->session->evaluate(request, session->outputs));
}

memformer_status memformer_get_parameter(const memformer_session *session, size_t index,
                                         float *values, size_t count) {
  if (auto status = checkTensor(session, MEMFORMER_PARAMETERS, index, values, count))
    return status;
  std::ranges::copy(std::as_const(*session->session).parameter(index), values);
  return statusOf(session->session->status());
}

memformer_status memformer_set_parameter(memformer_session *session, size_t index,
                                         const float *values, size_t count) {
  if (auto status = checkTensor(session, MEMFORMER_PARAMETERS, index, values, count))
    return status;
  std::copy_n(values, count, session->session->mutableParameter(index).begin());
  return statusOf(session->session->status());
}

memformer_status memformer_get_gradient(const memformer_session *session, size_t index,
                                        float *values, size_t count) {
  if (auto status = checkTensor(session, MEMFORMER_PARAMETERS, index, values, count))
    return status;
  const auto gradient = std::as_const(*session->session).gradient(index);
  if (gradient.size() != count)
    return fail(MEMFORMER_FAILED, "the artifact has no gradients");
  std::ranges::copy(gradient, values);
  return statusOf(session->session->status());
}

memformer_status memformer_load_parameters(memformer_session *session, const char *path) {
  if (!session || !path)
    return badArgument("expected a session and a path, but got a null pointer");
  auto file = SafetensorsFile::open(path);
  if (!file)
    return statusOf(file);
  return statusOf(loadParameters(*session->session, *file));
}

memformer_status memformer_save_parameters(const memformer_session *session, const char *path) {
  if (!session || !path)
    return badArgument("expected a session and a path, but got a null pointer");
  return statusOf(saveParameters(*session->session, path));
}

size_t memformer_state_bytes(const memformer_session *session) {
  return session ? session->session->stateBytes() : 0;
}

memformer_status memformer_get_state(const memformer_session *session, int64_t slot, void *bytes,
                                     size_t size) {
  if (auto status = checkState(session, slot, bytes, size))
    return status;
  std::ranges::copy(std::as_const(*session->session).state(slot), static_cast<std::byte *>(bytes));
  return statusOf(session->session->status());
}

memformer_status memformer_set_state(memformer_session *session, int64_t slot, const void *bytes,
                                     size_t size) {
  if (auto status = checkState(session, slot, bytes, size))
    return status;
  const std::span from(static_cast<const std::byte *>(bytes), size);
  // The caller's block need not be aligned as entries are.
  std::vector<int32_t> entries((size + sizeof(int32_t) - 1) / sizeof(int32_t));
  std::memcpy(entries.data(), bytes, size);
  if (auto checked =
          checkStateEntries(session->session->manifest(), std::as_bytes(std::span(entries)));
      !checked)
    return badArgument(checked.error().message);
  std::ranges::copy(from, session->session->state(slot).begin());
  return statusOf(session->session->status());
}

memformer_status memformer_get_state_tensor(const memformer_session *session, int64_t slot,
                                            size_t index, float *values, size_t count) {
  if (auto status = checkStateTensor(session, slot, index, values, count))
    return status;
  std::ranges::copy(session->session->stateTensor(slot, index), values);
  return statusOf(session->session->status());
}

memformer_status memformer_set_state_tensor(memformer_session *session, int64_t slot, size_t index,
                                            const float *values, size_t count) {
  if (auto status = checkStateTensor(session, slot, index, values, count))
    return status;
  std::copy_n(values, count, session->session->stateTensor(slot, index).begin());
  return statusOf(session->session->status());
}

memformer_status memformer_move_state(memformer_session *session, int64_t from, int64_t to) {
  if (auto status = checkSlot(session, from))
    return status;
  if (auto status = checkSlot(session, to))
    return status;
  session->session->moveState(from, to);
  return statusOf(session->session->status());
}

memformer_status memformer_shift_state(memformer_session *session, int64_t count) {
  if (auto status = checkSlot(session, count))
    return status;
  session->session->shiftState(count);
  return statusOf(session->session->status());
}
