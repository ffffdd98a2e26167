// Decides the place of every byte: from the kernel level to the program level.

#include "dialect/kernel/KernelDialect.h"
#include "dialect/program/Arguments.h"
#include "passes/Passes.h"
#include "passes/plan/FunctionPlan.h"
#include "passes/plan/Spaces.h"
#include "passes/prepare/Roles.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

namespace memformer {

#define GEN_PASS_DEF_PLANPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;
using program::AddressAttr;
using program::When;

// Whether a function hands on results of a role.
static bool yields(func::FuncOp function, StringRef role) {
  for (unsigned i = 0; function && i < function.getNumResults(); ++i)
    if (roleAndName(function.getResultAttrDict(i)).first == role)
      return true;
  return false;
}

static ArrayAttr outputsOf(func::FuncOp function, OpBuilder &builder) {
  SmallVector<Attribute> names;
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (auto [role, name] = roleAndName(function.getResultAttrDict(i)); role == role::output)
      names.push_back(name);
  return builder.getArrayAttr(names);
}

namespace {

/// The planning of one module.
class Planner {
public:
  Planner(ModuleOp module, const LaunchOptions &options)
      : spaces(module), kernels(module), options(options), module(module),
        kindModule(ModuleOp::create(module.getLoc())), kinds(*kindModule),
        builder(module.getContext()) {}

  LogicalResult run();

  ProgramSpaces spaces;
  KernelTable kernels;
  int64_t workspaceEnd = 0;
  LaunchOptions options;

private:
  FailureOr<SmallVector<func::FuncOp>> findFunctions();
  LogicalResult checkOp(Operation *op);
  void setBatch();

  func::FuncOp get(StringRef name) { return byName.lookup(name); }

  /// Plans one function and builds its instructions. `nextState` says when states are stored.
  LogicalResult plan(func::FuncOp function, When nextState, int64_t base = 0);
  /// The same as the body of a loop over segments.
  LogicalResult planLoop(func::FuncOp function, When nextState, bool descending = false,
                         bool unstoredOnly = false, int64_t base = 0);
  LogicalResult planTrain();

  /// A function of the program; instructions are built in it.
  void begin(StringRef name);

  ModuleOp module;
  /// The kernel that each op would be alone.
  OwningOpRef<ModuleOp> kindModule;
  KernelTable kinds;
  llvm::DenseMap<Operation *, std::string> kindOf;
  /// Functions of the kernel level: those of the program have the same names.
  llvm::StringMap<func::FuncOp> byName;
  OpBuilder builder;
};

} // namespace

FailureOr<SmallVector<func::FuncOp>> Planner::findFunctions() {
  // In the order in which tensors get their places.
  SmallVector<func::FuncOp> functions;
  for (StringRef name :
       {function::prepare, function::forward, function::replay, function::evaluate, function::trace,
        function::begin, function::step, function::end, function::update})
    if (auto function = module.lookupSymbol<func::FuncOp>(name)) {
      functions.push_back(function);
      byName[name] = function;
    }
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!llvm::is_contained(functions, function))
      return function.emitOpError("expected no functions but those of docs/levels.md");
    if (function.isExternal() || !function.getBody().hasOneBlock())
      return function.emitOpError("expected a body of one block");
    for (Operation &op : function.getBody().front().without_terminator())
      if (failed(checkOp(&op)))
        return failure();
  }
  if (bool(get(function::forward)) != bool(get(function::replay)))
    return module.emitError("expected @forward and @replay together");
  if (bool(get(function::begin)) != bool(get(function::step)))
    return module.emitError("expected @begin and @step together");
  if (get(function::end) && !get(function::step))
    return module.emitError("expected @step with @end");
  return functions;
}

LogicalResult Planner::checkOp(Operation *op) {
  FlatSymbolRefAttr param;
  if (auto load = dyn_cast<LoadParamOp>(op))
    param = load.getParamAttr();
  else if (!isa_and_nonnull<kernel::KernelDialect>(op->getDialect()))
    return op->emitOpError("expected kernels only: run -memformer-to-kernels first");
  else
    param = program::accumulatedParameter(op);
  for (OpResult result : op->getResults())
    if (OpOperand *operand = program::operandInPlace(result);
        operand && !isa<BlockArgument>(operand->get()))
      return op->emitOpError("expected what is written in place to be an argument of the function");
  if (!param)
    return success();
  auto declaration = module.lookupSymbol<ParamOp>(param.getAttr());
  if (!declaration)
    return op->emitOpError("expected a parameter of the module, but got ") << param;
  int64_t expected = program::bytesOf(declaration.getType()), bytes = 0;
  if (isa<LoadParamOp>(op))
    bytes = program::bytesOf(op->getResult(0).getType());
  else
    for (const program::KernelArgument &argument : program::argumentsOf(op))
      if (!argument.operand && !argument.result)
        bytes = argument.bytes;
  if (bytes != expected) {
    InFlightDiagnostic error = op->emitOpError("expected ")
                               << expected << " bytes of " << param << ", but got " << bytes;
    error.attachNote(declaration.getLoc()) << "the parameter is here";
    return error;
  }
  return success();
}

// `reset` has an entry for each row of the batch; without a state the first input's rows are it.
void Planner::setBatch() {
  int64_t batch = 1;
  for (const auto &[name, place] : spaces.inputs.entries) {
    auto type = cast<RankedTensorType>(place.type);
    if (name == "dropout_key" || type.getRank() == 0)
      continue;
    batch = type.getDimSize(0);
    if (name == name::reset)
      break;
  }
  if (auto reset = spaces.inputs.find(StringAttr::get(module.getContext(), name::reset)))
    batch = cast<RankedTensorType>(reset->type).getDimSize(0);
  module->setAttr(batchAttribute, builder.getI64IntegerAttr(batch));
  options.batch = batch;
}

void Planner::begin(StringRef name) {
  builder.setInsertionPointToEnd(module.getBody());
  auto function = program::FunctionOp::create(builder, module.getLoc(), name);
  builder.createBlock(&function.getBody());
}

LogicalResult Planner::plan(func::FuncOp function, When nextState, int64_t base) {
  SmallVector<AddressAttr> arguments;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    arguments.push_back(spaces.ofArgument(function, i));
  SmallVector<Destination> results;
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    bool isState = roleAndName(function.getResultAttrDict(i)).first == role::state;
    results.push_back({spaces.ofResult(function, i), isState ? nextState : When::Always});
  }
  FunctionPlan plan(function, spaces.parameters, arguments, results, base, options,
                    [&](Operation *op) {
                      auto [kind, isNew] = kindOf.try_emplace(op);
                      if (isNew)
                        kind->second = kinds.get(op).getValue().str();
                      return kind->second;
                    });
  if (failed(plan.check()))
    return failure();
  plan.build(builder, kernels);
  workspaceEnd = std::max(workspaceEnd, plan.workspaceBytes);
  return success();
}

LogicalResult Planner::planLoop(func::FuncOp function, When nextState, bool descending,
                                bool unstoredOnly, int64_t base) {
  OpBuilder::InsertionGuard guard(builder);
  auto loop =
      program::LoopOp::create(builder, function.getLoc(), descending, /*from_stored=*/unstoredOnly,
                              /*skip_last=*/unstoredOnly, outputsOf(function, builder));
  builder.createBlock(&loop.getBody());
  return plan(function, nextState, base);
}

LogicalResult Planner::planTrain() {
  func::FuncOp forward = get(function::forward), replay = get(function::replay);
  if (!forward)
    return success();
  Location location = replay.getLoc();
  if (int64_t bytes = spaces.parameters.trainedBytes)
    program::FillOp::create(
        builder, location,
        AddressAttr::get(module.getContext(),
                         FlatSymbolRefAttr::get(module.getContext(), "gradients"), 0, 0),
        uint64_t(bytes));
  // A replay that leaves the next state too makes the forward traversal of the last segment, and of
  // segments whose next state is stored, needless.
  bool replayAdvances = yields(replay, role::state);
  if (forward.getNumResults() != 0 &&
      failed(planLoop(forward, replayAdvances ? When::Always : When::Unstored,
                      /*descending=*/false, /*unstoredOnly=*/replayAdvances)))
    return failure();
  // The last segment's state has no gradient from beyond.
  int64_t carried = spaces.gradients.bytes;
  if (carried != 0)
    program::FillOp::create(builder, location, spaces.gradients.at(module.getContext(), 0),
                            uint64_t(carried));
  workspaceEnd = std::max(workspaceEnd, carried);
  return planLoop(replay, When::Last, /*descending=*/true, /*unstoredOnly=*/false, carried);
}

LogicalResult Planner::run() {
  FailureOr<SmallVector<func::FuncOp>> functions = findFunctions();
  if (failed(functions))
    return failure();
  if (functions->empty())
    return success();
  if (failed(spaces.read(*functions)))
    return failure();
  setBatch();

  // Kernels stand before functions, and both in a module of their own until all is planned, so that
  SmallVector<Operation *> before;
  for (Operation &op : *module.getBody())
    before.push_back(&op);
  begin(function::prepare);
  if (func::FuncOp prepare = get(function::prepare))
    if (failed(plan(prepare, When::Always)))
      return failure();
  begin(function::train);
  if (failed(planTrain()))
    return failure();
  begin(function::update);
  if (func::FuncOp update = get(function::update))
    if (failed(plan(update, When::Always)))
      return failure();
  for (StringRef name : {function::evaluate, function::trace}) {
    begin(name);
    if (func::FuncOp function = get(name))
      if (failed(planLoop(function, When::Always)))
        return failure();
  }
  if (func::FuncOp step = get(function::step)) {
    begin(function::begin);
    if (failed(planLoop(get(function::begin), When::Always)))
      return failure();
    begin(function::step);
    if (failed(plan(step, When::Always)))
      return failure();
    if (func::FuncOp end = get(function::end)) {
      begin(function::end);
      if (failed(planLoop(end, When::Always)))
        return failure();
    }
  }

  builder.setInsertionPointToStart(module.getBody());
  spaces.build(builder, module, workspaceEnd,
               /*trained=*/get(function::replay) || get(function::update));
  for (auto kernel : llvm::make_early_inc_range(module.getOps<program::KernelOp>())) {
    kernel->remove();
    builder.insert(kernel);
  }
  for (Operation *op : before)
    if (isa<func::FuncOp, ParamOp>(op))
      op->erase();

  return success();
}

namespace {

struct PlanPass : memformer::impl::PlanPassBase<PlanPass> {
  using PlanPassBase::PlanPassBase;

  void runOnOperation() override {
    Planner planner(getOperation(), {.merge = merge, .multiprocessors = multiprocessors});
    if (failed(planner.run()))
      return signalPassFailure();
    kernelCount += planner.kernels.size();
    workspaceBytes += planner.workspaceEnd;
    savedBytes += planner.spaces.saved.bytes;
    stateBytes += planner.spaces.states.bytes;
    packedBytes += planner.spaces.packed.bytes;
    getOperation().walk([&](program::DispatchOp) { ++dispatches; });
    getOperation().walk([&](program::CopyOp) { ++copies; });
  }
};

} // namespace
