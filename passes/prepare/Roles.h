// Names and roles that the kernel level adds to those of the schedule level.

#ifndef MEMFORMER_PASSES_PREPARE_ROLES_H
#define MEMFORMER_PASSES_PREPARE_ROLES_H

#include "passes/schedule/Roles.h"

namespace memformer {

/// Of a program's module: rows of a batch (an i64).
inline constexpr llvm::StringLiteral batchAttribute = "memformer.batch";

namespace role {
/// Of `@update`: the whole vectors.
inline constexpr llvm::StringLiteral parameters = "parameters";
inline constexpr llvm::StringLiteral gradients = "gradients";
inline constexpr llvm::StringLiteral firstMoments = "first_moments";
inline constexpr llvm::StringLiteral secondMoments = "second_moments";
} // namespace role

namespace name {
/// A vector of the scalars that `kernel.adamw` reads, in its order.
inline constexpr llvm::StringLiteral optimizer = "optimizer";
inline constexpr llvm::StringLiteral optimizerScalars[] = {"learning_rate",
                                                           "beta1",
                                                           "beta2",
                                                           "epsilon",
                                                           "weight_decay",
                                                           "max_gradient_norm",
                                                           "bias_correction1",
                                                           "bias_correction2",
                                                           "gradient_scale"};
inline constexpr llvm::StringLiteral gradientNorm = "gradient_norm";
} // namespace name

namespace function {
inline constexpr llvm::StringLiteral prepare = "prepare";
inline constexpr llvm::StringLiteral update = "update";
inline constexpr llvm::StringLiteral train = "train";
} // namespace function

} // namespace memformer

#endif
