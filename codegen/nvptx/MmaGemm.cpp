// kernel.gemm of bf16 on tensor cores: a ring of steps in shared memory, filled ahead.

#include "codegen/nvptx/GemmBlock.h"

using namespace mlir;

namespace memformer::nvptx {

namespace {

/// A block and the part of it that a warp has, with how well it uses the tensor cores.
struct Choice {
  int64_t rows, columns, warpRows, warpColumns;
  double efficiency;

  int64_t warps() const { return rows / warpRows * (columns / warpColumns); }
};

constexpr Choice choices[] = {
    {128, 128, 64, 32, 1.0}, {128, 64, 64, 32, 0.85}, {64, 64, 32, 32, 0.7},
    {32, 64, 16, 32, 0.5},   {16, 64, 16, 16, 0.3},
};

// The least time, as for the products of f32. The order of an entry's sum is that of k.
const Choice &choose(const GemmShape &shape, const GpuTarget &target) {
  const Choice *best = nullptr;
  double least = 0;
  for (const Choice &choice : choices) {
    int64_t blocks = ((shape.m + choice.rows - 1) / choice.rows) *
                     ((shape.n + choice.columns - 1) / choice.columns);
    int64_t rounds = (blocks + target.multiprocessors - 1) / target.multiprocessors;
    double time = double(rounds * choice.rows * choice.columns) / choice.efficiency;
    if (!best || time < least) {
      best = &choice;
      least = time;
    }
  }
  return *best;
}

class MmaEmitter {
public:
  MmaEmitter(Emit &e, kernel::GemmOp op, const KernelArguments &arguments, const Choice &choice);

  FailureOr<int64_t> emit();

private:
  /// A step of one operand in shared memory: rows of words, which hold two entries each.
  struct Stage {
    Buffer buffer; // i32, all steps of the ring
    int64_t rows, words, pitch;
    bool async;

    int64_t size() const { return rows * pitch; }
  };

  void allocate();
  void copyStage(const Stage &stage, bool isA, Value slot, Value k);
  Emit::Carried fetch(Value k);
  Emit::Carried fetchStage(const Stage &stage, bool isA, Value k);
  void keep(Value slot, ValueRange words);
  void keepStage(const Stage &stage, Value slot, ValueRange words);
  Emit::Carried multiply(Value slot, ValueRange sums);
  SmallVector<Value> fragmentOfA(Value slot, int64_t k, int64_t row);
  SmallVector<Value> fragmentsOfB(Value slot, int64_t k, int64_t column);
  void finish(ValueRange sums);
  int64_t wordsOf(const Stage &stage) const { return stage.rows * stage.words / e.threads(); }
  int64_t tilesOfRows() const { return choice.warpRows / 16; }
  int64_t tilesOfColumns() const { return choice.warpColumns / 8; }

  /// Entries of k of a step, and steps of the ring.
  static constexpr int64_t depth = 32, ring = 3;

  Emit &e;
  const Choice &choice;
  GemmBlock block;
  const GemmShape &shape;
  Stage a, b;
  int64_t begin = 0; // of the ring in shared memory
  Value warpRow, warpColumn;
};

MmaEmitter::MmaEmitter(Emit &e, kernel::GemmOp op, const KernelArguments &arguments,
                       const Choice &choice)
    : e(e), choice(choice), block(e, op, arguments, choice.rows, choice.columns),
      shape(block.shape) {
  Value warp = e.warpIndex();
  int64_t across = choice.columns / choice.warpColumns;
  warpRow = e.mulIndex(e.divIndex(warp, across), choice.warpRows);
  warpColumn = e.mulIndex(e.remIndex(warp, across), choice.warpColumns);
}

// Rows are padded so that eight of them, 16 bytes each, lie in different banks.
void MmaEmitter::allocate() {
  constexpr int64_t padding = 4;
  int64_t rowLength = shape.transposeA ? shape.m : shape.k;
  a.rows = shape.transposeA ? depth : choice.rows;
  a.words = (shape.transposeA ? choice.rows : depth) / 2;
  a.pitch = a.words + padding;
  a.async =
      block.a.isNarrow() && rowLength % 8 == 0 && !shape.normalized && block.a.entries() >= 32;
  b.rows = shape.packed ? depth / 2 : depth;
  b.words = shape.packed ? choice.columns : choice.columns / 2;
  b.pitch = b.words + (shape.packed ? 2 * padding : padding);
  b.async = shape.packed || (block.b.isNarrow() && shape.n % 8 == 0 && block.b.entries() >= 32);
  begin = e.sharedBytes();
  a.buffer = e.shared(ring * a.size(), e.b.getI32Type());
  b.buffer = e.shared(ring * b.size(), e.b.getI32Type());
}

// Words 4 i … 4 i + 3 of each row of a step, where they lie together in memory too.
void MmaEmitter::copyStage(const Stage &stage, bool isA, Value slot, Value k) {
  int64_t runs = stage.words / 4, total = stage.rows * runs, threads = e.threads();
  for (int64_t done = 0; done < total; done += threads) {
    Value number = e.addIndex(e.thread(), done);
    auto copy = [&] {
      Value row = e.divIndex(number, runs), word = e.mulIndex(e.remIndex(number, runs), 4);
      Value to = e.addIndex(e.mulIndex(slot, stage.size()), e.at(row, stage.pitch, word));
      Value entry = e.mulIndex(word, 2), deep, place;
      bool wholeDepth = shape.k % depth == 0;
      if (isA && !shape.transposeA) {
        Value kOfRun = e.addIndex(k, entry);
        deep = e.less(kOfRun, shape.k);
        Value m = e.minIndex(e.addIndex(block.firstRow, row), shape.m - 1);
        place = e.at(m, shape.k, wholeDepth ? kOfRun : e.minIndex(kOfRun, shape.k - 8));
      } else if (!isA && shape.packed) {
        int64_t pairs = (shape.k + 1) / 2, panels = (shape.n + shape.panel - 1) / shape.panel;
        Value pair = e.addIndex(e.divIndex(k, 2), row);
        deep = e.less(pair, pairs);
        Value j = e.minIndex(e.addIndex(block.firstColumn, word), panels * shape.panel - 4);
        Value line = e.at(e.divIndex(j, shape.panel), pairs,
                          wholeDepth ? pair : e.minIndex(pair, pairs - 1));
        place = e.mulIndex(e.at(line, shape.panel, e.remIndex(j, shape.panel)), 2);
      } else {
        int64_t width = isA ? shape.m : shape.n;
        Value kOfRow = e.addIndex(k, row);
        deep = e.less(kOfRow, shape.k);
        Value j = e.addIndex(isA ? block.firstRow : block.firstColumn, entry);
        place = e.at(wholeDepth ? kOfRow : e.minIndex(kOfRow, shape.k - 1), width,
                     e.minIndex(j, width - 8));
      }
      e.copyAsync(e.pointerTo(isA ? block.a : block.b, place), e.pointerTo(stage.buffer, to),
                  wholeDepth ? Value() : deep);
    };
    if (done + threads <= total)
      copy();
    else
      e.ifThen(e.less(number, total), copy);
  }
}

// The thread's words of an operand that is rounded, or whose rows do not lie so in memory.
Emit::Carried MmaEmitter::fetchStage(const Stage &stage, bool isA, Value k) {
  Emit::Carried words;
  if (stage.async)
    return words;
  for (int64_t i = 0; i < wordsOf(stage); ++i) {
    Value number = e.addIndex(e.thread(), i * e.threads());
    Value row = e.divIndex(number, stage.words);
    Value entry = e.mulIndex(e.remIndex(number, stage.words), 2), next = e.addIndex(entry, 1);
    Value low, high;
    if (isA && !shape.transposeA) {
      low = block.entryOfA(row, e.addIndex(k, entry));
      high = block.entryOfA(row, e.addIndex(k, next));
    } else if (isA) {
      low = block.entryOfA(entry, e.addIndex(k, row));
      high = block.entryOfA(next, e.addIndex(k, row));
    } else {
      low = block.entryOfB(e.addIndex(k, row), entry);
      high = block.entryOfB(e.addIndex(k, row), next);
    }
    words.push_back(low);
    words.push_back(high);
  }
  return words;
}

Emit::Carried MmaEmitter::fetch(Value k) {
  Emit::Carried words = fetchStage(a, true, k);
  llvm::append_range(words, fetchStage(b, false, k));
  return words;
}

void MmaEmitter::keepStage(const Stage &stage, Value slot, ValueRange entries) {
  for (size_t i = 0; i < entries.size(); i += 2) {
    Value number = e.addIndex(e.thread(), int64_t(i) / 2 * e.threads());
    Value to = e.at(e.divIndex(number, stage.words), stage.pitch, e.remIndex(number, stage.words));
    e.store(e.narrowPair(entries[i], entries[i + 1]), stage.buffer,
            e.addIndex(e.mulIndex(slot, stage.size()), to));
  }
}

void MmaEmitter::keep(Value slot, ValueRange entries) {
  size_t ofA = a.async ? 0 : size_t(2 * wordsOf(a));
  keepStage(a, slot, entries.take_front(ofA));
  keepStage(b, slot, entries.drop_front(ofA));
}

// A [16, 16] from (row, k) of a step: as it lies, or by columns.
SmallVector<Value> MmaEmitter::fragmentOfA(Value slot, int64_t k, int64_t row) {
  Value lane = e.lane(), line, word;
  if (shape.transposeA) {
    // Matrices in the order (rows 0, k 0), (rows 8, k 0), (rows 0, k 8), (rows 8, k 8).
    Value half = e.remIndex(e.divIndex(lane, 8), 2);
    line = e.addIndex(e.addIndex(e.remIndex(lane, 8), e.mulIndex(e.divIndex(lane, 16), 8)), k);
    word = e.addIndex(e.mulIndex(half, 4), e.divIndex(e.addIndex(warpRow, row), 2));
  } else {
    line = e.addIndex(e.addIndex(warpRow, row), e.remIndex(lane, 16));
    word = e.addIndex(e.mulIndex(e.divIndex(lane, 16), 4), k / 2);
  }
  Value place = e.addIndex(e.mulIndex(slot, a.size()), e.at(line, a.pitch, word));
  return e.loadMatrices(e.pointerTo(a.buffer, place), shape.transposeA);
}

// B [16, 8] twice, from (k, column) and (k, column + 8) of a step: two words each.
SmallVector<Value> MmaEmitter::fragmentsOfB(Value slot, int64_t k, int64_t column) {
  Value lane = e.lane(), base = e.mulIndex(slot, b.size());
  Value first = e.addIndex(warpColumn, column);
  if (!shape.packed) {
    // Matrices in the order (k 0, column 0), (k 8, column 0), (k 0, column 8), (k 8, column 8).
    Value half = e.remIndex(e.divIndex(lane, 8), 2);
    Value line = e.addIndex(e.addIndex(e.remIndex(lane, 8), e.mulIndex(half, 8)), k);
    Value word = e.addIndex(e.mulIndex(e.divIndex(lane, 16), 4), e.divIndex(first, 2));
    Value place = e.addIndex(base, e.at(line, b.pitch, word));
    return e.loadMatrices(e.pointerTo(b.buffer, place), true);
  }
  // A packed word is what a lane needs: entries 2 i and 2 i + 1 of a column.
  SmallVector<Value> words;
  for (int64_t of : {0, 8})
    for (int64_t pair : {0, 4}) {
      Value line = e.addIndex(e.remIndex(lane, 4), k / 2 + pair);
      Value j = e.addIndex(e.addIndex(first, e.divIndex(lane, 4)), of);
      words.push_back(e.load(b.buffer, e.addIndex(base, e.at(line, b.pitch, j))));
    }
  return words;
}

Emit::Carried MmaEmitter::multiply(Value slot, ValueRange sums) {
  Emit::Carried next(sums);
  for (int64_t k = 0; k < depth; k += 16) {
    SmallVector<SmallVector<Value>> rows;
    for (int64_t i = 0; i < tilesOfRows(); ++i)
      rows.push_back(fragmentOfA(slot, k, i * 16));
    for (int64_t j = 0; j < tilesOfColumns(); j += 2) {
      SmallVector<Value> columns = fragmentsOfB(slot, k, j * 8);
      for (int64_t half = 0; half < 2; ++half)
        for (int64_t i = 0; i < tilesOfRows(); ++i) {
          MutableArrayRef<Value> tile =
              MutableArrayRef<Value>(next).slice(size_t(i * tilesOfColumns() + j + half) * 4, 4);
          llvm::copy(e.multiplyMatrices(rows[i], ArrayRef<Value>(columns).slice(half * 2, 2),
                                        ArrayRef<Value>(tile)),
                     tile.begin());
        }
    }
  }
  return next;
}

// A piece of rows at a time through shared memory, where the epilogue finds entries in order.
void MmaEmitter::finish(ValueRange sums) {
  int64_t pitch = choice.columns + 8, pieceRows = std::min<int64_t>(choice.rows, 64);
  Buffer staged = e.sharedAt(begin, pieceRows * pitch, {});
  Value lane = e.lane();
  for (int64_t piece = 0; piece < choice.rows; piece += pieceRows) {
    if (piece > 0)
      e.barrier();
    auto store = [&] {
      Value row = e.addIndex(e.remIndex(warpRow, pieceRows), e.divIndex(lane, 4));
      Value column = e.addIndex(warpColumn, e.mulIndex(e.remIndex(lane, 4), 2));
      for (int64_t i = 0; i < tilesOfRows(); ++i)
        for (int64_t j = 0; j < tilesOfColumns(); ++j)
          for (int64_t half = 0; half < 2; ++half) {
            ValueRange pair = sums.slice(size_t((i * tilesOfColumns() + j) * 4 + half * 2), 2);
            Value at = e.at(e.addIndex(row, i * 16 + half * 8), pitch, e.addIndex(column, j * 8));
            e.storeVector(pair, staged, at);
          }
    };
    if (pieceRows == choice.rows)
      store();
    else
      e.ifThen(e.compareInt(arith::CmpIPredicate::eq, e.divIndex(warpRow, pieceRows),
                            e.index(piece / pieceRows)),
               store);
    e.barrier();
    block.finish(staged, pitch, piece, pieceRows);
  }
}

FailureOr<int64_t> MmaEmitter::emit() {
  block.prepare();
  allocate();
  int64_t steps = (shape.k + depth - 1) / depth;
  auto copy = [&](Value slot, Value k) {
    if (a.async)
      copyStage(a, true, slot, k);
    if (b.async)
      copyStage(b, false, slot, k);
  };
  for (int64_t step = 0; step < ring - 1; ++step) {
    Value slot = e.index(step), k = e.index(step * depth);
    if (step < steps)
      copy(slot, k);
    e.commitCopies();
    keep(slot, fetch(k));
  }
  Emit::Carried carried(size_t(tilesOfRows() * tilesOfColumns() * 4), e.real(0));
  carried.push_back(e.index(0));
  carried = e.loop(e.index(0), e.index(steps), 1, carried, [&](Value step, ValueRange values) {
    Value slot = values.back();
    // Of the groups but the last, all have arrived: this step's too. Behind the barrier everyone's
    // have, and nobody reads the slot that is filled next.
    e.waitForCopies(ring - 2);
    e.barrier();
    Value isFirst = e.compareInt(arith::CmpIPredicate::eq, slot, e.index(0));
    Value filled = e.select(isFirst, e.index(ring - 1), e.sub(slot, e.index(1)));
    Value ahead = e.addIndex(step, ring - 1), k = e.mulIndex(ahead, depth);
    e.ifThen(e.less(ahead, steps), [&] { copy(filled, k); });
    e.commitCopies();
    Emit::Carried fetched = fetch(k);
    Emit::Carried sums = multiply(slot, values.drop_back());
    keep(filled, fetched);
    Value next = e.addIndex(slot, 1);
    Value wraps = e.compareInt(arith::CmpIPredicate::eq, next, e.index(ring));
    sums.push_back(e.select(wraps, e.index(0), next));
    return sums;
  });
  e.waitForCopies(0);
  e.barrier();
  finish(ValueRange(carried).drop_back());
  return block.isSupported() ? FailureOr<int64_t>(block.grid()) : FailureOr<int64_t>(failure());
}

} // namespace

FailureOr<int64_t> emitMmaGemm(Emit &e, kernel::GemmOp op, const KernelArguments &arguments) {
  const Choice &choice = choose(GemmShape(op), e.target);
  e.setThreads(choice.warps() * Emit::warp);
  return MmaEmitter(e, op, arguments, choice).emit();
}

} // namespace memformer::nvptx
