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
        compressive(configuration.model.kind == "compressive-transformer"),
        byUsage(compressive && configuration.memory.compression == "most-used") {}

  OwningOpRef<ModuleOp> build();

private:
  /// What a layer has of earlier segments: hidden states [B,M,d], compressed ones [B,C,d], and the
  /// attention that the former have received so far [B,H,M]; null what it has not.
  struct Cache {
    Value memory, compressed, usage;

    SmallVector<Value *> states() {
      SmallVector<Value *> all = {&memory, &compressed, &usage};
      llvm::erase_if(all, [](Value *state) { return !*state; });
      return all;
    }
  };

  int64_t contextLength() const {
    return (compressive ? memory.compressedLength : 0) + memory.length + model.segment;
  }
  SmallVector<std::string> stateNames() const;
  Value stop(Value value) {
    return StopGradientOp::create(builder, location, value.getType(), value);
  }
  Value stopParam(const Twine &name, Shape shape);
  Value concat(Value first, Value second, int64_t axis = 1);
  /// Entries [offset, offset + count) along the axis of positions.
  Value rows(Value input, int64_t offset, int64_t count, int64_t axis = 1);
  /// Keys or values without a bias, of parameters that learn nothing by it.
  Value stoppedProjection(Value input, const Twine &name);
  Value normalized(Value input, const Twine &name, bool stopped);

  Value attention(Value input, const Cache &cache, StringRef layer, Value &query, Value &usage);
  Value layer(Value input, int64_t number, Cache &cache);
  Value addUsage(Value before, Value received);
  Value mostUsed(Value usage);
  Value compress(Value evicted, Value mostUsed, StringRef layer);
  void reconstruct(Value query, Value evicted, Value compressed, StringRef layer);
  void buildInitial(Region &region);
  void buildSegment(Region &region);

  const bool compressive;
  /// Whether what received most attention is kept, for which it has to be counted.
  const bool byUsage;
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
    if (byUsage)
      names.push_back("usage." + std::to_string(number));
  }
  return names;
}

Value CachedTransformerBuilder::concat(Value first, Value second, int64_t axis) {
  SmallVector<int64_t> shape(typeOf(first).getShape());
  shape[size_t(axis)] += typeOf(second).getDimSize(unsigned(axis));
  return ConcatOp::create(builder, location, type(shape), first, second, uint64_t(axis));
}

Value CachedTransformerBuilder::rows(Value input, int64_t offset, int64_t count, int64_t axis) {
  SmallVector<int64_t> shape(typeOf(input).getShape());
  shape[size_t(axis)] = count;
  return SliceOp::create(builder, location, type(shape), input, uint64_t(axis), uint64_t(offset));
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

// Queries of the segment, which are returned too, as is the attention that memory and segment
// receive [B,H,M+L] where it is counted; keys and values of everything that is known.
Value CachedTransformerBuilder::attention(Value input, const Cache &cache, StringRef layer,
                                          Value &query, Value &usage) {
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
  AttentionOp result =
      attend(ofContent, key, value, /*causal=*/true, /*drop=*/true, ofPosition, relativeKey);
  if (byUsage) {
    Value received = AttentionUsageOp::create(builder, location, type({batch, model.heads, length}),
                                              ofContent, key, result.getLse(), ofPosition,
                                              relativeKey, result.getHeadsAttr(),
                                              result.getScaleAttr(), result.getCausalAttr());
    usage = stop(rows(received, memory.compressedLength, memory.length + model.segment, 2));
  }
  return linearWithoutBias(result.getResult(), name + ".output", width);
}

// What positions of memory and segment received in this segment and before [B,H,M+L]: before, those
// of the segment were not there.
Value CachedTransformerBuilder::addUsage(Value before, Value received) {
  Value ofMemory = add(before, rows(received, 0, memory.length, 2));
  return concat(ofMemory, rows(received, memory.length, model.segment, 2), 2);
}

// Of the first L positions of memory and segment, the numbers [B,L/c] of the L/c that received most
// from the queries that saw them, which are all from their own on.
Value CachedTransformerBuilder::mostUsed(Value usage) {
  auto chosen =
      RankedTensorType::get({batch, model.segment / memory.compressionRate}, builder.getI32Type());
  return MostUsedOp::create(builder, location, chosen, rows(usage, 0, model.segment, 2),
                            uint64_t(memory.length + model.segment));
}

// [B,L,d] to [B,L/c,d].
Value CachedTransformerBuilder::compress(Value evicted, Value mostUsed, StringRef layer) {
  int64_t rate = memory.compressionRate, count = model.segment / rate, width = model.width;
  if (mostUsed) {
    Value all = ReshapeOp::create(builder, location, type({batch * model.segment, width}), evicted);
    return EmbeddingOp::create(builder, location, type({batch, count, width}), mostUsed, all);
  }
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
                  stoppedProjection(context, name + ".value"), /*causal=*/false, /*drop=*/false)
        .getResult();
  };
  reconstructions.emplace_back(attendTo(compressed), attendTo(stop(evicted)));
}

Value CachedTransformerBuilder::layer(Value input, int64_t number, Cache &cache) {
  std::string name = "layers." + std::to_string(number);
  auto detached = [&](Value value) { return memory.replayGradient ? value : stop(value); };
  Cache before = cache;
  for (Value *state : before.states())
    *state = detached(*state);

  Value query, usage;
  Value x = add(input, dropout(attention(input, before, name, query, usage)));
  if (model.postNorm)
    x = layerNorm(x, name + ".self_norm");

  Value all = concat(before.memory, input);
  cache.memory = detached(rows(all, model.segment, memory.length));
  if (compressive) {
    Value evicted = rows(all, 0, model.segment), chosen;
    if (byUsage) {
      usage = addUsage(before.usage, usage);
      cache.usage = detached(rows(usage, model.segment, memory.length, 2));
      chosen = mostUsed(usage);
    }
    Value learned = compress(stop(evicted), chosen, name);
    Value compressed = memory.replayGradient ? compress(evicted, chosen, name) : learned;
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
    auto state = [&](Shape shape) { return block->addArgument(type(shape), location); };
    cache.memory = state({batch, memory.length, model.width});
    if (compressive)
      cache.compressed = state({batch, memory.compressedLength, model.width});
    if (byUsage)
      cache.usage = state({batch, model.heads, memory.length});
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
  for (Cache &cache : caches)
    for (Value *state : cache.states())
      states.push_back(*state);
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
