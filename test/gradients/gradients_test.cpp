// The vector-Jacobian product of every op against finite differences of its reference, in f64.

#include "dialect/memformer/MemformerDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "passes/differentiate/ReverseMode.h"
#include "passes/expand/Expand.h"
#include "passes/reference/Execute.h"
#include "test/gradients/cases.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

using namespace mlir;
using namespace memformer;
using namespace memformer::test;

namespace {

DialectRegistry makeRegistry() {
  DialectRegistry registry;
  registry.insert<MemformerDialect, func::FuncDialect>();
  registerExecution(registry);
  return registry;
}

bool isInteger(StringRef shape) { return shape.ends_with("i"); }

std::string typeText(StringRef shape) {
  StringRef extents = shape;
  extents.consume_back("i");
  return ("tensor<" + extents + (extents.empty() ? "" : "x") + (isInteger(shape) ? "i32>" : "f64>"))
      .str();
}

std::string typeTexts(const std::vector<std::string> &shapes) {
  return llvm::join(llvm::map_range(shapes, [](auto &shape) { return typeText(shape); }), ", ");
}

/// Two functions: @value of the operands, and @gradient of the operands and of the gradient of the
/// first result.
OwningOpRef<ModuleOp> buildModule(MLIRContext &context, const GradientCase &test) {
  std::string arguments;
  for (auto [index, shape] : llvm::enumerate(test.operands))
    arguments += (index ? ", %" : "%") + std::to_string(index) + ": " + typeText(shape);
  std::string result = typeText(test.results.front());
  std::string op = "%r" +
                   (test.results.size() > 1 ? ":" + std::to_string(test.results.size()) : "") +
                   " = memformer." + test.op + " : (" + typeTexts(test.operands) + ") -> (" +
                   typeTexts(test.results) + ")\n";
  std::string first = test.results.size() > 1 ? "%r#0" : "%r";
  std::string text = "func.func @value(" + arguments + ") -> " + result + " {\n" + op + "return " +
                     first + " : " + result + "\n}\nfunc.func @gradient(" + arguments +
                     ", %seed: " + result + ") {\n" + op + "return\n}\n";
  return parseSourceString<ModuleOp>(text, &context);
}

/// Makes @gradient return the gradient of each floating-point operand.
LogicalResult differentiateModule(ModuleOp module) {
  auto function = module.lookupSymbol<func::FuncOp>("gradient");
  Block &block = function.getBody().front();
  Operation *op = &block.front();
  Value result = op->getResult(0);
  SmallVector<Value> wanted;
  for (Value operand : block.getArguments().drop_back())
    if (isa<FloatType>(getElementTypeOrSelf(operand)))
      wanted.push_back(operand);

  // The seed is tied to the result by a terminator, so that it stays with it when composites are
  // expanded.
  block.getTerminator()->setOperands(result);
  expandComposites(module);
  result = block.getTerminator()->getOperand(0);
  OpBuilder builder(block.getTerminator());
  DifferentiationCounts counts;
  FailureOr<SmallVector<Value>> gradients =
      differentiate(block, Seed{result, block.getArguments().back()}, wanted, builder, counts);
  if (failed(gradients))
    return failure();
  for (auto [gradient, value] : llvm::zip_equal(*gradients, wanted))
    if (!gradient)
      gradient = arith::ConstantOp::create(builder, function.getLoc(),
                                           cast<TypedAttr>(builder.getZeroAttr(value.getType())));
  block.getTerminator()->setOperands(*gradients);
  function.setFunctionType(
      builder.getFunctionType(function.getArgumentTypes(), ValueRange(*gradients).getTypes()));
  return verify(module);
}

/// Numbers of magnitude 1/4 to 5/4, away from the places where relu has no derivative.
void fillRandom(HostTensor &tensor, std::mt19937_64 &random) {
  std::uniform_real_distribution<double> magnitude(0.25, 1.25);
  for (double &entry : tensor.as<double>())
    entry = random() % 2 ? magnitude(random) : -magnitude(random);
}

class Gradients : public testing::TestWithParam<GradientCase> {};

} // namespace

TEST_P(Gradients, AgreeWithFiniteDifferences) {
  const GradientCase &test = GetParam();
  MLIRContext context(makeRegistry());
  context.loadAllAvailableDialects();
  OwningOpRef<ModuleOp> module = buildModule(context, test);
  ASSERT_TRUE(module) << test.op;
  SmallVector<RankedTensorType> types;
  auto value = module->lookupSymbol<func::FuncOp>("value");
  for (Type type : value.getArgumentTypes())
    types.push_back(cast<RankedTensorType>(type));
  auto resultType = cast<RankedTensorType>(value.getResultTypes()[0]);
  ASSERT_TRUE(succeeded(differentiateModule(*module)));
  auto compiled = ReferenceProgram::compile(*module);
  ASSERT_TRUE(bool(compiled)) << llvm::toString(compiled.takeError());
  ReferenceProgram &program = **compiled;

  std::mt19937_64 random(20220331);
  std::vector<HostTensor> operands;
  auto integers = test.integers.begin();
  for (RankedTensorType type : types) {
    HostTensor &operand = operands.emplace_back(type);
    if (isa<FloatType>(type.getElementType())) {
      fillRandom(operand, random);
      continue;
    }
    ASSERT_TRUE(integers != test.integers.end()) << "integer operands without values";
    ASSERT_EQ(int64_t(integers->size()), type.getNumElements());
    llvm::copy(*integers++, operand.as<int32_t>().begin());
  }
  ASSERT_TRUE(integers == test.integers.end()) << "more values than integer operands";
  HostTensor weights(resultType);
  fillRandom(weights, random);

  // loss = Σ weights · value(operands)
  auto loss = [&] {
    std::vector<HostTensor> results = llvm::cantFail(program.run("value", operands));
    double sum = 0;
    for (auto [weight, entry] : llvm::zip_equal(weights.as<double>(), results[0].as<double>()))
      sum += weight * entry;
    return sum;
  };
  std::vector<HostTensor> arguments = operands;
  arguments.push_back(weights);
  std::vector<HostTensor> gradients = llvm::cantFail(program.run("gradient", arguments));

  auto gradient = gradients.begin();
  for (auto [index, operand] : llvm::enumerate(operands)) {
    if (!isa<FloatType>(operand.type.getElementType()))
      continue;
    llvm::MutableArrayRef<double> derived = (gradient++)->as<double>();
    double largest = 0;
    for (double entry : derived)
      largest = std::max(largest, std::abs(entry));
    bool flat = llvm::is_contained(test.flat, index);
    EXPECT_EQ(largest < 1e-12, flat) << "operand " << index << ": largest gradient " << largest;
    // 1e-6 of the largest entry; where all are zero, of 1/1000.
    double tolerance = 1e-6 * std::max(largest, 1e-3);
    llvm::MutableArrayRef<double> entries = operand.as<double>();
    for (size_t i = 0; i < entries.size(); ++i) {
      const double centre = entries[i], h = 1e-3;
      auto at = [&](double offset) {
        entries[i] = centre + offset * h;
        double result = loss();
        entries[i] = centre;
        return result;
      };
      // Central differences of fourth order.
      double expected = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h);
      EXPECT_NEAR(derived[i], expected, tolerance) << "operand " << index << ", entry " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, Gradients, testing::ValuesIn(gradientCases()), [](const auto &info) {
  return std::to_string(info.index) + "_" + info.param.op.substr(0, info.param.op.find(' '));
});

namespace memformer::test {
void PrintTo(const GradientCase &test, std::ostream *stream) { *stream << test.op; }
} // namespace memformer::test

// Ops that nothing is differentiated through, each with a test of its own below, and ops whose
// gradient is meant to be another than that of their value (test/passes/differentiate/stop.mlir).
static const llvm::StringSet<> observed = {"memformer.argmax",
                                           "memformer.attention_usage",
                                           "memformer.attention_weights",
                                           "memformer.auxiliary_squared_error",
                                           "memformer.clamp",
                                           "memformer.most_used",
                                           "memformer.stop_gradient"};

TEST(GradientTable, HasEveryDifferentiableOp) {
  MLIRContext context(makeRegistry());
  context.getOrLoadDialect<MemformerDialect>();
  llvm::StringSet<> tested;
  for (const GradientCase &test : gradientCases())
    tested.insert("memformer." + test.op.substr(0, test.op.find(' ')));
  unsigned differentiable = 0;
  for (RegisteredOperationName op : context.getRegisteredOperations()) {
    StringRef name = op.getStringRef();
    if (op.getDialectNamespace() != "memformer" || !op.hasInterface<DifferentiableOpInterface>())
      continue;
    ++differentiable;
    EXPECT_NE(tested.contains(name), observed.contains(name))
        << name.str() << " needs a line in test/gradients/cases.cpp";
  }
  EXPECT_EQ(differentiable, tested.size() + observed.size());
}

TEST(GradientTable, IntegersHaveNone) {
  MLIRContext context(makeRegistry());
  context.loadAllAvailableDialects();
  const std::string reals = "tensor<2x1x3xf64>", integers = "tensor<2x1xi32>";
  for (auto [text, type] :
       {std::pair("argmax %x : (" + reals + ") -> " + integers, reals),
        std::pair("most_used %x seen 3 : (" + reals + ") -> " + integers, reals),
        std::pair("clamp %x min 0 max 5 : " + integers, integers)}) {
    auto module = parseSourceString<ModuleOp>("func.func @f(%x: " + type + ") -> " + integers +
                                                  " {\n%r = memformer." + text +
                                                  "\nreturn %r : " + integers + "\n}",
                                              &context);
    ASSERT_TRUE(module);
    auto op = cast<DifferentiableOpInterface>(
        &module->lookupSymbol<func::FuncOp>("f").getBody().front().front());
    OpBuilder builder(op->getContext());
    builder.setInsertionPointAfter(op);
    SmallVector<Value> gradients = op.buildGradient(builder, op->getResults(), {true});
    ASSERT_EQ(gradients.size(), 1u);
    EXPECT_FALSE(gradients[0]);
  }
}

TEST(GradientTable, WhatIsObservedRefuses) {
  MLIRContext context(makeRegistry());
  context.loadAllAvailableDialects();
  for (auto [op, shape] : {std::pair("weights", "1x1x2x3"), std::pair("usage", "1x1x3")}) {
    std::string result = "tensor<" + std::string(shape) + "xf64>";
    auto module = parseSourceString<ModuleOp>(
        "func.func @f(%q: tensor<1x2x2xf64>, %k: tensor<1x3x2xf64>, %l: tensor<1x1x2xf64>) -> " +
            result + " {\n%r = memformer.attention_" + op +
            " %q, %k, %l heads 1 scale 1.0 : (tensor<1x2x2xf64>, tensor<1x3x2xf64>, "
            "tensor<1x1x2xf64>) -> " +
            result + "\nreturn %r : " + result + "\n}",
        &context);
    ASSERT_TRUE(module);
    Block &block = module->lookupSymbol<func::FuncOp>("f").getBody().front();
    std::string message;
    ScopedDiagnosticHandler handler(&context,
                                    [&](Diagnostic &diagnostic) { message = diagnostic.str(); });
    OpBuilder builder(block.getTerminator());
    DifferentiationCounts counts;
    Value seed = block.front().getResult(0);
    EXPECT_TRUE(
        failed(differentiate(block, Seed{seed, seed}, {block.getArgument(0)}, builder, counts)));
    EXPECT_NE(message.find("expected"), std::string::npos) << message;
  }
}
