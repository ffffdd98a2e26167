// Layers that models are made of, as ops of one recurrence.

#include "frontend/Layers.h"

#include <cmath>

using namespace mlir;
using namespace memformer;

void LayerBuilder::createRecurrence(StringRef name, const Names &states, Names inputs,
                                    const Names &outputs) {
  module = ModuleOp::create(location);
  if (model.precision == "bf16")
    module->setAttr(precisionAttribute, TypeAttr::get(builder.getBF16Type()));
  if (model.precision == "f16")
    module->setAttr(precisionAttribute, TypeAttr::get(builder.getF16Type()));
  if (model.precision == "tf32")
    module->setAttr(precisionAttribute, TypeAttr::get(FloatTF32Type::get(builder.getContext())));
  if (model.generationWeights != (model.precision == "bf16" ? "bf16" : "f32")) {
    Type type = model.generationWeights == "int8"   ? Type(builder.getI8Type())
                : model.generationWeights == "bf16" ? Type(builder.getBF16Type())
                                                    : Type(builder.getF32Type());
    module->setAttr(generationWeightsAttribute, TypeAttr::get(type));
  }
  builder.setInsertionPointToEnd(module.getBody());
  if (model.dropout > 0)
    inputs.push_back("dropout_key");
  recurrence = RecurrenceOp::create(
      builder, location, name, builder.getStrArrayAttr(states), builder.getStrArrayAttr(inputs),
      builder.getStrArrayAttr(outputs), builder.getStringAttr("decoder_tokens"),
      builder.getStringAttr("logits"));
}

Value LayerBuilder::param(const Twine &name, Shape shape, InitializerKind kind, double value) {
  std::string symbol = name.str();
  if (!module.lookupSymbol(symbol)) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(recurrence);
    ParamOp::create(
        builder, location, symbol, type(shape),
        InitializerAttr::get(builder.getContext(), kind, builder.getF64FloatAttr(value)));
  }
  return LoadParamOp::create(builder, location, type(shape), symbol);
}

Value LayerBuilder::linearWithoutBias(Value input, const Twine &name, int64_t out) {
  SmallVector<int64_t> shape(typeOf(input).getShape());
  Value weight = param(name + ".weight", {out, shape.back()}, InitializerKind::Uniform,
                       1 / std::sqrt(double(shape.back())));
  shape.back() = out;
  return LinearOp::create(builder, location, type(shape), input, weight, Value(),
                          /*transposed=*/false);
}

std::pair<Value, Value> LayerBuilder::linearParams(const Twine &name, int64_t out, int64_t in) {
  double bound = 1 / std::sqrt(double(in));
  Value weight = param(name + ".weight", {out, in}, InitializerKind::Uniform, bound);
  return {weight, param(name + ".bias", {out}, InitializerKind::Uniform, bound)};
}

Value LayerBuilder::linear(Value input, StringRef name, int64_t out) {
  SmallVector<int64_t> shape(typeOf(input).getShape());
  auto [weight, bias] = linearParams(name, out, shape.back());
  shape.back() = out;
  return LinearOp::create(builder, location, type(shape), input, weight, bias,
                          /*transposed=*/false);
}

Value LayerBuilder::layerNorm(Value input, const Twine &name) {
  Value scale = param(name + ".weight", {model.width}, InitializerKind::Constant, 1);
  Value shift = param(name + ".bias", {model.width}, InitializerKind::Constant, 0);
  return LayerNormOp::create(builder, location, input.getType(), input, scale, shift,
                             builder.getF64FloatAttr(1e-5));
}

Value LayerBuilder::dropout(Value input) {
  if (model.dropout == 0)
    return input;
  return DropoutOp::create(builder, location, input.getType(), input, dropoutKey,
                           builder.getF64FloatAttr(model.dropout),
                           builder.getI32IntegerAttr(nextStream()));
}

Value LayerBuilder::add(Value a, Value b) {
  return AddOp::create(builder, location, a.getType(), a, b);
}

Value LayerBuilder::embed(Value tokens, StringRef position) {
  Value table = param("embedding.weight", {model.vocab, model.width}, InitializerKind::Normal,
                      initializer.embedding);
  Value x = EmbeddingOp::create(builder, location, type({batch, model.segment, model.width}),
                                tokens, table);
  if (!position.empty())
    x = add(x, param(position, {model.segment, model.width}, InitializerKind::Normal,
                     initializer.position));
  return dropout(x);
}

Value LayerBuilder::attention(Value input, Value context, StringRef name, bool causal) {
  Value query = linear(input, (name + ".query").str(), model.width);
  Value key = linear(context, (name + ".key").str(), model.width);
  Value value = linear(context, (name + ".value").str(), model.width);
  Value result = attend(query, key, value, causal, /*drop=*/true).getResult();
  return linear(result, (name + ".output").str(), model.width);
}

AttentionOp LayerBuilder::attend(Value query, Value key, Value value, bool causal, bool drop,
                                 Value relativeQuery, Value relativeKey) {
  drop &= model.dropout > 0;
  return AttentionOp::create(
      builder, location,
      TypeRange{query.getType(), type({batch, model.heads, typeOf(query).getDimSize(1)})}, query,
      key, value, relativeQuery, relativeKey, drop ? dropoutKey : Value(),
      builder.getI64IntegerAttr(model.heads),
      builder.getF64FloatAttr(1 / std::sqrt(double(model.width / model.heads))),
      causal ? builder.getUnitAttr() : UnitAttr(),
      builder.getF64FloatAttr(drop ? model.dropout : 0),
      builder.getI32IntegerAttr(drop ? nextStream() : 0));
}

Value LayerBuilder::feedForward(Value input, StringRef name) {
  Value hidden = linear(input, (name + ".up").str(), model.feedForward);
  Value active = model.activation == "relu"
                     ? Value(ReluOp::create(builder, location, hidden.getType(), hidden))
                     : Value(GeluOp::create(builder, location, hidden.getType(), hidden));
  return linear(active, (name + ".down").str(), model.width);
}

Value LayerBuilder::sublayer(Value input, const Twine &norm, function_ref<Value(Value)> function) {
  std::string name = norm.str();
  Value branch = dropout(function(model.postNorm ? input : layerNorm(input, name)));
  Value sum = add(input, branch);
  return model.postNorm ? layerNorm(sum, name) : sum;
}

Value LayerBuilder::output(Value input, StringRef name) {
  if (!model.tieEmbeddings)
    return linear(input, name, model.vocab);
  Value weight = param("embedding.weight", {model.vocab, model.width}, InitializerKind::Normal,
                       initializer.embedding);
  Value bias = param(name + ".bias", {model.vocab}, InitializerKind::Uniform,
                     1 / std::sqrt(double(model.width)));
  return LinearOp::create(builder, location, type({batch, model.segment, model.vocab}), input,
                          weight, bias, /*transposed=*/false);
}

Value LayerBuilder::crossEntropy(Value logits, Value targets) {
  auto places = type({batch, model.segment});
  return CrossEntropyOp::create(builder, location, TypeRange{places, places}, logits, targets)
      .getLoss();
}

Value LayerBuilder::prediction(Value logits) {
  return ArgmaxOp::create(builder, location, tokensType(), logits);
}
