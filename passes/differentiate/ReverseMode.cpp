// Reverse-mode differentiation of a block.

#include "passes/differentiate/ReverseMode.h"

#include "dialect/memformer/MemformerDialect.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace memformer;

static bool isFloat(Value value) { return isa<FloatType>(getElementTypeOrSelf(value.getType())); }

// Whether an op loads a parameter that is trained.
static bool isTrained(Operation *op) {
  auto load = dyn_cast<LoadParamOp>(op);
  return load && !SymbolTable::lookupNearestSymbolFrom<ParamOp>(op, load.getParamAttr()).isFixed();
}

namespace {

class ReverseMode {
public:
  ReverseMode(Block &block, OpBuilder &builder, DifferentiationCounts &counts)
      : builder(builder), counts(counts) {
    for (Operation &op : block)
      ops.push_back(&op);
  }

  // Marks what depends on a parameter or a wanted value.
  void findVaried(ArrayRef<Value> wanted) {
    varied.insert(wanted.begin(), wanted.end());
    auto isVaried = [&](Value value) { return varied.contains(value); };
    for (Operation *op : ops)
      if (!isa<StopGradientOp>(op) && (isTrained(op) || llvm::any_of(op->getOperands(), isVaried)))
        for (Value result : op->getResults())
          if (isFloat(result))
            varied.insert(result);
  }

  // Adds a contribution to the gradient of a value; a parameter's goes to its buffer at once.
  void contribute(Value value, Value gradient) {
    assert(value.getType() == gradient.getType() && "a gradient has its value's type");
    if (auto load = value.getDefiningOp<LoadParamOp>()) {
      AccumulateOp::create(builder, load.getLoc(), load.getParamAttr(), gradient);
      ++counts.contributions;
      return;
    }
    Value &sum = gradients[value];
    sum =
        sum ? AddOp::create(builder, gradient.getLoc(), value.getType(), sum, gradient) : gradient;
  }

  LogicalResult run() {
    for (Operation *op : llvm::reverse(ops))
      if (failed(cross(op)))
        return failure();
    return success();
  }

  Value gradientOf(Value value) const { return gradients.lookup(value); }

private:
  // Passes the gradients of an op's results on to its operands.
  LogicalResult cross(Operation *op) {
    if (isa<LoadParamOp>(op))
      return success();
    SmallVector<Value> arriving;
    for (Value result : op->getResults())
      arriving.push_back(gradients.lookup(result));
    SmallVector<bool> needed;
    for (Value operand : op->getOperands())
      needed.push_back(isFloat(operand) && varied.contains(operand));
    if (llvm::none_of(arriving, [](Value value) { return bool(value); }) ||
        llvm::none_of(needed, [](bool need) { return need; })) {
      counts.inactive += !op->hasTrait<OpTrait::IsTerminator>();
      return success();
    }
    auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
    if (!differentiable)
      return op->emitOpError("has no gradient, but the loss or the next state depends on it and it "
                             "depends on a parameter or the state");
    SmallVector<Value> gradients = differentiable.buildGradient(builder, arriving, needed);
    if (gradients.empty()) // the op said why
      return failure();
    if (gradients.size() != op->getNumOperands())
      return op->emitOpError("expected one gradient for each of ")
             << op->getNumOperands() << " operands, but got " << gradients.size();
    ++counts.differentiated;
    for (auto [operand, need, gradient] : llvm::zip_equal(op->getOperands(), needed, gradients))
      if (need && gradient)
        contribute(operand, gradient);
    return success();
  }

  OpBuilder &builder;
  DifferentiationCounts &counts;
  SmallVector<Operation *> ops;
  DenseSet<Value> varied;
  DenseMap<Value, Value> gradients;
};

} // namespace

FailureOr<SmallVector<Value>> memformer::differentiate(Block &block, ArrayRef<Seed> seeds,
                                                       ArrayRef<Value> wanted, OpBuilder &builder,
                                                       DifferentiationCounts &counts) {
  // The ops are listed before any gradient is built, which may be into the same block.
  ReverseMode mode(block, builder, counts);
  mode.findVaried(wanted);
  for (const Seed &seed : seeds)
    mode.contribute(seed.value, seed.gradient);
  if (failed(mode.run()))
    return failure();
  return llvm::map_to_vector(wanted, [&](Value value) { return mode.gradientOf(value); });
}
