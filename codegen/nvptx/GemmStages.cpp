// The factors of a matrix product in shared memory: a ring of steps, filled ahead.

#include "codegen/nvptx/GemmStages.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace memformer::nvptx {

GemmStages::GemmStages(Emit &e, GemmBlock &block, const StageForm &form)
    : e(e), block(block), shape(block.shape), form(form) {
  int64_t of = form.entriesOfWord, entries = form.entries();
  // 16 bytes of memory that are words as they lie there, of a buffer that begins where they may.
  auto canCopy = [&](const Buffer &factor, int64_t rowLength) {
    bool isWords = factor.isNarrow() ? of == 2 : of == 1 && !form.rounds;
    return e.target.hasAsyncCopies() && isWords && rowLength % (4 * of) == 0 &&
           factor.entries() >= 16 * of;
  };
  a.isDeep = !shape.transposeA;
  a.rows = a.isDeep ? form.rows : entries;
  a.words = a.isDeep ? form.depth : form.rows / of;
  a.inCores = b.inCores = form.inCores;
  a.pitch = a.words + (a.isDeep ? form.innerPadding : form.outerPadding);
  a.async = canCopy(block.a, a.isDeep ? shape.k : shape.m) && !shape.normalized;
  b.isDeep = shape.packed && of == 2;
  bool rowsAreDeep = b.isDeep && !form.inCores;
  b.rows = rowsAreDeep ? form.depth : b.isDeep ? form.columns : entries;
  b.words = rowsAreDeep ? form.columns : b.isDeep ? form.depth : form.columns / of;
  b.pitch = b.words + form.outerPadding;
  b.async = canCopy(block.b, shape.packed ? shape.panel * of : shape.n);
  ring = copies() ? 3 : 2;
  if (copies())
    e.note(a.async && b.async ? "copies of both" : a.async ? "copies of A" : "copies of B");
  if (form.inCores) {
    // 16 bytes more than the rows have: the pieces of a row lie in different banks. What comes in
    // bulk needs none.
    a.pitch = 4 * a.rows + 4;
    b.inBulk = b.isDeep && shape.k % entries == 0 && !shape.normalized;
    b.pitch = 4 * b.rows + (b.inBulk ? 0 : 4);
  }
  if (b.inBulk) {
    e.note("B in bulk");
    mbarriers = e.mbarriers(ring);
  }
  begin = e.sharedEnd();
  Type word = of == 2 ? Type(e.b.getI32Type()) : Type(e.b.getF32Type());
  a.buffer = e.shared(ring * a.size(), word);
  b.buffer = e.shared(ring * b.size(), word);
}

Value GemmStages::placeOf(const Stage &stage, Value row, Value word) {
  if (!stage.inCores)
    return e.at(row, stage.pitch, word);
  Value line = e.addIndex(e.mulIndex(row, 4), e.remIndex(word, 4));
  return e.at(e.divIndex(word, 4), stage.pitch, line);
}

// A step of packed B: of each panel, and of 8 entries of k, the columns.
void GemmStages::copyInBulk(Value slot, Value k) {
  int64_t panels = form.columns / shape.panel, groups = form.entries() / shape.group;
  int64_t bytes = shape.panel * 16, all = (shape.n + shape.panel - 1) / shape.panel;
  e.ifThen(e.less(e.thread(), panels * groups), [&] {
    Value mbarrier = e.pointerTo(mbarriers, e.mulIndex(slot, 2));
    e.ifThen(e.less(e.thread(), 1), [&] { e.expectBytes(mbarrier, panels * groups * bytes); });
    Value group = e.divIndex(e.thread(), panels), panel = e.remIndex(e.thread(), panels);
    Value first = e.addIndex(e.divIndex(block.firstColumn, shape.panel), panel);
    Value line = e.at(e.minIndex(first, all - 1), shape.lines(),
                      e.addIndex(e.divIndex(k, shape.group), group));
    Value to = e.addIndex(e.mulIndex(slot, b.size()),
                          e.at(group, b.pitch, e.mulIndex(panel, 4 * shape.panel)));
    e.copyInBulk(e.pointerTo(block.b, e.mulIndex(line, shape.panel * shape.group)),
                 e.pointerTo(b.buffer, to), bytes, mbarrier);
  });
}

// Words 4 i … 4 i + 3 of each row of a step, where they lie together in memory too.
void GemmStages::copyStage(const Stage &stage, bool isA, Value slot, Value k) {
  int64_t runs = stage.words / 4, total = stage.rows * runs, threads = e.threads();
  int64_t of = form.entriesOfWord, run = 4 * of;
  bool wholeDepth = shape.k % form.entries() == 0;
  for (int64_t done = 0; done < total; done += threads) {
    Value number = e.addIndex(e.thread(), done);
    auto copy = [&] {
      Value row = e.divIndex(number, runs), word = e.mulIndex(e.remIndex(number, runs), 4);
      bool inCores = !isA && stage.isDeep && stage.inCores; // columns are side by side in memory
      if (inCores) {
        row = e.remIndex(number, stage.rows);
        word = e.mulIndex(e.divIndex(number, stage.rows), 4);
      }
      Value to = e.addIndex(e.mulIndex(slot, stage.size()), placeOf(stage, row, word));
      Value entry = e.mulIndex(word, of), deep, place;
      if (isA && stage.isDeep) {
        Value kOfRun = e.addIndex(k, entry);
        deep = e.less(kOfRun, shape.k);
        Value m = e.minIndex(e.addIndex(block.firstRow, row), shape.m - 1);
        place = e.at(m, shape.k, wholeDepth ? kOfRun : e.minIndex(kOfRun, shape.k - run));
      } else if (!isA && shape.packed) {
        int64_t lines = shape.lines(), group = shape.group;
        int64_t panels = (shape.n + shape.panel - 1) / shape.panel;
        Value line = e.addIndex(e.divIndex(k, group), inCores ? e.divIndex(word, 4) : row);
        deep = e.less(line, lines);
        Value j = e.addIndex(block.firstColumn, inCores ? row : word);
        j = e.minIndex(j, panels * shape.panel - run / group);
        Value at = e.at(e.divIndex(j, shape.panel), lines,
                        wholeDepth ? line : e.minIndex(line, lines - 1));
        place = e.mulIndex(e.at(at, shape.panel, e.remIndex(j, shape.panel)), group);
      } else {
        int64_t width = isA ? shape.m : shape.n;
        Value kOfRow = e.addIndex(k, row);
        deep = e.less(kOfRow, shape.k);
        Value j = e.addIndex(isA ? block.firstRow : block.firstColumn, entry);
        place = e.at(wholeDepth ? kOfRow : e.minIndex(kOfRow, shape.k - 1), width,
                     e.minIndex(j, width - run));
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

// The entries of the thread's words of a factor that is computed or rounded, or whose rows do not
// lie so in memory. Neighbouring threads read neighbouring entries.
Emit::Carried GemmStages::fetchStage(const Stage &stage, bool isA, Value k) {
  Emit::Carried entries;
  if (stage.async)
    return entries;
  int64_t of = form.entriesOfWord;
  for (int64_t i = 0; i < wordsOf(stage); ++i) {
    Value number = e.addIndex(e.thread(), i * e.threads());
    Value row = e.divIndex(number, stage.words), word = e.remIndex(number, stage.words);
    for (int64_t half = 0; half < of; ++half) {
      Value inner = e.addIndex(e.mulIndex(word, of), half);
      if (isA)
        entries.push_back(stage.isDeep ? block.entryOfA(row, e.addIndex(k, inner))
                                       : block.entryOfA(inner, e.addIndex(k, row)));
      else if (stage.isDeep)
        entries.push_back(
            block.entryOfB(e.addIndex(k, e.addIndex(e.mulIndex(row, of), half)), word));
      else
        entries.push_back(block.entryOfB(e.addIndex(k, row), inner));
    }
  }
  return entries;
}

Emit::Carried GemmStages::fetch(Value k) {
  Emit::Carried entries = fetchStage(a, true, k);
  llvm::append_range(entries, fetchStage(b, false, k));
  return entries;
}

void GemmStages::keepStage(const Stage &stage, const Buffer &from, Value slot, ValueRange entries) {
  size_t of = size_t(form.entriesOfWord);
  for (size_t i = 0; i < entries.size(); i += of) {
    Value number = e.addIndex(e.thread(), int64_t(i / of) * e.threads());
    Value to = placeOf(stage, e.divIndex(number, stage.words), e.remIndex(number, stage.words));
    Value word = of == 2 ? e.narrowPair(entries[i], entries[i + 1], shape.operandType)
                 : form.rounds && !from.isNarrow() ? e.rounded(entries[i], shape.operandType)
                                                   : entries[i];
    e.store(word, stage.buffer, e.addIndex(e.mulIndex(slot, stage.size()), to));
  }
}

void GemmStages::keep(Value slot, ValueRange entries) {
  size_t ofA = a.async ? 0 : size_t(form.entriesOfWord * wordsOf(a));
  keepStage(a, block.a, slot, entries.take_front(ofA));
  keepStage(b, block.b, slot, entries.drop_front(ofA));
}

// Whether threads may be in the first `bytes` of the ring when others are through: the last step is
// read, and a step behind it is kept where it is not copied.
bool GemmStages::lastStepIsBelow(int64_t bytes) const {
  int64_t steps = (shape.k + form.entries() - 1) / form.entries();
  int64_t last = (steps - 1) % ring, filled = (last + ring - 1) % ring;
  auto isBelow = [&](const Stage &stage, int64_t ringBegin) {
    int64_t slot = stage.async ? last : std::min(last, filled);
    return ringBegin + slot * stage.size() * 4 < bytes;
  };
  int64_t beginOfB = int64_t(llvm::alignTo(uint64_t(ring * a.size() * 4), 16));
  return isBelow(a, 0) || isBelow(b, beginOfB);
}

Emit::Carried GemmStages::sum(ValueRange zeros, int64_t bytes,
                              llvm::function_ref<Emit::Carried(Value, ValueRange)> multiply) {
  int64_t entries = form.entries(), steps = (shape.k + entries - 1) / entries;
  auto copy = [&](Value slot, Value k) {
    if (a.async)
      copyStage(a, true, slot, k);
    if (b.inBulk)
      copyInBulk(slot, k);
    else if (b.async)
      copyStage(b, false, slot, k);
  };
  bool inGroups = a.async || (b.async && !b.inBulk);
  if (b.inBulk) {
    // What lay here before is written by others from here on.
    e.ifThen(e.less(e.thread(), 1), [&] {
      for (int64_t i = 0; i < ring; ++i)
        e.initMbarrier(e.pointerTo(mbarriers, e.index(2 * i)));
    });
    e.fenceProxy();
    e.barrier();
  }
  for (int64_t step = 0; step < ring - 1; ++step) {
    Value slot = e.index(step), k = e.index(step * entries);
    if (step < steps)
      copy(slot, k);
    if (inGroups)
      e.commitCopies();
    keep(slot, fetch(k));
  }
  Emit::Carried carried(zeros);
  carried.push_back(e.index(0));
  if (b.inBulk) // the parity of the slot's phase
    carried.push_back(e.index(0));
  carried = e.loop(e.index(0), e.index(steps), 1, carried, [&](Value step, ValueRange values) {
    Value slot = values[zeros.size()];
    // Of the groups but the last, all have arrived: this step's too. Behind the barrier everyone's
    // have, and nobody reads the slot that is filled next.
    if (inGroups)
      e.waitForCopies(ring - 2);
    if (b.inBulk)
      e.waitForPhase(e.pointerTo(mbarriers, e.mulIndex(slot, 2)), values.back());
    if (form.inCores)
      e.fenceProxy();
    e.barrier();
    Value isFirst = e.compareInt(arith::CmpIPredicate::eq, slot, e.index(0));
    Value filled = e.select(isFirst, e.index(ring - 1), e.sub(slot, e.index(1)));
    Value ahead = e.addIndex(step, ring - 1), k = e.mulIndex(ahead, entries);
    if (copies()) {
      e.ifThen(e.less(ahead, steps), [&] { copy(filled, k); });
      if (inGroups)
        e.commitCopies();
    }
    // What is needed next is on its way while this step multiplies.
    Emit::Carried fetched = fetch(k);
    Emit::Carried sums = multiply(slot, values.take_front(zeros.size()));
    keep(filled, fetched);
    Value next = e.addIndex(slot, 1);
    Value wraps = e.compareInt(arith::CmpIPredicate::eq, next, e.index(ring));
    sums.push_back(e.select(wraps, e.index(0), next));
    if (b.inBulk)
      sums.push_back(e.select(wraps, e.sub(e.index(1), values.back()), values.back()));
    return sums;
  });
  if (lastStepIsBelow(bytes))
    e.barrier();
  carried.truncate(zeros.size());
  return carried;
}

void GemmStages::release() {
  // Nobody uses it where the kernel ends.
  if (!b.inBulk || !e.isLoop())
    return;
  if (shape.m == 1 && shape.n == 1) // else the epilogue has met
    e.barrier();
  e.ifThen(e.less(e.thread(), 1), [&] {
    for (int64_t i = 0; i < ring; ++i)
      e.endMbarrier(e.pointerTo(mbarriers, e.index(2 * i)));
  });
}

} // namespace memformer::nvptx
