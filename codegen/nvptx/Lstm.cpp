// kernel.lstm and its gradient: all positions of a few rows of the batch, a thread for each column.

#include "codegen/nvptx/Emitters.h"
#include "codegen/nvptx/Math.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;

namespace memformer::nvptx {

namespace {

/// The parts of the gates, in their order.
enum Part { Input, Forget, Candidate, Output };
constexpr Part parts[] = {Input, Forget, Candidate, Output};

/// The rows of a block, and its product with the packed weight [P, depth, panel].
class LstmBlock {
public:
  /// Sets the number of threads.
  LstmBlock(Emit &e, Type cells, const Buffer &weight) : e(e), weight(weight) {
    ArrayRef<int64_t> shape = kernel::shapeOf(cells);
    batch = shape[0];
    length = shape[1];
    width = shape[2];
    depth = weight.shape[1];
    panel = weight.shape[2];
    e.setThreads(std::clamp<int64_t>((width + Emit::warp - 1) / Emit::warp * Emit::warp, 32, 256));
    // Every weight that a block loads is for all of its rows.
    rows = std::min<int64_t>(batch, e.target.multiprocessors < batch ? 4 : 1);
    firstRow = e.mulIndex(e.block(), rows);
  }

  int64_t grid() const { return (batch + rows - 1) / rows; }
  /// Rows beyond the last of the batch repeat it: they compute, and store, the same.
  Value row(int64_t i) { return e.minIndex(e.addIndex(firstRow, i), batch - 1); }
  /// The entry of row i, position t and column of a tensor [B, L, …, columns].
  Value entry(int64_t i, Value t, int64_t columns, Value column) {
    return e.at(e.addIndex(e.mulIndex(row(i), length), t), columns, column);
  }
  /// The same of a tensor [B, 1, d].
  Value entryOfState(int64_t i, Value column) { return e.at(row(i), width, column); }
  /// `body(column)` for the thread's columns of d.
  void forEachColumn(function_ref<void(Value)> body) {
    e.strided(e.thread(), width, e.threads(), body);
  }
  /// Σ over k of A[i, k] · weight[k, column] for each row i and each of `columns`, a row's one
  /// after the other; A [rows, depth] begins at `from` in shared memory.
  Emit::Carried multiply(const Buffer &a, Value from, ArrayRef<Value> columns) {
    SmallVector<Value> places;
    for (Value column : columns)
      places.push_back(e.addIndex(e.mulIndex(e.divIndex(column, panel), depth * panel),
                                  e.remIndex(column, panel)));
    SmallVector<Value> zeros(rows * int64_t(columns.size()), e.real(0));
    return e.loop(e.index(0), e.index(depth), 1, zeros, [&](Value k, ValueRange sums) {
      SmallVector<Value> weights;
      for (Value place : places)
        weights.push_back(e.load(weight, e.addIndex(e.mulIndex(k, panel), place)));
      Emit::Carried next;
      for (int64_t i = 0; i < rows; ++i) {
        Value x = e.load(a, e.addIndex(from, e.at(e.index(i), depth, k)));
        for (Value weight : weights)
          next.push_back(e.fma(x, weight, sums[next.size()]));
      }
      return next;
    });
  }
  /// Where (row i, column) lies in shared memory [rows, d].
  Value place(int64_t i, Value column) { return e.addIndex(column, i * width); }

  Emit &e;
  const Buffer &weight;
  int64_t batch, length, width, depth, panel, rows;
  Value firstRow;
};

} // namespace

// 1 / (1 + exp(−x)).
static Value emitSigmoid(Emit &e, Value x) {
  return e.div(e.real(1), e.add(e.real(1), emitExp(e, e.sub(e.real(0), x))));
}

namespace {

/// What the threads of a block have of the position before: h of all columns in shared memory, the
/// states before and after a position taking turns; and c, each entry of which is one thread's.
class LstmForward {
public:
  explicit LstmForward(LstmBlock &block)
      : e(block.e), block(block), size(block.rows * block.width), states(e.shared(2 * size)),
        memories(e.shared(size)) {}

  /// h and c before the first position; `hidden(row, column)` …
  void begin(function_ref<Value(int64_t, Value)> hidden, function_ref<Value(int64_t, Value)> cell) {
    block.forEachColumn([&](Value column) {
      for (int64_t i = 0; i < block.rows; ++i) {
        e.store(hidden(i, column), states, block.place(i, column));
        e.store(cell(i, column), memories, block.place(i, column));
      }
    });
  }

  /// The t-th position. `gate(row, column of 4d)` is what the inputs contribute; `store(row,
  /// column, parts, h, c)` gets what the position computes.
  void position(Value t, function_ref<Value(int64_t, Value)> gate,
                function_ref<void(int64_t, Value, ArrayRef<Value>, Value, Value)> store) {
    e.barrier();
    Value before = e.mulIndex(e.remIndex(t, 2), size);
    Value after = e.mulIndex(e.remIndex(e.addIndex(t, 1), 2), size);
    block.forEachColumn([&](Value column) {
      SmallVector<Value> columns;
      for (Part part : parts)
        columns.push_back(e.addIndex(column, part * block.width));
      Emit::Carried sums = block.multiply(states, before, columns);
      for (int64_t i = 0; i < block.rows; ++i) {
        Value values[4];
        for (Part part : parts) {
          Value x = e.add(gate(i, columns[part]), sums[4 * i + part]);
          values[part] = part == Candidate ? emitTanh(e, x) : emitSigmoid(e, x);
        }
        Value cell = e.fma(values[Forget], e.load(memories, block.place(i, column)),
                           e.mul(values[Input], values[Candidate]));
        Value hidden = e.mul(values[Output], emitTanh(e, cell));
        e.store(cell, memories, block.place(i, column));
        e.store(hidden, states, e.addIndex(after, block.place(i, column)));
        store(i, column, values, hidden, cell);
      }
    });
  }

private:
  Emit &e;
  LstmBlock &block;
  int64_t size;
  Buffer states, memories;
};

} // namespace

FailureOr<int64_t> emitLstm(Emit &e, kernel::LstmOp op, const KernelArguments &arguments) {
  const Buffer &gates = arguments.operands[0], &hidden = arguments.operands[1],
               &cell = arguments.operands[2];
  const Buffer &hiddens = arguments.results[0], &cells = arguments.results[1],
               &activations = arguments.results[2];
  LstmBlock block(e, op.getCells().getType(), arguments.operands[3]);
  const int64_t d = block.width;
  auto state = [&](const Buffer &tensor) {
    return [&](int64_t i, Value column) { return e.load(tensor, block.entryOfState(i, column)); };
  };
  LstmForward forward(block);
  forward.begin(state(hidden), state(cell));
  e.loop(e.index(0), e.index(block.length), 1, [&](Value t) {
    forward.position(
        t, [&](int64_t i, Value column) { return e.load(gates, block.entry(i, t, 4 * d, column)); },
        [&](int64_t i, Value column, ArrayRef<Value> values, Value h, Value c) {
          for (Part part : parts)
            e.store(values[part], activations,
                    block.entry(i, t, 4 * d, e.addIndex(column, part * d)));
          e.store(c, cells, block.entry(i, t, d, column));
          e.store(h, hiddens, block.entry(i, t, d, column));
        });
  });
  return block.grid();
}

FailureOr<int64_t> emitLstmStep(Emit &e, kernel::LstmStepOp op, const KernelArguments &arguments) {
  const Buffer &gates = arguments.operands[0], &hidden = arguments.operands[1],
               &cell = arguments.operands[2];
  const Buffer &hiddens = arguments.operands[4], &cells = arguments.operands[5];
  const Buffer &nextHidden = arguments.results[0], &nextCell = arguments.results[1];
  LstmBlock block(e, op.getCell().getType(), arguments.operands[3]);
  const int64_t d = block.width, length = hiddens.shape[1];
  Value position = e.load(arguments.operands[6], e.index(0));
  // The row before the first position is an operand's.
  Value isFirst = e.less(position, 1);
  Value before = e.select(isFirst, position, e.sub(position, e.index(1)));
  auto ofCache = [&](int64_t i, Value t, Value column) {
    return e.at(e.addIndex(e.mulIndex(block.row(i), length), t), d, column);
  };
  auto state = [&](const Buffer &tensor, const Buffer &cache) {
    return [&](int64_t i, Value column) {
      return e.select(isFirst, e.load(tensor, block.entryOfState(i, column)),
                      e.load(cache, ofCache(i, before, column)));
    };
  };
  LstmForward forward(block);
  forward.begin(state(hidden, hiddens), state(cell, cells));
  forward.position(
      e.index(0),
      [&](int64_t i, Value column) { return e.load(gates, e.at(block.row(i), 4 * d, column)); },
      [&](int64_t i, Value column, ArrayRef<Value>, Value h, Value c) {
        for (auto [value, one, all] :
             {std::tuple{h, &nextHidden, &hiddens}, {c, &nextCell, &cells}}) {
          e.store(value, *one, block.entryOfState(i, column));
          e.store(value, *all, ofCache(i, position, column));
        }
      });
  return block.grid();
}

FailureOr<int64_t> emitLstmGradient(Emit &e, kernel::LstmGradientOp op,
                                    const KernelArguments &arguments) {
  const Buffer *next = arguments.operands.begin();
  const Buffer *hiddensGradient = op.getHiddensGradient() ? next++ : nullptr;
  const Buffer *cellsGradient = op.getCellsGradient() ? next++ : nullptr;
  const Buffer &activations = next[0], &cells = next[1], &cell = next[2];
  const Buffer &gatesGradient = arguments.results[0], &hiddenGradient = arguments.results[1],
               &cellGradient = arguments.results[2];
  LstmBlock block(e, op.getCells().getType(), next[3]);
  const int64_t d = block.width, size = block.rows * d;
  // What arrives at h and c from the position after is its thread's; the gates' gradients of a
  // position are for all threads.
  Buffer states = e.shared(size), memories = e.shared(size), slopes = e.shared(4 * size);
  block.forEachColumn([&](Value column) {
    for (int64_t i = 0; i < block.rows; ++i) {
      e.store(e.real(0), states, block.place(i, column));
      e.store(e.real(0), memories, block.place(i, column));
    }
  });
  e.loop(e.index(0), e.index(block.length), 1, [&](Value step) {
    Value t = e.sub(e.index(block.length - 1), step);
    // The cell before the first position is an operand.
    Value isFirst = e.less(t, 1);
    Value before = e.select(isFirst, t, e.sub(t, e.index(1)));
    block.forEachColumn([&](Value column) {
      for (int64_t i = 0; i < block.rows; ++i) {
        Value values[4], one = e.real(1);
        for (Part part : parts)
          values[part] =
              e.load(activations, block.entry(i, t, 4 * d, e.addIndex(column, part * d)));
        Value tanh = emitTanh(e, e.load(cells, block.entry(i, t, d, column)));
        Value memory = e.select(isFirst, e.load(cell, block.entryOfState(i, column)),
                                e.load(cells, block.entry(i, before, d, column)));
        Value arriving = e.load(states, block.place(i, column));
        Value kept = e.load(memories, block.place(i, column));
        if (hiddensGradient)
          arriving = e.add(e.load(*hiddensGradient, block.entry(i, t, d, column)), arriving);
        if (cellsGradient)
          kept = e.add(e.load(*cellsGradient, block.entry(i, t, d, column)), kept);
        auto ofTanh = [&](Value y) { return e.fma(e.sub(e.real(0), y), y, one); };
        auto ofSigmoid = [&](Value y) { return e.mul(y, e.sub(one, y)); };
        kept = e.fma(e.mul(arriving, values[Output]), ofTanh(tanh), kept);
        auto store = [&](Part part, Value product, Value slope) {
          Value gradient = e.mul(product, slope), place = e.addIndex(column, part * d);
          e.store(gradient, gatesGradient, block.entry(i, t, 4 * d, place));
          e.store(gradient, slopes, e.addIndex(place, i * 4 * d));
        };
        store(Input, e.mul(kept, values[Candidate]), ofSigmoid(values[Input]));
        store(Forget, e.mul(kept, memory), ofSigmoid(values[Forget]));
        store(Candidate, e.mul(kept, values[Input]), ofTanh(values[Candidate]));
        store(Output, e.mul(arriving, tanh), ofSigmoid(values[Output]));
        e.store(e.mul(kept, values[Forget]), memories, block.place(i, column));
      }
    });
    e.barrier();
    block.forEachColumn([&](Value column) {
      Emit::Carried sums = block.multiply(slopes, e.index(0), column);
      for (int64_t i = 0; i < block.rows; ++i)
        e.store(sums[i], states, block.place(i, column));
    });
    // Before the next position's slopes.
    if (block.length > 1)
      e.barrier();
  });
  block.forEachColumn([&](Value column) {
    for (int64_t i = 0; i < block.rows; ++i) {
      e.store(e.load(states, block.place(i, column)), hiddenGradient,
              block.entryOfState(i, column));
      e.store(e.load(memories, block.place(i, column)), cellGradient,
              block.entryOfState(i, column));
    }
  });
  return block.grid();
}

} // namespace memformer::nvptx
