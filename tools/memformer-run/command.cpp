// What the subcommands share: their options, and what they print.
#include "tools/memformer-run/command.h"

namespace memformer {

void addModelOptions(CLI::App &command, ModelRequest &request) {
  command
      .add_option("model", request.path,
                  "configuration (.toml), model (.mlir), artifact (.mfa) or folder of a run")
      ->required();
  command
      .add_option_function<std::string>(
          "--schedule", [&request](const std::string &value) { request.schedule = value; },
          "what the forward traversal keeps: bptt, checkpoint or mrbp")
      ->check(CLI::IsMember({"bptt", "checkpoint", "mrbp"}));
  command
      .add_option("--set", request.overrides,
                  "SECTION.KEY=VALUE: overrides a key of the configuration; may be repeated")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--settings", request.settings,
                     "configuration with [train] and [data], for a model that comes without");
  command.add_flag("!--no-cache", request.cache, "compile even if the model is in the cache");
}

void addThreads(CLI::App &command, unsigned &threads) {
  command.add_option("--threads", threads, "threads; 0: as many as this process may use")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
}

void addDevice(CLI::App &command, ModelRequest &request) {
  command
      .add_option_function<std::string>(
          "--device",
          [&request](const std::string &value) {
            auto device = parseDevice(value);
            if (!device)
              throw CLI::ValidationError("--device", device.error().message);
            request.device = *device;
          },
          "cpu, or cuda:N for a GPU [cpu]")
      ->type_name("DEVICE");
  command
      .add_option_function<std::string>(
          "--replay",
          [&request](const std::string &value) { request.replayOnHost = value == "host"; },
          "where the states of a rollout lie: device, or host, which costs the GPU no memory "
          "[device]")
      ->check(CLI::IsMember({"device", "host"}));
}

Result<std::unique_ptr<Session>> openSession(const Model &model, const ModelRequest &request,
                                             int64_t segments, unsigned threads) {
  auto session = Session::create(model.artifact, {.segments = segments,
                                                  .threads = threads,
                                                  .seed = 0,
                                                  .device = request.device,
                                                  .replayOnHost = request.replayOnHost});
  if (!session)
    return withContext(session, request.path);
  return session;
}

std::string placeOf(const Session &session) {
  if (!session.options().device.isHost())
    return session.deviceName();
  return fmt::format("{} {}", session.threads(), session.threads() == 1 ? "thread" : "threads");
}

nlohmann::ordered_json memoryJson(const Manifest &manifest, int64_t segments) {
  MemoryReport report = manifest.memoryReport(segments);
  nlohmann::ordered_json json;
  for (size_t i = 0; i < numCategories; ++i)
    json[std::string(name(Category(i)))] = report.bytes[i];
  json["total"] = report.total;
  return json;
}

nlohmann::ordered_json flopsJson(const Manifest &manifest, int64_t segments) {
  return {{"forward", manifest.flops(Function::Evaluate, segments)},
          {"step",
           manifest.flops(Function::Train, segments) + manifest.flops(Function::Update, segments)}};
}

bool readsText(const Configuration &configuration, int64_t vocab) {
  return vocab == 256 && (configuration.data.kind == "text" || configuration.data.kind.empty());
}

std::string printBytes(uint64_t bytes) {
  if (bytes < 1024)
    return fmt::format("{} B", bytes);
  double value = double(bytes) / 1024;
  const char *unit = "KiB";
  for (const char *next : {"MiB", "GiB", "TiB"}) {
    if (value < 1024)
      break;
    value /= 1024;
    unit = next;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

} // namespace memformer
