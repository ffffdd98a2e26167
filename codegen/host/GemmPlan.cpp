// Choice of blocks: large enough to reuse what is cached, small enough to share among threads.

#include "codegen/host/GemmPlan.h"

#include "dialect/kernel/Shapes.h"

using namespace mlir;

namespace memformer::host {

namespace {

// Entries that a step of the sum covers: a tile of A and a strip of B of this depth stay cached.
// Columns of A and rows of B that are read in place take a cache line or two for each, and those
// of long rows the same few sets of a cache.
constexpr int64_t maxDepth = 512, maxDepthInPlace = 256, maxDepthOfLongRows = 128;
constexpr int64_t longRow = 512;
// f32 entries of the normalised rows that a workgroup may keep in scratch.
constexpr int64_t maxNormalized = 192 * 1024;
// Work below which a workgroup is not worth another dispatch, and the grid that is enough.
constexpr double smallestWork = 0.5e6, smallestWorkInTiles = 4e6;
constexpr int64_t enoughWorkgroups = 16;

int64_t ceilDiv(int64_t x, int64_t y) { return (x + y - 1) / y; }

// Pairs are copied, so that no row is read in place; each step but the last has whole ones, or
// whole registers of them.
int64_t depthOf(int64_t m, int64_t n, int64_t k, bool transposed, bool inPairs, bool inTiles) {
  int64_t most = !transposed || inPairs     ? maxDepth
                 : std::max(m, n) < longRow ? maxDepthInPlace
                                            : maxDepthOfLongRows;
  int64_t steps = ceilDiv(k, most);
  if (steps == 1)
    return k;
  int64_t unit = inTiles ? registerDepth : inPairs ? 2 : 1;
  bool fits = k % steps == 0 && k / steps % unit == 0;
  int64_t multiple = inTiles ? registerDepth : 4;
  return fits ? k / steps : ceilDiv(ceilDiv(k, steps), multiple) * multiple;
}

// The columns of a strip in panels of `panel` columns, 0 where there is no way.
int64_t stripColumns(int64_t panel, int64_t lanes) {
  for (int64_t columns : {2 * lanes, lanes})
    if (panel % columns == 0)
      return columns;
  return panel < 2 * lanes ? panel : 0;
}

// Halves blocks, the longer side first, until there are enough of them.
void chooseBlocks(GemmPlan &plan) {
  plan.tilesPerBlock = std::clamp<int64_t>(112 / (plan.tiles.size + 1), 1, plan.tiles.count);
  plan.stripsPerBlock = std::min<int64_t>(plan.packed ? 16 : 8, plan.strips());
  if (plan.normalized)
    while (plan.tilesPerBlock > 1 && plan.rowsOfBlock() * plan.k > maxNormalized)
      --plan.tilesPerBlock;
  // Rows that are normalised for several blocks of columns are normalised several times.
  bool rowsFirst = plan.normalized || plan.packed;
  double smallest = plan.inTiles ? smallestWorkInTiles : smallestWork;
  while (plan.gridOfRows() * plan.gridOfColumns() < enoughWorkgroups) {
    int64_t rows = plan.rowsOfBlock(), columns = plan.stripsPerBlock * plan.strip.columns;
    if (2.0 * double(rows) * double(columns) * double(plan.k) < 2 * smallest)
      break;
    bool canRows = plan.tilesPerBlock > 1, canColumns = plan.stripsPerBlock > 1;
    if (canRows && (rowsFirst || rows >= columns || !canColumns))
      plan.tilesPerBlock = ceilDiv(plan.tilesPerBlock, 2);
    else if (canColumns)
      plan.stripsPerBlock = ceilDiv(plan.stripsPerBlock, 2);
    else
      break;
  }
  plan.tilesPerBlock = ceilDiv(plan.tiles.count, plan.gridOfRows());
  plan.stripsPerBlock = ceilDiv(plan.strips(), plan.gridOfColumns());
}

} // namespace

FailureOr<GemmPlan> GemmPlan::get(kernel::GemmOp op, const HostTarget &target) {
  Type a = op.getA().getType();
  bool transposed = op.getTransposeA(), packed = op.getPacked(), normalized = bool(op.getScale());
  int64_t m = transposed ? kernel::widthOf(a) : kernel::rowsOf(a);
  int64_t k = transposed ? kernel::rowsOf(a) : kernel::widthOf(a);
  int64_t n = int64_t(op.getN());
  if (m == 0 || k == 0)
    return op.emitOpError("expected at least one row and one column, but got a of type ") << a;

  if (op.getOperandType() && !op.getOperandType()->isBF16())
    return op.emitOpError("expected operands of bf16, or none, on a CPU, but got ")
           << *op.getOperandType();

  int64_t panel = packed ? kernel::shapeOf(op.getB().getType())[2] : n;
  int64_t columns = packed ? stripColumns(panel, target.lanes) : 2 * target.lanes;
  if (columns == 0)
    return op.emitOpError("expected packed b in panels of at most ")
           << 2 * target.lanes << " columns or of a multiple of " << target.lanes << ", but got "
           << op.getB().getType();
  Strip strip{target.lanes, columns};

  bool inPairs = bool(op.getOperandType());
  bool inTiles = inPairs && target.tiles != TileSupport::None;
  int64_t rows = inTiles ? tileRowsTogether : tileRows(target, strip.vectors());
  if (normalized) {
    rows = std::min(rows, maxNormalized / k);
    if (rows == 0)
      return op.emitOpError("expected rows of at most ")
             << maxNormalized << " entries to normalise, but got " << a;
  }
  bool pairsInPlace = inPairs && !transposed && !normalized &&
                      k % (inTiles ? registerDepth : 2) == 0 &&
                      op.getA().getType().getElementType().isBF16();
  GemmPlan plan{m,
                n,
                k,
                panel,
                packed,
                transposed,
                normalized,
                inPairs,
                pairsInPlace,
                inTiles,
                strip,
                n / columns,
                n % columns,
                inTiles ? RowTiles::even(m, rows) : RowTiles(m, rows),
                1,
                1,
                depthOf(m, n, k, transposed, inPairs, inTiles)};
  chooseBlocks(plan);
  return plan;
}

} // namespace memformer::host
