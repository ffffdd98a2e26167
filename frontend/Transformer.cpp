// The decoder-only Transformer (docs/transformer.md) from its configuration.

#include "frontend/Layers.h"
#include "frontend/Model.h"

using namespace mlir;
using namespace memformer;

namespace {

class TransformerBuilder : LayerBuilder {
public:
  using LayerBuilder::LayerBuilder;

  OwningOpRef<ModuleOp> build();

private:
  Value decode(Value tokens);
};

} // namespace

Value TransformerBuilder::decode(Value tokens) {
  Value x = embed(tokens, "position.weight");
  for (int64_t layer = 0; layer < model.layers; ++layer) {
    std::string name = "layers." + std::to_string(layer);
    x = sublayer(x, name + ".self_norm",
                 [&](Value v) { return attention(v, v, name + ".self_attention", true); });
    x = sublayer(x, name + ".ffn_norm", [&](Value v) { return feedForward(v, name + ".ffn"); });
  }
  return output(model.postNorm ? x : layerNorm(x, "norm"), "output");
}

OwningOpRef<ModuleOp> TransformerBuilder::build() {
  createRecurrence("transformer", {}, {"decoder_tokens", "targets"}, {"logits", "prediction"});
  Block *block = builder.createBlock(&recurrence.getSegment());
  Value tokens = block->addArgument(tokensType(), location);
  Value targets = block->addArgument(tokensType(), location);
  if (model.dropout > 0)
    dropoutKey = block->addArgument(RankedTensorType::get({2}, builder.getI32Type()), location);
  Value logits = decode(tokens);
  YieldOp::create(builder, location, ValueRange{}, ValueRange{crossEntropy(logits, targets)},
                  ValueRange{logits, prediction(logits)});
  builder.createBlock(&recurrence.getInitial());
  YieldOp::create(builder, location, ValueRange{}, ValueRange{}, ValueRange{});
  return module;
}

OwningOpRef<ModuleOp> memformer::buildTransformer(MLIRContext &context,
                                                  const Configuration &configuration,
                                                  int64_t batch) {
  return TransformerBuilder(context, configuration, batch).build();
}
