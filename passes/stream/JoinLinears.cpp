// Linear layers of a single row that read one value become one.

#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "dialect/program/Arguments.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Passes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

namespace memformer {

#define GEN_PASS_DEF_JOINLINEARSPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;

// Projections for an attention, of one row: their joined result is cut without being copied.
static bool canJoin(LinearOp linear) {
  int64_t bytes = program::bytesOf(linear.getType());
  return rows(linear.getResult()) == 1 && !linear.getTransposed() && linear.getBias() &&
         bytes % program::alignment == 0 && linear.getWeight().getDefiningOp<LoadParamOp>() &&
         linear.getBias().getDefiningOp<LoadParamOp>() &&
         llvm::all_of(linear->getUsers(),
                      [](Operation *user) { return isa<AttentionOp, AttentionStepOp>(user); });
}

static void join(ArrayRef<LinearOp> linears) {
  LinearOp first = linears.front();
  OpBuilder builder(first);
  Location location = first.getLoc();
  // Loads may stand after the first layer.
  auto load = [&](Value value) { return builder.clone(*value.getDefiningOp())->getResult(0); };
  auto append = [&](Value joined, Value part) -> Value {
    if (!joined)
      return load(part);
    SmallVector<int64_t> shape(shapeOf(joined));
    shape[0] += shapeOf(part)[0];
    Value loaded = load(part);
    return ConcatOp::create(builder, location, tensorType(part).clone(shape), joined, loaded,
                            /*axis=*/uint64_t(0));
  };
  Value weight, bias;
  for (LinearOp linear : linears) {
    weight = append(weight, linear.getWeight());
    bias = append(bias, linear.getBias());
  }
  SmallVector<int64_t> shape(shapeOf(first.getResult()));
  int64_t axis = int64_t(shape.size()) - 1;
  shape[axis] = shapeOf(bias)[0];
  Value all = LinearOp::create(builder, location, tensorType(first.getResult()).clone(shape),
                               first.getInput(), weight, bias, /*transposed=*/false);
  int64_t offset = 0;
  for (LinearOp linear : linears) {
    Value part =
        SliceOp::create(builder, location, linear.getType(), all, uint64_t(axis), uint64_t(offset));
    offset += columns(linear.getResult());
    linear.getResult().replaceAllUsesWith(part);
  }
  for (LinearOp linear : linears)
    linear.erase();
}

namespace {

struct JoinLinearsPass : memformer::impl::JoinLinearsPassBase<JoinLinearsPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal())
        continue;
      llvm::MapVector<Value, SmallVector<LinearOp>> readers;
      for (auto linear : function.getBody().front().getOps<LinearOp>())
        if (canJoin(linear))
          readers[linear.getInput()].push_back(linear);
      for (const auto &[input, linears] : readers)
        if (linears.size() > 1) {
          join(linears);
          joined += int64_t(linears.size());
        }
    }
  }
};

} // namespace
