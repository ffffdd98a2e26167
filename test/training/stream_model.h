// The toy model with the inputs of a language model, and configurations for it.
#pragma once

#include "runtime/training/trainer.h"
#include "test/training/temporary_folder.h"

#include <memory>
#include <string>
#include <vector>

namespace memformer::test {

/// B = 3, L = 5, V = 11: its loss at each place is a state entry times the encoder's token, its
/// state carries over.
std::shared_ptr<const Artifact> streamModel();
std::unique_ptr<Session> streamSession(int64_t segments);

/// Parses [train] and [data]; fails the test on an error.
Configuration configure(const std::string &text);
/// [data] of a stream of ids below V in a file of the folder.
std::string streamData(const TemporaryFolder &folder);
/// [data] of recall with a curriculum.
std::string recallData();

/// One process' part of a run: a new session, and training into `folder`.
Result<TrainResult> runTraining(const Configuration &configuration,
                                const std::filesystem::path &folder,
                                ExistingRun existing = ExistingRun::Refuse,
                                const std::atomic<bool> *stop = nullptr);

/// The numbers of a key, over the lines of a metrics file that have it.
std::vector<double> metricsOf(const TemporaryFolder &folder, const std::string &run,
                              const std::string &key);

} // namespace memformer::test
