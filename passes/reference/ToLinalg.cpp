// Replaces ops by their reference, parameters by buffers and recurrences by functions.

#include "dialect/memformer/MemformerDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Passes.h"

namespace memformer {

#define GEN_PASS_DEF_TOLINALGPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;

static MemRefType bufferType(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  return MemRefType::get(type.getShape(), type.getElementType());
}

static std::string gradientName(StringRef param) { return (param + ".gradient").str(); }

// memformer.param → a buffer for the value and one for the gradient. They are public, so that the
// caller finds them by name.
static void lowerParam(ParamOp param) {
  OpBuilder builder(param);
  Location loc = param.getLoc();
  MemRefType type = bufferType(param.getType());
  auto zero = DenseElementsAttr::get(cast<ShapedType>(param.getType()),
                                     builder.getFloatAttr(type.getElementType(), 0.0));
  auto buffer = [&](StringRef name, Attribute initial) {
    memref::GlobalOp::create(builder, loc, name, /*sym_visibility=*/nullptr, type, initial,
                             /*constant=*/false, /*alignment=*/builder.getI64IntegerAttr(64));
  };
  buffer(param.getSymName(), zero);
  buffer(gradientName(param.getSymName()), zero);
  param.erase();
}

static void lowerLoad(LoadParamOp load) {
  OpBuilder builder(load);
  Location loc = load.getLoc();
  Value buffer = memref::GetGlobalOp::create(builder, loc, bufferType(load.getType()),
                                             load.getParamAttr().getValue());
  Value value = bufferization::ToTensorOp::create(builder, loc, load.getType(), buffer,
                                                  /*restrict=*/true, /*writable=*/false);
  load.replaceAllUsesWith(value);
  load.erase();
}

// memformer.accumulate → gradient[i] += value[i], in place and therefore in program order.
static void lowerAccumulate(AccumulateOp accumulate) {
  OpBuilder builder(accumulate);
  Location loc = accumulate.getLoc();
  MemRefType type = bufferType(accumulate.getValue().getType());
  Value value = bufferization::ToBufferOp::create(builder, loc, type, accumulate.getValue(),
                                                  /*read_only=*/true);
  Value gradient =
      memref::GetGlobalOp::create(builder, loc, type, gradientName(accumulate.getParam()));
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> loops(type.getRank(), utils::IteratorType::parallel);
  linalg::GenericOp::create(builder, loc, ValueRange{value}, ValueRange{gradient},
                            ArrayRef<AffineMap>{identity, identity}, loops,
                            [](OpBuilder &builder, Location loc, ValueRange entries) {
                              Value sum =
                                  arith::AddFOp::create(builder, loc, entries[1], entries[0]);
                              linalg::YieldOp::create(builder, loc, sum);
                            });
  accumulate.erase();
}

// A region of a recurrence → a function from its arguments to what it yields: states, loss,
// outputs.
static void lowerRegion(RecurrenceOp recurrence, Region &region, StringRef suffix) {
  if (region.empty())
    return;
  OpBuilder builder(recurrence);
  Operation *yield = region.front().getTerminator();
  auto type = builder.getFunctionType(region.front().getArgumentTypes(), yield->getOperandTypes());
  auto function = func::FuncOp::create(builder, recurrence.getLoc(),
                                       (recurrence.getSymName() + "." + suffix).str(), type);
  function.getBody().takeBody(region);
  builder.setInsertionPoint(yield);
  func::ReturnOp::create(builder, yield->getLoc(), yield->getOperands());
  yield->erase();
}

// Replaces ops by calls of functions that hold nothing but them, one for all ops that are equal but
// for their operands.
static void outlineOps(ModuleOp module) {
  DenseMap<std::tuple<OperationName, DictionaryAttr, FunctionType>, func::FuncOp> functions;
  SmallVector<Operation *> work;
  module.walk([&](ReferenceOpInterface op) { work.push_back(op); });
  OpBuilder builder(module.getContext());
  for (Operation *op : work) {
    auto type = builder.getFunctionType(op->getOperandTypes(), op->getResultTypes());
    DictionaryAttr attributes = op->getAttrDictionary();
    func::FuncOp &function = functions[{op->getName(), attributes, type}];
    if (!function) {
      builder.setInsertionPointToEnd(module.getBody());
      std::string name = "reference." + op->getName().stripDialect().str() + "." +
                         std::to_string(functions.size());
      function = func::FuncOp::create(builder, op->getLoc(), name, type);
      function.setPrivate();
      function->setAttr("passthrough", builder.getStrArrayAttr({"noinline"}));
      builder.setInsertionPointToEnd(function.addEntryBlock());
      IRMapping mapping;
      for (auto [operand, argument] : llvm::zip_equal(op->getOperands(), function.getArguments()))
        mapping.map(operand, argument);
      // An operand that is used twice is two arguments.
      Operation *copy = builder.clone(*op, mapping);
      copy->setOperands(function.getArguments());
      func::ReturnOp::create(builder, op->getLoc(), copy->getResults());
    }
    builder.setInsertionPoint(op);
    auto call = func::CallOp::create(builder, op->getLoc(), function, op->getOperands());
    op->replaceAllUsesWith(call);
    op->erase();
  }
}

template <typename OpT, typename Fn> static void forEach(ModuleOp module, Fn lower) {
  SmallVector<OpT> work;
  module.walk([&](OpT op) { work.push_back(op); });
  for (OpT op : work)
    lower(op);
}

namespace {

struct ToLinalgPass : memformer::impl::ToLinalgPassBase<ToLinalgPass> {
  using ToLinalgPassBase::ToLinalgPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (outline)
      outlineOps(module);
    // The reference of one op may be made of others.
    for (bool changed = true; changed;) {
      changed = false;
      forEach<ReferenceOpInterface>(module, [&](ReferenceOpInterface op) {
        OpBuilder builder(op);
        op->replaceAllUsesWith(op.buildReference(builder));
        op->erase();
        ++lowered;
        changed = true;
      });
    }
    forEach<RecurrenceOp>(module, [](RecurrenceOp recurrence) {
      lowerRegion(recurrence, recurrence.getInitial(), "initial");
      lowerRegion(recurrence, recurrence.getSegment(), "segment");
      lowerRegion(recurrence, recurrence.getReplay(), "replay");
      recurrence.erase();
    });
    forEach<LoadParamOp>(module, lowerLoad);
    forEach<AccumulateOp>(module, lowerAccumulate);
    forEach<ParamOp>(module, lowerParam);
  }
};

} // namespace
