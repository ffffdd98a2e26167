// Attention of a single query, as generation computes it: keys in lanes, their number known at run
// time.

#ifndef MEMFORMER_CODEGEN_HOST_ATTENTIONROW_H
#define MEMFORMER_CODEGEN_HOST_ATTENTIONROW_H

#include "codegen/host/TileGemm.h"

namespace memformer::host {

/// One query and one head: keys and values are [most, width], of which the first `count` (1 to
/// most) are seen; query and result are rows of width entries.
struct AttentionRow {
  Matrix query, keys, values, result;
  mlir::Value count;
  int64_t most, width;
  double scale;
  /// Where scores depend on distances too: a row, and rows of which number j belongs to key j.
  std::optional<std::pair<Matrix, Matrix>> relative = std::nullopt;

  /// Entries of the scratch that `emitAttentionRow` needs.
  static int64_t scratchOf(Emit &e, int64_t most);
};

/// Computes the result; returns the natural logarithm of the softmax's denominator, a scalar. Sums
/// are made in an order that depends on the shape and the count alone.
mlir::Value emitAttentionRow(Emit &e, const AttentionRow &row, mlir::Value scratch);

/// Heads that one workgroup takes: together about as many bytes of keys and values as pay for it.
int64_t headsOfWorkgroup(int64_t heads, int64_t keys, int64_t width);

} // namespace memformer::host

#endif
