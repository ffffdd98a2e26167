// The generator of dropout, as ops.

#include "dialect/memformer/Random.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace {

/// Builds i32 arithmetic on scalars or vectors alike.
class Words {
public:
  Words(OpBuilder &builder, Location location, Type type)
      : builder(builder), location(location), type(type) {}

  Value constant(uint32_t value) {
    auto attribute = builder.getI32IntegerAttr(static_cast<int32_t>(value));
    if (auto vector = dyn_cast<VectorType>(type))
      return arith::ConstantOp::create(builder, location,
                                       DenseElementsAttr::get(vector, Attribute(attribute)));
    return arith::ConstantOp::create(builder, location, attribute);
  }
  Value add(Value a, Value b) { return arith::AddIOp::create(builder, location, a, b); }
  Value exclusiveOr(Value a, Value b) { return arith::XOrIOp::create(builder, location, a, b); }

  /// x ^= x >> 16; x *= …; x ^= x >> 15; x *= …; x ^= x >> 16. The multipliers are those that
  /// Wellons found by search to have the least bias among functions of this form.
  Value mix(Value x) {
    x = times(shifted(x, 16), 0x7feb352dU);
    x = times(shifted(x, 15), 0x846ca68bU);
    return shifted(x, 16);
  }

private:
  Value shifted(Value x, uint32_t bits) {
    return exclusiveOr(x, arith::ShRUIOp::create(builder, location, x, constant(bits)));
  }
  Value times(Value x, uint32_t factor) {
    return arith::MulIOp::create(builder, location, x, constant(factor));
  }

  OpBuilder &builder;
  Location location;
  Type type;
};

} // namespace

Value memformer::buildRandomBits(OpBuilder &builder, Location location, Value index, Value key0,
                                 Value key1, int32_t stream) {
  Words words(builder, location, index.getType());
  Value number = words.constant(static_cast<uint32_t>(stream));
  Value a = words.mix(buildStreamWord(builder, location, key0, number));
  Value second = buildStreamWord(builder, location, key1, number);
  Value b = words.mix(words.exclusiveOr(second, a));
  return words.mix(words.exclusiveOr(words.mix(words.add(index, a)), b));
}

Value memformer::buildStreamWord(OpBuilder &builder, Location location, Value word, Value stream) {
  Words words(builder, location, word.getType());
  // Streams are small numbers: spread them over all bits, so that streams of nearby keys do not
  // meet.
  Value spread =
      arith::MulIOp::create(builder, location, stream, words.constant(0x9e3779b9U)).getResult();
  return words.add(word, spread);
}

Value memformer::buildKeep(OpBuilder &builder, Location location, Value index, Value key0,
                           Value key1, int32_t stream, double probability) {
  Value bits = buildRandomBits(builder, location, index, key0, key1, stream);
  // A probability that rounds to 1 still keeps one entry in 2³².
  double threshold = std::min(std::nearbyint(std::ldexp(probability, 32)), 4294967295.0);
  Words words(builder, location, index.getType());
  return arith::CmpIOp::create(builder, location, arith::CmpIPredicate::uge, bits,
                               words.constant(static_cast<uint32_t>(threshold)));
}
