// Values of attention less those of the first key.

#ifndef MEMFORMER_CODEGEN_HOST_SHIFTEDVALUES_H
#define MEMFORMER_CODEGEN_HOST_SHIFTEDVALUES_H

#include "codegen/host/AttentionTiles.h"

namespace memformer::host {

/// Probabilities sum to 1: o = c + Σ p (v − c) for every row c, and p (g·v − g·o), which the
/// scores' gradients are, does not depend on c. Where rows are alike, as those of a memory that has
/// seen little, g·v and g·o are almost equal, and what rounding leaves of the difference adds up
/// over all of them. Less the first row, which every query sees, they are zero.
class ShiftedValues {
public:
  /// Scratch for blocks of these sizes: build it outside of loops. Not `wanted`: values stay as
  /// they are.
  ShiftedValues(Emit &e, const AttentionShape &shape, const KeyBlocks &blocks, bool wanted);

  /// Of a head: [keys, width].
  void begin(const Matrix &head) { values = head; }
  /// The rows of a block, by the numbers of their keys; those of the last call are gone.
  Matrix block(mlir::Value firstKey, mlir::Value keys);
  /// Adds the first row to what belongs to every query of a transposed panel [width, pitch], or
  /// subtracts it.
  void add(const QueryPanel &panel, mlir::Value rows) { shift(panel, rows, /*back=*/true); }
  void subtract(const QueryPanel &panel, mlir::Value rows) { shift(panel, rows, /*back=*/false); }

private:
  void shift(const QueryPanel &panel, mlir::Value rows, bool back);

  Emit &e;
  const AttentionShape &shape;
  Matrix values;
  /// A block's [keys, width]; null: values stay as they are.
  mlir::Value shifted;
};

} // namespace memformer::host

#endif
