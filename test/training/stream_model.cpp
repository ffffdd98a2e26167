// The toy model with the inputs of a language model, and configurations for it.
#include "test/training/stream_model.h"

#include "test/runtime/toy_model.h"

#include <gtest/gtest.h>
#include <sstream>

namespace memformer::test {

std::shared_ptr<const Artifact> streamModel() {
  nlohmann::json manifest = toy::manifest(toy::Schedule::Replay);
  // Its tokens are the encoder's; the others are taken in and not looked at.
  auto &inputs = manifest["inputs"];
  inputs[0]["name"] = "encoder_tokens";
  uint64_t end = 0;
  for (auto &space : manifest["spaces"])
    if (space["name"] == "inputs") {
      end = space["bytes"].get<uint64_t>();
      space["bytes"] = end + 128;
    }
  for (const char *name : {"decoder_tokens", "targets"}) {
    nlohmann::json input = inputs[0];
    input["name"] = name;
    input["offset"] = end;
    input["ignored"] = std::string_view(name) == "targets";
    end += 64;
    inputs.push_back(input);
  }
  const auto host = toy::kernels();
  const SectionData sections[] = {{"host", host}};
  auto file = assembleArtifact(manifest, sections);
  EXPECT_TRUE(file.has_value()) << (file ? "" : file.error().message);
  auto artifact = Artifact::load(std::move(*file));
  EXPECT_TRUE(artifact.has_value());
  return *artifact;
}

std::unique_ptr<Session> streamSession(int64_t segments) {
  auto session = Session::create(streamModel(), {segments, 1, 0});
  EXPECT_TRUE(session.has_value()) << (session ? "" : session.error().message);
  return std::move(*session);
}

Configuration configure(const std::string &text) {
  auto configuration = parseConfiguration(text, "test.toml");
  EXPECT_TRUE(configuration.has_value()) << (configuration ? "" : configuration.error().message);
  return *configuration;
}

std::string streamData(const TemporaryFolder &folder) {
  std::string content;
  for (int i = 0; i < 400; ++i)
    content += char((i * i + i / 7) % 11);
  return "[data]\nkind = \"text\"\nseparator = \"\\u0003\\u0003\"\npath = \"" +
         folder.write("stream", content).native() + "\"\n";
}

std::string recallData() {
  // The toy model's accuracy is what it is; any above none lets the gap grow.
  return "[data]\nkind = \"recall\"\nkeys = 3\nvalues = 3\nnoise = 3\ngap = 4\n"
         "curriculum = 1e-9\ncurriculum_every = 4\n";
}

Result<TrainResult> runTraining(const Configuration &configuration,
                                const std::filesystem::path &folder, ExistingRun existing,
                                const std::atomic<bool> *stop) {
  auto model = streamModel();
  auto shape = dataShape(model->manifest());
  if (!shape)
    return std::unexpected(shape.error());
  auto source = openSource(configuration.data, Split::Train, *shape, configuration.train.seed);
  if (!source)
    return std::unexpected(source.error());
  auto plan = planRollouts(configuration.train, **source);
  if (!plan)
    return std::unexpected(plan.error());
  auto session = Session::create(model, {plan->horizon, 1, 0});
  if (!session)
    return std::unexpected(session.error());
  TrainOptions options;
  options.folder.path = folder;
  options.existing = existing;
  options.stop = stop;
  std::unique_ptr<std::FILE, int (*)(std::FILE *)> nowhere(std::fopen("/dev/null", "w"),
                                                           std::fclose);
  options.out = nowhere.get();
  return train(**session, configuration, **source, options);
}

std::vector<double> metricsOf(const TemporaryFolder &folder, const std::string &run,
                              const std::string &key) {
  std::istringstream stream(folder.read(run + "/metrics.jsonl"));
  std::vector<double> values;
  std::string line;
  while (std::getline(stream, line)) {
    auto json = nlohmann::json::parse(line, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << line;
    if (json.contains(key))
      values.push_back(json[key].get<double>());
  }
  return values;
}

} // namespace memformer::test
