// Products of matrices in shared memory, of which each thread has entries in its registers.

#include "codegen/nvptx/Tiles.h"

using namespace mlir;

namespace memformer::nvptx {

Value BlockTile::place(Emit &e, Value first, int64_t grid, int64_t own, int64_t i) const {
  return interleaved ? e.addIndex(first, i * grid) : e.addIndex(e.mulIndex(first, own), i);
}

Value BlockTile::row(Emit &e, int64_t i) const {
  return place(e, e.divIndex(e.thread(), gridColumns()), gridRows(), ownRows, i / ownColumns);
}

Value BlockTile::column(Emit &e, int64_t i) const {
  return place(e, e.remIndex(e.thread(), gridColumns()), gridColumns(), ownColumns, i % ownColumns);
}

// The entries of depth k … k + 3 of a thread's `places`: entries[place][step].
static SmallVector<SmallVector<Value>> loadFactor(Emit &e, const SharedFactor &factor,
                                                  ArrayRef<Value> places, bool consecutive, Value k,
                                                  int64_t steps) {
  SmallVector<SmallVector<Value>> entries(places.size());
  if (!factor.depthOuter) {
    for (auto [place, of] : llvm::zip_equal(places, entries))
      of = e.loadVector(factor.buffer, e.at(place, factor.pitch, k), steps);
    return entries;
  }
  int64_t count = int64_t(places.size());
  int64_t run = !consecutive ? 1 : count % 4 == 0 ? 4 : count % 2 == 0 ? 2 : 1;
  for (int64_t step = 0; step < steps; ++step)
    for (int64_t i = 0; i < count; i += run) {
      Value from = e.at(e.addIndex(k, step), factor.pitch, places[i]);
      if (run == 1) {
        entries[i].push_back(e.load(factor.buffer, from));
        continue;
      }
      for (auto [j, entry] : llvm::enumerate(e.loadVector(factor.buffer, from, run)))
        entries[i + int64_t(j)].push_back(entry);
    }
  return entries;
}

Emit::Carried BlockTile::multiply(Emit &e, const SharedFactor &a, const SharedFactor &b,
                                  int64_t depth, ValueRange sums) const {
  SmallVector<Value> rowsOfA, rowsOfB;
  for (int64_t i = 0; i < ownRows; ++i)
    rowsOfA.push_back(row(e, i * ownColumns));
  for (int64_t j = 0; j < ownColumns; ++j)
    rowsOfB.push_back(column(e, j));
  // Four steps of a depth that is inside are one load; otherwise as many as hide a load's latency
  // and leave registers.
  bool inside = !a.depthOuter || !b.depthOuter;
  int64_t steps = inside || own() < 32 ? 4 : 2;
  while (depth % steps != 0)
    steps /= 2;
  return e.loop(e.index(0), e.index(depth), steps, sums, [&](Value k, ValueRange carried) {
    auto x = loadFactor(e, a, rowsOfA, !interleaved, k, steps);
    auto y = loadFactor(e, b, rowsOfB, !interleaved, k, steps);
    Emit::Carried next(carried);
    for (int64_t step = 0; step < steps; ++step)
      for (int64_t i = 0; i < own(); ++i)
        next[i] = e.fma(x[i / ownColumns][step], y[i % ownColumns][step], next[i]);
    return next;
  });
}

void BlockTile::forEach(Emit &e, llvm::function_ref<void(int64_t, Value, Value)> body) const {
  for (int64_t i = 0; i < own(); ++i)
    body(i, row(e, i), column(e, i));
}

} // namespace memformer::nvptx
