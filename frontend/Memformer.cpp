// The Memformer (docs/model.md) from its configuration.

#include "dialect/memformer/MemformerDialect.h"
#include "frontend/Model.h"
#include "mlir/IR/Builders.h"

#include <cmath>

using namespace mlir;
using namespace memformer;

namespace {

/// Builds one recurrence; values are of the region in which the builder stands.
class MemformerBuilder {
public:
  MemformerBuilder(MLIRContext &context, const Configuration &configuration, int64_t batch)
      : builder(&context), model(configuration.model), memory(configuration.memory),
        initializer(configuration.initializer), batch(batch), location(builder.getUnknownLoc()),
        f32(builder.getF32Type()) {}

  OwningOpRef<ModuleOp> build();

private:
  using Shape = ArrayRef<int64_t>;
  RankedTensorType type(Shape shape) const { return RankedTensorType::get(shape, f32); }
  RankedTensorType tokensType() {
    return RankedTensorType::get({batch, model.segment}, builder.getI32Type());
  }
  static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

  /// Loads a parameter, which its first use declares.
  Value param(const Twine &name, Shape shape, InitializerKind kind, double value);
  Value linear(Value input, StringRef name, int64_t out);
  std::pair<Value, Value> linearParams(const Twine &name, int64_t out, int64_t in);
  Value layerNorm(Value input, const Twine &name);
  Value dropout(Value input);
  int32_t nextStream() { return streams++; }

  Value embed(Value tokens, StringRef stack);
  Value attention(Value input, Value context, StringRef name, bool causal);
  Value read(Value input, Value slots, StringRef name);
  Value feedForward(Value input, StringRef name);
  /// x + f(LN(x)), or LN(x + f(x)) with post-norm.
  Value sublayer(Value input, const Twine &norm, function_ref<Value(Value)> function);
  Value encode(Value tokens, Value slots);
  Value decode(Value tokens, Value encoded);
  /// The candidate for the next memory and the attention weights.
  std::pair<Value, Value> write(Value slots, Value encoded);
  Value forgettingBias() {
    return param("memory.bias", {memory.slots, model.width}, InitializerKind::Rows,
                 initializer.memoryBias);
  }
  void buildInitial(Region &region);
  void buildSegment(Region &region);

  OpBuilder builder;
  const ModelSettings &model;
  const MemorySettings &memory;
  const InitializerSettings &initializer;
  int64_t batch;
  Location location;
  Type f32;
  ModuleOp module;
  RecurrenceOp recurrence;
  Value dropoutKey;
  int32_t streams = 0;
};

} // namespace

Value MemformerBuilder::param(const Twine &name, Shape shape, InitializerKind kind, double value) {
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

std::pair<Value, Value> MemformerBuilder::linearParams(const Twine &name, int64_t out, int64_t in) {
  double bound = 1 / std::sqrt(double(in));
  Value weight = param(name + ".weight", {out, in}, InitializerKind::Uniform, bound);
  return {weight, param(name + ".bias", {out}, InitializerKind::Uniform, bound)};
}

Value MemformerBuilder::linear(Value input, StringRef name, int64_t out) {
  SmallVector<int64_t> shape(typeOf(input).getShape());
  auto [weight, bias] = linearParams(name, out, shape.back());
  shape.back() = out;
  return LinearOp::create(builder, location, type(shape), input, weight, bias,
                          /*transposed=*/false);
}

Value MemformerBuilder::layerNorm(Value input, const Twine &name) {
  Value scale = param(name + ".weight", {model.width}, InitializerKind::Constant, 1);
  Value shift = param(name + ".bias", {model.width}, InitializerKind::Constant, 0);
  return LayerNormOp::create(builder, location, input.getType(), input, scale, shift,
                             builder.getF64FloatAttr(1e-5));
}

Value MemformerBuilder::dropout(Value input) {
  if (model.dropout == 0)
    return input;
  return DropoutOp::create(builder, location, input.getType(), input, dropoutKey,
                           builder.getF64FloatAttr(model.dropout),
                           builder.getI32IntegerAttr(nextStream()));
}

Value MemformerBuilder::embed(Value tokens, StringRef stack) {
  Value table = param("embedding.weight", {model.vocab, model.width}, InitializerKind::Normal,
                      initializer.embedding);
  Value x = EmbeddingOp::create(builder, location, type({batch, model.segment, model.width}),
                                tokens, table);
  Value position = param(stack + ".position.weight", {model.segment, model.width},
                         InitializerKind::Normal, initializer.position);
  return dropout(AddOp::create(builder, location, x.getType(), x, position));
}

Value MemformerBuilder::attention(Value input, Value context, StringRef name, bool causal) {
  Value query = linear(input, (name + ".query").str(), model.width);
  Value key = linear(context, (name + ".key").str(), model.width);
  Value value = linear(context, (name + ".value").str(), model.width);
  bool drop = model.dropout > 0;
  auto result = AttentionOp::create(
      builder, location,
      TypeRange{query.getType(), type({batch, model.heads, typeOf(query).getDimSize(1)})}, query,
      key, value, drop ? dropoutKey : Value(), builder.getI64IntegerAttr(model.heads),
      builder.getF64FloatAttr(1 / std::sqrt(double(model.width / model.heads))),
      causal ? builder.getUnitAttr() : UnitAttr(), builder.getF64FloatAttr(model.dropout),
      builder.getI32IntegerAttr(drop ? nextStream() : 0));
  return linear(result.getResult(), (name + ".output").str(), model.width);
}

Value MemformerBuilder::read(Value input, Value slots, StringRef name) {
  SmallVector<Value> projections;
  for (StringRef projection : {"query", "key", "value", "output"}) {
    auto [weight, bias] = linearParams(name + "." + projection, model.width, model.width);
    projections.append({weight, bias});
  }
  bool drop = model.dropout > 0;
  auto &p = projections;
  return ReadOp::create(
      builder, location, input.getType(), input, slots, p[0], p[1], p[2], p[3], p[4], p[5], p[6],
      p[7], drop ? dropoutKey : Value(), builder.getI64IntegerAttr(model.heads),
      builder.getF64FloatAttr(model.dropout), builder.getI32IntegerAttr(drop ? nextStream() : 0));
}

Value MemformerBuilder::feedForward(Value input, StringRef name) {
  Value hidden = linear(input, (name + ".up").str(), model.feedForward);
  Value active = model.activation == "relu"
                     ? Value(ReluOp::create(builder, location, hidden.getType(), hidden))
                     : Value(GeluOp::create(builder, location, hidden.getType(), hidden));
  return linear(active, (name + ".down").str(), model.width);
}

Value MemformerBuilder::sublayer(Value input, const Twine &norm,
                                 function_ref<Value(Value)> function) {
  std::string name = norm.str();
  Value branch = dropout(function(model.postNorm ? input : layerNorm(input, name)));
  Value sum = AddOp::create(builder, location, input.getType(), input, branch);
  return model.postNorm ? layerNorm(sum, name) : sum;
}

Value MemformerBuilder::encode(Value tokens, Value slots) {
  Value x = embed(tokens, "encoder");
  if (model.clsTokens) {
    Value cls = param("encoder.cls.weight", {model.clsTokens, model.width}, InitializerKind::Normal,
                      initializer.embedding);
    cls = BroadcastOp::create(builder, location, type({batch, model.clsTokens, model.width}), cls);
    x = ConcatOp::create(builder, location,
                         type({batch, model.segment + model.clsTokens, model.width}), x, cls,
                         builder.getI64IntegerAttr(1));
  }
  for (int64_t layer = 0; layer < model.encoderLayers; ++layer) {
    std::string name = "encoder.layers." + std::to_string(layer);
    x = sublayer(x, name + ".self_norm",
                 [&](Value v) { return attention(v, v, name + ".self_attention", false); });
    if (slots)
      x = sublayer(x, name + ".read_norm",
                   [&](Value v) { return read(v, slots, name + ".memory_read"); });
    x = sublayer(x, name + ".ffn_norm", [&](Value v) { return feedForward(v, name + ".ffn"); });
  }
  return model.postNorm ? x : layerNorm(x, "encoder.norm");
}

Value MemformerBuilder::decode(Value tokens, Value encoded) {
  Value x = embed(tokens, "decoder");
  for (int64_t layer = 0; layer < model.decoderLayers; ++layer) {
    std::string name = "decoder.layers." + std::to_string(layer);
    x = sublayer(x, name + ".self_norm",
                 [&](Value v) { return attention(v, v, name + ".self_attention", true); });
    x = sublayer(x, name + ".cross_norm",
                 [&](Value v) { return attention(v, encoded, name + ".cross_attention", false); });
    x = sublayer(x, name + ".ffn_norm", [&](Value v) { return feedForward(v, name + ".ffn"); });
  }
  if (!model.postNorm)
    x = layerNorm(x, "decoder.norm");
  if (!model.tieEmbeddings)
    return linear(x, "decoder.output", model.vocab);
  Value weight = param("embedding.weight", {model.vocab, model.width}, InitializerKind::Normal,
                       initializer.embedding);
  Value bias = param("decoder.output.bias", {model.vocab}, InitializerKind::Uniform,
                     1 / std::sqrt(double(model.width)));
  return LinearOp::create(builder, location, type({batch, model.segment, model.vocab}), x, weight,
                          bias, /*transposed=*/false);
}

std::pair<Value, Value> MemformerBuilder::write(Value slots, Value encoded) {
  SmallVector<Value> projections(10);
  auto project = [&](unsigned place, StringRef name) {
    std::tie(projections[place], projections[place + 1]) =
        linearParams("memory.write." + name, model.width, model.width);
  };
  project(0, "query");
  project(2, "key");
  project(4, "value");
  if (memory.projectedSlotValue)
    project(6, "slot_value");
  if (memory.outputProjection)
    project(8, "output");
  auto &p = projections;
  auto weights = type({batch, memory.writeHeads, memory.slots, 1 + typeOf(encoded).getDimSize(1)});
  auto result = WriteOp::create(builder, location, TypeRange{slots.getType(), weights}, slots,
                                encoded, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9],
                                builder.getI64IntegerAttr(memory.writeHeads),
                                builder.getF64FloatAttr(memory.temperature));
  return {result.getResult(), result.getWeights()};
}

void MemformerBuilder::buildInitial(Region &region) {
  OpBuilder::InsertionGuard guard(builder);
  builder.createBlock(&region);
  SmallVector<Value> states;
  if (memory.slots) {
    Value bias = forgettingBias();
    Value slots = BmnOp::create(builder, location, bias.getType(), bias, Value());
    states.push_back(
        BroadcastOp::create(builder, location, type({batch, memory.slots, model.width}), slots));
  }
  YieldOp::create(builder, location, states, ValueRange{}, ValueRange{});
}

void MemformerBuilder::buildSegment(Region &region) {
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(&region);
  auto argument = [&](Type type) { return block->addArgument(type, location); };
  Value slots = memory.slots ? argument(type({batch, memory.slots, model.width})) : Value();
  Value encoderTokens = argument(tokensType()), decoderTokens = argument(tokensType()),
        targets = argument(tokensType());
  if (model.dropout > 0)
    dropoutKey = argument(RankedTensorType::get({2}, builder.getI32Type()));

  Value encoded = encode(encoderTokens, slots);
  SmallVector<Value> states, attentions;
  if (slots) {
    auto [candidate, weights] = write(slots, encoded);
    Value bias = memory.forget ? forgettingBias() : Value();
    states.push_back(BmnOp::create(builder, location, slots.getType(), candidate, bias));
    attentions.push_back(weights);
  }
  Value logits = decode(decoderTokens, encoded);
  auto places = type({batch, model.segment});
  Value loss = CrossEntropyOp::create(builder, location, TypeRange{places, places}, logits, targets)
                   .getLoss();
  SmallVector<Value> outputs = {logits};
  outputs.append(attentions);
  outputs.push_back(ArgmaxOp::create(builder, location, tokensType(), logits));
  YieldOp::create(builder, location, states, ValueRange{loss}, outputs);
}

OwningOpRef<ModuleOp> MemformerBuilder::build() {
  module = ModuleOp::create(location);
  if (model.precision == "bf16")
    module->setAttr(precisionAttribute, TypeAttr::get(builder.getBF16Type()));
  if (model.generationWeights != model.precision) {
    Type type = model.generationWeights == "int8"   ? Type(builder.getI8Type())
                : model.generationWeights == "bf16" ? Type(builder.getBF16Type())
                                                    : Type(builder.getF32Type());
    module->setAttr(generationWeightsAttribute, TypeAttr::get(type));
  }
  builder.setInsertionPointToEnd(module.getBody());
  SmallVector<StringRef> states, inputs = {"encoder_tokens", "decoder_tokens", "targets"},
                                 outputs = {"logits"};
  if (memory.slots) {
    states.push_back("memory");
    outputs.push_back("write_attention");
  }
  outputs.push_back("prediction");
  if (model.dropout > 0)
    inputs.push_back("dropout_key");
  recurrence = RecurrenceOp::create(
      builder, location, "memformer", builder.getStrArrayAttr(states),
      builder.getStrArrayAttr(inputs), builder.getStrArrayAttr(outputs),
      builder.getStringAttr("decoder_tokens"), builder.getStringAttr("logits"));
  buildSegment(recurrence.getSegment());
  buildInitial(recurrence.getInitial());
  return module;
}

OwningOpRef<ModuleOp> memformer::buildMemformer(MLIRContext &context,
                                                const Configuration &configuration, int64_t batch) {
  return MemformerBuilder(context, configuration, batch).build();
}
