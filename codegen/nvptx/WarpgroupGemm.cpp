// kernel.gemm by warpgroups, of factors of 16 bits, on sm_90a.

#include "codegen/nvptx/GemmStages.h"
#include "codegen/nvptx/GemmTiles.h"

#include <optional>

using namespace mlir;

namespace memformer::nvptx {

namespace {

constexpr int64_t warpgroup = 4 * Emit::warp, rowsOfWarpgroup = 64;

/// A block, and the columns of it that a warpgroup has, with how well it uses the tensor cores: the
/// more columns, the less often a row is read.
struct Choice {
  int64_t rows, columns, ownColumns;
  double efficiency;

  int64_t threads() const { return rows / rowsOfWarpgroup * (columns / ownColumns) * warpgroup; }
};

constexpr Choice choices[] = {
    {128, 128, 128, 1.0}, {64, 128, 64, 0.85}, {128, 64, 64, 0.85}, {64, 64, 64, 0.7}};

class WarpgroupEmitter {
public:
  WarpgroupEmitter(Emit &e, kernel::GemmOp op, const KernelArguments &arguments,
                   const Choice &choice)
      : e(e), choice(choice), block(e, op, arguments, choice.rows, choice.columns),
        shape(block.shape) {
    Value group = e.divIndex(e.thread(), warpgroup);
    int64_t across = choice.columns / choice.ownColumns;
    firstRow = e.mulIndex(e.divIndex(group, across), rowsOfWarpgroup);
    firstColumn = e.mulIndex(e.remIndex(group, across), choice.ownColumns);
  }

  FailureOr<int64_t> emit();

private:
  StageForm stageForm() const;
  Emit::CoreMatrices matricesOf(const GemmStages::Stage &stage, Value slot, Value line);

  Emit &e;
  const Choice &choice;
  GemmBlock block;
  const GemmShape &shape;
  std::optional<GemmStages> stages;
  Value firstRow, firstColumn; // of the warpgroup, in the block
};

// Steps of 64 entries of k, or of 32: where that leaves no rest, and where factors come through
// registers, which hold those of a step while it is multiplied.
StageForm WarpgroupEmitter::stageForm() const {
  bool isCopied = block.a.isNarrow() && block.b.isNarrow() && !shape.normalized;
  int64_t entries = isCopied && (shape.k % 64 == 0 || shape.k > 256) ? 64 : 32;
  return {.rows = choice.rows,
          .columns = choice.columns,
          .depth = entries / 2,
          .entriesOfWord = 2,
          .inCores = true};
}

// From a row or column of C on. Rows of a step are 16 bytes, of 8 entries: along the depth, or of 8
// lines.
Emit::CoreMatrices WarpgroupEmitter::matricesOf(const GemmStages::Stage &stage, Value slot,
                                                Value line) {
  int64_t across = stage.pitch * 4, along = 128;
  Value place = stage.isDeep ? e.mulIndex(line, 4) : e.mulIndex(e.divIndex(line, 8), stage.pitch);
  Value pointer = e.pointerTo(stage.buffer, e.addIndex(e.mulIndex(slot, stage.size()), place));
  return {pointer, stage.isDeep ? across : along, stage.isDeep ? along : across, stage.isDeep};
}

FailureOr<int64_t> WarpgroupEmitter::emit() {
  block.prepare();
  StageForm form = stageForm();
  stages.emplace(e, block, form);
  e.note("wgmma");
  Emit::Carried zeros(size_t(choice.ownColumns / 2), e.real(0));
  Value warp = e.remIndex(e.warpIndex(), warpgroup / Emit::warp);
  GemmTiles tiles{
      choice.rows, choice.columns,   e.addIndex(firstRow, e.mulIndex(warp, 16)), firstColumn,
      16,          choice.ownColumns};
  Emit::Carried sums = stages->sum(zeros, tiles.stagedBytes(), [&](Value slot, ValueRange before) {
    return e.multiplyWarpgroup(matricesOf(stages->a, slot, firstRow),
                               matricesOf(stages->b, slot, firstColumn), choice.ownColumns,
                               form.entries(), shape.operandType, before);
  });
  finishTiles(e, block, tiles, sums, stages->begin);
  stages->release();
  return block.isSupported() ? FailureOr<int64_t>(block.grid()) : FailureOr<int64_t>(failure());
}

} // namespace

FailureOr<int64_t> emitWarpgroupGemm(Emit &e, kernel::GemmOp op, const KernelArguments &arguments) {
  GemmShape shape(op);
  const Choice &choice = leastTime(choices, shape, e.target);
  e.setThreads(choice.threads());
  e.keepLoops();
  return WarpgroupEmitter(e, op, arguments, choice).emit();
}

} // namespace memformer::nvptx
