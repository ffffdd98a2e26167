// What a model costs: operations, state and planned memory, under every schedule.
#include "tools/memformer-run/costs.h"

#include "runtime/training/feed.h"
#include "tools/memformer-run/command.h"

#include <algorithm>
#include <fmt/ranges.h>

namespace memformer {

namespace {

using Json = nlohmann::ordered_json;

// A segment reads nothing of those before it: no state, and not the one before.
bool isIndependent(const Manifest &manifest) {
  return manifest.state.empty() && !manifest.findInput("encoder_tokens");
}

Json flopsOf(const Plans &plans, int64_t segments, bool further) {
  const Manifest &manifest = plans.model.artifact->manifest();
  const auto rows = uint64_t(manifest.batch);
  auto trained = [&](const Manifest &plan) {
    // A further segment costs the same wherever it is, but the first may cost less.
    uint64_t flops = plan.flops(Function::Train, segments + (further ? 1 : 0));
    return (flops - (further ? plan.flops(Function::Train, segments) : 0)) / rows;
  };
  Json kinds = Json::object(), training = Json::object();
  for (const auto &[kind, flops] : manifest.flopsByKind(Function::Evaluate, segments))
    if (flops >= rows)
      kinds[kind] = flops / rows;
  for (const Manifest *plan : plans.bySchedule())
    if (!plan->function(Function::Train).empty())
      training[plan->schedule] = trained(*plan);
  return {{"forward", manifest.flops(Function::Evaluate, segments) / rows},
          {"forward_by_kind", std::move(kinds)},
          {"training", std::move(training)}};
}

// "318.9 M".
std::string scaled(const Json &flops) {
  double value = flops.get<double>();
  const char *unit = "";
  for (const char *next : {"k", "M", "G", "T", "P"}) {
    if (value < 1000)
      break;
    value /= 1000;
    unit = next;
  }
  return fmt::format("{:#.4g} {}", value, unit);
}

void printFlops(const Json &costs) {
  const Json &segment = costs["flops"]["segment"], &sequence = costs["flops"]["sequence"];
  fmt::print("  {:<28}{:>16}  {:>16}\n", "operations", "of a segment", "of the sequence");
  auto line = [](std::string_view title, const Json &one, const Json &all) {
    fmt::print("  {:<28}{:>16}  {:>16}\n", title, scaled(one), scaled(all));
  };
  line("forward", segment["forward"], sequence["forward"]);
  // The kinds that matter, the largest first.
  std::vector<std::pair<uint64_t, std::string>> kinds;
  for (const auto &[kind, flops] : sequence["forward_by_kind"].items())
    kinds.emplace_back(flops.get<uint64_t>(), kind);
  std::ranges::sort(kinds, std::greater());
  for (const auto &[flops, kind] : kinds)
    if (flops * 1000 >= sequence["forward"].get<uint64_t>())
      line("  of it " + kind, segment["forward_by_kind"].value(kind, Json(0)), Json(flops));
  for (const auto &[schedule, flops] : sequence["training"].items())
    line("training, " + schedule, segment["training"][schedule], flops);
  if (!sequence["training"].empty())
    fmt::print("  {:<28}{:>16}  {:>16}\n", "update, a step", "", scaled(costs["flops"]["update"]));
}

} // namespace

std::vector<const Manifest *> Plans::bySchedule() const {
  std::vector<const Manifest *> list = {&model.artifact->manifest()};
  for (const Model &other : others)
    list.push_back(&other.artifact->manifest());
  std::ranges::sort(list, {}, &Manifest::schedule);
  return list;
}

Result<Plans> openPlans(const ModelRequest &original, int64_t tokens, int64_t segments) {
  ModelRequest request = original;
  request.plan = true;
  auto model = openModel(request);
  if (!model)
    return std::unexpected(model.error());
  auto shape = dataShape(model->artifact->manifest());
  const bool independent = isIndependent(model->artifact->manifest());
  if (tokens && !shape)
    return error("{}: expected a model that reads tokens for --sequence, but its inputs are others",
                 request.path);
  if (tokens && independent && shape->segment != tokens) {
    request.overrides.push_back(fmt::format("model.segment={}", tokens));
    model = openModel(request);
    if (!model)
      return withContext(model,
                         fmt::format("a sequence of this model is one segment of {} tokens, not {}",
                                     shape->segment, tokens));
    shape = dataShape(model->artifact->manifest());
    if (!shape)
      return std::unexpected(shape.error());
  }
  Plans plans;
  plans.segmentTokens = shape ? shape->segment : 0;
  plans.segments = independent ? 1
                   : tokens    ? (tokens + shape->segment - 1) / shape->segment
                               : segments;
  if (plans.segments == 0) {
    int64_t horizon = model->configuration.train.horizon;
    plans.segments = horizon ? horizon : 8;
  }
  plans.tokens = tokens ? tokens : plans.segments * plans.segmentTokens;
  plans.model = std::move(*model);
  if (plans.model.fixed || request.generation)
    return plans;
  for (const char *schedule : {"bptt", "checkpoint", "mrbp"}) {
    if (schedule == plans.model.artifact->manifest().schedule)
      continue;
    request.schedule = schedule;
    auto other = openModel(request);
    if (!other)
      return std::unexpected(other.error());
    plans.others.push_back(std::move(*other));
  }
  return plans;
}

Json costsJson(const Plans &plans, int64_t rollout) {
  const Manifest &manifest = plans.model.artifact->manifest();
  Json sequence = {{"segments", plans.segments}};
  if (plans.segmentTokens)
    sequence = {{"tokens", plans.tokens},
                {"segments", plans.segments},
                {"segment_tokens", plans.segmentTokens}};
  Json tensors = Json::object(), memory = Json::object();
  uint64_t state = 0;
  for (const TensorInfo &tensor : manifest.state) {
    tensors[tensor.name] = tensor.bytes() / uint64_t(manifest.batch);
    state += tensor.bytes() / uint64_t(manifest.batch);
  }
  for (const Manifest *plan : plans.bySchedule())
    memory[plan->schedule] = memoryJson(*plan, rollout);
  return {{"sequence", std::move(sequence)},
          {"state_bytes", {{"total", state}, {"tensors", std::move(tensors)}}},
          {"flops",
           {{"segment", flopsOf(plans, 1, true)},
            {"sequence", flopsOf(plans, plans.segments, false)},
            {"update", manifest.flops(Function::Update, 1)}}},
          {"memory", std::move(memory)}};
}

void printCosts(const Json &costs, int64_t batch, int64_t rollout) {
  const Json &sequence = costs["sequence"];
  const auto segments = sequence["segments"].get<int64_t>();
  std::string length = fmt::format("{} {}", segments, segments == 1 ? "segment" : "segments");
  if (sequence.contains("tokens"))
    length = fmt::format("{} tokens, {} of {}", sequence["tokens"].get<int64_t>(), length,
                         sequence["segment_tokens"].get<int64_t>());
  fmt::print("\na sequence, one of {} in the batch: {}\n", batch, length);
  printFlops(costs);
  const Json &state = costs["state_bytes"];
  std::vector<std::string> parts;
  for (const auto &[name, bytes] : state["tensors"].items())
    parts.push_back(fmt::format("{} {}", name, printBytes(bytes.get<uint64_t>())));
  fmt::print("  {:<28}{:>34}\n", "state", printBytes(state["total"].get<uint64_t>()));
  if (parts.size() > 1)
    fmt::print("    {}\n", fmt::join(parts, ", "));

  const Json &memory = costs["memory"];
  fmt::print("\nplanned memory, {} {} of batch {}\n  {:<12}", rollout,
             rollout == 1 ? "segment" : "segments", batch, "");
  for (const auto &[schedule, bytes] : memory.items())
    fmt::print("{:>14}", schedule);
  fmt::print("\n");
  for (const auto &[category, bytes] : memory.front().items()) {
    fmt::print("  {:<12}", category);
    for (const auto &[schedule, all] : memory.items())
      fmt::print("{:>14}", printBytes(all[category].get<uint64_t>()));
    fmt::print("\n");
  }
}

} // namespace memformer
