// Runs the compiler, and keeps what it made by the content that it was made from.
#pragma once

#include "runtime/artifact.h"

#include <memory>
#include <string>

namespace memformer {

struct CompileRequest {
  std::string text;   // of the model
  std::string suffix; // ".toml" or ".mlir"
  std::string name;   // of the user's file, for messages
  bool original =
      false; // the compiler reads the user's file itself, and its messages name it; else `text`
  std::string schedule;
  int64_t batch = 1;
  std::string gpu;         // an architecture of NVIDIA's, in the place of the host
  bool generation = false; // what generation needs, in the place of what training needs
  bool plan = false;       // an artifact without code, in a fraction of the time
  bool cache = true;       // false: compile even if there is an artifact
};

struct CompileResult {
  std::shared_ptr<const Artifact> artifact;
  bool cached = false;
};

/// The artifact of a model for this machine and the targets, from $XDG_CACHE_HOME/memformer
/// (~/.cache/memformer) or from the compiler. A cached file that is broken is made again; of
/// processes that want the same one, one compiles.
Result<CompileResult> compileCached(const CompileRequest &request);

} // namespace memformer
