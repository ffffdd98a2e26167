// Lowering to kernels: the walk, accumulation, constants and element-wise ops.

#include "passes/kernels/Lowering.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace memformer;

static int64_t entriesOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getNumElements();
}

void KernelLowering::hoistParameters() {
  Block &body = function.getBody().front();
  Operation *last = nullptr;
  DenseMap<StringAttr, LoadParamOp> loads;
  for (auto load : llvm::make_early_inc_range(body.getOps<LoadParamOp>())) {
    auto [entry, isNew] = loads.try_emplace(load.getParamAttr().getAttr(), load);
    if (!isNew) {
      load.getResult().replaceAllUsesWith(entry->second.getResult());
      load.erase();
      continue;
    }
    if (last)
      load->moveAfter(last);
    else
      load->moveBefore(&body, body.begin());
    last = load;
  }
}

LogicalResult KernelLowering::run() {
  hoistParameters();
  Block &body = function.getBody().front();
  SmallVector<Operation *> work;
  for (Operation &op : body.without_terminator())
    if (!isa<LoadParamOp>(op))
      work.push_back(&op);
  for (Operation *op : work) {
    for (Type type : llvm::concat<const Type>(op->getOperandTypes(), op->getResultTypes()))
      if (auto tensor = dyn_cast<RankedTensorType>(type); tensor && tensor.getElementType().isF64())
        return op->emitOpError("expected tensors of f32, in which kernels compute, but got ")
               << type;
    builder.setInsertionPoint(op);
    location = op->getLoc();
    if (failed(lower(op)))
      return failure();
  }
  for (Operation *op : llvm::reverse(work))
    op->erase();
  // Kernels that only the erased ops asked for: constants that became part of regions.
  SmallVector<Operation *> built;
  for (Operation &op : body.without_terminator())
    built.push_back(&op);
  for (Operation *op : llvm::reverse(built))
    if (isOpTriviallyDead(op))
      op->erase();
  return success();
}

LogicalResult KernelLowering::lower(Operation *op) {
  if (auto dropout = dyn_cast<DropoutOp>(op)) {
    dropout.getKeyMutable().assign(keyOfStream(dropout.getKey(), int32_t(dropout.getStream())));
    dropout.setStream(0);
  }
  if (isa<ElementwiseOpInterface>(op)) {
    lowerElementwise(op);
    return success();
  }
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto value = dyn_cast<DenseElementsAttr>(constant.getValue());
    if (!value || !value.isSplat())
      return op->emitOpError("expected a tensor whose entries are equal");
    lowerConstant(constant, value);
    return success();
  }
  if (isa<ExpandableOpInterface>(op))
    return op->emitOpError("expected -memformer-expand to have replaced this op");
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](AccumulateOp op) { return lowerAccumulate(op), success(); })
      .Case([&](LinearOp op) { return lowerLinear(op), success(); })
      .Case([&](LstmOp op) { return lowerLstm(op), success(); })
      .Case([&](LstmStepOp op) { return lowerLstmStep(op), success(); })
      .Case([&](LstmGradientOp op) { return lowerLstmGradient(op), success(); })
      .Case([&](WeightGradientOp op) { return lowerWeightGradient(op), success(); })
      .Case([&](SumLeadingOp op) { return lowerSumLeading(op), success(); })
      .Case([&](EmbeddingOp op) { return lowerEmbedding(op), success(); })
      .Case([&](EmbeddingGradientOp op) { return lowerEmbeddingGradient(op), success(); })
      .Case([&](LayerNormGradientOp op) { return lowerLayerNormGradient(op), success(); })
      .Case([&](CrossEntropyGradientOp op) { return lowerCrossEntropyGradient(op), success(); })
      .Case<AttentionOp, AttentionStepOp, AttentionGradientOp, AttentionWeightsOp, AttentionUsageOp,
            SlotAttentionOp, SlotAttentionGradientOp>(
          [&](Operation *op) { return lowerAttention(op); })
      .Default([&](Operation *op) { return lowerStructural(op); });
}

void KernelLowering::define(Value result, AccumulateForm form, std::function<Value()> value) {
  if (result.hasOneUse() && isa<AccumulateOp>(*result.user_begin()))
    forms[result] = std::move(form);
  else
    result.replaceAllUsesWith(value());
}

void KernelLowering::lowerAccumulate(AccumulateOp op) {
  if (auto form = forms.find(op.getValue()); form != forms.end()) {
    form->second(op.getParamAttr());
    ++accumulated;
    return;
  }
  // Any other value: a sum over no dimensions.
  kernel::ReduceOp::create(builder, location, Type(), op.getValue(), entriesOf(op.getValue()),
                           op.getParamAttr(), TypeAttr());
}

void KernelLowering::lowerConstant(arith::ConstantOp op, DenseElementsAttr value) {
  auto map = kernel::MapOp::create(builder, location, op->getResultTypes(), ValueRange{},
                                   builder.getDenseI32ArrayAttr({}));
  OpBuilder::InsertionGuard guard(builder);
  builder.createBlock(&map.getBody(), {}, builder.getI32Type(), location);
  auto number = value.getSplatValue<TypedAttr>();
  Value entry = arith::ConstantOp::create(builder, location, number);
  kernel::KernelYieldOp::create(builder, location, entry);
  constants[map.getResult(0)] = number;
  replace(op, map.getResults());
}

void KernelLowering::lowerElementwise(Operation *op) {
  auto elementwise = cast<ElementwiseOpInterface>(op);
  SmallVector<Value> inputs;
  SmallVector<int32_t> indexing;
  // For each operand the place of its first block argument, or -1 for a constant.
  SmallVector<int64_t> places;
  SmallVector<int64_t> firsts; // of each input
  int64_t arguments = 0;
  for (OpOperand &operand : op->getOpOperands()) {
    OperandIndexing kind = elementwise.getOperandIndexing(operand.getOperandNumber());
    Value value = operand.get();
    if (constants.contains(value) && kind != OperandIndexing::Whole) {
      places.push_back(-1);
      continue;
    }
    auto same = llvm::find_if(llvm::seq<size_t>(0, inputs.size()), [&](size_t i) {
      return inputs[i] == value && indexing[i] == int32_t(kind);
    });
    if (*same < inputs.size()) {
      places.push_back(firsts[*same]);
      continue;
    }
    inputs.push_back(value);
    indexing.push_back(int32_t(kind));
    firsts.push_back(arguments);
    places.push_back(arguments);
    arguments += kind == OperandIndexing::Whole ? entriesOf(value) : 1;
  }

  auto map = kernel::MapOp::create(builder, location, op->getResultTypes(), inputs,
                                   builder.getDenseI32ArrayAttr(indexing));
  {
    OpBuilder::InsertionGuard guard(builder);
    Block *body = builder.createBlock(&map.getBody());
    for (auto [input, kind] : llvm::zip_equal(inputs, indexing)) {
      Type element = cast<RankedTensorType>(input.getType()).getElementType();
      int64_t count = OperandIndexing(kind) == OperandIndexing::Whole ? entriesOf(input) : 1;
      for (int64_t i = 0; i < count; ++i)
        body->addArgument(element, location);
    }
    Value index = body->addArgument(builder.getI32Type(), location);
    SmallVector<Value> scalars;
    for (auto [operand, place] : llvm::zip_equal(op->getOpOperands(), places)) {
      Value value = operand.get();
      if (place < 0) {
        scalars.push_back(arith::ConstantOp::create(builder, location, constants[value]));
        continue;
      }
      bool whole =
          elementwise.getOperandIndexing(operand.getOperandNumber()) == OperandIndexing::Whole;
      for (int64_t i = 0, n = whole ? entriesOf(value) : 1; i < n; ++i)
        scalars.push_back(body->getArgument(unsigned(place + i)));
    }
    Value entry = elementwise.buildScalar(builder, scalars, index);
    kernel::KernelYieldOp::create(builder, location, entry);
  }
  if (isa<BroadcastOp>(op) && cast<RankedTensorType>(op->getOperand(0).getType()).getRank() == 0)
    repeated[map.getResult(0)] = op->getOperand(0);
  replace(op, map.getResults());
}

void KernelLowering::buildEpilogue(Region &region, TypeRange extras,
                                   function_ref<Value(OpBuilder &, Block &)> body) {
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> types = {builder.getF32Type()};
  types.append(extras.begin(), extras.end());
  types.push_back(builder.getI32Type());
  Block *block =
      builder.createBlock(&region, {}, types, SmallVector<Location>(types.size(), location));
  Value entry = body ? body(builder, *block) : block->getArgument(0);
  kernel::KernelYieldOp::create(builder, location, entry);
}
