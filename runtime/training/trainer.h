// The training loop.
#pragma once

#include "runtime/training/checkpoint.h"
#include "runtime/training/evaluation.h"
#include "runtime/training/run_folder.h"

#include <atomic>
#include <cstdio>

namespace memformer {

/// The learning rate of step n = 1, 2, ...: a linear rise over `warmup` steps, then constant, or a
/// cosine or a line to final_learning_rate, at the end of `steps` or of `minutes`, whichever is
/// nearer. `seconds` is how long training has taken so far; it counts only where `minutes` does.
double learningRateAt(const TrainSettings &train, int64_t step, double seconds = 0);

struct TrainOptions {
  RunFolder folder;
  ExistingRun existing = ExistingRun::Refuse;
  std::filesystem::path weights; // where a new run begins; empty: the initializers
  std::FILE *out = stdout;       // progress
  const std::atomic<bool> *stop =
      nullptr; // ends training after the present step, with a checkpoint
};

struct TrainResult {
  Progress progress;
  bool stopped = false; // by `stop`
  double loss = 0;      // of the last step, mean over its targets
  bool evaluated = false;
  Score heldOut;              // at the end
  std::vector<GapScore> gaps; // of a task
};

/// Trains as the configuration says. The session has at least the plan's segments, and `source` is
/// the training part. Nothing is lost by a crash at any moment but the steps since the last
/// checkpoint, and those are done again with the same result.
Result<TrainResult> train(Session &session, const Configuration &configuration, Source &source,
                          const TrainOptions &options);

} // namespace memformer
