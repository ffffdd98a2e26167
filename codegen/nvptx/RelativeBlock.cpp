// Scores by distance in blocks: query i and key j belong to row j + Lq − 1 − i of relative keys.

#include "codegen/nvptx/RelativeBlock.h"

using namespace mlir;

namespace memformer::nvptx {

RelativeBlock::RelativeBlock(Emit &e, const AttentionShape &shape, const AttentionPlan &plan,
                             Value firstQuery, Value firstColumn, bool columnsAreKeys)
    : e(e), shape(shape), plan(plan), firstQuery(firstQuery), firstColumn(firstColumn),
      columnsAreKeys(columnsAreKeys) {}

int64_t RelativeBlock::pieces() const { return (window() + plan.keys - 1) / plan.keys; }

int64_t RelativeBlock::rowsOf(int64_t piece) const {
  return std::min(plan.keys, (window() - piece * plan.keys + 3) / 4 * 4);
}

// Of keys, the last query has the lowest row; of relative keys, the first query has the lowest key.
Value RelativeBlock::firstOf(int64_t piece) const {
  if (isWhole())
    return e.index(0);
  Value first = columnsAreKeys
                    ? e.sub(e.add(firstColumn, e.index(shape.queries - plan.queries)), firstQuery)
                    : e.sub(e.add(firstColumn, firstQuery), e.index(shape.queries - 1));
  return e.add(first, e.index(piece * plan.keys));
}

Value RelativeBlock::keyOf(Value query, Value column) const {
  Value at = e.addIndex(firstColumn, column);
  if (columnsAreKeys)
    return at;
  return e.sub(e.add(at, e.addIndex(firstQuery, query)), e.index(shape.queries - 1));
}

// In the block: of no column where it is as large as the block's number of them, or larger.
Value RelativeBlock::columnOf(int64_t piece, Value query, Value row) const {
  Value last = e.index(shape.queries - 1), at = e.add(firstOf(piece), row);
  Value global = e.addIndex(firstQuery, query);
  at = columnsAreKeys ? e.sub(e.add(at, global), last) : e.sub(e.add(at, last), global);
  return e.sub(at, firstColumn);
}

void RelativeBlock::store(int64_t piece, ValueRange products, const Buffer &square) const {
  plan.square().forEach(e, [&](int64_t i, Value query, Value row) {
    Value column = columnOf(piece, query, row);
    e.ifThen(e.less(column, plan.keys), [&] {
      e.store(products[size_t(i)], square, e.at(query, plan.squarePitch(), column));
    });
  });
}

void RelativeBlock::gather(int64_t piece, const Buffer &square, const Buffer &rows) const {
  plan.square().forEach(e, [&](int64_t, Value query, Value row) {
    Value column = columnOf(piece, query, row);
    Value x =
        e.loadIf(e.less(column, plan.keys), square, e.at(query, plan.squarePitch(), column), 0);
    e.store(x, rows, e.at(query, plan.squarePitch(), row));
  });
}

} // namespace memformer::nvptx
