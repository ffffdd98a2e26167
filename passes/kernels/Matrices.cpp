// Lowering to kernels: products, sums, tables and the loss.

#include "passes/kernels/Lowering.h"

#include "dialect/kernel/Shapes.h"
#include "dialect/memformer/Shapes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/schedule/Roles.h"

using namespace mlir;
using namespace memformer;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

Type KernelLowering::storedWeight(LinearOp op) {
  bool few = rows(op.getResult()) <= options.fewRows;
  return few && function.getName() == function::step ? options.generationWeights : Type();
}

void KernelLowering::lowerLinear(LinearOp op) {
  // W is [out, in], the transpose of B [K, N], or with `transposed` B itself.
  ArrayRef<int64_t> weight = typeOf(op.getWeight()).getShape();
  int64_t n = op.getTransposed() ? weight[1] : weight[0];
  int64_t depth = op.getTransposed() ? weight[0] : weight[1];
  int64_t panels = (n + options.panelWidth - 1) / options.panelWidth;
  Type stored = storedWeight(op);
  auto packed = RankedTensorType::get({panels, depth, options.panelWidth},
                                      stored ? stored : Type(builder.getF32Type()));
  TypeAttr operandType = stored ? TypeAttr() : options.operandType;
  if (operandType && kernel::isNarrow(operandType.getValue())) { // rows side by side
    int64_t group = options.panelGroup, groups = (depth + group - 1) / group;
    packed =
        RankedTensorType::get({panels, groups, options.panelWidth, group}, operandType.getValue());
  }
  Type scales = RankedTensorType::get({n}, builder.getF32Type());
  auto pack = kernel::PackOp::create(builder, location, packed,
                                     stored && stored.isInteger() ? scales : Type(), op.getWeight(),
                                     !op.getTransposed());

  // A column's scale, where there is one, comes before its bias.
  SmallVector<Value> extras;
  for (Value extra : {Value(pack.getScales()), Value(op.getBias())})
    if (extra)
      extras.push_back(extra);
  SmallVector<int32_t> indexing(extras.size(), int32_t(OperandIndexing::Trailing));
  auto gemm = kernel::GemmOp::create(builder, location, op->getResultTypes(), op.getInput(),
                                     pack.getResult(), Value(), Value(), extras, uint64_t(n),
                                     /*transpose_a=*/false,
                                     /*packed=*/true, /*store_normalized=*/false, APFloat(1e-5),
                                     indexing, FlatSymbolRefAttr(), operandType);
  SmallVector<Type> extraTypes(extras.size(), builder.getF32Type());
  buildEpilogue(gemm.getEpilogue(), extraTypes, [&](OpBuilder &builder, Block &block) -> Value {
    Value entry = block.getArgument(0);
    if (pack.getScales())
      entry = arith::MulFOp::create(builder, location, entry, block.getArgument(1));
    if (op.getBias())
      entry = arith::AddFOp::create(builder, location, entry,
                                    block.getArgument(unsigned(extras.size())));
    return entry;
  });
  replace(op, gemm.getResults());
}

// The recurrent product multiplies f32 whatever the precision: it sums over time.
Value KernelLowering::packLstm(Value weight, bool transposed) {
  ArrayRef<int64_t> shape = typeOf(weight).getShape();
  int64_t depth = shape[transposed ? 1 : 0], width = shape[transposed ? 0 : 1];
  int64_t panels = (width + options.panelWidth - 1) / options.panelWidth;
  auto packed = RankedTensorType::get({panels, depth, options.panelWidth}, builder.getF32Type());
  return kernel::PackOp::create(builder, location, packed, Type(), weight, transposed).getResult();
}

void KernelLowering::lowerLstm(LstmOp op) {
  Value weight = packLstm(op.getWeight(), /*transposed=*/true);
  replace(op, kernel::LstmOp::create(builder, location, op->getResultTypes(), op.getGates(),
                                     op.getHidden(), op.getCell(), weight)
                  ->getResults());
}

void KernelLowering::lowerLstmStep(LstmStepOp op) {
  Value weight = packLstm(op.getWeight(), /*transposed=*/true);
  replace(op, kernel::LstmStepOp::create(builder, location, op->getResultTypes(), op.getGates(),
                                         op.getHidden(), op.getCell(), weight, op.getHiddenCache(),
                                         op.getCellCache(), op.getPosition())
                  ->getResults());
}

void KernelLowering::lowerLstmGradient(LstmGradientOp op) {
  Value weight = packLstm(op.getWeight(), /*transposed=*/false);
  replace(op, kernel::LstmGradientOp::create(
                  builder, location, op->getResultTypes(), op.getHiddensGradient(),
                  op.getCellsGradient(), op.getActivations(), op.getCells(), op.getCell(), weight)
                  ->getResults());
}

void KernelLowering::lowerWeightGradient(WeightGradientOp op) {
  // dW [out, in] = gᵀ x: A is g by columns, B is x by rows.
  auto build = [this, op](TypeRange results, FlatSymbolRefAttr accumulate) mutable {
    int64_t n = typeOf(op.getInput()).getShape().back();
    auto gemm = kernel::GemmOp::create(builder, location, results, op.getGradient(), op.getInput(),
                                       Value(), Value(), ValueRange{}, uint64_t(n),
                                       /*transpose_a=*/true, /*packed=*/false,
                                       /*store_normalized=*/false, APFloat(1e-5),
                                       ArrayRef<int32_t>{}, accumulate, options.operandType);
    buildEpilogue(gemm.getEpilogue(), {});
    return gemm;
  };
  define(
      op.getResult(), [build](FlatSymbolRefAttr param) mutable { build({}, param); },
      [&]() -> Value { return build(op->getResultTypes(), {}).getResult(0); });
}

void KernelLowering::lowerSumLeading(SumLeadingOp op) {
  // The gradient of a bias adds what the products of the same linear layer multiply: alike rounded,
  // it can be stored so.
  bool isFactor = llvm::any_of(op.getInput().getUsers(), llvm::IsaPred<WeightGradientOp>);
  TypeAttr operandType = options.operandType;
  if (!isFactor || (operandType && !kernel::isNarrow(operandType.getValue())))
    operandType = {};
  auto build = [this, op, operandType](Type result, FlatSymbolRefAttr accumulate) mutable {
    return kernel::ReduceOp::create(builder, location, result, op.getInput(),
                                    uint64_t(typeOf(op.getResult()).getNumElements()), accumulate,
                                    operandType);
  };
  define(
      op.getResult(), [build](FlatSymbolRefAttr param) mutable { build({}, param); },
      [&]() -> Value { return build(op.getType(), {}).getResult(); });
}

void KernelLowering::lowerEmbedding(EmbeddingOp op) {
  auto gather =
      kernel::GatherOp::create(builder, location, op->getResultTypes(), op.getTokens(),
                               op.getTable(), ValueRange{}, builder.getDenseI32ArrayAttr({}));
  buildEpilogue(gather.getEpilogue(), {});
  replace(op, gather.getResults());
}

void KernelLowering::lowerEmbeddingGradient(EmbeddingGradientOp op) {
  auto build = [this, op](Type result, FlatSymbolRefAttr accumulate) mutable {
    return kernel::ScatterAddOp::create(builder, location, result, op.getGradient(), op.getTokens(),
                                        uint64_t(typeOf(op.getResult()).getDimSize(0)), accumulate);
  };
  define(
      op.getResult(), [build](FlatSymbolRefAttr param) mutable { build({}, param); },
      [&]() -> Value { return build(op.getType(), {}).getResult(); });
}

void KernelLowering::lowerLayerNormGradient(LayerNormGradientOp op) {
  RankedTensorType input = typeOf(op.getInput());
  int64_t width = input.getShape().back(), rows = input.getNumElements() / width;
  int64_t blocks = (rows + options.rowBlock - 1) / options.rowBlock;
  auto partials = RankedTensorType::get({2, blocks, width}, builder.getF32Type());
  auto gradient = kernel::LayerNormGradientOp::create(
      builder, location, TypeRange{input, partials}, op.getGradient(), op.getInput(), op.getScale(),
      ValueRange{}, op.getEpsilonAttr(), builder.getDenseI32ArrayAttr({}));
  buildEpilogue(gradient.getEpilogue(), {});
  op.getInputGradient().replaceAllUsesWith(gradient.getResult(0));

  // The first half is of the scale, the second of the shift.
  for (auto [place, result] : llvm::enumerate(op->getResults().drop_front())) {
    if (result.use_empty())
      continue;
    auto half = RankedTensorType::get({1, blocks, width}, builder.getF32Type());
    Value sums =
        kernel::SliceOp::create(builder, location, half, gradient.getResults().back(),
                                /*position=*/Value(), /*axis=*/0, /*offset=*/uint64_t(place));
    auto build = [this, sums, width](Type type, FlatSymbolRefAttr accumulate) {
      return kernel::ReduceOp::create(builder, location, type, sums, uint64_t(width), accumulate,
                                      TypeAttr());
    };
    define(
        result, [build](FlatSymbolRefAttr param) { build({}, param); },
        [&]() -> Value { return build(result.getType(), {}).getResult(); });
  }
}

void KernelLowering::lowerCrossEntropyGradient(CrossEntropyGradientOp op) {
  // The loss's scale is the same for every target: one entry that all rows share.
  Value gradient = op.getGradient();
  if (Value scalar = repeated.lookup(gradient))
    gradient = scalar;
  auto result = kernel::CrossEntropyGradientOp::create(
      builder, location, op.getType(), gradient, op.getLogits(), op.getTargets(), op.getLse());
  replace(op, result->getResults());
}

LogicalResult KernelLowering::lowerStructural(Operation *op) {
  Operation *result = nullptr;
  if (auto norm = dyn_cast<LayerNormOp>(op))
    result = kernel::LayerNormOp::create(builder, location, norm.getType(), norm.getInput(),
                                         norm.getScale(), norm.getShift(), norm.getEpsilonAttr());
  else if (auto bmn = dyn_cast<BmnOp>(op))
    result = kernel::NormalizeOp::create(builder, location, bmn.getType(), bmn.getInput(),
                                         bmn.getBias());
  else if (auto bmn = dyn_cast<BmnGradientOp>(op))
    result = kernel::NormalizeGradientOp::create(builder, location, bmn.getType(),
                                                 bmn.getGradient(), bmn.getInput(), bmn.getBias());
  else if (auto loss = dyn_cast<CrossEntropyOp>(op))
    result = kernel::CrossEntropyOp::create(builder, location, loss->getResultTypes(),
                                            loss.getLogits(), loss.getTargets());
  else if (auto argmax = dyn_cast<ArgmaxOp>(op))
    result = kernel::ArgmaxOp::create(builder, location, argmax.getType(), argmax.getInput());
  else if (auto used = dyn_cast<MostUsedOp>(op))
    result = kernel::MostUsedOp::create(builder, location, used.getType(), used.getUsage(),
                                        used.getSeenAttr());
  else if (auto concat = dyn_cast<ConcatOp>(op))
    result = kernel::ConcatOp::create(builder, location, concat.getType(), concat.getLhs(),
                                      concat.getRhs(), concat.getAxis());
  else if (auto slice = dyn_cast<SliceOp>(op))
    result = kernel::SliceOp::create(builder, location, slice.getType(), slice.getInput(),
                                     /*position=*/Value(), slice.getAxis(), slice.getOffset());
  else if (auto reshape = dyn_cast<ReshapeOp>(op))
    result = kernel::ReshapeOp::create(builder, location, reshape.getType(), reshape.getInput());
  else if (auto row = dyn_cast<RowOp>(op))
    result = kernel::SliceOp::create(builder, location, row.getType(), row.getInput(),
                                     row.getPosition(), row.getAxis(), /*offset=*/uint64_t(0));
  if (!result)
    return op->emitOpError("expected an op of the memformer dialect that kernels compute");
  replace(op, result->getResults());
  return success();
}
