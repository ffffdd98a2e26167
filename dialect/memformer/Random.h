// The generator of dropout: counter-based, so that a mask is a function of its key and never
// stored.

#ifndef MEMFORMER_DIALECT_MEMFORMER_RANDOM_H
#define MEMFORMER_DIALECT_MEMFORMER_RANDOM_H

#include "mlir/IR/Builders.h"

namespace memformer {

/// Builds the 32 random bits of entry `index` of stream `stream` under the key (`key0`, `key1`).
/// `index`, `key0` and `key1` are i32, or vectors of i32 of one shape, which gives a vector of that
/// shape.
///
/// Only additions, multiplications, exclusive ors and shifts of 32 bits are built, all of arith.
/// Key and stream are mixed to two words a and b first, by ops that do not depend on `index` (a
/// loop hoists them); then bits = mix(mix(index + a) ^ b) with mix a bijection in which each input
/// bit flips each output bit with probability close to one half. A stream therefore takes each of
/// its 2³² values once: it repeats after 2³² entries. test/dialect/random_test.cpp measures mean,
/// and correlations between neighbours, streams and keys.
mlir::Value buildRandomBits(mlir::OpBuilder &builder, mlir::Location location, mlir::Value index,
                            mlir::Value key0, mlir::Value key1, int32_t stream);

/// Builds the word of a key, of either half, that does for stream 0 what `word` does for `stream`:
/// streams that differ in their keys alone share their code. All i32, scalars or vectors alike.
mlir::Value buildStreamWord(mlir::OpBuilder &builder, mlir::Location location, mlir::Value word,
                            mlir::Value stream);

/// Builds whether dropout keeps the entry: i1, or a vector of i1. False with probability
/// `probability` (in [0, 1), resolved to 2⁻³²).
mlir::Value buildKeep(mlir::OpBuilder &builder, mlir::Location location, mlir::Value index,
                      mlir::Value key0, mlir::Value key1, int32_t stream, double probability);

/// What kept entries are multiplied by: 1 / (1 − probability).
inline double keepScale(double probability) { return 1.0 / (1.0 - probability); }

} // namespace memformer

#endif
