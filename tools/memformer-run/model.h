// From what a user names (a configuration, IR, an artifact or a run) to a compiled model and its
// settings.
#pragma once

#include "runtime/artifact.h"
#include "runtime/configuration.h"
#include "runtime/data/source.h"
#include "runtime/device_choice.h"

#include <optional>
#include <string>
#include <vector>

namespace memformer {

/// What every subcommand takes.
struct ModelRequest {
  std::string path;     // .toml, .mlir, an artifact, or the folder of a run
  std::string settings; // TOML with [train] and [data] for a model that comes without
  std::optional<std::string> schedule; // else the configuration's
  std::optional<int64_t> batch;        // else the configuration's
  std::vector<std::string> overrides;  // --set
  bool cache = true;                   // false: compile again
  bool generation = false;             // compile for generation, not for training
  bool plan = false;                   // without code: nothing of it will run
  bool replayOnHost = false;           // of a device
  DeviceChoice device{};               // what is compiled is compiled for it, too
  std::optional<Split> data;           // this part of [data] is needed: checked before compiling
};

struct Model {
  std::shared_ptr<const Artifact> artifact;
  Configuration configuration;
  std::string weights;       // of the run that was named, or empty
  double compileSeconds = 0; // until the artifact was there
  bool cached = false;       // nothing was compiled
  bool fixed = false;        // an artifact was named: schedule and batch are its own
};

/// Reads and, where needed, compiles. Errors are those of the files, the configuration and the
/// compiler.
Result<Model> openModel(const ModelRequest &request);
/// The file that `given` names, else that of the run that was opened. Without either an error;
/// `purpose` says in it what the weights are needed for: "to evaluate".
Result<std::string> weightsOf(const Model &model, const std::string &given, const std::string &path,
                              std::string_view purpose);

} // namespace memformer
