// What the arguments and results of a schedule's functions are: the attributes that say so.

#ifndef MEMFORMER_PASSES_SCHEDULE_ROLES_H
#define MEMFORMER_PASSES_SCHEDULE_ROLES_H

#include "llvm/ADT/StringRef.h"

namespace memformer {

/// Of each argument and result: one of the roles below (a string), and its name (a string).
inline constexpr llvm::StringLiteral roleAttribute = "memformer.role";
inline constexpr llvm::StringLiteral nameAttribute = "memformer.name";

/// Of an integer input: entries are in [0, bound) (an i64), or −1 where `ignored` (a unit) is there
/// too.
inline constexpr llvm::StringLiteral boundAttribute = "memformer.bound";
inline constexpr llvm::StringLiteral ignoredAttribute = "memformer.ignored";

/// Of the module: the schedule's name (a string). `nameAttribute` of the module is the model's
/// name.
inline constexpr llvm::StringLiteral scheduleAttribute = "memformer.schedule";

namespace role {
inline constexpr llvm::StringLiteral state = "state";
inline constexpr llvm::StringLiteral input = "input";
inline constexpr llvm::StringLiteral saved = "saved";
inline constexpr llvm::StringLiteral stateGradient = "state_gradient";
inline constexpr llvm::StringLiteral scalar = "scalar";
inline constexpr llvm::StringLiteral output = "output";
inline constexpr llvm::StringLiteral packed = "packed";
/// Of generation: a token and its position, what is known of that position, what `@begin` leaves
/// for all positions of a segment, and what positions leave for those after them.
inline constexpr llvm::StringLiteral stepInput = "step_input";
inline constexpr llvm::StringLiteral stepOutput = "step_output";
inline constexpr llvm::StringLiteral carried = "carried";
inline constexpr llvm::StringLiteral cache = "cache";
} // namespace role

namespace name {
inline constexpr llvm::StringLiteral reset = "reset";
inline constexpr llvm::StringLiteral loss = "loss";
inline constexpr llvm::StringLiteral lossScale = "loss_scale";
inline constexpr llvm::StringLiteral prediction = "prediction";
inline constexpr llvm::StringLiteral position = "position";
} // namespace name

namespace function {
inline constexpr llvm::StringLiteral forward = "forward";
inline constexpr llvm::StringLiteral replay = "replay";
inline constexpr llvm::StringLiteral evaluate = "evaluate";
inline constexpr llvm::StringLiteral trace = "trace";
inline constexpr llvm::StringLiteral begin = "begin";
inline constexpr llvm::StringLiteral step = "step";
inline constexpr llvm::StringLiteral end = "end";
} // namespace function

} // namespace memformer

#endif
