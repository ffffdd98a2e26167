// The Memformer (docs/model.md) from its configuration.

#include "frontend/Layers.h"
#include "frontend/Model.h"

using namespace mlir;
using namespace memformer;

namespace {

class MemformerBuilder : LayerBuilder {
public:
  using LayerBuilder::LayerBuilder;

  OwningOpRef<ModuleOp> build();

private:
  Value read(Value input, Value slots, StringRef name);
  /// Takes the memory and leaves the one that the last write updates: earlier writes have changed
  /// it.
  Value encode(Value tokens, Value &slots);
  Value decode(Value tokens, Value encoded);
  /// The candidate for the next memory; its attention weights are added to `attentions`.
  Value write(Value slots, Value encoded, StringRef name);
  /// The memory is written after this layer and again after the last.
  bool writesEarly(int64_t layer) const {
    return memory.slots && layer + 1 < model.encoderLayers &&
           layer >= model.encoderLayers - memory.writeLayers;
  }
  Value forgettingBias() {
    return param("memory.bias", {memory.slots, model.width}, InitializerKind::Rows,
                 initializer.memoryBias);
  }
  void buildInitial(Region &region);
  void buildSegment(Region &region);

  SmallVector<Value> attentions; // of the writes, in their order
};

} // namespace

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

Value MemformerBuilder::encode(Value tokens, Value &slots) {
  Value x = embed(tokens, "encoder.position.weight");
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
    if (slots && layer >= model.encoderLayers - memory.readLayers)
      x = sublayer(x, name + ".read_norm",
                   [&](Value v) { return read(v, slots, name + ".memory_read"); });
    x = sublayer(x, name + ".ffn_norm", [&](Value v) { return feedForward(v, name + ".ffn"); });
    if (writesEarly(layer)) {
      // Only normalised: what is forgotten is forgotten once a segment, with the last write.
      Value seen = model.postNorm ? x : layerNorm(x, name + ".write_norm");
      Value candidate = write(slots, seen, name + ".memory_write");
      slots = BmnOp::create(builder, location, slots.getType(), candidate, Value());
    }
  }
  return model.postNorm ? x : layerNorm(x, "encoder.norm");
}

Value MemformerBuilder::decode(Value tokens, Value encoded) {
  Value x = embed(tokens, "decoder.position.weight");
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
  return output(x, "decoder.output");
}

Value MemformerBuilder::write(Value slots, Value encoded, StringRef name) {
  SmallVector<Value> projections(10);
  auto project = [&](unsigned place, StringRef projection) {
    std::tie(projections[place], projections[place + 1]) =
        linearParams(name + "." + projection, model.width, model.width);
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
  attentions.push_back(result.getWeights());
  return result.getResult();
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
  SmallVector<Value> states;
  if (slots) {
    Value candidate = write(slots, encoded, "memory.write");
    Value bias = memory.forget ? forgettingBias() : Value();
    states.push_back(BmnOp::create(builder, location, slots.getType(), candidate, bias));
  }
  Value logits = decode(decoderTokens, encoded);
  Value loss = crossEntropy(logits, targets);
  SmallVector<Value> outputs = {logits};
  outputs.append(attentions);
  outputs.push_back(prediction(logits));
  YieldOp::create(builder, location, states, ValueRange{loss}, outputs);
}

OwningOpRef<ModuleOp> MemformerBuilder::build() {
  Names states, inputs = {"encoder_tokens", "decoder_tokens", "targets"}, outputs = {"logits"};
  SmallVector<std::string> early;
  if (memory.slots) {
    states.push_back("memory");
    for (int64_t layer = 0; layer < model.encoderLayers; ++layer)
      if (writesEarly(layer))
        early.push_back("write_attention." + std::to_string(layer));
    outputs.append(early.begin(), early.end());
    outputs.push_back("write_attention");
  }
  outputs.push_back("prediction");
  createRecurrence("memformer", states, inputs, outputs);
  buildSegment(recurrence.getSegment());
  buildInitial(recurrence.getInitial());
  return module;
}

OwningOpRef<ModuleOp> memformer::buildMemformer(MLIRContext &context,
                                                const Configuration &configuration, int64_t batch) {
  return MemformerBuilder(context, configuration, batch).build();
}
