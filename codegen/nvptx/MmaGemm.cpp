// kernel.gemm on tensor cores, of factors that are rounded to bf16, f16 or tf32.

#include "codegen/nvptx/GemmStages.h"
#include "codegen/nvptx/GemmTiles.h"

#include <optional>

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

class MmaEmitter {
public:
  MmaEmitter(Emit &e, kernel::GemmOp op, const KernelArguments &arguments, const Choice &choice);

  FailureOr<int64_t> emit();

private:
  StageForm stageForm() const;
  Emit::Carried multiply(Value slot, ValueRange sums);
  SmallVector<Value> fragmentOfA(Value slot, int64_t word, int64_t row);
  SmallVector<Value> fragmentsOfB(Value slot, int64_t word, int64_t column);
  bool isNarrow() const { return shape.isNarrow(); }
  int64_t tilesOfRows() const { return choice.warpRows / 16; }
  int64_t tilesOfColumns() const { return choice.warpColumns / 8; }

  Emit &e;
  const Choice &choice;
  GemmBlock block;
  const GemmShape &shape;
  std::optional<GemmStages> stages;
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

// Rows are padded so that what a warp reads at once lies in different banks: eight rows of four
// words by ldmatrix, or four rows of eight words.
StageForm MmaEmitter::stageForm() const {
  bool readsEight = isNarrow() && !shape.packed;
  return {choice.rows, choice.columns, 16, isNarrow() ? 2 : 1, 4, readsEight ? 4 : 8};
}

// A, 16 rows by 8 words of the depth, from (row, word) of a step: as it lies, or by columns.
SmallVector<Value> MmaEmitter::fragmentOfA(Value slot, int64_t word, int64_t row) {
  const GemmStages::Stage &a = stages->a;
  Value lane = e.lane(), base = e.mulIndex(slot, a.size());
  Value first = e.addIndex(warpRow, row);
  if (a.isDeep) {
    Value line = e.addIndex(first, e.remIndex(lane, 16));
    Value at = e.addIndex(e.mulIndex(e.divIndex(lane, 16), 4), word);
    Value place = e.addIndex(base, e.at(line, a.pitch, at));
    return e.loadMatrices(e.pointerTo(a.buffer, place), false);
  }
  if (isNarrow()) {
    // Matrices in the order (rows 0, k 0), (rows 8, k 0), (rows 0, k 8), (rows 8, k 8).
    Value half = e.remIndex(e.divIndex(lane, 8), 2);
    Value k = e.addIndex(e.remIndex(lane, 8), e.mulIndex(e.divIndex(lane, 16), 8));
    Value at = e.addIndex(e.mulIndex(half, 4), e.divIndex(first, 2));
    Value place = e.addIndex(base, e.at(e.addIndex(k, 2 * word), a.pitch, at));
    return e.loadMatrices(e.pointerTo(a.buffer, place), true);
  }
  SmallVector<Value> words;
  for (int64_t k : {0, 4})
    for (int64_t of : {0, 8})
      words.push_back(
          e.load(a.buffer,
                 e.addIndex(base, e.at(e.addIndex(e.remIndex(lane, 4), word + k), a.pitch,
                                       e.addIndex(e.addIndex(first, e.divIndex(lane, 4)), of)))));
  return words;
}

// B, 8 words of the depth by 8 columns, twice: from (word, column) and (word, column + 8) of a
// step, two words each.
SmallVector<Value> MmaEmitter::fragmentsOfB(Value slot, int64_t word, int64_t column) {
  const GemmStages::Stage &b = stages->b;
  Value lane = e.lane(), base = e.mulIndex(slot, b.size());
  Value first = e.addIndex(warpColumn, column);
  if (isNarrow() && !b.isDeep) {
    // Matrices in the order (k 0, column 0), (k 8, column 0), (k 0, column 8), (k 8, column 8).
    Value half = e.remIndex(e.divIndex(lane, 8), 2);
    Value k = e.addIndex(e.remIndex(lane, 8), e.mulIndex(half, 8));
    Value at = e.addIndex(e.mulIndex(e.divIndex(lane, 16), 4), e.divIndex(first, 2));
    Value place = e.addIndex(base, e.at(e.addIndex(k, 2 * word), b.pitch, at));
    return e.loadMatrices(e.pointerTo(b.buffer, place), true);
  }
  // A word is what a lane needs: one of f32, or entries 2 i and 2 i + 1 of a packed column.
  SmallVector<Value> words;
  for (int64_t of : {0, 8})
    for (int64_t k : {0, 4}) {
      Value line = e.addIndex(e.remIndex(lane, 4), word + k);
      Value j = e.addIndex(e.addIndex(first, e.divIndex(lane, 4)), of);
      words.push_back(e.load(b.buffer, e.addIndex(base, e.at(line, b.pitch, j))));
    }
  return words;
}

Emit::Carried MmaEmitter::multiply(Value slot, ValueRange sums) {
  auto rounded = [&](SmallVector<Value> words) {
    for (Value &word : words)
      if (!isNarrow())
        word = e.rounded(word.getType().isF32() ? word : e.fromBits(word), shape.operandType);
    return words;
  };
  Emit::Carried next(sums);
  for (int64_t word = 0; word < stageForm().depth; word += 8) {
    SmallVector<SmallVector<Value>> rows;
    for (int64_t i = 0; i < tilesOfRows(); ++i)
      rows.push_back(rounded(fragmentOfA(slot, word, i * 16)));
    for (int64_t j = 0; j < tilesOfColumns(); j += 2) {
      SmallVector<Value> columns = rounded(fragmentsOfB(slot, word, j * 8));
      for (int64_t half = 0; half < 2; ++half)
        for (int64_t i = 0; i < tilesOfRows(); ++i) {
          MutableArrayRef<Value> tile =
              MutableArrayRef<Value>(next).slice(size_t(i * tilesOfColumns() + j + half) * 4, 4);
          ValueRange factor = ArrayRef<Value>(columns).slice(half * 2, 2);
          ArrayRef<Value> before(tile);
          llvm::copy(isNarrow() ? e.multiplyMatrices(shape.operandType, rows[i], factor, before)
                                : e.multiplyTF32(rows[i], factor, before),
                     tile.begin());
        }
    }
  }
  return next;
}

FailureOr<int64_t> MmaEmitter::emit() {
  block.prepare();
  stages.emplace(e, block, stageForm());
  e.note("tensor cores");
  Emit::Carried zeros(size_t(tilesOfRows() * tilesOfColumns() * 4), e.real(0));
  GemmTiles tiles{choice.rows, choice.columns,  warpRow,
                  warpColumn,  choice.warpRows, choice.warpColumns};
  Emit::Carried sums = stages->sum(zeros, tiles.stagedBytes(), [&](Value slot, ValueRange before) {
    return multiply(slot, before);
  });
  finishTiles(e, block, tiles, sums, stages->begin);
  return block.isSupported() ? FailureOr<int64_t>(block.grid()) : FailureOr<int64_t>(failure());
}

} // namespace

FailureOr<int64_t> emitMmaGemm(Emit &e, kernel::GemmOp op, const KernelArguments &arguments) {
  const Choice &choice = leastTime(choices, GemmShape(op), e.target);
  e.setThreads(choice.warps() * Emit::warp);
  e.keepLoops();
  return MmaEmitter(e, op, arguments, choice).emit();
}

} // namespace memformer::nvptx
