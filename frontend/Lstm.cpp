// The stacked LSTM (docs/lstm.md) from its configuration.

#include "frontend/Layers.h"
#include "frontend/Model.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;
using namespace memformer;

namespace {

class LstmBuilder : LayerBuilder {
public:
  using LayerBuilder::LayerBuilder;

  OwningOpRef<ModuleOp> build();

private:
  /// Of a row of the batch: one vector.
  RankedTensorType stateType() const { return type({batch, 1, model.width}); }
  /// One layer [B,L,d] to [B,L,d]; replaces its hidden state and cell by the next.
  Value layer(Value input, int64_t number, Value &hidden, Value &cell);
  void buildInitial(Region &region);
  void buildSegment(Region &region);
};

} // namespace

Value LstmBuilder::layer(Value input, int64_t number, Value &hidden, Value &cell) {
  int64_t width = model.width;
  double bound = 1 / std::sqrt(double(width));
  auto load = [&](const Twine &name, Shape shape) {
    return param("lstm." + name + "_l" + Twine(number), shape, InitializerKind::Uniform, bound);
  };
  auto gatesType = type({batch, model.segment, 4 * width});
  Value gates =
      LinearOp::create(builder, location, gatesType, input, load("weight_ih", {4 * width, width}),
                       load("bias_ih", {4 * width}), /*transposed=*/false);
  gates = add(gates, load("bias_hh", {4 * width}));
  auto lstm =
      LstmOp::create(builder, location, TypeRange{input.getType(), input.getType(), gatesType},
                     gates, hidden, cell, load("weight_hh", {4 * width, width}));
  auto last = [&](Value positions) -> Value {
    return SliceOp::create(builder, location, stateType(), positions, /*axis=*/uint64_t(1),
                           /*offset=*/uint64_t(model.segment - 1));
  };
  hidden = last(lstm.getHiddens());
  cell = last(lstm.getCells());
  return lstm.getHiddens();
}

void LstmBuilder::buildInitial(Region &region) {
  OpBuilder::InsertionGuard guard(builder);
  builder.createBlock(&region);
  Value zeros = arith::ConstantOp::create(builder, location,
                                          cast<TypedAttr>(builder.getZeroAttr(stateType())));
  YieldOp::create(builder, location, SmallVector<Value>(2 * model.layers, zeros), ValueRange{},
                  ValueRange{});
}

void LstmBuilder::buildSegment(Region &region) {
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(&region);
  SmallVector<Value> states;
  for (int64_t i = 0; i < 2 * model.layers; ++i)
    states.push_back(block->addArgument(stateType(), location));
  Value tokens = block->addArgument(tokensType(), location);
  Value targets = block->addArgument(tokensType(), location);
  if (model.dropout > 0)
    dropoutKey = block->addArgument(RankedTensorType::get({2}, builder.getI32Type()), location);
  Value x = embed(tokens, "");
  for (int64_t number = 0; number < model.layers; ++number)
    x = dropout(layer(x, number, states[2 * number], states[2 * number + 1]));
  Value logits = output(x, "output");
  YieldOp::create(builder, location, states, ValueRange{crossEntropy(logits, targets)},
                  ValueRange{logits, prediction(logits)});
}

OwningOpRef<ModuleOp> LstmBuilder::build() {
  SmallVector<std::string> names;
  for (int64_t number = 0; number < model.layers; ++number)
    for (const char *state : {"hidden.", "cell."})
      names.push_back(state + std::to_string(number));
  createRecurrence("lstm", Names(names.begin(), names.end()), {"decoder_tokens", "targets"},
                   {"logits", "prediction"});
  buildSegment(recurrence.getSegment());
  buildInitial(recurrence.getInitial());
  return module;
}

OwningOpRef<ModuleOp> memformer::buildLstm(MLIRContext &context, const Configuration &configuration,
                                           int64_t batch) {
  return LstmBuilder(context, configuration, batch).build();
}
