// Transformers that cache hidden states of earlier segments (docs/transformer-xl.md,
// docs/compressive-transformer.md) from their configuration.

#include "frontend/Layers.h"
#include "frontend/Model.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace memformer;

namespace {

class CachedTransformerBuilder : LayerBuilder {
public:
  CachedTransformerBuilder(MLIRContext &context, const Configuration &configuration, int64_t batch)
      : LayerBuilder(context, configuration, batch),
        compressive(configuration.model.kind == "compressive-transformer") {}

  OwningOpRef<ModuleOp> build();

private:
  /// What a layer has of earlier segments: hidden states [B,M,d], and compressed ones [B,C,d].
  struct Cache {
    Value memory, compressed;
  };

  int64_t contextLength() const {
    return (compressive ? memory.compressedLength : 0) + memory.length + model.segment;
  }
  SmallVector<std::string> stateNames() const;
  RankedTensorType stateType(bool compressed) const {
    return type({batch, compressed ? memory.compressedLength : memory.length, model.width});
  }
  Value stop(Value value) {
    return StopGradientOp::create(builder, location, value.getType(), value);
  }
  Value stopParam(const Twine &name, Shape shape);
  Value concat(Value first, Value second);
  Value rows(Value input, int64_t offset, int64_t count);
  /// Keys or values without a bias, of parameters that learn nothing by it.
  Value stoppedProjection(Value input, const Twine &name);
  Value normalized(Value input, const Twine &name, bool stopped);

  Value attention(Value input, const Cache &cache, StringRef layer, Value &query);
  Value layer(Value input, int64_t number, Cache &cache);
  Value compress(Value evicted, StringRef layer);
  void reconstruct(Value query, Value evicted, Value compressed, StringRef layer);
  void buildInitial(Region &region);
  void buildSegment(Region &region);

  const bool compressive;
  /// What layers found to be learned besides: attention to compressed memories, and to what they
  /// were made of.
  SmallVector<std::pair<Value, Value>> reconstructions;
};

} // namespace

SmallVector<std::string> CachedTransformerBuilder::stateNames() const {
  SmallVector<std::string> names;
  for (int64_t number = 0; number < model.layers; ++number) {
    names.push_back("memory." + std::to_string(number));
    if (compressive)
      names.push_back("compressed_memory." + std::to_string(number));
  }
  return names;
}

Value CachedTransformerBuilder::concat(Value first, Value second) {
  SmallVector<int64_t> shape(typeOf(first).getShape());
  shape[1] += typeOf(second).getDimSize(1);
  return ConcatOp::create(builder, location, type(shape), first, second, /*axis=*/uint64_t(1));
}

Value CachedTransformerBuilder::rows(Value input, int64_t offset, int64_t count) {
  return SliceOp::create(builder, location, type({batch, count, model.width}), input,
                         /*axis=*/uint64_t(1), uint64_t(offset));
}

Value CachedTransformerBuilder::stopParam(const Twine &name, Shape shape) {
  return stop(LoadParamOp::create(builder, location, type(shape), name.str()));
}

Value CachedTransformerBuilder::stoppedProjection(Value input, const Twine &name) {
  return LinearOp::create(builder, location, input.getType(), input,
                          stopParam(name + ".weight", {model.width, model.width}), Value(),
                          /*transposed=*/false);
}

Value CachedTransformerBuilder::normalized(Value input, const Twine &name, bool stopped) {
  if (model.postNorm)
    return input;
  if (!stopped)
    return layerNorm(input, name);
  return LayerNormOp::create(
      builder, location, input.getType(), input, stopParam(name + ".weight", {model.width}),
      stopParam(name + ".bias", {model.width}), builder.getF64FloatAttr(1e-5));
}

// Queries of the segment, which are returned too; keys and values of everything that is known.
Value CachedTransformerBuilder::attention(Value input, const Cache &cache, StringRef layer,
                                          Value &query) {
  std::string name = (layer + ".self_attention").str(), norm = (layer + ".self_norm").str();
  Value earlier = compressive ? concat(cache.compressed, cache.memory) : cache.memory;
  Value context = normalized(concat(earlier, input), norm, /*stopped=*/false);
  int64_t width = model.width, length = contextLength();
  query = linearWithoutBias(normalized(input, norm, /*stopped=*/false), name + ".query", width);
  Value key = linearWithoutBias(context, name + ".key", width);
  Value value = linearWithoutBias(context, name + ".value", width);
  // Dai et al. call them u and v; one of each for all layers, or for every layer.
  std::string prefix = model.untiedBiases ? name : "attention";
  auto withBias = [&](const char *bias) {
    return add(query,
               param(prefix + bias, {width}, InitializerKind::Normal, initializer.embedding));
  };
  Value distances = param("distances", {length, width}, InitializerKind::Sinusoids, 10000);
  Value relativeKey = linearWithoutBias(distances, name + ".position", width);
  Value ofContent = withBias(".content_bias"), ofPosition = withBias(".position_bias");
  Value result =
      attend(ofContent, key, value, /*causal=*/true, /*drop=*/true, ofPosition, relativeKey);
  return linearWithoutBias(result, name + ".output", width);
}

// [B,L,d] to [B,L/c,d].
Value CachedTransformerBuilder::compress(Value evicted, StringRef layer) {
  int64_t rate = memory.compressionRate, count = model.segment / rate, width = model.width;
  Value wide = ReshapeOp::create(builder, location, type({batch, count, rate * width}), evicted);
  if (memory.compression == "convolution")
    return linear(wide, (layer + ".compression").str(), width);
  Value result;
  for (int64_t i = 0; i < rate; ++i) {
    Value part = SliceOp::create(builder, location, type({batch, count, width}), wide,
                                 /*axis=*/uint64_t(2), uint64_t(i * width));
    if (!result)
      result = part;
    else if (memory.compression == "max")
      result = MaximumOp::create(builder, location, part.getType(), result, part);
    else
      result = add(result, part);
  }
  if (memory.compression == "mean")
    result = ScaleOp::create(builder, location, result.getType(), result,
                             builder.getF64FloatAttr(1 / double(rate)));
  return result;
}

// Content-based attention of the segment to what leaves the memory, and to what it becomes. Only
// the compression learns by their difference.
void CachedTransformerBuilder::reconstruct(Value query, Value evicted, Value compressed,
                                           StringRef layer) {
  std::string name = (layer + ".self_attention").str(), norm = (layer + ".self_norm").str();
  Value from = stop(query);
  auto attendTo = [&](Value memory) {
    Value context = normalized(memory, norm, /*stopped=*/true);
    return attend(from, stoppedProjection(context, name + ".key"),
                  stoppedProjection(context, name + ".value"), /*causal=*/false, /*drop=*/false);
  };
  reconstructions.emplace_back(attendTo(compressed), attendTo(stop(evicted)));
}

Value CachedTransformerBuilder::layer(Value input, int64_t number, Cache &cache) {
  std::string name = "layers." + std::to_string(number);
  auto detached = [&](Value value) { return memory.replayGradient ? value : stop(value); };
  Cache before{detached(cache.memory), compressive ? detached(cache.compressed) : Value()};

  Value query;
  Value x = add(input, dropout(attention(input, before, name, query)));
  if (model.postNorm)
    x = layerNorm(x, name + ".self_norm");

  Value all = concat(before.memory, input);
  cache.memory = detached(rows(all, model.segment, memory.length));
  if (compressive) {
    Value evicted = rows(all, 0, model.segment);
    Value learned = compress(stop(evicted), name);
    Value compressed = memory.replayGradient ? compress(evicted, name) : learned;
    int64_t added = model.segment / memory.compressionRate;
    cache.compressed =
        detached(rows(concat(before.compressed, compressed), added, memory.compressedLength));
    if (memory.compression == "convolution" && memory.reconstructionWeight > 0)
      reconstruct(query, evicted, learned, name);
  }
  return sublayer(x, name + ".ffn_norm", [&](Value v) { return feedForward(v, name + ".ffn"); });
}

void CachedTransformerBuilder::buildInitial(Region &region) {
  OpBuilder::InsertionGuard guard(builder);
  builder.createBlock(&region);
  SmallVector<Value> states;
  for (BlockArgument state :
       recurrence.getSegment().getArguments().take_front(recurrence.getStates().size()))
    states.push_back(arith::ConstantOp::create(
        builder, location, cast<TypedAttr>(builder.getZeroAttr(state.getType()))));
  YieldOp::create(builder, location, states, ValueRange{}, ValueRange{});
}

void CachedTransformerBuilder::buildSegment(Region &region) {
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(&region);
  SmallVector<Cache> caches(model.layers);
  for (Cache &cache : caches) {
    cache.memory = block->addArgument(stateType(false), location);
    if (compressive)
      cache.compressed = block->addArgument(stateType(true), location);
  }
  Value tokens = block->addArgument(tokensType(), location);
  Value targets = block->addArgument(tokensType(), location);
  if (model.dropout > 0)
    dropoutKey = block->addArgument(RankedTensorType::get({2}, builder.getI32Type()), location);

  Value x = embed(tokens, "");
  for (auto [number, cache] : llvm::enumerate(caches))
    x = layer(x, int64_t(number), cache);
  Value logits = output(model.postNorm ? x : layerNorm(x, "norm"), "output");
  Value loss = crossEntropy(logits, targets);
  for (auto [compressed, original] : reconstructions)
    loss = AuxiliarySquaredErrorOp::create(builder, location, loss.getType(), loss, compressed,
                                           original,
                                           builder.getF64FloatAttr(memory.reconstructionWeight));
  SmallVector<Value> states;
  for (const Cache &cache : caches) {
    states.push_back(cache.memory);
    if (compressive)
      states.push_back(cache.compressed);
  }
  YieldOp::create(builder, location, states, loss, ValueRange{logits, prediction(logits)});
}

OwningOpRef<ModuleOp> CachedTransformerBuilder::build() {
  SmallVector<std::string> states = stateNames();
  createRecurrence(compressive ? "compressive_transformer" : "transformer_xl",
                   Names(states.begin(), states.end()), {"decoder_tokens", "targets"},
                   {"logits", "prediction"});
  buildSegment(recurrence.getSegment());
  buildInitial(recurrence.getInitial());
  return module;
}

OwningOpRef<ModuleOp> memformer::buildCachedTransformer(MLIRContext &context,
                                                        const Configuration &configuration,
                                                        int64_t batch) {
  return CachedTransformerBuilder(context, configuration, batch).build();
}
