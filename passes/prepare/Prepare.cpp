// Moves what depends on parameters alone to a function of its own.

#include "dialect/kernel/KernelDialect.h"
#include "dialect/program/Arguments.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "passes/Passes.h"
#include "passes/prepare/Roles.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

namespace memformer {

#define GEN_PASS_DEF_PREPAREPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;

namespace {

/// The function being filled; equal computations are there once.
class Preparation {
public:
  explicit Preparation(func::FuncOp function)
      : function(function), builder(OpBuilder::atBlockEnd(&function.getBody().front())) {}

  /// Moves what it can out of `function`, whose arguments grow by the values that it still reads.
  void take(func::FuncOp from);
  /// Ends the function with the values that others read.
  void finish();

  int64_t moved = 0, shared = 0;
  SetVector<Value> results;

private:
  Operation *findEqual(Operation *op);

  func::FuncOp function;
  OpBuilder builder;
  DenseMap<size_t, SmallVector<Operation *>> byHash;
};

} // namespace

// An equal op that is there already, on the same operands.
Operation *Preparation::findEqual(Operation *op) {
  auto hash = OperationEquivalence::computeHash(op, OperationEquivalence::directHashValue,
                                                OperationEquivalence::ignoreHashValue,
                                                OperationEquivalence::IgnoreLocations);
  SmallVector<Operation *> &candidates = byHash[size_t(hash)];
  for (Operation *candidate : candidates)
    if (OperationEquivalence::isEquivalentTo(candidate, op, OperationEquivalence::exactValueMatch,
                                             nullptr, OperationEquivalence::IgnoreLocations))
      return candidate;
  candidates.push_back(op);
  return nullptr;
}

void Preparation::take(func::FuncOp from) {
  Block &body = from.getBody().front();
  IRMapping mapping;
  SmallVector<Operation *> taken;
  for (Operation &op : body.without_terminator()) {
    bool ready = isMemoryEffectFree(&op) && llvm::all_of(op.getOperands(), [&](Value operand) {
                   return mapping.contains(operand);
                 });
    if (!ready)
      continue;
    Operation *clone = builder.clone(op, mapping);
    if (Operation *equal = findEqual(clone)) {
      clone->erase();
      clone = equal;
      shared += !isa<LoadParamOp>(op);
    }
    for (auto [before, after] : llvm::zip_equal(op.getResults(), clone->getResults()))
      mapping.map(before, after);
    if (!isa<LoadParamOp>(op))
      taken.push_back(&op);
  }

  DenseSet<Operation *> gone(taken.begin(), taken.end());
  for (Operation *op : taken)
    for (Value result : op->getResults()) {
      if (llvm::all_of(result.getUsers(), [&](Operation *user) { return gone.contains(user); }))
        continue;
      results.insert(mapping.lookup(result));
      size_t number = llvm::find(results, mapping.lookup(result)) - results.begin();
      auto attributes = builder.getDictionaryAttr(
          {builder.getNamedAttr(roleAttribute, builder.getStringAttr(role::packed)),
           builder.getNamedAttr(nameAttribute, builder.getStringAttr("packed" + Twine(number)))});
      unsigned place = from.getNumArguments();
      if (failed(from.insertArgument(place, result.getType(), attributes, op->getLoc())))
        continue;
      result.replaceAllUsesWith(from.getArgument(place));
    }
  for (Operation *op : llvm::reverse(taken))
    op->erase();
  for (auto load : llvm::make_early_inc_range(body.getOps<LoadParamOp>()))
    if (load.use_empty())
      load.erase();
  moved += int64_t(taken.size());
}

void Preparation::finish() {
  func::ReturnOp::create(builder, function.getLoc(), results.getArrayRef());
  function.setFunctionType(
      builder.getFunctionType({}, ValueRange(results.getArrayRef()).getTypes()));
  for (size_t i = 0; i < results.size(); ++i) {
    function.setResultAttr(unsigned(i), roleAttribute, builder.getStringAttr(role::packed));
    function.setResultAttr(unsigned(i), nameAttribute, builder.getStringAttr("packed" + Twine(i)));
  }
  SmallVector<Operation *> built;
  for (Operation &op : function.getBody().front().without_terminator())
    built.push_back(&op);
  for (Operation *op : llvm::reverse(built))
    if (isOpTriviallyDead(op))
      op->erase();
}

namespace {

struct PreparePass : memformer::impl::PreparePassBase<PreparePass> {
  using PreparePassBase::PreparePassBase;

  void runOnOperation() override {
    SmallVector<func::FuncOp> functions;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        functions.push_back(function);
    if (functions.empty())
      return;
    if (Operation *taken = getOperation().lookupSymbol(function::prepare)) {
      taken->emitOpError("has the name @prepare, which what is computed from parameters needs");
      return signalPassFailure();
    }
    OpBuilder builder(functions.front());
    auto prepare = func::FuncOp::create(builder, getOperation().getLoc(), function::prepare,
                                        builder.getFunctionType({}, {}));
    prepare.addEntryBlock();
    Preparation preparation(prepare);
    for (func::FuncOp function : functions)
      preparation.take(function);
    preparation.finish();
    moved += preparation.moved;
    shared += preparation.shared;
    packedValues += preparation.results.size();
    for (Value result : preparation.results)
      packedBytes += program::bytesOf(result.getType());
  }
};

} // namespace
