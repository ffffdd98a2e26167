// memformer-run: trains, evaluates, traces, times, inspects and analyses compiled models.
#include "tools/memformer-run/command.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

namespace {

// What fmt throws when standard output cannot be written, as an error like any other.
memformer::Result<int> perform(const memformer::Action &action) {
  try {
    return action();
  } catch (const std::system_error &problem) {
    return memformer::error("cannot write to standard output: {}", problem.code().message());
  }
}

} // namespace

int main(int argc, char **argv) {
  using namespace memformer;
  // A file that may not grow further is an error of the write, as a full disk is, not a signal.
  std::signal(SIGXFSZ, SIG_IGN);
  CLI::App app("Trains and runs models of recurrent memory. Exit status: 0, 1 for bad input, 2 for "
               "wrong usage, 130 after an interrupt.",
               "memformer-run");
  app.require_subcommand(0, 1);
  Action action;
  addTrain(app, action);
  addEval(app, action);
  addGenerate(app, action);
  addTrace(app, action);
  addBench(app, action);
  addInspect(app, action);
  addAnalyze(app, action);
  addImport(app, action);
  addExport(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &problem) {
    // Help and the like end with 0; every other status of the library's is wrong usage.
    return app.exit(problem) == 0 ? 0 : 2;
  }
  if (!action) {
    fmt::print(stderr, "expected a subcommand: train, eval, generate, trace, bench, inspect, "
                       "analyze, import or export\nRun with --help "
                       "for more information.\n");
    return 2;
  }
  Result<int> status = perform(action);
  if (status && std::fflush(stdout) != 0)
    status = error("cannot write to standard output: {}", std::strerror(errno));
  if (status)
    return *status;
  fmt::print(stderr, "memformer-run: error: {}\n", status.error().message);
  return 1;
}
