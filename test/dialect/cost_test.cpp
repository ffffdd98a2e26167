// Floating-point operations of ops, against counts made by hand.

#include "dialect/memformer/MemformerDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace memformer;

namespace {

/// The sum over the ops of a function with these arguments.
int64_t flopsOf(StringRef arguments, StringRef body, bool expand = false) {
  MLIRContext context;
  context.loadDialect<MemformerDialect, func::FuncDialect>();
  std::string text = ("func.func @f(" + arguments + ") {\n" + body + "\nreturn\n}").str();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  EXPECT_TRUE(module) << text;
  if (!module)
    return -1;
  if (expand)
    module->walk([](ExpandableOpInterface op) {
      OpBuilder builder(op);
      op->replaceAllUsesWith(op.expand(builder));
      op->erase();
    });
  int64_t flops = 0;
  module->walk([&](Operation *op) {
    // The weights of a write are there for observers, and cost nothing where there are none.
    if (auto counted = dyn_cast<FlopsOpInterface>(op); counted && !isa<AttentionWeightsOp>(op))
      flops += counted.getFlops();
  });
  return flops;
}

TEST(Cost, linear) {
  // 10 rows × 3 outputs × 7 multiply-adds, and 30 additions of the bias.
  EXPECT_EQ(flopsOf("%x: tensor<2x5x7xf32>, %w: tensor<3x7xf32>, %b: tensor<3xf32>",
                    "%0 = memformer.linear %x, %w, %b : (tensor<2x5x7xf32>, tensor<3x7xf32>, "
                    "tensor<3xf32>) -> tensor<2x5x3xf32>"),
            10 * 3 * 7 * 2 + 30);
  EXPECT_EQ(flopsOf("%g: tensor<2x5x3xf32>, %w: tensor<3x7xf32>",
                    "%0 = memformer.linear %g, %w transposed : (tensor<2x5x3xf32>, "
                    "tensor<3x7xf32>) -> tensor<2x5x7xf32>"),
            10 * 3 * 7 * 2);
  EXPECT_EQ(flopsOf("%g: tensor<2x5x3xf32>, %x: tensor<2x5x7xf32>",
                    "%0 = memformer.weight_gradient %g, %x : (tensor<2x5x3xf32>, "
                    "tensor<2x5x7xf32>) -> tensor<3x7xf32>"),
            10 * 3 * 7 * 2);
}

TEST(Cost, attention) {
  // 2 sequences, 5 queries, 7 keys: 70 products of width 6 twice, 3 heads × 70 logits, 60
  // divisions.
  EXPECT_EQ(flopsOf("%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>",
                    "%0:2 = memformer.attention %q, %k, %k heads 3 scale 0.5 : "
                    "(tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> "
                    "(tensor<2x5x6xf32>, tensor<2x3x5xf32>)"),
            2 * 70 * 6 * 2 + 3 * 70 * 4 + 60);
  // Causal: 15 pairs of 25.
  EXPECT_EQ(flopsOf("%q: tensor<2x5x6xf32>",
                    "%0:2 = memformer.attention %q, %q, %q heads 3 scale 0.5 causal : "
                    "(tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> "
                    "(tensor<2x5x6xf32>, tensor<2x3x5xf32>)"),
            2 * 30 * 6 * 2 + 3 * 30 * 4 + 60);
}

TEST(Cost, structureIsFree) {
  EXPECT_EQ(flopsOf("%x: tensor<5x6xf32>, %m: tensor<5xi32>", R"(
    %0 = memformer.broadcast %x : (tensor<5x6xf32>) -> tensor<2x5x6xf32>
    %1 = memformer.concat %x, %x axis 0 : (tensor<5x6xf32>, tensor<5x6xf32>) -> tensor<10x6xf32>
    %2 = memformer.slice %x axis 0 offset 1 : (tensor<5x6xf32>) -> tensor<3x6xf32>
    %3 = memformer.select_rows %m, %x, %x : (tensor<5xi32>, tensor<5x6xf32>, tensor<5x6xf32>) -> tensor<5x6xf32>
    %4 = memformer.embedding %m, %x : (tensor<5xi32>, tensor<5x6xf32>) -> tensor<5x6xf32>)"),
            0);
}

TEST(Cost, sums) {
  // Two tensors of 30 entries each become one: 30 additions.
  EXPECT_EQ(flopsOf("%x: tensor<2x5x6xf32>",
                    "%0 = memformer.sum_leading %x : (tensor<2x5x6xf32>) -> tensor<5x6xf32>"),
            30);
  EXPECT_EQ(flopsOf("%x: tensor<2x5x6xf32>, %b: tensor<6xf32>",
                    "%0 = memformer.add %x, %b : (tensor<2x5x6xf32>, tensor<6xf32>) -> "
                    "tensor<2x5x6xf32>"),
            60);
}

TEST(Cost, compositesCostWhatTheyStandFor) {
  StringRef arguments = "%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %w: tensor<6x6xf32>, "
                        "%b: tensor<6xf32>, %key: tensor<2xi32>";
  const char *bodies[] = {
      R"(%0 = memformer.read %x, %m query(%w, %b) key(%w, %b) value(%w, %b) output(%w, %b) heads 2
        : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>,
           tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>)",
      R"(%0 = memformer.read %x, %m query(%w, %b) key(%w, %b) value(%w, %b) output(%w, %b)
        dropout(%key probability 0.1 stream 1) heads 2
        : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>,
           tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<2xi32>) -> tensor<2x5x6xf32>)",
      R"(%0:2 = memformer.write %m, %x query(%w, %b) key(%w, %b) value(%w, %b) heads 2 temperature 0.25
        : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>,
           tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>))",
      R"(%0:2 = memformer.write %m, %x query(%w, %b) key(%w, %b) value(%w, %b) slot_value(%w, %b) output(%w, %b)
        heads 2 temperature 0.25
        : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>,
           tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>)
        -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>))"};
  for (const char *body : bodies) {
    int64_t whole = flopsOf(arguments, body);
    EXPECT_GT(whole, 0);
    EXPECT_EQ(whole, flopsOf(arguments, body, /*expand=*/true)) << body;
  }
}

} // namespace
