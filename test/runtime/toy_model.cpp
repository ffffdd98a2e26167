// The toy model's artifact and reference.

#include "test/runtime/toy_model.h"
#include "runtime/file.h"
#include "runtime/random.h"

#include <gtest/gtest.h>

namespace memformer::toy {

using nlohmann::json;

std::string triple() {
#if defined(__x86_64__)
  return "x86_64-unknown-linux-gnu";
#else
  return "aarch64-unknown-linux-gnu";
#endif
}

namespace {

constexpr uint64_t alignUp(uint64_t bytes) { return (bytes + 63) / 64 * 64; }
constexpr uint64_t weightBytes = alignUp(V * D * 4), stateBytes = alignUp(B * D * 4);

// Indices into manifest.spaces and manifest.kernels.
enum Space {
  Parameters,
  Gradients,
  Optimizer,
  Replay,
  Inputs,
  Outputs,
  Scalars,
  Packed,
  Saved,
  Work
};
enum KernelIndex { Pack, Forward, Loss, Backward, Count, Norm, Update, Denormal };

// Offsets in inputs, outputs, scalars and workspace.
enum : uint64_t { tokensAt = 0, resetAt = 64, keyAt = 128, inputBytes = 192 };
enum : uint64_t { lossAt = 0, predictionAt = 64, visitsAt = 128, keyOutAt = 192, denormalAt = 256 };
enum : uint64_t { outputBytes = 320, scaleAt = 0, rateAt = 4, beta1At = 8, correctionAt = 12 };
enum : uint64_t { normAt = 16, unscaleAt = 20, adjointAt = 0, nextAt = 128, workBytes = 256 };

json at(Space space, uint64_t offset = 0, uint64_t stride = 0) {
  return json::array({int(space), offset, stride});
}

json dispatch(KernelIndex kernel, int64_t grid, json arguments) {
  return {{"op", "dispatch"}, {"kernel", int(kernel)}, {"grid", grid}, {"arguments", arguments}};
}

json fillZero(json to, uint64_t bytes) { return {{"op", "fill"}, {"to", to}, {"bytes", bytes}}; }

json copyBytes(json to, json from, uint64_t bytes, const char *when = nullptr) {
  json result = {{"op", "copy"}, {"to", to}, {"from", from}, {"bytes", bytes}};
  if (when)
    result["when"] = when;
  return result;
}

json loop(const char *order, const char *from, const char *to, json outputs, json body) {
  return {{"op", "loop"}, {"order", order},     {"from", from},
          {"to", to},     {"outputs", outputs}, {"body", body}};
}

json space(const char *name, const char *category, uint64_t bytes, uint64_t segmentBytes = 0,
           int extra = 0) {
  return {{"name", name},
          {"category", category},
          {"bytes", bytes},
          {"segment_bytes", segmentBytes},
          {"extra_segments", extra}};
}

json tensor(const char *name, const char *type, json shape, uint64_t offset) {
  return {{"name", name}, {"type", type}, {"shape", shape}, {"offset", offset}};
}

/// The forward kernel from slot t to `next`.
json forward(json next) {
  return dispatch(
      Forward, B,
      {at(Inputs, resetAt), at(Inputs, tokensAt), at(Packed), at(Replay, 0, stateBytes), next});
}

json loss(json next) {
  return dispatch(Loss, B,
                  {at(Inputs, tokensAt), next, at(Outputs, lossAt), at(Outputs, predictionAt)});
}

json backward(json next) {
  return dispatch(Backward, D,
                  {at(Inputs, resetAt), at(Inputs, tokensAt), next, at(Scalars, scaleAt),
                   at(Work, adjointAt), at(Gradients)});
}

const json nextSlot = at(Replay, stateBytes, stateBytes);

json train(Schedule schedule) {
  json list = {fillZero(at(Gradients), weightBytes), fillZero(at(Work, adjointAt), stateBytes),
               fillZero(at(Outputs, visitsAt), 4)};
  const json count = dispatch(Count, 1, json::array({at(Outputs, visitsAt)}));
  if (schedule == Schedule::Saved) {
    const json saved = at(Saved, 0, stateBytes);
    list.push_back(loop(
        "ascending", "zero", "segments", {"loss"},
        {count, forward(saved), loss(saved), copyBytes(nextSlot, saved, stateBytes, "unstored")}));
    list.push_back(
        loop("descending", "zero", "segments", {"visits"}, json::array({backward(saved)})));
    return list;
  }
  const json next = at(Work, nextAt);
  list.push_back(
      loop("ascending", "stored", "segments-1", json::array(), {count, forward(nextSlot)}));
  list.push_back(loop(
      "descending", "zero", "segments", {"loss", "visits"},
      {forward(next), loss(next), copyBytes(nextSlot, next, stateBytes, "last"), backward(next)}));
  return list;
}

} // namespace

json manifest(Schedule schedule) {
  const bool saved = schedule == Schedule::Saved;
  const json evaluateBody = {forward(nextSlot), loss(nextSlot)};
  const json traceBody = {forward(nextSlot), loss(nextSlot),
                          copyBytes(at(Outputs, keyOutAt), at(Inputs, keyAt), 8),
                          dispatch(Denormal, D, json::array({at(Outputs, denormalAt)}))};
  auto kernel = [](const char *symbol, int flops) -> json {
    return {{"symbol", symbol}, {"kind", "toy"}, {"flops", flops}, {"bytes", 0}};
  };
  json parameter = tensor("weight", "f32", {V, D}, 0);
  parameter["initializer"] = {{"kind", "normal"}, {"value", 0.25}};
  json input = tensor("tokens", "i32", {B, L}, tokensAt);
  input["bound"] = V;
  auto scalar = [](const char *name, uint64_t offset) -> json {
    return {{"name", name}, {"type", "f32"}, {"offset", offset}};
  };
  return {
      {"producer", "a test"},
      {"name", "toy"},
      {"configuration", ""},
      {"schedule", saved ? "bptt" : "mrbp"},
      {"batch", B},
      {"target",
       {{"kind", "host"}, {"triple", triple()}, {"cpu", "generic"}, {"features", json::array()}}},
      {"spaces",
       {space("parameters", "parameters", weightBytes),
        space("gradients", "gradients", weightBytes),
        space("optimizer", "optimizer", 2 * weightBytes),
        space("replay", "replay", 0, stateBytes, 1), space("inputs", "workspace", inputBytes),
        space("outputs", "workspace", outputBytes), space("scalars", "workspace", 64),
        space("packed", "parameters", weightBytes),
        space("saved", "saved", 0, saved ? stateBytes : 0),
        space("workspace", "workspace", workBytes)}},
      {"parameters", {parameter}},
      {"state", {tensor("memory", "f32", {B, D}, 0)}},
      {"inputs",
       {input, tensor("reset", "i32", {B}, resetAt), tensor("dropout_key", "i32", {2}, keyAt)}},
      {"outputs",
       {tensor("loss", "f32", {B, L}, lossAt), tensor("prediction", "i32", {B, L}, predictionAt),
        tensor("visits", "i32", {1}, visitsAt), tensor("key", "i32", {2}, keyOutAt),
        tensor("denormal", "f32", {D}, denormalAt)}},
      {"scalars",
       {scalar("loss_scale", scaleAt), scalar("learning_rate", rateAt), scalar("beta1", beta1At),
        scalar("bias_correction2", correctionAt), scalar("gradient_norm", normAt),
        scalar("gradient_scale", unscaleAt)}},
      {"kernels",
       {kernel("toy_pack", 0), kernel("toy_forward", 100), kernel("toy_loss", 10),
        kernel("toy_backward", 1000), kernel("toy_count", 0), kernel("toy_norm", 7),
        kernel("toy_update", 5), kernel("toy_denormal", 0)}},
      {"functions",
       {{"prepare", json::array({dispatch(Pack, V, {at(Parameters), at(Packed)})})},
        {"train", train(schedule)},
        {"update",
         {dispatch(Norm, 1, {at(Gradients), at(Scalars, normAt), at(Scalars, unscaleAt)}),
          dispatch(Update, V,
                   {at(Gradients), at(Scalars, rateAt), at(Scalars, beta1At),
                    at(Scalars, correctionAt), at(Parameters), at(Optimizer),
                    at(Optimizer, weightBytes), at(Scalars, unscaleAt), at(Scalars, normAt)})}},
        {"evaluate", json::array({loop("ascending", "zero", "segments", {"loss", "prediction"},
                                       evaluateBody)})},
        {"trace",
         json::array({loop("ascending", "zero", "segments", {"key", "denormal"}, traceBody)})}}}};
}

std::vector<std::byte> kernels() {
  auto bytes = readFile(TOY_KERNELS);
  EXPECT_TRUE(bytes.has_value());
  return bytes ? *bytes : std::vector<std::byte>();
}

std::shared_ptr<const Artifact> artifact(Schedule schedule) {
  const auto host = kernels();
  const SectionData sections[] = {{"host", host}};
  auto file = assembleArtifact(manifest(schedule), sections);
  EXPECT_TRUE(file.has_value()) << file.error().message;
  auto loaded = Artifact::load(std::move(*file));
  EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
  return *loaded;
}

std::unique_ptr<Session> session(Schedule schedule, int64_t segments, unsigned threads) {
  auto created =
      Session::create(artifact(schedule), {.segments = segments, .threads = threads, .seed = 1});
  EXPECT_TRUE(created.has_value()) << created.error().message;
  (*created)->initializeParameters(7);
  return std::move(*created);
}

std::vector<int32_t> tokens(int64_t segments, int64_t first) {
  std::vector<int32_t> result(size_t(segments * B * L));
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = int32_t(randomBits(3, i + size_t(first * B * L)) % V);
  return result;
}

Expected reference(std::span<const float> weight, std::span<const float> state,
                   std::span<const int32_t> tokens, std::span<const int32_t> reset,
                   int64_t segments, float scale) {
  Expected result;
  result.states.assign(state.begin(), state.end());
  result.states.resize(size_t((segments + 1) * B * D));
  result.gradient.resize(V * D);
  for (int64_t t = 0; t < segments; ++t) {
    const float *before = &result.states[size_t(t * B * D)];
    float *next = &result.states[size_t((t + 1) * B * D)];
    for (int64_t b = 0; b < B; ++b) {
      const int32_t *row = &tokens[size_t((t * B + b) * L)];
      for (int64_t j = 0; j < D; ++j) {
        float sum = 0.5f * (reset[size_t(t * B + b)] ? 1.0f : before[b * D + j]);
        for (int64_t l = 0; l < L; ++l)
          sum += weight[size_t(row[l] * D + j)];
        next[b * D + j] = sum;
      }
      for (int64_t l = 0; l < L; ++l)
        result.loss.push_back(next[b * D] * float(row[l]));
    }
  }
  std::vector<float> adjoint(B * D);
  for (int64_t t = segments - 1; t >= 0; --t)
    for (int64_t j = 0; j < D; ++j)
      for (int64_t b = 0; b < B; ++b) {
        float &entry = adjoint[size_t(b * D + j)];
        const float total = entry + scale * result.states[size_t(((t + 1) * B + b) * D + j)];
        for (int64_t l = 0; l < L; ++l)
          result.gradient[size_t(tokens[size_t((t * B + b) * L + l)] * D + j)] += total;
        entry = reset[size_t(t * B + b)] ? 0 : 0.5f * total;
      }
  return result;
}

} // namespace memformer::toy
