// Lowering of one function of the schedule level to the kernel dialect.

#ifndef MEMFORMER_PASSES_KERNELS_LOWERING_H
#define MEMFORMER_PASSES_KERNELS_LOWERING_H

#include "dialect/kernel/KernelDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"

#include <functional>

namespace memformer {

struct LoweringOptions {
  /// Columns of a panel of packed weights: the target's.
  int64_t panelWidth = 16;
  /// Rows whose entries are side by side where a panel has 16 bits each.
  int64_t panelGroup = 2;
  /// Rows whose sums one workgroup of a layer norm's gradient adds up.
  int64_t rowBlock = 16;
  /// The type to which products round their operands; null: they multiply f32.
  mlir::TypeAttr operandType;
  /// The same of attention.
  mlir::TypeAttr attentionType;
  /// The type in which a position of a stream reads its weights, and the rows of the products that
  /// do so, at most; null: as all products.
  mlir::Type generationWeights;
  int64_t fewRows = 0;
};

/// Replaces the ops of a function by kernels, in program order.
class KernelLowering {
public:
  KernelLowering(mlir::func::FuncOp function, const LoweringOptions &options)
      : function(function), options(options), builder(function.getContext()) {}

  mlir::LogicalResult run();

  /// Contributions to gradients that the kernel which computes them adds itself.
  int64_t accumulated = 0;

private:
  /// Builds the form of a kernel that adds to a parameter's gradient and has no result.
  using AccumulateForm = std::function<void(mlir::FlatSymbolRefAttr)>;

  mlir::LogicalResult lower(mlir::Operation *op);
  void hoistParameters();

  void lowerElementwise(mlir::Operation *op);
  void lowerConstant(mlir::arith::ConstantOp op, mlir::DenseElementsAttr value);
  void lowerAccumulate(AccumulateOp op);
  void lowerLinear(LinearOp op);
  /// The type of the panels of a linear layer's weight; null: that of its operands.
  mlir::Type storedWeight(LinearOp op);
  /// The layer's recurrent weight in panels of its transpose, or of itself.
  mlir::Value packLstm(mlir::Value weight, bool transposed);
  void lowerLstm(LstmOp op);
  void lowerLstmStep(LstmStepOp op);
  void lowerLstmGradient(LstmGradientOp op);
  void lowerWeightGradient(WeightGradientOp op);
  void lowerSumLeading(SumLeadingOp op);
  void lowerEmbedding(EmbeddingOp op);
  void lowerEmbeddingGradient(EmbeddingGradientOp op);
  void lowerLayerNormGradient(LayerNormGradientOp op);
  void lowerCrossEntropyGradient(CrossEntropyGradientOp op);
  mlir::LogicalResult lowerStructural(mlir::Operation *op);
  mlir::LogicalResult lowerAttention(mlir::Operation *op);

  /// The dropout key of one stream: a part of a table that is computed once in a function, so that
  /// kernels of different streams are the same code.
  mlir::Value keyOfStream(mlir::Value key, int32_t stream);

  /// A result that only `memformer.accumulate` reads is not computed where it stands: the
  /// accumulation will build `form`. Otherwise `value` replaces it.
  void define(mlir::Value result, AccumulateForm form, std::function<mlir::Value()> value);
  void replace(mlir::Operation *op, mlir::ValueRange values) { op->replaceAllUsesWith(values); }

  /// The region of a kernel that yields its own first block argument; `extras` are arguments that
  /// `body` sees after it. Without a body the entry itself is yielded.
  void
  buildEpilogue(mlir::Region &region, mlir::TypeRange extras,
                llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Block &)> body = nullptr);

  mlir::func::FuncOp function;
  const LoweringOptions &options;
  mlir::OpBuilder builder;
  mlir::Location location = builder.getUnknownLoc();
  llvm::DenseMap<mlir::Value, AccumulateForm> forms;
  /// Results of maps that repeat one number, and where a tensor of rank 0 was repeated, that.
  llvm::DenseMap<mlir::Value, mlir::TypedAttr> constants;
  llvm::DenseMap<mlir::Value, mlir::Value> repeated;
  /// Of each dropout key its words for every stream, [2 · streams].
  llvm::DenseMap<mlir::Value, mlir::Value> keyTables;
};

} // namespace memformer

#endif
