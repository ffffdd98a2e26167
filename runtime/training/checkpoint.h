// Checkpoints: one safetensors file from which a training run goes on bit for bit.
#pragma once

#include "runtime/loss_scale.h"
#include "runtime/safetensors.h"
#include "runtime/session.h"

#include <filesystem>
#include <string>
#include <vector>

namespace memformer {

/// Where a run stands, besides the tensors of its session.
struct Progress {
  int64_t step = 0;                  // steps done
  int64_t stored = 0;                // replay slots 0 ... stored are those of the next rollout
  int64_t position = 0;              // of the next rollout's first segment in its stream
  std::vector<int64_t> dataPosition; // of the training source
  double seconds = 0;                // of training, over all resumptions
  int64_t tokens = 0;                // trained on
  uint64_t seed = 0;
  LossScale lossScale;      // isDynamic is the configuration's
  int64_t metricsBytes = 0; // length of the metrics file at this step
  std::string target;       // what a checkpoint's steps ran on; "" where it does not say
};

/// "cpu" or "cuda sm_80": what a checkpoint says that it was made on. On another one a run goes on
/// with other last bits.
std::string checkpointTarget(const Session &session);

/// Writes parameters, both moments, the stored states and `progress`, atomically. `configuration`
/// is kept as metadata.
Result<void> saveCheckpoint(const Session &session, const Progress &progress,
                            const std::string &configuration, const std::filesystem::path &path);

/// Sets the session to what the file holds. Errors: not a checkpoint, or one of another model,
/// batch or horizon.
Result<Progress> loadCheckpoint(Session &session, const std::filesystem::path &path);

/// The entries of parameters from a weights file or a checkpoint. Errors: those of loadParameters.
Result<std::vector<std::vector<float>>> readParameters(const SafetensorsFile &file,
                                                       std::span<const ParameterInfo> parameters);

/// Parameters from a weights file or a checkpoint.
Result<void> loadWeights(Session &session, const std::filesystem::path &path);

} // namespace memformer
