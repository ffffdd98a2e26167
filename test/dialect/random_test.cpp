// The generator of dropout: its ops are executed here one by one, on many entries, and their
// statistics measured.

#include "dialect/memformer/Random.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <map>
#include <vector>

using namespace mlir;

namespace {

/// The ops of one generator as a list of steps on numbered words, executed for many indices and
/// keys.
class Generator {
public:
  explicit Generator(int32_t stream, double probability = 0.1) {
    MLIRContext context;
    context.loadDialect<arith::ArithDialect>();
    OpBuilder builder(&context);
    Location location = builder.getUnknownLoc();
    OwningOpRef<ModuleOp> module = ModuleOp::create(builder, location);
    Block *body = module->getBody();
    for (int i = 0; i < 3; ++i)
      number(body->addArgument(builder.getI32Type(), location));
    ValueRange arguments = body->getArguments();
    builder.setInsertionPointToEnd(body);
    Value random = memformer::buildRandomBits(builder, location, arguments[0], arguments[1],
                                              arguments[2], stream);
    bitsSteps = translate(*body, 0);
    bits = numbers.at(random.getAsOpaquePointer());
    Value kept = memformer::buildKeep(builder, location, arguments[0], arguments[1], arguments[2],
                                      stream, probability);
    keepSteps = translate(*body, bitsSteps.size());
    keep = numbers.at(kept.getAsOpaquePointer());
  }

  uint32_t bitsOf(uint32_t index, uint32_t key0, uint32_t key1) {
    run(bitsSteps, index, key0, key1);
    return words[bits];
  }
  bool keepOf(uint32_t index, uint32_t key0, uint32_t key1) {
    run(keepSteps, index, key0, key1);
    return words[keep] != 0;
  }

private:
  enum class Kind { Constant, Add, Multiply, ExclusiveOr, ShiftRight, AtLeast };
  struct Step {
    Kind kind;
    size_t out, a, b;
    uint32_t constant;
  };

  size_t number(Value value) {
    auto [entry, isNew] = numbers.try_emplace(value.getAsOpaquePointer(), words.size());
    if (isNew)
      words.push_back(0);
    return entry->second;
  }

  /// The ops of the block but for the first `skipped`.
  std::vector<Step> translate(Block &block, size_t skipped) {
    std::vector<Step> steps;
    for (Operation &op : llvm::drop_begin(block, skipped)) {
      Step step = {Kind::Constant, number(op.getResult(0)), 0, 0, 0};
      if (op.getNumOperands() == 2) {
        step.a = number(op.getOperand(0));
        step.b = number(op.getOperand(1));
      }
      auto compare = dyn_cast<arith::CmpIOp>(op);
      if (auto constant = dyn_cast<arith::ConstantOp>(op))
        step.constant = static_cast<uint32_t>(cast<IntegerAttr>(constant.getValue()).getInt());
      else if (isa<arith::AddIOp>(op))
        step.kind = Kind::Add;
      else if (isa<arith::MulIOp>(op))
        step.kind = Kind::Multiply;
      else if (isa<arith::XOrIOp>(op))
        step.kind = Kind::ExclusiveOr;
      else if (isa<arith::ShRUIOp>(op))
        step.kind = Kind::ShiftRight;
      else if (compare && compare.getPredicate() == arith::CmpIPredicate::uge)
        step.kind = Kind::AtLeast;
      else
        ADD_FAILURE() << "not an op that the generator is said to be made of: "
                      << op.getName().getStringRef().str();
      steps.push_back(step);
    }
    return steps;
  }

  void run(const std::vector<Step> &steps, uint32_t index, uint32_t key0, uint32_t key1) {
    words[0] = index;
    words[1] = key0;
    words[2] = key1;
    for (const Step &step : steps) {
      uint32_t a = words[step.a], b = words[step.b];
      switch (step.kind) {
      case Kind::Constant:
        words[step.out] = step.constant;
        break;
      case Kind::Add:
        words[step.out] = a + b;
        break;
      case Kind::Multiply:
        words[step.out] = a * b;
        break;
      case Kind::ExclusiveOr:
        words[step.out] = a ^ b;
        break;
      case Kind::ShiftRight:
        words[step.out] = a >> b;
        break;
      case Kind::AtLeast:
        words[step.out] = a >= b ? 1 : 0;
        break;
      }
    }
  }

  std::map<const void *, size_t> numbers; // of a value's word
  std::vector<uint32_t> words;
  std::vector<Step> bitsSteps, keepSteps;
  size_t bits = 0, keep = 0;
};

constexpr int samples = 1 << 16;
// Five standard deviations of a mean of `samples` independent entries of variance 1.
const double bound = 5 / std::sqrt(samples);

/// A random word as a number of mean 0 and variance 1.
double centred(uint32_t bits) { return (bits / 4294967296.0 - 0.5) * std::sqrt(12.0); }

template <typename A, typename B> double correlation(A a, B b) {
  double sum = 0;
  for (uint32_t i = 0; i < samples; ++i)
    sum += centred(a(i)) * centred(b(i));
  return sum / samples;
}

TEST(Random, keepsAsManyAsTheProbabilitySays) {
  for (double probability : {0.0, 0.1, 0.5, 0.9}) {
    Generator generator(3, probability);
    double kept = 0;
    for (uint32_t i = 0; i < samples; ++i)
      kept += generator.keepOf(i, 17, 23);
    double deviation = std::sqrt(probability * (1 - probability));
    EXPECT_NEAR(kept / samples, 1 - probability, bound * deviation) << probability;
  }
}

TEST(Random, aProbabilityNextToOneDropsNearlyAll) {
  Generator generator(3, std::nextafter(1.0, 0.0));
  int kept = 0;
  for (uint32_t i = 0; i < samples; ++i)
    kept += generator.keepOf(i, 17, 23);
  EXPECT_EQ(kept, 0);
}

TEST(Random, isUniform) {
  Generator generator(1);
  double sum = 0, squares = 0;
  for (uint32_t i = 0; i < samples; ++i) {
    double value = centred(generator.bitsOf(i, 5, 6));
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / samples, 0, bound);
  EXPECT_NEAR(squares / samples, 1, bound);
}

TEST(Random, neighboursAreNotCorrelated) {
  Generator generator(1);
  for (uint32_t lag : {1u, 2u, 3u, 8u, 16u, 64u, 127u, 128u, 4096u, 65536u})
    EXPECT_NEAR(correlation([&](uint32_t i) { return generator.bitsOf(i, 5, 6); },
                            [&](uint32_t i) { return generator.bitsOf(i + lag, 5, 6); }),
                0, bound)
        << "lag " << lag;
}

TEST(Random, streamsAreNotCorrelated) {
  Generator generator(7);
  for (int32_t stream : {0, 6, 8, 39, -7}) {
    Generator other(stream);
    for (uint32_t lag : {0u, 1u})
      EXPECT_NEAR(correlation([&](uint32_t i) { return generator.bitsOf(i, 5, 6); },
                              [&](uint32_t i) { return other.bitsOf(i + lag, 5, 6); }),
                  0, bound)
          << "stream " << stream << " lag " << lag;
  }
}

TEST(Random, keysAreNotCorrelated) {
  Generator generator(1);
  const std::pair<uint32_t, uint32_t> keys[] = {
      {5, 7}, {6, 6}, {4, 6}, {6, 5}, {1, 6}, {5, 0}, {0x80000005, 6}, {5, 0x80000006}, {~0u, 6}};
  for (auto [key0, key1] : keys)
    for (uint32_t lag : {0u, 1u, ~0u})
      EXPECT_NEAR(correlation([&](uint32_t i) { return generator.bitsOf(i, 5, 6); },
                              [&](uint32_t i) { return generator.bitsOf(i + lag, key0, key1); }),
                  0, bound)
          << "key " << key0 << ", " << key1 << " lag " << lag;
}

TEST(Random, everyBitOfIndexAndKeyFlipsHalfOfTheResult) {
  Generator generator(2);
  constexpr int trials = 256;
  for (int which = 0; which < 3; ++which)
    for (int bit = 0; bit < 32; ++bit) {
      int flipped = 0;
      for (uint32_t i = 0; i < trials; ++i) {
        uint32_t words[3] = {i * 2654435761u, i + 11, i * 40503u};
        uint32_t before = generator.bitsOf(words[0], words[1], words[2]);
        words[which] ^= 1u << bit;
        flipped += std::popcount(before ^ generator.bitsOf(words[0], words[1], words[2]));
      }
      // A flip has variance 1/4; six standard deviations over 96 places.
      EXPECT_NEAR(flipped / (32.0 * trials), 0.5, 6 * 0.5 / std::sqrt(32.0 * trials))
          << "word " << which << " bit " << bit;
    }
}

TEST(Random, vectorsGetTheSameOps) {
  MLIRContext context;
  context.loadDialect<arith::ArithDialect>();
  OpBuilder builder(&context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, builder.getUnknownLoc());
  auto type = VectorType::get({13}, builder.getI32Type());
  Value words = module->getBody()->addArgument(type, builder.getUnknownLoc());
  builder.setInsertionPointToEnd(module->getBody());
  Value keep = memformer::buildKeep(builder, builder.getUnknownLoc(), words, words, words, 1, 0.25);
  EXPECT_EQ(keep.getType(), VectorType::get({13}, builder.getI1Type()));
}

} // namespace
