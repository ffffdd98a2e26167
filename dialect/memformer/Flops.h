// Costs that several ops share; a multiply-add is two operations, a transcendental function one.

#ifndef MEMFORMER_DIALECT_MEMFORMER_FLOPS_H
#define MEMFORMER_DIALECT_MEMFORMER_FLOPS_H

#include <cstdint>

namespace memformer {

/// `rows` × `in` times `in` × `out`, and the bias.
inline int64_t linearFlops(int64_t rows, int64_t in, int64_t out, bool bias) {
  return rows * out * (2 * in + (bias ? 1 : 0));
}

/// The number of (query, key) pairs that one head looks at.
inline int64_t attentionPairs(int64_t queries, int64_t keys, bool causal) {
  return causal ? queries * (keys - queries) + queries * (queries + 1) / 2 : queries * keys;
}

/// Attention of `batch` sequences and `heads` heads, `pairs` for each head, of `width` = d: both
/// products and that of distances, and for each pair scale, maximum, exponential and sum; the
/// division of the result.
inline int64_t attentionFlops(int64_t batch, int64_t heads, int64_t pairs, int64_t queries,
                              int64_t width, bool dropout, bool relative) {
  int64_t products = (relative ? 6 : 4) * batch * pairs * width;
  int64_t softmax = batch * heads * pairs * (dropout ? 6 : 4);
  return products + softmax + batch * queries * width;
}

/// Its gradient: five products (the recomputed scores, dP, dV, dQ, dK) and three of distances, six
/// operations for each pair, and δ.
inline int64_t attentionGradientFlops(int64_t batch, int64_t heads, int64_t pairs, int64_t queries,
                                      int64_t width, bool dropout, bool relative) {
  int64_t products = (relative ? 16 : 10) * batch * pairs * width;
  int64_t softmax = batch * heads * pairs * (dropout ? 8 : 6);
  return products + softmax + 2 * batch * queries * width;
}

} // namespace memformer

#endif
