// Emitters of reduce, scatter_add, squared_norm and adamw: sums in one order.

#include "codegen/nvptx/Emitters.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace memformer::nvptx {

// A block has 32 columns, its warps take turns in the rows, and the warps' sums are added in order.
FailureOr<int64_t> emitReduce(Emit &e, kernel::ReduceOp op, const KernelArguments &arguments) {
  const Buffer &input = arguments.operands[0], &result = arguments.results[0];
  int64_t width = int64_t(op.getEntries()), rows = input.entries() / width;
  Type rounding = input.isNarrow() ? Type() : op.getOperandType().value_or(Type());
  auto finish = [&](Value sum, Value place) {
    e.store(op.getAccumulate() ? e.add(e.load(result, place), sum) : sum, result, place);
  };
  auto entry = [&](Value place) {
    Value x = e.load(input, place);
    return rounding ? e.rounded(x, rounding) : x;
  };
  if (width == 1) {
    e.setThreads(256);
    Value sum = e.strided(e.thread(), rows, e.threads(), e.real(0), [&](Value row, ValueRange sum) {
      return Emit::Carried{e.add(sum[0], entry(row))};
    })[0];
    sum = e.sumBlock(sum);
    e.ifThen(e.less(e.thread(), 1), [&] { finish(sum, e.index(0)); });
    return 1;
  }
  // The sums of each turn are apart, and a warp has several of them at a time: blocks are no larger
  // than those of other kernels, with which they may share a launch. A single row is added as it
  // is.
  int64_t turns = rows == 1 ? 1 : rows < 256 ? 8 : 32, warps = std::min<int64_t>(turns, 8);
  int64_t own = turns / warps;
  e.setThreads(warps * Emit::warp);
  Value column = e.at(e.block(), Emit::warp, e.lane());
  Value inside = e.less(column, width);
  auto entryOf = [&](Value row) { return entry(e.at(row, width, column)); };
  auto sumUp = [&] {
    return e.strided(e.warpIndex(), rows, turns, Emit::Carried(size_t(own), e.real(0)),
                     [&](Value first, ValueRange sums) {
                       Emit::Carried next;
                       for (int64_t i = 0; i < own; ++i) {
                         Value row = e.addIndex(first, i * warps);
                         Value x = i == 0 || rows % turns == 0
                                       ? entryOf(row)
                                       : e.choose(
                                             e.less(row, rows), e.b.getF32Type(),
                                             [&] { return Emit::Carried{entryOf(row)}; },
                                             [&] { return Emit::Carried{e.real(0)}; })[0];
                         next.push_back(e.add(sums[size_t(i)], x));
                       }
                       return next;
                     });
  };
  SmallVector<Type> types(size_t(own), e.b.getF32Type());
  Emit::Carried sums =
      e.choose(inside, types, sumUp, [&] { return Emit::Carried(size_t(own), e.real(0)); });
  if (turns > 1) {
    Buffer shared = e.shared(turns * Emit::warp);
    for (int64_t i = 0; i < own; ++i)
      e.store(sums[size_t(i)], shared, e.addIndex(e.thread(), i * e.threads()));
    e.barrier();
    Value isFirst = e.both(e.less(e.warpIndex(), 1), inside);
    e.ifThen(isFirst, [&] {
      Value total = e.load(shared, e.lane());
      for (int64_t i = 1; i < turns; ++i)
        total = e.add(total, e.load(shared, e.addIndex(e.lane(), i * Emit::warp)));
      finish(total, column);
    });
  } else {
    e.ifThen(inside, [&] { finish(sums[0], column); });
  }
  return (width + Emit::warp - 1) / Emit::warp;
}

namespace {

/// Rows of equal index, added by one block in ascending order.
class Scatter {
public:
  Scatter(Emit &e, const Buffer &input, const Buffer &indices, const Buffer &table)
      : e(e), input(input), indices(indices), table(table), rows(indices.entries()),
        width(input.width()) {
    e.setThreads(128);
    masks = e.shared(2 * warps(), e.b.getI32Type());
  }

  /// Whether a row before `row` has the index `wanted`: the same for all threads.
  Value isRepeated(Value row, Value wanted) {
    Value seen = e.loop(e.thread(), row, e.threads(), e.integer(0), [&](Value i, ValueRange seen) {
      Value same = e.compareInt(arith::CmpIPredicate::eq, e.load(indices, i), wanted);
      return Emit::Carried{e.select(same, e.integer(1), seen[0])};
    })[0];
    Value any = e.reduceBlock(
        seen, [&](Value x, Value y) { return arith::OrIOp::create(e.b, e.loc, x, y).getResult(); });
    return e.compareInt(arith::CmpIPredicate::ne, any, e.integer(0));
  }

  /// Adds the rows from `first` on whose index is `wanted` to the table's row of that number, which
  /// begins at zero unless it accumulates.
  void addRows(Value first, Value wanted, bool accumulate) {
    // A chunk of columns at a time, a column for each thread.
    e.loop(e.thread(), e.index((width + e.threads() - 1) / e.threads() * e.threads()), e.threads(),
           e.index(0), [&](Value column, ValueRange half) {
             Value inside = e.less(column, width);
             Value place = e.at(wanted, width, column);
             Value start = accumulate ? e.loadIf(inside, table, place, 0) : e.real(0);
             Emit::Carried sum = sumOfColumn(first, wanted, column, inside, {start, half[0]});
             e.ifThen(inside, [&] { e.store(sum[0], table, place); });
             return Emit::Carried{sum[1]};
           });
  }

private:
  int64_t warps() const { return e.threads() / Emit::warp; }

  // Which of the next rows have the index: a bit each, in words of shared memory, which two
  // consecutive steps have of their own, those of a chunk's end and the next one's beginning too:
  // carried with the sum is which half is next.
  Emit::Carried sumOfColumn(Value first, Value wanted, Value column, Value inside,
                            ValueRange begin) {
    return e.loop(first, e.index(rows), e.threads(), begin, [&](Value begin, ValueRange carried) {
      Value row = e.addIndex(begin, e.thread());
      Value index = e.loadIf(e.less(row, rows), indices, row, -1);
      Value same = e.compareInt(arith::CmpIPredicate::eq, index, wanted);
      Value mask = e.call("llvm.nvvm.vote.ballot.sync", e.b.getI32Type(), {e.integer(-1), same});
      Value half = e.mulIndex(carried[1], warps());
      e.ifThen(e.less(e.lane(), 1), [&] { e.store(mask, masks, e.addIndex(half, e.warpIndex())); });
      e.barrier();
      Value sum = carried[0];
      for (int64_t w = 0; w < warps(); ++w)
        sum = sumOfMask(e.load(masks, e.addIndex(half, w)), e.addIndex(begin, w * Emit::warp),
                        column, inside, sum);
      return Emit::Carried{sum, e.sub(e.index(1), carried[1])};
    });
  }

  // The rows of a mask's bits, the lowest first.
  Value sumOfMask(Value mask, Value begin, Value column, Value inside, Value sum) {
    Type word = e.b.getI32Type();
    auto loop = scf::WhileOp::create(
        e.b, e.loc, TypeRange{word, sum.getType()}, ValueRange{mask, sum},
        [&](OpBuilder &b, Location loc, ValueRange carried) {
          Value some = e.compareInt(arith::CmpIPredicate::ne, carried[0], e.integer(0));
          scf::ConditionOp::create(b, loc, some, carried);
        },
        [&](OpBuilder &b, Location loc, ValueRange carried) {
          Value isPoison = arith::ConstantOp::create(b, loc, b.getBoolAttr(true));
          Value bit = e.call("llvm.cttz.i32", word, {carried[0], isPoison});
          Value place = e.at(e.addIndex(begin, bit), width, column);
          Value next = e.add(carried[1], e.loadIf(inside, input, place, 0));
          Value rest = e.both(carried[0], e.sub(carried[0], e.integer(1)));
          scf::YieldOp::create(b, loc, ValueRange{rest, next});
        });
    return loop.getResult(1);
  }

  Emit &e;
  const Buffer &input, &indices, &table;
  int64_t rows, width;
  Buffer masks;
};

} // namespace

// Where it accumulates, the block of the first row of each index adds all of them; else each row of
// the table has a block, which writes zeros where there is nothing to add.
FailureOr<int64_t> emitScatterAdd(Emit &e, kernel::ScatterAddOp op,
                                  const KernelArguments &arguments) {
  const Buffer &input = arguments.operands[0], &indices = arguments.operands[1];
  Scatter scatter(e, input, indices, arguments.results[0]);
  if (!op.getAccumulate()) {
    scatter.addRows(e.index(0), e.block(), false);
    return int64_t(op.getRows());
  }
  Value wanted = e.load(indices, e.block());
  Value repeated = scatter.isRepeated(e.block(), wanted);
  e.ifThen(repeated, [] {}, [&] { scatter.addRows(e.block(), wanted, true); });
  return indices.entries();
}

FailureOr<int64_t> emitSquaredNorm(Emit &e, kernel::SquaredNormOp op,
                                   const KernelArguments &arguments) {
  const Buffer &input = arguments.operands[0], &result = arguments.results[0];
  int64_t entries = input.entries(), blocks = result.entries();
  // Stretches of whole cache lines.
  constexpr int64_t line = 16;
  int64_t length = ((entries + blocks - 1) / blocks + line - 1) / line * line;
  e.setThreads(256);
  Value begin = e.minIndex(e.mulIndex(e.block(), length), entries);
  Value end = e.minIndex(e.addIndex(begin, length), entries);
  Value sum = e.loop(e.addIndex(begin, e.thread()), end, e.threads(), e.real(0),
                     [&](Value i, ValueRange sum) {
                       Value x = e.load(input, i);
                       return Emit::Carried{e.fma(x, x, sum[0])};
                     })[0];
  sum = e.sumBlock(sum);
  e.ifThen(e.less(e.thread(), 1), [&] { e.store(sum, result, e.block()); });
  return blocks;
}

} // namespace memformer::nvptx
