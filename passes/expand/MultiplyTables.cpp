// A linear layer of embedded tokens becomes a look-up in a table that was multiplied once.

#include "dialect/memformer/MemformerDialect.h"
#include "dialect/memformer/Shapes.h"
#include "passes/Passes.h"

namespace memformer {

#define GEN_PASS_DEF_MULTIPLYTABLESPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;

static bool isParameter(Value value) { return value && value.getDefiningOp<LoadParamOp>(); }

namespace {

struct MultiplyTablesPass : memformer::impl::MultiplyTablesPassBase<MultiplyTablesPass> {
  void runOnOperation() override {
    SmallVector<LinearOp> found;
    getOperation().walk([&](LinearOp linear) {
      auto embedding = linear.getInput().getDefiningOp<EmbeddingOp>();
      // A table with more rows than there are tokens is more work than the tokens' rows.
      if (embedding && !linear.getTransposed() && isParameter(embedding.getTable()) &&
          isParameter(linear.getWeight()) && (!linear.getBias() || isParameter(linear.getBias())) &&
          rows(embedding.getTable()) <= rows(linear.getInput()))
        found.push_back(linear);
    });
    for (LinearOp linear : found) {
      auto embedding = linear.getInput().getDefiningOp<EmbeddingOp>();
      OpBuilder builder(linear);
      auto type = tensorType(linear.getResult());
      Value table = LinearOp::create(
          builder, linear.getLoc(),
          type.clone({rows(embedding.getTable()), columns(linear.getResult())}),
          embedding.getTable(), linear.getWeight(), linear.getBias(), /*transposed=*/false);
      Value looked =
          EmbeddingOp::create(builder, embedding.getLoc(), type, embedding.getTokens(), table);
      linear.getResult().replaceAllUsesWith(looked);
      linear.erase();
      if (embedding.use_empty())
        embedding.erase();
    }
    multiplied += int64_t(found.size());
  }
};

} // namespace
