// What the subcommands share: their options, and what they print.
#pragma once

#include "runtime/session.h"
#include "tools/memformer-run/model.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>

namespace memformer {

/// Gives the exit status. Set by the subcommand that the command line names.
using Action = std::function<Result<int>()>;

/// Each adds its subcommand, which sets `action` when it is chosen.
void addTrain(CLI::App &app, Action &action);
void addEval(CLI::App &app, Action &action);
void addTrace(CLI::App &app, Action &action);
void addBench(CLI::App &app, Action &action);
void addGenerate(CLI::App &app, Action &action);
void addInspect(CLI::App &app, Action &action);
void addAnalyze(CLI::App &app, Action &action);
void addImport(CLI::App &app, Action &action);
void addExport(CLI::App &app, Action &action);

/// The positional model and the options that every subcommand has.
void addModelOptions(CLI::App &command, ModelRequest &request);
void addThreads(CLI::App &command, unsigned &threads);
/// Where a session runs: --device, which says what to compile for, too.
void addDevice(CLI::App &command, ModelRequest &request);
/// A session as the options say, for rollouts of at most so many segments.
Result<std::unique_ptr<Session>> openSession(const Model &model, const ModelRequest &request,
                                             int64_t segments, unsigned threads);

/// "2 threads", or the name of the device.
std::string placeOf(const Session &session);

/// Planned bytes of T segments as the fields of `memory`.
nlohmann::ordered_json memoryJson(const Manifest &manifest, int64_t segments);
/// Floating-point operations of a rollout: `forward` (an evaluation) and `step` (training and
/// update).
nlohmann::ordered_json flopsJson(const Manifest &manifest, int64_t segments);

/// Tokens are bytes where the data says so, or nothing is said and there are as many as bytes.
bool readsText(const Configuration &configuration, int64_t vocab);

/// "1.5 MiB".
std::string printBytes(uint64_t bytes);

} // namespace memformer
