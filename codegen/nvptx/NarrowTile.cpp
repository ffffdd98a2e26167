// Tiles of bf16 or f16 in shared memory, and the fragments of them that tensor cores multiply.

#include "codegen/nvptx/NarrowTile.h"

using namespace mlir;

namespace memformer::nvptx {

bool fitsTensorCores(const Emit &e, Type type, const AttentionShape &shape) {
  constexpr int64_t least = 8, most = 256;
  return e.target.hasMatrixProducts(type) && shape.width >= least && shape.width <= most;
}

NarrowTile::NarrowTile(Emit &e, Type type, int64_t rows, int64_t columns, int64_t slots)
    : rows(rows), columns(columns), type(type),
      words(e.shared(slots * rows * pitchOf(columns), e.b.getI32Type())), pitch(pitchOf(columns)) {}

// Arguments of 64 bytes or more begin at a multiple of 64.
static bool isAligned(const Head &head) {
  return head.buffer.entries() * (head.buffer.isNarrow() ? 2 : 4) >= 64;
}

bool NarrowTile::isAsync(Emit &e, const Head &head) {
  return e.target.hasAsyncCopies() && head.buffer.isNarrow() && head.width % 8 == 0 &&
         isAligned(head);
}

void NarrowTile::fill(Emit &e, Value slot, const Head &head, Value first) const {
  bool async = isAsync(e, head);
  int64_t run = async ? 8 : head.width % 4 == 0 && isAligned(head) ? 4 : 2;
  int64_t runs = columns / run, total = rows * runs, threads = e.threads();
  Value begin = e.mulIndex(slot, rows * pitch);
  auto toOf = [&](Value number) {
    Value word = e.mulIndex(e.remIndex(number, runs), run / 2);
    return e.addIndex(begin, e.at(e.divIndex(number, runs), pitch, word));
  };
  bool wholeRows = head.length % rows == 0, wholeColumns = head.width == columns;
  auto rowOf = [&](Value number) { return e.addIndex(first, e.divIndex(number, runs)); };
  auto columnOf = [&](Value number) { return e.mulIndex(e.remIndex(number, runs), run); };
  auto insideOf = [&](Value row, Value column) {
    Value inside;
    if (!wholeRows)
      inside = e.less(row, head.length);
    if (!wholeColumns) {
      Value less = e.less(column, head.width);
      inside = inside ? e.both(inside, less) : less;
    }
    return inside;
  };
  auto placeOf = [&](Value row, Value column, int64_t count) {
    return head.at(e, wholeRows ? row : e.minIndex(row, head.length - 1),
                   wholeColumns ? column : e.minIndex(column, head.width - count));
  };
  auto load = [&](Value number) {
    Value row = rowOf(number), column = columnOf(number);
    Emit::Carried entries;
    auto add = [&](ValueRange loaded, Value inside) {
      for (Value x : loaded)
        entries.push_back(inside ? e.select(inside, x, e.real(0)) : x);
    };
    if (run == 4) {
      add(e.loadVector(head.buffer, placeOf(row, column, 4), 4), insideOf(row, column));
      return entries;
    }
    for (int64_t i = 0; i < 2; ++i) {
      Value j = e.addIndex(column, i);
      add(e.load(head.buffer, placeOf(row, j, 1)), insideOf(row, j));
    }
    return entries;
  };
  auto store = [&](Value number, ValueRange entries) {
    Value to = toOf(number), low = e.narrowPair(entries[0], entries[1], type);
    if (entries.size() == 2)
      e.store(low, words, to);
    else
      e.storeVector({low, e.narrowPair(entries[2], entries[3], type)}, words, to);
  };
  auto move = [&](Value begin, int64_t count) {
    SmallVector<std::pair<Value, Emit::Carried>> loaded;
    for (int64_t i = 0; i < count; ++i) {
      Value number = e.addIndex(begin, i * threads);
      if (async) {
        Value row = rowOf(number), column = columnOf(number);
        e.copyAsync(e.pointerTo(head.buffer, placeOf(row, column, 8)),
                    e.pointerTo(words, toOf(number)), insideOf(row, column));
      } else {
        loaded.emplace_back(number, load(number));
      }
    }
    for (auto &[number, entries] : loaded)
      store(number, entries);
  };
  // Several loads are on their way before the first is stored. Loops that stay loops keep the
  // places of all of them from being found ahead of the kernel's own loop, in registers.
  constexpr int64_t together = 4;
  int64_t whole = total / threads;
  if ((total + threads - 1) / threads > together) {
    int64_t done = whole / together * together * threads;
    e.strided(e.thread(), done, together * threads, [&](Value begin) { move(begin, together); });
    if (done < total)
      e.strided(e.addIndex(e.thread(), done), total, threads, [&](Value begin) { move(begin, 1); });
    return;
  }
  move(e.thread(), whole);
  if (whole * threads < total) {
    Value number = e.addIndex(e.thread(), whole * threads);
    e.ifThen(e.less(number, total), [&] { move(number, 1); });
  }
}

SmallVector<Value> NarrowTile::fragment(Emit &e, Value slot, Fragment form, Value row,
                                        int64_t firstRow, int64_t column, Value across) const {
  // Matrices 1 and 2 of four lie below and beside the first, or the other way round.
  bool belowFirst = form == Fragment::A || form == Fragment::BTransposed;
  bool transposed = form == Fragment::ATransposed || form == Fragment::BTransposed;
  Value lane = e.lane(), line, word;
  if (belowFirst) {
    line = e.remIndex(lane, 16);
    word = e.mulIndex(e.divIndex(lane, 16), 4);
  } else {
    line = e.addIndex(e.remIndex(lane, 8), e.mulIndex(e.divIndex(lane, 16), 8));
    word = e.mulIndex(e.remIndex(e.divIndex(lane, 8), 2), 4);
  }
  // What all fragments of a loop share comes first, constants last.
  Value place = e.addIndex(e.at(line, pitch, word), e.mulIndex(row, pitch));
  place = e.addIndex(place, e.mulIndex(slot, rows * pitch));
  if (across)
    place = e.addIndex(place, e.divIndex(across, 2));
  place = e.addIndex(place, firstRow * pitch + column / 2);
  return e.loadMatrices(e.pointerTo(words, place), transposed);
}

void NarrowTile::storePair(Emit &e, Value row, Value column, Value word) const {
  e.store(word, words, e.at(row, pitch, e.divIndex(column, 2)));
}

QuadPlace::QuadPlace(Emit &e) {
  Value lane = e.lane(), number = e.remIndex(lane, 4);
  row = e.divIndex(lane, 4);
  column = e.mulIndex(number, 2);
  isFirst = e.less(number, 1);
}

SmallVector<Value> fragmentOfSums(Emit &e, Type type, ValueRange sums) {
  SmallVector<Value> words;
  for (size_t i = 0; i < 8; i += 2)
    words.push_back(e.narrowPair(sums[i], sums[i + 1], type));
  return words;
}

void multiplyPair(Emit &e, Type type, ValueRange a, ValueRange b, MutableArrayRef<Value> sums) {
  for (size_t half = 0; half < 2; ++half) {
    MutableArrayRef<Value> tile = sums.slice(half * 4, 4);
    llvm::copy(e.multiplyMatrices(type, a, b.slice(half * 2, 2), ArrayRef<Value>(tile)),
               tile.begin());
  }
}

std::pair<Value, Value> loadPair(Emit &e, const Head &head, Value row, Value column) {
  SmallVector<Type> types(2, e.b.getF32Type());
  auto pair = [&](Emit::Carried values) { return std::pair(values[0], values[1]); };
  if (head.width % 2 == 0 && isAligned(head))
    return pair(e.choose(
        e.less(column, head.width), types,
        [&] { return e.loadVector(head.buffer, head.at(e, row, column), 2); },
        [&] { return Emit::Carried{e.real(0), e.real(0)}; }));
  auto entry = [&](Value j) {
    return e.loadIf(e.less(j, head.width), head.buffer, head.at(e, row, j), 0);
  };
  return {entry(column), entry(e.addIndex(column, 1))};
}

void storePair(Emit &e, const Head &head, Value row, Value column, Value x, Value y) {
  if (head.width % 2 == 0 && isAligned(head)) {
    e.ifThen(e.less(column, head.width),
             [&] { e.storeVector({x, y}, head.buffer, head.at(e, row, column)); });
    return;
  }
  Value next = e.addIndex(column, 1);
  e.ifThen(e.less(column, head.width), [&] { e.store(x, head.buffer, head.at(e, row, column)); });
  e.ifThen(e.less(next, head.width), [&] { e.store(y, head.buffer, head.at(e, row, next)); });
}

} // namespace memformer::nvptx
