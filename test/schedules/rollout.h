// Rollouts of a scheduled model, its functions executed by the reference of every op.

#ifndef MEMFORMER_TEST_SCHEDULES_ROLLOUT_H
#define MEMFORMER_TEST_SCHEDULES_ROLLOUT_H

#include "mlir/IR/MLIRContext.h"
#include "passes/Passes.h"
#include "passes/reference/Execute.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace memformer {

/// Makes a model: a module with one recurrence.
using ModelBuilder = std::function<mlir::OwningOpRef<mlir::ModuleOp>(mlir::MLIRContext &)>;

/// An argument or result of a function of the schedule.
struct TestPort {
  std::string role, name;
  mlir::RankedTensorType type;
  int64_t bound; // of integers; 1 where the function does not say
  bool ignored;
};

using NamedTensors = std::map<std::string, HostTensor>;

/// What a rollout leaves behind.
struct RolloutResult {
  std::vector<NamedTensors> states; // before each segment, and the last
  std::vector<NamedTensors> losses; // of each segment, under "loss"
  std::map<std::string, std::vector<std::byte>> gradients;
};

class ScheduledModel {
public:
  /// With `wide`, in f64.
  ScheduledModel(const ModelBuilder &build, ScheduleKind schedule, bool wide);

  /// `segments` segments on random inputs, all rows reset before the first and some before the
  /// second.
  RolloutResult train(int64_t segments);
  /// One segment of @evaluate or @trace from `states`: all results by role and name ("output
  /// loss").
  NamedTensors observe(const std::string &function, int64_t segment, const NamedTensors &states);
  /// The sum of the loss of @forward over segments; for schedules whose forward traversal computes
  /// it.
  double forwardLoss(int64_t segments);

  /// The parameters by name, each with its entries; f64 models only.
  std::vector<std::pair<std::string, llvm::MutableArrayRef<double>>> parameters();
  llvm::MutableArrayRef<double> gradient(const std::string &name);

private:
  struct Function {
    std::vector<TestPort> arguments, results;
  };

  NamedTensors inputsOf(int64_t segment) const;
  NamedTensors run(const std::string &function, const NamedTensors &values);
  NamedTensors forward(int64_t segment, const NamedTensors &states);
  NamedTensors firstStates() const;
  void fillParameters();

  mlir::MLIRContext context;
  std::map<std::string, Function> functions;
  std::unique_ptr<ReferenceProgram> program;
  bool wide;
};

/// The entries of `values` with `role`, by name alone, under `newRole`.
NamedTensors withRole(const NamedTensors &values, const std::string &role,
                      const std::string &newRole);

} // namespace memformer

#endif
