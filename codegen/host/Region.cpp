// Epilogues and bodies: a kernel's region of scalars, cloned on vectors.

#include "codegen/host/Region.h"
#include "codegen/host/Math.h"
#include "dialect/kernel/Shapes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"
#include <numeric>

using namespace mlir;

namespace memformer::host {

using kernel::entriesOf;

int64_t VectorRegion::commonWidth(int64_t entries, ValueRange extras, ArrayRef<int32_t> indexing) {
  int64_t width = entries;
  for (auto [extra, kind] : llvm::zip_equal(extras, indexing)) {
    int64_t own = entriesOf(extra.getType());
    if (OperandIndexing(kind) == OperandIndexing::Whole || own <= 1)
      continue;
    width = std::gcd(width, OperandIndexing(kind) == OperandIndexing::Trailing ? own
                            : own == entries                                   ? own
                                                                               : entries / own);
  }
  return width;
}

VectorRegion::VectorRegion(Emit &e, Region &region, ValueRange extraMemrefs,
                           ArrayRef<int32_t> indexing, int64_t rows, int64_t width)
    : region(region), width(width) {
  int64_t entries = rows * width;
  for (auto [memref, kind] : llvm::zip_equal(extraMemrefs, indexing)) {
    Extra extra;
    int64_t own = entriesOf(memref.getType());
    bool whole = OperandIndexing(kind) == OperandIndexing::Whole;
    if (whole || own == 1) {
      extra.kind = Extra::Uniform;
      Value flat = e.flat(memref);
      for (int64_t i = 0; i < own; ++i)
        extra.scalars.push_back(e.loadScalar(flat, e.index(i)));
    } else if (OperandIndexing(kind) == OperandIndexing::Trailing || own == entries) {
      extra.kind = Extra::Contiguous;
      extra.divisor = own / width;
      extra.memref = e.matrix(memref, own / width, width);
    } else {
      extra.kind = Extra::OfRow;
      extra.divisor = entries / own / width;
      extra.memref = e.flat(memref);
    }
    extras.push_back(std::move(extra));
  }
}

Value VectorRegion::load(Emit &e, Extra &extra, Value row, Value column, int64_t active) {
  if (extra.kind == Extra::OfRow)
    return e.loadScalar(extra.memref, e.divIndex(row, extra.divisor));
  int64_t own = cast<ShapedType>(extra.memref.getType()).getShape()[0];
  auto inner = e.remIndex(row, own);
  return e.load(extra.memref, {inner, column}, active);
}

// The functions that have a polynomial of our own; others must be instructions of the target.
static FailureOr<Value> emitMath(Emit &e, Operation &op, ValueRange operands) {
  Value x = operands[0];
  return TypeSwitch<Operation &, FailureOr<Value>>(op)
      .Case([&](math::ExpOp) { return emitExp(e, x); })
      .Case([&](math::Exp2Op) { return emitExp2(e, x); })
      .Case([&](math::LogOp) { return emitLog(e, x); })
      .Case([&](math::TanhOp) { return emitTanh(e, x); })
      .Case([&](math::RsqrtOp) {
        Value one = arith::ConstantOp::create(
            e.b, e.loc, DenseElementsAttr::get(cast<VectorType>(x.getType()), 1.0f));
        return FailureOr<Value>(e.div(one, e.sqrt(x)));
      })
      .Case<math::SqrtOp, math::AbsFOp, math::FmaOp, math::FloorOp, math::CeilOp, math::RoundEvenOp,
            math::TruncOp, math::CopySignOp, math::AbsIOp>([&](auto same) {
        OperationState state(e.loc, same->getName());
        state.addOperands(operands);
        state.addTypes(operands[0].getType());
        return FailureOr<Value>(e.b.create(state)->getResult(0));
      })
      .Default([&](Operation &other) -> FailureOr<Value> {
        return other.emitError("the host target has no vector form of '") << other.getName() << "'";
      });
}

FailureOr<SmallVector<Value>> VectorRegion::emit(Emit &e, ValueRange own, Value row, Value column,
                                                 int64_t active) {
  Block &block = region.front();
  DenseMap<Value, Value> scalars, vectors;
  // Values that are the same for all entries stay scalars until a vector is needed.
  auto asVector = [&](Value value) {
    Value &vector = vectors[value];
    if (!vector)
      vector = e.broadcast(scalars.lookup(value));
    return vector;
  };
  unsigned next = 0;
  for (Value value : own)
    vectors[block.getArgument(next++)] = value;
  for (Extra &extra : extras) {
    if (extra.kind == Extra::Uniform) {
      for (Value scalar : extra.scalars)
        scalars[block.getArgument(next++)] = scalar;
      continue;
    }
    BlockArgument argument = block.getArgument(next++);
    if (argument.use_empty())
      continue;
    Value value = load(e, extra, row, column, active);
    (extra.kind == Extra::OfRow ? scalars : vectors)[argument] = value;
  }
  BlockArgument linear = block.getArgument(next);
  if (!linear.use_empty()) {
    Value first = e.toInt(e.addIndex(e.mulIndex(row, width), column));
    vectors[linear] = e.add(e.broadcast(first), e.iota());
  }

  for (Operation &op : block.without_terminator()) {
    bool uniform = llvm::all_of(op.getOperands(), [&](Value x) { return scalars.contains(x); });
    bool isMath = isa<math::MathDialect>(op.getDialect());
    if (uniform && !isMath) {
      IRMapping mapping;
      for (Value operand : op.getOperands())
        mapping.map(operand, scalars.lookup(operand));
      Operation *clone = e.b.clone(op, mapping);
      for (auto [from, to] : llvm::zip_equal(op.getResults(), clone->getResults()))
        scalars[from] = to;
      continue;
    }
    SmallVector<Value> operands = llvm::map_to_vector(op.getOperands(), asVector);
    if (isMath) {
      FailureOr<Value> result = emitMath(e, op, operands);
      if (failed(result))
        return failure();
      vectors[op.getResult(0)] = *result;
      continue;
    }
    OperationState state(e.loc, op.getName(), operands, {}, op.getAttrs());
    state.propertiesAttr = op.getPropertiesAsAttribute();
    for (Type type : op.getResultTypes())
      state.addTypes(e.vector(type));
    Operation *clone = e.b.create(state);
    for (auto [from, to] : llvm::zip_equal(op.getResults(), clone->getResults()))
      vectors[from] = to;
  }
  return llvm::map_to_vector(block.getTerminator()->getOperands(), asVector);
}

} // namespace memformer::host
