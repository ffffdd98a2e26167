// Layers that models are made of, as ops of one recurrence.

#ifndef MEMFORMER_FRONTEND_LAYERS_H
#define MEMFORMER_FRONTEND_LAYERS_H

#include "dialect/memformer/MemformerDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OwningOpRef.h"
#include "runtime/configuration.h"

namespace memformer {

/// Builds one recurrence; values are of the region in which the builder stands. Each model has a
/// builder of its own that adds what it alone has.
class LayerBuilder {
public:
  LayerBuilder(mlir::MLIRContext &context, const Configuration &configuration, int64_t batch)
      : builder(&context), model(configuration.model), memory(configuration.memory),
        initializer(configuration.initializer), batch(batch), location(builder.getUnknownLoc()),
        f32(builder.getF32Type()) {}

protected:
  using Value = mlir::Value;
  using Shape = llvm::ArrayRef<int64_t>;
  using Names = llvm::SmallVector<llvm::StringRef>;

  /// A module with an empty recurrence, whose streamed input is `decoder_tokens` and whose stepped
  /// output is `logits`. `dropout_key` is added to the inputs where there is dropout.
  void createRecurrence(llvm::StringRef name, const Names &states, Names inputs,
                        const Names &outputs);

  mlir::RankedTensorType type(Shape shape) const { return mlir::RankedTensorType::get(shape, f32); }
  /// [B,L] of i32.
  mlir::RankedTensorType tokensType() {
    return mlir::RankedTensorType::get({batch, model.segment}, builder.getI32Type());
  }
  static mlir::RankedTensorType typeOf(Value value) {
    return llvm::cast<mlir::RankedTensorType>(value.getType());
  }

  /// Loads a parameter, which its first use declares.
  Value param(const llvm::Twine &name, Shape shape, InitializerKind kind, double value);
  Value linear(Value input, llvm::StringRef name, int64_t out);
  Value linearWithoutBias(Value input, const llvm::Twine &name, int64_t out);
  /// Weight [out, in] and bias [out].
  std::pair<Value, Value> linearParams(const llvm::Twine &name, int64_t out, int64_t in);
  Value layerNorm(Value input, const llvm::Twine &name);
  Value add(Value a, Value b);
  Value dropout(Value input);
  int32_t nextStream() { return streams++; }

  /// [B,L] to [B,L,d], with learned positions `position` [L,d] where it is not empty.
  Value embed(Value tokens, llvm::StringRef position);
  /// Attention of what is projected already; `drop`: with the model's dropout.
  AttentionOp attend(Value query, Value key, Value value, bool causal, bool drop,
                     Value relativeQuery = {}, Value relativeKey = {});
  Value attention(Value input, Value context, llvm::StringRef name, bool causal);
  Value feedForward(Value input, llvm::StringRef name);
  /// x + f(LN(x)), or LN(x + f(x)) with post-norm.
  Value sublayer(Value input, const llvm::Twine &norm, llvm::function_ref<Value(Value)> function);
  /// [B,L,d] to logits [B,L,V].
  Value output(Value input, llvm::StringRef name);
  /// The loss of each target [B,L].
  Value crossEntropy(Value logits, Value targets);
  /// The most likely token [B,L].
  Value prediction(Value logits);

  mlir::OpBuilder builder;
  const ModelSettings &model;
  const MemorySettings &memory;
  const InitializerSettings &initializer;
  int64_t batch;
  mlir::Location location;
  mlir::Type f32;
  mlir::ModuleOp module;
  RecurrenceOp recurrence;
  Value dropoutKey;

private:
  int32_t streams = 0;
};

} // namespace memformer

#endif
