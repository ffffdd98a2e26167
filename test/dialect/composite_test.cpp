// An op that stands for others has no gradient of its own, and says so.

#include "dialect/memformer/MemformerDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace memformer;

TEST(Composite, gradientBeforeExpansionIsAnError) {
  MLIRContext context;
  context.loadDialect<MemformerDialect, func::FuncDialect>();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(R"(
    func.func @f(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %w: tensor<6x6xf32>, %b: tensor<6xf32>) {
      %0 = memformer.read %x, %m query(%w, %b) key(%w, %b) value(%w, %b) output(%w, %b) heads 2
        : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>,
           tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
      %1:2 = memformer.write %m, %x query(%w, %b) key(%w, %b) value(%w, %b) heads 2 temperature 0.25
        : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>,
           tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
      return
    })",
                                                             &context);
  ASSERT_TRUE(module);
  int composites = 0;
  module->walk([&](ExpandableOpInterface op) {
    std::string message;
    ScopedDiagnosticHandler handler(&context,
                                    [&](Diagnostic &diagnostic) { message = diagnostic.str(); });
    OpBuilder builder(op);
    SmallVector<Value> arriving(op->getResults());
    SmallVector<bool> needed(op->getNumOperands(), true);
    auto differentiable = cast<DifferentiableOpInterface>(op.getOperation());
    EXPECT_TRUE(differentiable.buildGradient(builder, arriving, needed).empty());
    EXPECT_NE(message.find("expected to be expanded (-memformer-expand) before differentiation"),
              std::string::npos)
        << message;
    ++composites;
  });
  EXPECT_EQ(composites, 2);
}
