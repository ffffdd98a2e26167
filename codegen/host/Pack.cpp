// Emitter of pack: a matrix in panels.

#include "codegen/host/Emitters.h"
#include "codegen/host/Vectors.h"
#include "dialect/kernel/Shapes.h"

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

// Squares of lanes × lanes entries, turned in registers.
static void copyTransposed(Emit &e, const Panel &panel) {
  for (int64_t j = 0; j < panel.width; j += e.lanes) {
    int64_t columns = panel.columns(e, j);
    e.columns(panel.depth, [&](Value k, int64_t depths) {
      SmallVector<Value> square;
      for (int64_t i = 0; i < e.lanes; ++i)
        square.push_back(i < columns
                             ? e.load(panel.source, {e.addIndex(panel.begin, j + i), k}, depths)
                             : e.splat(0));
      e.transpose(square);
      for (int64_t i = 0; i < depths; ++i)
        panel.store(e, square[i], e.addIndex(k, i), j);
    });
  }
}

FailureOr<int64_t> emitPack(OpBuilder &builder, kernel::PackOp op, const KernelArguments &arguments,
                            const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  ArrayRef<int64_t> shape = kernel::shapeOf(op.getResult().getType());
  int64_t panels = shape[0], depth = shape[1], width = shape[2];
  bool transposed = op.getTransposed();
  int64_t n = kernel::shapeOf(op.getInput().getType())[transposed ? 0 : 1];
  Panel panel;
  panel.source = arguments.operands[0];
  panel.result = e.flat(arguments.results[0]);
  panel.offset = e.mulIndex(arguments.workgroup, depth * width);
  panel.begin = e.mulIndex(arguments.workgroup, width);
  panel.depth = depth;
  panel.width = width;
  auto pack = [&](int64_t active) {
    panel.active = active;
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
