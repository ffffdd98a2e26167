// kernel.lstm and its gradient: all positions of a few rows of the batch, one after the other.

#include "codegen/host/Emitters.h"
#include "codegen/host/Math.h"
#include "codegen/host/TileGemm.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;

namespace memformer::host {

namespace {

/// The parts of the gates, in their order.
enum Part { Input, Forget, Candidate, Output };

struct LstmShape {
  LstmShape(Type cells, Type weight) {
    ArrayRef<int64_t> shape = kernel::shapeOf(cells), packed = kernel::shapeOf(weight);
    batch = shape[0];
    length = shape[1];
    width = shape[2];
    panels = packed[0];
    depth = packed[1];
    panel = packed[2];
  }

  int64_t batch, length, width; // B, L, d
  int64_t panels, depth, panel; // of the packed weight

  /// Columns of the products, padding included.
  int64_t pitch() const { return panels * panel; }
};

/// What both directions share: the rows of a workgroup, and their product with the weight.
class LstmBlock {
public:
  LstmBlock(Emit &e, const LstmShape &shape, Value weight)
      : e(e), shape(shape), strip{e.lanes, shape.panel}, weight(e.flat(weight)), zero(e.index(0)) {}

  /// `body(first row, rows)` once for each number of rows that workgroups have; returns their
  /// number. A pair of threads gets as much each, and a tile of registers has a workgroup's rows.
  int64_t forRows(Value workgroup, function_ref<void(Value, int64_t)> body) {
    int64_t most = tileRows(e.target, strip.vectors());
    int64_t groups = (shape.batch + most - 1) / most;
    if (groups % 2 != 0 && groups < shape.batch)
      ++groups;
    RowTiles rows(shape.batch, (shape.batch + groups - 1) / groups);
    Value first = rows.firstRow(e, workgroup);
    auto small = [&] { body(first, rows.size); };
    if (rows.large == 0) {
      small();
    } else {
      Value isLarge = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::ult, workgroup,
                                            e.index(rows.large));
      e.ifThen(isLarge, [&] { body(first, rows.size + 1); }, small);
    }
    return rows.count;
  }

  Value scratch(int64_t rows, int64_t width) { return e.scratch({rows * width}); }

  /// sums [rows, pitch] ← A [rows, depth] · weight.
  void multiply(const Matrix &a, int64_t rows, Value sums) {
    Matrix target{sums, zero, shape.pitch(), 1};
    e.loop(zero, e.index(shape.panels), 1, [&](Value index) {
      Matrix b{weight, e.mulIndex(index, shape.depth * shape.panel), shape.panel, 1};
      SmallVector<Value> tile = emitTile(e, rows, strip, a, b, e.index(shape.depth), shape.panel);
      Value column = e.mulIndex(index, shape.panel);
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t v = 0; v < strip.vectors(); ++v)
          target.store(e, tile[i * strip.vectors() + v], e.index(i),
                       e.addIndex(column, v * e.lanes), strip.active(v));
    });
  }

  /// `body(row of the workgroup, row of the batch, column, active)` for the vectors of d columns.
  void forEachVector(Value first, int64_t rows,
                     function_ref<void(Value, Value, Value, int64_t)> body) {
    e.loop(zero, e.index(rows), 1, [&](Value i) {
      Value row = e.addIndex(first, i);
      e.columns(shape.width, [&](Value column, int64_t active) { body(i, row, column, active); });
    });
  }

  Emit &e;
  const LstmShape shape;
  const Strip strip;
  Value weight, zero;
};

} // namespace

// 1 / (1 + exp(−x)).
static Value emitSigmoid(Emit &e, Value x) {
  return e.div(e.splat(1), e.add(e.splat(1), emitExp(e, e.sub(e.splat(0), x))));
}

namespace {

/// One direction in time: what a workgroup keeps of its rows from position to position.
class LstmForward {
public:
  LstmForward(LstmBlock &block, Value first, int64_t rows)
      : e(block.e), block(block), first(first), rows(rows),
        sums(block.scratch(rows, block.shape.pitch())) {
    for (Matrix *matrix : {&h, &c})
      *matrix = {block.scratch(rows, block.shape.width), block.zero, block.shape.width, 1};
  }

  /// h and c before the position that comes next.
  void begin(function_ref<Value(Value, Value, int64_t)> hidden,
             function_ref<Value(Value, Value, int64_t)> cell) {
    block.forEachVector(first, rows, [&](Value i, Value row, Value column, int64_t active) {
      h.store(e, hidden(row, column, active), i, column, active);
      c.store(e, cell(row, column, active), i, column, active);
    });
  }

  /// `gate(row, column of 4d, active)` is what the inputs contribute; `store(row, column, active,
  /// parts, h, c)` gets what the position computes.
  void position(function_ref<Value(Value, Value, int64_t)> gate,
                function_ref<void(Value, Value, int64_t, ArrayRef<Value>, Value, Value)> store) {
    Matrix products{sums, block.zero, block.shape.pitch(), 1};
    block.multiply(h, rows, sums);
    block.forEachVector(first, rows, [&](Value i, Value row, Value column, int64_t active) {
      Value parts[4];
      for (int64_t part : {Input, Forget, Candidate, Output}) {
        Value place = e.addIndex(column, part * block.shape.width);
        Value x = e.add(gate(row, place, active), products.load(e, i, place, active));
        parts[part] = part == Candidate ? emitTanh(e, x) : emitSigmoid(e, x);
      }
      Value cell =
          e.fma(parts[Forget], c.load(e, i, column, active), e.mul(parts[Input], parts[Candidate]));
      Value hidden = e.mul(parts[Output], emitTanh(e, cell));
      c.store(e, cell, i, column, active);
      h.store(e, hidden, i, column, active);
      store(row, column, active, parts, hidden, cell);
    });
  }

private:
  Emit &e;
  LstmBlock &block;
  Value first;
  int64_t rows;
  Value sums;
  Matrix h, c;
};

} // namespace

FailureOr<int64_t> emitLstm(OpBuilder &builder, kernel::LstmOp op, const KernelArguments &arguments,
                            const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  LstmBlock block(e, {op.getCells().getType(), op.getWeight().getType()}, arguments.operands[3]);
  Value gates = arguments.operands[0], hidden = arguments.operands[1], cell = arguments.operands[2];
  Value hiddens = arguments.results[0], cells = arguments.results[1],
        activations = arguments.results[2];
  Value zero = block.zero;
  auto state = [&](Value tensor) {
    return [&e, zero, tensor](Value row, Value column, int64_t active) {
      return e.load(tensor, {row, zero, column}, active);
    };
  };
  return block.forRows(arguments.workgroup, [&](Value first, int64_t rows) {
    LstmForward forward(block, first, rows);
    forward.begin(state(hidden), state(cell));
    e.loop(zero, e.index(block.shape.length), 1, [&](Value t) {
      forward.position(
          [&](Value row, Value column, int64_t active) {
            return e.load(gates, {row, t, column}, active);
          },
          [&](Value row, Value column, int64_t active, ArrayRef<Value> parts, Value h, Value c) {
            for (auto [part, value] : llvm::enumerate(parts))
              e.store(value, activations,
                      {row, t, e.addIndex(column, int64_t(part) * block.shape.width)}, active);
            e.store(c, cells, {row, t, column}, active);
            e.store(h, hiddens, {row, t, column}, active);
          });
    });
  });
}

FailureOr<int64_t> emitLstmStep(OpBuilder &builder, kernel::LstmStepOp op,
                                const KernelArguments &arguments, const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  LstmBlock block(e, {op.getCell().getType(), op.getWeight().getType()}, arguments.operands[3]);
  Value gates = arguments.operands[0], hidden = arguments.operands[1], cell = arguments.operands[2];
  Value hiddens = arguments.operands[4], cells = arguments.operands[5];
  Value nextHidden = arguments.results[0], nextCell = arguments.results[1];
  Value zero = block.zero, position = e.toIndex(e.loadScalar(arguments.operands[6], {}));
  // The row before the first position is an operand's.
  Value isFirst = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq, position, zero);
  Value before = arith::SelectOp::create(e.b, e.loc, isFirst, zero,
                                         arith::SubIOp::create(e.b, e.loc, position, e.index(1)));
  auto state = [&](Value tensor, Value cache) {
    return [&e, zero, isFirst, before, tensor, cache](Value row, Value column, int64_t active) {
      return e.select(isFirst, e.load(tensor, {row, zero, column}, active),
                      e.load(cache, {row, before, column}, active));
    };
  };
  return block.forRows(arguments.workgroup, [&](Value first, int64_t rows) {
    LstmForward forward(block, first, rows);
    forward.begin(state(hidden, hiddens), state(cell, cells));
    forward.position(
        [&](Value row, Value column, int64_t active) {
          return e.load(gates, {row, zero, column}, active);
        },
        [&](Value row, Value column, int64_t active, ArrayRef<Value>, Value h, Value c) {
          for (auto [value, one, all] :
               {std::tuple{h, nextHidden, hiddens}, {c, nextCell, cells}}) {
            e.store(value, one, {row, zero, column}, active);
            e.store(value, all, {row, position, column}, active);
          }
        });
  });
}

FailureOr<int64_t> emitLstmGradient(OpBuilder &builder, kernel::LstmGradientOp op,
                                    const KernelArguments &arguments, const HostTarget &target) {
  Emit e(builder, op.getLoc(), target);
  LstmShape shape(op.getCells().getType(), op.getWeight().getType());
  auto next = arguments.operands.begin();
  Value hiddensGradient = op.getHiddensGradient() ? *next++ : Value();
  Value cellsGradient = op.getCellsGradient() ? *next++ : Value();
  Value activations = *next++, cells = *next++, cell = *next++;
  LstmBlock block(e, shape, *next);
  Value gatesGradient = arguments.results[0], hiddenGradient = arguments.results[1],
        cellGradient = arguments.results[2];
  Value flatGates = e.flat(gatesGradient);
  Value zero = block.zero;
  int64_t d = shape.width, length = shape.length;
  return block.forRows(arguments.workgroup, [&](Value first, int64_t rows) {
    // What arrives at h and c from the position after.
    Value states = block.scratch(rows, shape.pitch()), memories = block.scratch(rows, d);
    Matrix dh{states, zero, shape.pitch(), 1}, dc{memories, zero, d, 1};
    block.forEachVector(first, rows, [&](Value i, Value, Value column, int64_t active) {
      dh.store(e, e.splat(0), i, column, active);
      dc.store(e, e.splat(0), i, column, active);
    });
    e.loop(zero, e.index(length), 1, [&](Value step) {
      Value t = arith::SubIOp::create(e.b, e.loc, e.index(length - 1), step);
      // The cell before the first position is an operand.
      Value isFirst = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq, t, zero);
      Value before = arith::SelectOp::create(e.b, e.loc, isFirst, zero,
                                             arith::SubIOp::create(e.b, e.loc, t, e.index(1)));
      block.forEachVector(first, rows, [&](Value i, Value row, Value column, int64_t active) {
        Value parts[4];
        for (int64_t part : {Input, Forget, Candidate, Output})
          parts[part] = e.load(activations, {row, t, e.addIndex(column, part * d)}, active);
        Value one = e.splat(1);
        Value tanh = emitTanh(e, e.load(cells, {row, t, column}, active));
        Value memory = e.select(isFirst, e.load(cell, {row, zero, column}, active),
                                e.load(cells, {row, before, column}, active));
        Value arriving = dh.load(e, i, column, active), kept = dc.load(e, i, column, active);
        if (hiddensGradient)
          arriving = e.add(e.load(hiddensGradient, {row, t, column}, active), arriving);
        if (cellsGradient)
          kept = e.add(e.load(cellsGradient, {row, t, column}, active), kept);
        Value slope = e.fma(e.sub(e.splat(0), tanh), tanh, one);
        kept = e.fma(e.mul(arriving, parts[Output]), slope, kept);
        auto store = [&](int64_t part, Value product, Value slope) {
          e.store(e.mul(product, slope), gatesGradient, {row, t, e.addIndex(column, part * d)},
                  active);
        };
        auto ofSigmoid = [&](Value y) { return e.mul(y, e.sub(one, y)); };
        Value candidate = parts[Candidate];
        store(Input, e.mul(kept, candidate), ofSigmoid(parts[Input]));
        store(Forget, e.mul(kept, memory), ofSigmoid(parts[Forget]));
        store(Candidate, e.mul(kept, parts[Input]),
              e.fma(e.sub(e.splat(0), candidate), candidate, one));
        store(Output, e.mul(arriving, tanh), ofSigmoid(parts[Output]));
        dc.store(e, e.mul(kept, parts[Forget]), i, column, active);
      });
      // dh ← da Wᵀ, W being [4d, d].
      Value offset = e.mulIndex(e.addIndex(e.mulIndex(first, length), t), 4 * d);
      block.multiply({flatGates, offset, length * 4 * d, 1}, rows, states);
    });
    block.forEachVector(first, rows, [&](Value i, Value row, Value column, int64_t active) {
      e.store(dh.load(e, i, column, active), hiddenGradient, {row, zero, column}, active);
      e.store(dc.load(e, i, column, active), cellGradient, {row, zero, column}, active);
    });
  });
}

} // namespace memformer::host
