// memformer-run: trains, evaluates, traces, times and inspects compiled models.
#include "tools/memformer-run/command.h"

int main(int argc, char **argv) {
  using namespace memformer;
  CLI::App app("Trains and runs models of recurrent memory. Exit status: 0, 1 for bad input, 2 for "
               "wrong usage, 130 after an interrupt.",
               "memformer-run");
  app.require_subcommand(0, 1);
  Action action;
  addTrain(app, action);
  addEval(app, action);
  addTrace(app, action);
  addBench(app, action);
  addInspect(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &problem) {
    // Help and the like end with 0; every other status of the library's is wrong usage.
    return app.exit(problem) == 0 ? 0 : 2;
  }
  if (!action) {
    fmt::print(stderr,
               "expected a subcommand: train, eval, trace, bench or inspect\nRun with --help "
               "for more information.\n");
    return 2;
  }
  Result<int> status = action();
  if (status)
    return *status;
  fmt::print(stderr, "memformer-run: error: {}\n", status.error().message);
  return 1;
}
