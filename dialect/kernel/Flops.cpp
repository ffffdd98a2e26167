// Floating-point operations of each kernel: a multiply-add is two, a transcendental function one.

#include "dialect/kernel/Flops.h"
#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;
using namespace memformer::kernel;

int64_t GemmOp::getFlops() {
  int64_t rows = getTransposeA() ? widthOf(getA().getType()) : rowsOf(getA().getType());
  int64_t depth = getTransposeA() ? rowsOf(getA().getType()) : widthOf(getA().getType());
  int64_t flops = rows * int64_t(getN()) * (2 * depth + regionFlops(getEpilogue()));
  if (getScale())
    flops += 8 * rows * depth;
  return getAccumulate() ? flops + rows * int64_t(getN()) : flops;
}

int64_t PackOp::getFlops() { return 0; }

int64_t MapOp::getFlops() { return entriesOf(getResult(0).getType()) * regionFlops(getBody()); }

int64_t ReduceOp::getFlops() { return entriesOf(getInput().getType()); }

// Mean 1, variance 3, the rest 4 operations for each entry.
int64_t LayerNormOp::getFlops() { return 8 * entriesOf(getInput().getType()); }

// Statistics 4, x̂ 2, h and its two sums 4, dx 4, partial sums 3 operations for each entry.
int64_t LayerNormGradientOp::getFlops() {
  return entriesOf(getInput().getType()) * (17 + regionFlops(getEpilogue()));
}

int64_t NormalizeOp::getFlops() { return entriesOf(getInput().getType()) * (getBias() ? 4 : 3); }

int64_t NormalizeGradientOp::getFlops() {
  return entriesOf(getInput().getType()) * (getBias() ? 9 : 8);
}

// Pairs of a query and a key that it sees, over all heads and the batch.
static int64_t pairs(Type query, Type key, int64_t heads, bool causal, bool self) {
  int64_t batch = shapeOf(query)[0], queries = shapeOf(query)[1], keys = shapeOf(key)[1];
  int64_t seen = self ? queries : 0;
  for (int64_t i = 0; i < queries; ++i)
    seen += causal ? std::min(keys - queries + i + 1, keys) : keys;
  return batch * heads * seen;
}

int64_t AttentionOp::getFlops() {
  int64_t width = widthOf(getQuery().getType()) / int64_t(getHeads());
  int64_t seen =
      pairs(getQuery().getType(), getKey().getType(), getHeads(), getCausal(), bool(getSelfKey()));
  int64_t products = getRelativeKey() ? 6 : 4;
  int64_t flops = seen * (products * width + 4) + entriesOf(getResult().getType());
  if (getNormalize())
    flops += entriesOf(getResult().getType()) * (getBias() ? 4 : 3);
  return flops;
}

// Of the last position, which sees all keys.
int64_t AttentionStepOp::getFlops() {
  int64_t width = widthOf(getQuery().getType()) / int64_t(getHeads());
  int64_t seen =
      pairs(getQuery().getType(), getKeyCache().getType(), getHeads(), false, /*self=*/false);
  return seen * ((getRelativeKey() ? 6 : 4) * width + 4) + entriesOf(getResult().getType());
}

int64_t AttentionGradientOp::getFlops() {
  int64_t width = widthOf(getQuery().getType()) / int64_t(getHeads());
  int64_t seen =
      pairs(getQuery().getType(), getKey().getType(), getHeads(), getCausal(), bool(getSelfKey()));
  // Five products of the forward's size and three of distances, and for each pair the exponential
  // and dS.
  return seen * ((getRelativeKey() ? 16 : 10) * width + 6) + 2 * entriesOf(getGradient().getType());
}

// Of them, those of products whose factors may be rounded: the self column's are in f32.
int64_t memformer::kernel::productFlops(Operation *op) {
  auto seenBy = [](auto attention) {
    int64_t heads = int64_t(attention.getHeads());
    Type query = attention.getQuery().getType(), key = attention.getKey().getType();
    return pairs(query, key, heads, attention.getCausal(), /*self=*/false) *
           (widthOf(query) / heads);
  };
  if (auto gemm = dyn_cast<GemmOp>(op)) {
    int64_t entries = entriesOf(gemm.getA().getType());
    return 2 * entries * int64_t(gemm.getN());
  }
  if (auto attention = dyn_cast<AttentionOp>(op))
    return (attention.getRelativeKey() ? 6 : 4) * seenBy(attention);
  if (auto gradient = dyn_cast<AttentionGradientOp>(op))
    return (gradient.getRelativeKey() ? 16 : 10) * seenBy(gradient);
  return 0;
}

int64_t AttentionWeightsOp::getFlops() {
  int64_t width = widthOf(getQuery().getType()) / int64_t(getHeads());
  return entriesOf(getResult().getType()) * (2 * width + 3);
}

int64_t AttentionUsageOp::getFlops() {
  int64_t width = widthOf(getQuery().getType()) / int64_t(getHeads());
  int64_t seen =
      pairs(getQuery().getType(), getKey().getType(), getHeads(), getCausal(), /*self=*/false);
  return seen * ((getRelativeKey() ? 4 : 2) * width + 4);
}

// The sum over heads and the average, and comparisons with all others.
int64_t MostUsedOp::getFlops() {
  ArrayRef<int64_t> usage = shapeOf(getUsage().getType());
  return usage[0] * usage[2] * (usage[1] + usage[2]);
}

// Of an entry of a position: a sum for each part of the gates, three sigmoids and a tanh as
// exponential, sum and quotient, then cell and hidden state.
static int64_t lstmFlops(Type gates, Type cells) {
  return entriesOf(gates) * 2 * widthOf(cells) + entriesOf(cells) * 23;
}

int64_t LstmOp::getFlops() { return lstmFlops(getGates().getType(), getCells().getType()); }

int64_t LstmStepOp::getFlops() { return lstmFlops(getGates().getType(), getCell().getType()); }

// tanh, what arrives, the cell's gradient, and that of each part.
int64_t LstmGradientOp::getFlops() {
  return entriesOf(getActivations().getType()) * 2 * widthOf(getCells().getType()) +
         entriesOf(getCells().getType()) * 29;
}

int64_t CrossEntropyOp::getFlops() { return 4 * entriesOf(getLogits().getType()); }

int64_t CrossEntropyGradientOp::getFlops() { return 3 * entriesOf(getLogits().getType()); }

int64_t ArgmaxOp::getFlops() { return entriesOf(getInput().getType()); }

int64_t GatherOp::getFlops() {
  return entriesOf(getResult(0).getType()) * regionFlops(getEpilogue());
}

int64_t ScatterAddOp::getFlops() { return entriesOf(getInput().getType()); }

int64_t ConcatOp::getFlops() { return 0; }

int64_t SliceOp::getFlops() { return 0; }

int64_t ReshapeOp::getFlops() { return 0; }

int64_t SquaredNormOp::getFlops() { return 2 * entriesOf(getInput().getType()); }

int64_t AdamWOp::getFlops() { return 16 * entriesOf(getParameters().getType()); }
