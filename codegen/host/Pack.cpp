// Emitter of pack: a matrix in panels.

#include "codegen/host/Emitters.h"
#include "codegen/host/PairGemm.h"
#include "codegen/host/Vectors.h"
#include "dialect/kernel/Shapes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace memformer::host {

namespace {

/// One panel [depth, width] of B, of which it has the columns begin … begin + active − 1.
struct Panel {
  Value source; // B [K, N], or its transpose [N, K]
  Value result; // all panels, flat
  Value offset; // of this one
  Value begin;
  int64_t depth, width, active;

  /// Writes entries (k, j) … of the panel.
  void store(Emit &e, Value vector, Value k, int64_t j) const {
    Value place = e.addIndex(e.addIndex(offset, e.mulIndex(k, width)), j);
    e.store(vector, result, place, std::min(e.lanes, width - j));
  }
  /// Columns of B among the lanes from j on.
  int64_t columns(Emit &e, int64_t j) const {
    return std::clamp<int64_t>(active - j, 0, std::min(e.lanes, width - j));
  }
};

} // namespace

static void copyRows(Emit &e, const Panel &panel) {
  e.loop(e.index(0), e.index(panel.depth), 1, [&](Value k) {
    for (int64_t j = 0; j < panel.width; j += e.lanes) {
      int64_t columns = panel.columns(e, j);
      Value entries =
          columns ? e.load(panel.source, {k, e.addIndex(panel.begin, j)}, columns) : e.splat(0);
      panel.store(e, entries, k, j);
    }
  });
}

// Entries (k + i, j …) of B in vector i, from its transpose: a square turned in registers.
static SmallVector<Value> loadSquare(Emit &e, const Panel &panel, Value k, int64_t depths,
                                     int64_t j) {
  int64_t columns = panel.columns(e, j);
  SmallVector<Value> square;
  for (int64_t i = 0; i < e.lanes; ++i)
    square.push_back(i < columns ? e.load(panel.source, {e.addIndex(panel.begin, j + i), k}, depths)
                                 : e.splat(0));
  e.transpose(square);
  return square;
}

static void copyTransposed(Emit &e, const Panel &panel) {
  for (int64_t j = 0; j < panel.width; j += e.lanes) {
    e.columns(panel.depth, [&](Value k, int64_t depths) {
      SmallVector<Value> square = loadSquare(e, panel, k, depths, j);
      for (int64_t i = 0; i < depths; ++i)
        panel.store(e, square[i], e.addIndex(k, i), j);
    });
  }
}

// Rows in pairs: as copyRows and copyTransposed, for entries of bf16.
static void copyPairs(Emit &e, const Panel &panel, bool transposed) {
  auto store = [&](Value low, Value high, Value pair, int64_t j) {
    Value place = e.addIndex(e.addIndex(panel.offset, e.mulIndex(pair, panel.width * 2)), 2 * j);
    storePairs(e, pairOf(e, low, high), panel.result, place);
  };
  for (int64_t j = 0; j < panel.width; j += e.lanes) {
    int64_t columns = panel.columns(e, j);
    if (transposed) {
      e.columns(panel.depth, [&](Value k, int64_t depths) {
        SmallVector<Value> square = loadSquare(e, panel, k, depths, j);
        for (int64_t i = 0; i < depths; i += 2)
          store(e.roundToHigh(square[i]), e.roundToHigh(square[i + 1]),
                e.divIndex(e.addIndex(k, i), 2), j);
      });
      continue;
    }
    auto load = [&](Value k) {
      if (columns == 0)
        return e.splatInt(0);
      return e.roundToHigh(e.load(panel.source, {k, e.addIndex(panel.begin, j)}, columns));
    };
    int64_t pairs = panel.depth / 2;
    e.loop(e.index(0), e.index(pairs), 1, [&](Value pair) {
      Value k = e.mulIndex(pair, 2);
      store(load(k), load(e.addIndex(k, 1)), pair, j);
    });
    if (panel.depth % 2 != 0)
      store(load(e.index(panel.depth - 1)), e.splatInt(0), e.index(pairs), j);
  }
}

// `body(k, entries)` for the vectors of B from column j on, one for each k.
static void forEachVector(Emit &e, const Panel &panel, bool transposed, int64_t j,
                          function_ref<void(Value, Value)> body) {
  if (transposed) {
    e.columns(panel.depth, [&](Value k, int64_t depths) {
      SmallVector<Value> square = loadSquare(e, panel, k, depths, j);
      for (int64_t i = 0; i < depths; ++i)
        body(e.addIndex(k, i), square[i]);
    });
    return;
  }
  int64_t columns = panel.columns(e, j);
  e.loop(e.index(0), e.index(panel.depth), 1, [&](Value k) {
    Value at = e.addIndex(panel.begin, j);
    body(k, columns ? e.load(panel.source, {k, at}, columns) : e.splat(0));
  });
}

// Whole numbers of each column's scale, and the scales.
static void quantize(Emit &e, const Panel &panel, bool transposed, Value scales) {
  constexpr float most = 127;
  Value largest = e.scratch({e.lanes}), bad = e.scratch({e.lanes}), first = e.index(0);
  auto absolute = [&](Value x) -> Value { return math::AbsFOp::create(e.b, e.loc, x); };
  for (int64_t j = 0; j < panel.width; j += e.lanes) {
    e.store(e.splat(0), largest, first);
    e.store(e.splat(0), bad, first);
    forEachVector(e, panel, transposed, j, [&](Value, Value x) {
      e.store(e.max(absolute(x), e.load(largest, first)), largest, first);
      // Zero, and no number after an entry that is not finite.
      e.store(e.fma(x, e.splat(0), e.load(bad, first)), bad, first);
    });
    Value scale = e.div(e.load(largest, first), e.splat(most));
    if (int64_t columns = panel.columns(e, j))
      e.store(e.add(scale, e.load(bad, first)), scales, e.addIndex(panel.begin, j), columns);
    Value isZero = e.compare(arith::CmpFPredicate::OLE, scale, e.splat(0));
    Value divisor = e.select(isZero, e.splat(1), scale);
    forEachVector(e, panel, transposed, j, [&](Value k, Value x) {
      Value whole = math::RoundEvenOp::create(e.b, e.loc, e.div(x, divisor));
      // What is not a number is in range too: the scale says that it is none.
      Value atMost = e.select(e.compare(arith::CmpFPredicate::OLT, whole, e.splat(most)), whole,
                              e.splat(most));
      Value number = arith::FPToSIOp::create(e.b, e.loc, e.vector(e.b.getI32Type()),
                                             e.max(atMost, e.splat(-most)));
      Value byte = arith::TruncIOp::create(e.b, e.loc, e.vector(e.b.getI8Type()), number);
      Value place = e.addIndex(e.addIndex(panel.offset, e.mulIndex(k, panel.width)), j);
      vector::StoreOp::create(e.b, e.loc, byte, panel.result, place);
    });
  }
}

FailureOr<int64_t> emitPack(OpBuilder &builder, kernel::PackOp op, const KernelArguments &arguments,
                            const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  ArrayRef<int64_t> shape = kernel::shapeOf(op.getResult().getType());
  bool transposed = op.getTransposed(), inPairs = shape.size() == 4;
  ArrayRef<int64_t> input = kernel::shapeOf(op.getInput().getType());
  int64_t panels = shape[0], depth = input[transposed ? 1 : 0], width = shape[2];
  bool quantized = bool(op.getScales());
  if (inPairs && shape[3] != 2)
    return op.emitOpError("expected pairs of rows side by side on a host, but got ")
           << op.getResult().getType();
  if ((inPairs || quantized) && width % e.lanes != 0)
    return op.emitOpError("expected panels of a multiple of ")
           << e.lanes << " columns of " << op.getResult().getType().getElementType() << ", but got "
           << op.getResult().getType();
  int64_t n = input[transposed ? 0 : 1];
  Panel panel;
  panel.source = arguments.operands[0];
  panel.result = e.flat(arguments.results[0]);
  panel.offset =
      e.mulIndex(arguments.workgroup, inPairs ? (depth + 1) / 2 * width * 2 : depth * width);
  panel.begin = e.mulIndex(arguments.workgroup, width);
  panel.depth = depth;
  panel.width = width;
  auto pack = [&](int64_t active) {
    panel.active = active;
    if (quantized)
      return quantize(e, panel, transposed, arguments.results[1]);
    if (inPairs)
      return copyPairs(e, panel, transposed);
    transposed ? copyTransposed(e, panel) : copyRows(e, panel);
  };
  int64_t tail = n - (panels - 1) * width;
  Value last = e.compareInt(arith::CmpIPredicate::eq, arguments.workgroup, e.index(panels - 1));
  if (tail == width)
    pack(width);
  else
    e.ifThen(last, [&] { pack(tail); }, [&] { pack(width); });
  return panels;
}

} // namespace memformer::host
