// Runs the tools as a user does: as processes, by their command lines.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace memformer::test {

struct Outcome {
  int status = 0;     // of the exit, or minus the signal that ended it
  std::string output; // standard output and standard error together
};

/// Runs `words` (a tool of the build, then its arguments) with compiled models kept in the folder
/// `cache`. After `killAfter` microseconds, if above 0, the process gets a SIGKILL. `variables` are
/// added to its environment.
Outcome runTool(const std::vector<std::string> &words, const std::string &cache,
                int64_t killAfter = 0, const std::vector<std::string> &variables = {});

} // namespace memformer::test
