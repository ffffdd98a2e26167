// kernel.gemm: blocks of C, each by register tiles, with prologue and epilogue.

#include "codegen/host/Emitters.h"
#include "codegen/host/GemmPlan.h"
#include "codegen/host/MatrixTiles.h"
#include "codegen/host/MatrixVector.h"
#include "codegen/host/PairGemm.h"
#include "codegen/host/Region.h"
#include "codegen/host/RowNorms.h"
#include "dialect/kernel/Shapes.h"

using namespace mlir;

namespace memformer::host {

namespace {

class GemmEmitter {
public:
  GemmEmitter(Emit &e, kernel::GemmOp op, const KernelArguments &arguments, const GemmPlan &plan)
      : e(e), op(op), plan(plan), arguments(arguments),
        region(e, op.getEpilogue(), extrasOf(op, arguments), op.getIndexing(), plan.m, plan.n),
        zero(e.index(0)) {}

  LogicalResult emit();

private:
  static ValueRange extrasOf(kernel::GemmOp op, const KernelArguments &arguments) {
    return ValueRange(arguments.operands).take_back(op.getExtras().size());
  }

  void allocate();
  void normalizeRows();
  void copyA(Value k, Value depth);
  void copyB(Value k, Value depth);
  void padRow(const Matrix &rows, Value row, Value entries);
  void copyTailOfB();
  void forEachStrip(function_ref<void(Value, const Strip &)> body);
  Matrix tileOfA(Value row, Value k);
  Matrix stripOfB(Value index, Value k, const Strip &strip, int64_t &loaded);
  SmallVector<Value> tile(Value row, int64_t rows, Value index, const Strip &strip, Value k,
                          Value depth);
  SmallVector<Value> pairTile(Value row, int64_t rows, Value index, const Strip &strip, Value k,
                              Value depth);
  Matrix panelOfPairs(Value index, Value pair);
  Matrix pairsOfScratchB(Value buffer, Value index, int64_t pairs);
  void multiply(Value k, Value depth);
  void multiplyInTiles(Value k, Value depth);
  void prefetchResults(Value row, int64_t rows, Value index, const Strip &strip);
  SmallVector<Prefetch> wantedNext(int64_t rows, const Matrix &tileA, const Strip &strip,
                                   const Matrix &stripB);
  void finishTile(ArrayRef<Value> sums, Value row, int64_t rows, Value column, const Strip &strip);
  void finishRows(const Matrix &source, Value row, Value rows, Value column, const Strip &strip);
  void finish(Value sum, Value row, Value column, int64_t active);
  bool plainEpilogue();

  Emit &e;
  kernel::GemmOp op;
  const GemmPlan &plan;
  const KernelArguments &arguments;
  VectorRegion region;
  Value zero;
  bool failed = false;

  /// Tiles and strips of this workgroup, and its rows.
  Value firstTile, lastTile, firstStrip, lastStrip, firstRow, lastRow;
  /// A and B in place, flat.
  Matrix a;
  Value b;
  /// Rows of A normalised or copied: [rows of the block, pitchA].
  Value scratchA;
  /// Of bf16 operands that do not lie in pairs, a copy that does: B `[strips of the block, pairs of
  /// a step, pitch, 2]`; A is in scratchA, `[rows of the block, pitchA]`, or transposed `[pairs of
  /// a step, pitchA, 2]` (in tile registers: as rows).
  Value scratchB;
  /// The packed pairs that are too few for a tile register: `[strips of the block, 16, pitch, 2]`.
  Value tailB;
  std::optional<TileRegisters> registers;
  /// Entries of a row of scratch: of A, and of sums (a strip's lanes).
  int64_t pitchA = 0, pitch = 0;
  /// Partial sums [strips of the block, rows of the block, pitch]; sums of one tile [rows, pitch].
  Value partial, tileScratch;
  /// The results, [m, n] each.
  SmallVector<Value> results;
};

int64_t padded(int64_t entries, int64_t lanes) { return (entries + lanes - 1) / lanes * lanes; }

void GemmEmitter::allocate() {
  a = plan.transposeA ? Matrix{e.flat(arguments.operands[0]), zero, 1, plan.m}
                      : Matrix{e.flat(arguments.operands[0]), zero, plan.k, 1};
  b = e.flat(arguments.operands[1]);
  size_t products = arguments.results.size() - size_t(op.getStoreNormalized());
  for (Value result : ArrayRef(arguments.results).take_front(products))
    results.push_back(e.matrix(result, plan.m, plan.n));

  pitch = plan.strip.vectors() * e.lanes;
  int64_t rows = plan.rowsOfBlock();
  // One line more than the row: rows then begin in different cache sets.
  if (plan.inPairs) {
    bool columnsOfA = plan.transposeA && !plan.inTiles;
    int64_t entriesOfRow = plan.padded(plan.normalized ? plan.k : plan.depth);
    pitchA = columnsOfA ? padded(rows, e.lanes) : padded(entriesOfRow, e.lanes) + 2 * e.lanes;
    if (plan.normalized || plan.copiesA())
      scratchA = scratchOfPairs(e, columnsOfA        ? plan.pairsOfStep() * pitchA * 2
                                   : plan.transposeA ? padded(rows, e.lanes) * pitchA
                                                     : rows * pitchA);
    if (!plan.packed)
      scratchB = scratchOfPairs(e, plan.stripsPerBlock * plan.pairsOfStep() * pitch * 2);
    if (plan.pairsOfTail())
      tailB = scratchOfPairs(e, plan.stripsPerBlock * registerDepth * pitch);
    if (plan.inTiles)
      registers.emplace(e);
  } else if (plan.normalized || plan.copiesA()) {
    pitchA = padded(plan.normalized ? plan.k : plan.depth, e.lanes) + e.lanes;
    scratchA = e.scratch({rows * pitchA});
  }
  if (plan.stepped())
    partial = e.scratch({plan.stripsPerBlock * rows * pitch});
  else if (plan.inTiles || !plainEpilogue())
    tileScratch = e.scratch({(plan.tiles.size + 1) * pitch});
}

// The epilogue hands on what it is given.
bool GemmEmitter::plainEpilogue() {
  Block &block = op.getEpilogue().front();
  return block.without_terminator().empty() && block.getTerminator()->getNumOperands() == 1 &&
         block.getTerminator()->getOperand(0) == block.getArgument(0);
}

// Rows of the block, normalised, into scratch (and the result that keeps them).
void GemmEmitter::normalizeRows() {
  Value source = e.rows(arguments.operands[0]);
  Value scale = arguments.operands[2], shift = arguments.operands[3];
  Value kept = op.getStoreNormalized() ? e.rows(arguments.results.back()) : Value();
  Value keeps = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq, firstStrip, zero);
  Matrix rows{scratchA, zero, pitchA, 1};
  e.loop(firstRow, lastRow, 1, [&](Value row) {
    Moments moments = emitMoments(e, source, row, op.getEpsilon().convertToDouble());
    Value mean = e.broadcast(moments.mean), inverse = e.broadcast(moments.inverseDeviation);
    Value local = distance(e, firstRow, row);
    e.columns(plan.k, [&](Value column, int64_t active) {
      Value x = e.load(source, {row, column}, active);
      Value y = emitScaled(e, emitNormalized(e, x, mean, inverse), e.load(scale, {column}, active),
                           e.load(shift, {column}, active));
      rows.store(e, y, local, column, active);
      if (kept)
        e.ifThen(keeps, [&] { e.store(y, kept, {row, column}, active); });
    });
    padRow(rows, local, e.index(plan.k));
  });
}

// Zeros after the entries of a row in scratch, up to a whole unit.
void GemmEmitter::padRow(const Matrix &rows, Value row, Value entries) {
  if (plan.k % plan.unit() == 0)
    return;
  Value units = e.divIndex(e.addIndex(entries, plan.unit() - 1), plan.unit());
  e.loop(entries, e.mulIndex(units, plan.unit()), 1, [&](Value column) {
    e.storeScalar(e.constant(0), rows.buffer, rows.from(e, row, column).offset);
  });
}

void GemmEmitter::copyA(Value k, Value depth) {
  if (plan.inTiles && plan.transposeA) {
    Matrix columns{a.buffer, zero, plan.m, 1}, to{scratchA, zero, pitchA, 1};
    copyTransposedInPairs(e, columns, k, depth, plan.k % (2 * e.lanes), firstRow, lastRow, to);
    e.loop(zero, distance(e, firstRow, lastRow), 1, [&](Value row) { padRow(to, row, depth); });
    return;
  }
  if (plan.inPairs && plan.transposeA) {
    // Columns of the transpose are rows in memory: pairs are made of two of them.
    Matrix rows{a.buffer, zero, plan.m, 1};
    copyInPairs(e, rows, k, depth, firstRow, lastRow, Matrix{scratchA, zero, pitchA * 2, 2});
    return;
  }
  e.loop(firstRow, lastRow, 1, [&](Value row) {
    Matrix from = a.from(e, row, k);
    Matrix to{scratchA, zero, pitchA, 1};
    to = to.from(e, distance(e, firstRow, row), zero);
    Value whole = e.mulIndex(e.divIndex(depth, e.lanes), e.lanes);
    e.loop(zero, whole, e.lanes, [&](Value column) {
      to.store(e, from.load(e, zero, column, e.lanes), zero, column, e.lanes);
    });
    e.loop(whole, depth, 1, [&](Value column) {
      e.storeScalar(e.loadScalar(from.buffer, from.from(e, zero, column).offset), to.buffer,
                    to.from(e, zero, column).offset);
    });
    padRow(to, zero, depth);
  });
}

void GemmEmitter::copyB(Value k, Value depth) {
  Matrix from{b, zero, plan.n, 1};
  forEachStrip([&](Value index, const Strip &strip) {
    Matrix to = pairsOfScratchB(scratchB, index, plan.pairsOfStep());
    Value begin = e.mulIndex(index, plan.strip.columns);
    copyInPairs(e, from, k, depth, begin, e.addIndex(begin, strip.columns), to);
    if (plan.inTiles && plan.k % plan.unit() != 0) {
      Value units = e.divIndex(e.addIndex(depth, plan.unit() - 1), plan.unit());
      zeroPairs(e, e.divIndex(e.addIndex(depth, 1), 2), e.mulIndex(units, plan.unit() / 2), pitch,
                to);
    }
  });
}

void GemmEmitter::copyTailOfB() {
  forEachStrip([&](Value index, const Strip &) {
    Matrix from = panelOfPairs(index, e.index(plan.k / registerDepth * (registerDepth / 2)));
    Matrix to = pairsOfScratchB(tailB, index, registerDepth / 2);
    copyPairs(e, from, plan.pairsOfTail(), plan.strip.columns, to);
    zeroPairs(e, e.index(plan.pairsOfTail()), e.index(registerDepth / 2), pitch, to);
  });
}

// A strip's pairs in scratch, of which each strip has `pairs` rows.
Matrix GemmEmitter::pairsOfScratchB(Value buffer, Value index, int64_t pairs) {
  Value local = distance(e, firstStrip, index);
  return {buffer, e.mulIndex(local, pairs * pitch * 2), pitch * 2, 2};
}

// A strip's packed pairs from one of them on.
Matrix GemmEmitter::panelOfPairs(Value index, Value pair) {
  int64_t stripsOfPanel = plan.panel / plan.strip.columns, row = plan.panel * 2;
  Value panel = e.mulIndex(e.divIndex(index, stripsOfPanel), (plan.k + 1) / 2 * row);
  Matrix pairs{b, panel, row, 2};
  return pairs.from(e, pair, e.mulIndex(e.remIndex(index, stripsOfPanel), plan.strip.columns));
}

void GemmEmitter::forEachStrip(function_ref<void(Value, const Strip &)> body) {
  e.loop(firstStrip, e.minIndex(lastStrip, plan.fullStrips), 1,
         [&](Value index) { body(index, plan.strip); });
  if (!plan.tail)
    return;
  Value last = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq, lastStrip,
                                     e.index(plan.strips()));
  e.ifThen(last, [&] { body(e.index(plan.fullStrips), Strip{e.lanes, plan.tail}); });
}

// A from a tile's first row and column k, wherever it lies.
Matrix GemmEmitter::tileOfA(Value row, Value k) {
  if (!scratchA)
    return a.from(e, row, k);
  Matrix rows{scratchA, zero, pitchA, 1};
  return rows.from(e, distance(e, firstRow, row), plan.normalized ? k : zero);
}

Matrix GemmEmitter::stripOfB(Value index, Value k, const Strip &strip, int64_t &loaded) {
  loaded = strip.columns;
  if (!plan.packed)
    return Matrix{b, e.mulIndex(index, plan.strip.columns), plan.n, 1}.from(e, k, zero);
  loaded = plan.strip.columns;
  int64_t stripsOfPanel = plan.panel / plan.strip.columns;
  Matrix panel{b, e.mulIndex(e.divIndex(index, stripsOfPanel), plan.k * plan.panel), plan.panel, 1};
  return panel.from(e, k, e.mulIndex(e.remIndex(index, stripsOfPanel), plan.strip.columns));
}

SmallVector<Value> GemmEmitter::tile(Value row, int64_t rows, Value index, const Strip &strip,
                                     Value k, Value depth) {
  if (plan.inPairs)
    return pairTile(row, rows, index, strip, k, depth);
  int64_t loaded;
  Matrix stripB = stripOfB(index, k, strip, loaded);
  Matrix tileA = tileOfA(row, k);
  return emitTile(e, rows, strip, tileA, stripB, depth, loaded,
                  wantedNext(rows, tileA, strip, stripB));
}

// The same with factors of bf16. Steps begin at even k.
SmallVector<Value> GemmEmitter::pairTile(Value row, int64_t rows, Value index, const Strip &strip,
                                         Value k, Value depth) {
  Value pair = e.divIndex(k, 2), pairs = e.divIndex(e.addIndex(depth, 1), 2);
  Value local = distance(e, firstRow, row);
  Matrix pairsOfA{a.buffer, zero, plan.k, 2};
  if (!scratchA)
    pairsOfA = pairsOfA.from(e, row, pair);
  else if (plan.transposeA)
    pairsOfA = Matrix{scratchA, zero, 2, pitchA * 2}.from(e, local, zero);
  else
    pairsOfA = Matrix{scratchA, zero, pitchA, 2}.from(e, local, plan.normalized ? pair : zero);

  if (scratchB)
    return emitPairTile(e, rows, strip, pairsOfA,
                        pairsOfScratchB(scratchB, index, plan.pairsOfStep()), pairs, pitch);
  return emitPairTile(e, rows, strip, pairsOfA, panelOfPairs(index, pair), pairs,
                      plan.strip.columns);
}

// The same for all tiles of the block, in tile registers. Steps begin at a multiple of their depth.
void GemmEmitter::multiplyInTiles(Value k, Value depth) {
  Value chunks = e.divIndex(tailB ? depth : e.addIndex(depth, registerDepth - 1), registerDepth);
  plan.tiles.forEachSize(e, firstTile, lastTile, [&](Value begin, Value end, int64_t rows) {
    TileBlock block(*registers, rows, scratchB ? pitch : plan.strip.columns);
    block.configure();
    forEachStrip([&](Value index, const Strip &strip) {
      Matrix b = scratchB ? pairsOfScratchB(scratchB, index, plan.pairsOfStep())
                          : panelOfPairs(index, e.divIndex(k, 2));
      e.loop(begin, end, 1, [&](Value tile) {
        Value row = plan.tiles.firstRow(e, tile), local = distance(e, firstRow, row);
        Matrix a{this->a.buffer, zero, plan.k, 1};
        if (scratchA)
          a = Matrix{scratchA, zero, pitchA, 1}.from(e, local, plan.normalized ? k : zero);
        else
          a = a.from(e, row, k);
        SmallVector<TileFactors> factors = {{a, b, chunks}};
        if (tailB) {
          // Of the last step: one chunk; of others none.
          Value last = e.divIndex(e.addIndex(k, depth), plan.k);
          factors.push_back({a.from(e, zero, e.mulIndex(chunks, registerDepth)),
                             pairsOfScratchB(tailB, index, registerDepth / 2), last});
        }
        Matrix sums{tileScratch, zero, pitch, 1};
        if (partial)
          sums = Matrix{partial,
                        e.mulIndex(distance(e, firstStrip, index), plan.rowsOfBlock() * pitch),
                        pitch, 1}
                     .from(e, local, zero);
        block.multiply(e, strip.columns, factors, sums, /*continued=*/bool(partial));
        if (!partial)
          finishRows(sums, row, e.index(rows), e.mulIndex(index, plan.strip.columns), strip);
      });
    });
  });
}

// Entries [k, k + depth) of all sums of the block.
void GemmEmitter::multiply(Value k, Value depth) {
  if (plan.inTiles)
    return multiplyInTiles(k, depth);
  forEachStrip([&](Value index, const Strip &strip) {
    plan.tiles.forEach(e, firstTile, lastTile, [&](Value, Value row, int64_t rows) {
      if (!partial)
        prefetchResults(row, rows, index, strip);
      SmallVector<Value> sums = tile(row, rows, index, strip, k, depth);
      if (!partial) {
        finishTile(sums, row, rows, e.mulIndex(index, plan.strip.columns), strip);
        return;
      }
      Value local = distance(e, firstStrip, index);
      Matrix to{partial, e.mulIndex(local, plan.rowsOfBlock() * pitch), pitch, 1};
      to = to.from(e, distance(e, firstRow, row), zero);
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t v = 0; v < strip.vectors(); ++v) {
          Value at = e.addIndex(to.offset, i * pitch + v * e.lanes);
          e.store(e.add(e.load(partial, at), sums[i * strip.vectors() + v]), partial, at);
        }
    });
  });
}

// The entries that a tile is written to, while it is computed.
void GemmEmitter::prefetchResults(Value row, int64_t rows, Value index, const Strip &strip) {
  Value column = e.mulIndex(index, plan.strip.columns);
  for (Value result : results)
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t v = 0; v < strip.vectors(); ++v)
        e.prefetch(result, {e.addIndex(row, i), e.addIndex(column, v * e.lanes)});
}

// What a tile reads that no cache has yet: by rows, the next tile's rows, which are as long as this
// one's; by columns, the columns of A and the rows of B that follow soon.
SmallVector<Prefetch> GemmEmitter::wantedNext(int64_t rows, const Matrix &tileA, const Strip &strip,
                                              const Matrix &stripB) {
  constexpr int64_t soon = 16;
  // A line or two for each k are too many beside the few products of a small tile.
  constexpr int64_t enoughProducts = 20;
  bool enough = rows * strip.vectors() >= enoughProducts;
  SmallVector<Prefetch> wanted;
  if (plan.transposeA && enough)
    wanted.push_back({tileA.buffer, e.addIndex(tileA.offset, soon * tileA.columnStride),
                      tileA.columnStride, rows});
  else if (!plan.transposeA)
    wanted.push_back({tileA.buffer, e.addIndex(tileA.offset, rows * tileA.rowStride), rows, rows});
  if (!plan.packed && enough)
    wanted.push_back({stripB.buffer, e.addIndex(stripB.offset, soon * stripB.rowStride),
                      stripB.rowStride, strip.columns});
  return wanted;
}

void GemmEmitter::finishTile(ArrayRef<Value> sums, Value row, int64_t rows, Value column,
                             const Strip &strip) {
  if (!tileScratch) {
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t v = 0; v < strip.vectors(); ++v)
        finish(sums[i * strip.vectors() + v], e.addIndex(row, i), e.addIndex(column, v * e.lanes),
               strip.active(v));
    return;
  }
  // The epilogue is built once in a loop over rows, so that it neither grows with the tile nor
  // needs registers while the sums occupy them.
  Matrix source{tileScratch, zero, pitch, 1};
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t v = 0; v < strip.vectors(); ++v)
      source.store(e, sums[i * strip.vectors() + v], e.index(i), e.index(v * e.lanes), e.lanes);
  finishRows(source, row, e.index(rows), column, strip);
}

void GemmEmitter::finishRows(const Matrix &source, Value row, Value rows, Value column,
                             const Strip &strip) {
  e.loop(zero, rows, 1, [&](Value i) {
    for (int64_t v = 0; v < strip.vectors(); ++v)
      finish(source.load(e, i, e.index(v * e.lanes), e.lanes), e.addIndex(row, i),
             e.addIndex(column, v * e.lanes), strip.active(v));
  });
}

// What becomes of a vector of finished sums.
void GemmEmitter::finish(Value sum, Value row, Value column, int64_t active) {
  FailureOr<SmallVector<Value>> values = region.emit(e, sum, row, column, active);
  if (mlir::failed(values)) {
    failed = true;
    return;
  }
  for (auto [value, result] : llvm::zip_equal(*values, results)) {
    if (op.getAccumulate())
      value = e.add(e.load(result, {row, column}, active), value);
    e.store(value, result, {row, column}, active);
  }
}

LogicalResult GemmEmitter::emit() {
  Value block = e.divIndex(arguments.workgroup, plan.gridOfColumns());
  firstTile = e.mulIndex(block, plan.tilesPerBlock);
  lastTile = e.minIndex(e.addIndex(firstTile, plan.tilesPerBlock), plan.tiles.count);
  firstStrip =
      e.mulIndex(e.remIndex(arguments.workgroup, plan.gridOfColumns()), plan.stripsPerBlock);
  lastStrip = e.minIndex(e.addIndex(firstStrip, plan.stripsPerBlock), plan.strips());
  firstRow = plan.tiles.firstRow(e, firstTile);
  lastRow = plan.tiles.firstRow(e, lastTile);
  allocate();

  if (plan.normalized)
    normalizeRows();
  if (tailB)
    copyTailOfB();
  if (partial)
    e.loop(zero, e.index(plan.stripsPerBlock * plan.rowsOfBlock() * pitch), e.lanes,
           [&](Value at) { e.store(e.splat(0), partial, at); });

  auto step = [&](Value k, Value depth) {
    if (plan.copiesA())
      copyA(k, depth);
    if (scratchB)
      copyB(k, depth);
    multiply(k, depth);
  };
  if (!partial) {
    step(zero, e.index(plan.k));
    if (registers)
      registers->release();
    return failure(failed);
  }
  e.loop(zero, e.index(plan.k), plan.depth, [&](Value k) {
    Value depth = e.index(plan.depth);
    if (plan.k % plan.depth != 0)
      depth = e.minIndex(distance(e, k, e.index(plan.k)), plan.depth);
    step(k, depth);
  });
  if (registers)
    registers->release();
  forEachStrip([&](Value index, const Strip &strip) {
    Value local = distance(e, firstStrip, index);
    Matrix sums{partial, e.mulIndex(local, plan.rowsOfBlock() * pitch), pitch, 1};
    finishRows(sums, firstRow, distance(e, firstRow, lastRow),
               e.mulIndex(index, plan.strip.columns), strip);
  });
  return failure(failed);
}

} // namespace

FailureOr<int64_t> emitGemm(OpBuilder &builder, kernel::GemmOp op, const KernelArguments &arguments,
                            const HostTarget &target) {
  if (ArrayRef<int64_t> b = kernel::shapeOf(op.getB().getType());
      op.getPacked() && b.size() == 4 && b.back() != 2)
    return op.emitOpError("expected pairs of rows side by side on a host, but got ")
           << op.getB().getType();
  FailureOr<GemmPlan> plan = GemmPlan::get(op, target);
  if (mlir::failed(plan))
    return failure();
  Emit e(builder, op.getLoc(), target);
  if (!op.getAccumulate() && isMatrixVector(*plan, target))
    return emitMatrixVector(e, op, arguments, *plan);
  if (op.getPacked() && !op.getOperandType() && !op.getB().getType().getElementType().isF32())
    return op.emitOpError("expected at most ")
           << mostVectorRows << " rows with weights stored as " << op.getB().getType()
           << ", but got " << op.getA().getType();
  GemmEmitter emitter(e, op, arguments, *plan);
  if (mlir::failed(emitter.emit()))
    return failure();
  return plan->gridOfRows() * plan->gridOfColumns();
}

} // namespace memformer::host
