// The folder of a training run, and which of its files are whose.
#pragma once

#include "runtime/result.h"
#include "runtime/training/metrics.h"

#include <filesystem>
#include <string_view>

namespace memformer {

/// configuration.toml, metrics.jsonl, checkpoint.safetensors, weights.safetensors (when training
/// has ended).
struct RunFolder {
  std::filesystem::path path;

  std::filesystem::path configuration() const { return path / "configuration.toml"; }
  std::filesystem::path metrics() const { return path / "metrics.jsonl"; }
  std::filesystem::path checkpoint() const { return path / "checkpoint.safetensors"; }
  std::filesystem::path weights() const { return path / "weights.safetensors"; }
};

enum class ExistingRun { Refuse, Resume, Overwrite };

/// Makes the folder ready, and locks its metrics file. A run that is there is an error unless it is
/// to be resumed or overwritten (of which only the files of a run are removed).
Result<MetricsFile> openRunFolder(const RunFolder &folder, ExistingRun existing);

} // namespace memformer
