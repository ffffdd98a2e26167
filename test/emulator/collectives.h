// What a warp does together.

#ifndef MEMFORMER_TEST_EMULATOR_COLLECTIVES_H
#define MEMFORMER_TEST_EMULATOR_COLLECTIVES_H

#include "test/emulator/processor.h"

namespace memformer::emulator {

enum class Shuffle : uint32_t { Up, Down, Butterfly, Index };
enum class Vote : uint32_t { All, Any, Uniform, Ballot };
enum class Reduction : uint32_t { Add, And, Or, Xor, Min, Max, SignedMin, SignedMax };
enum class Element : uint32_t { Bfloat, Half, Tf32 };

// arguments, and each lane's buffer on entry -> on return:

/// Shuffle; {value, lane or distance, clamp} -> {value, in range}.
void performShuffle(Processor &, Warp &, const Collective &, uint32_t lanes);
/// Vote; {predicate} -> {result}.
void performVote(Processor &, Warp &, const Collective &, uint32_t lanes);
/// Reduction; {value} -> {result}.
void performReduction(Processor &, Warp &, const Collective &, uint32_t lanes);
/// Nothing.
void performWarpBarrier(Processor &, Warp &, const Collective &, uint32_t lanes);
/// {matrices, transposed}; {address, its high half} -> {one register for each matrix}.
void performLoadMatrix(Processor &, Warp &, const Collective &, uint32_t lanes);
/// {matrices, transposed}; {address, its high half, one register for each matrix}.
void performStoreMatrix(Processor &, Warp &, const Collective &, uint32_t lanes);
/// {Element, k, whether the accumulator is f16}; {A, B, C} -> {D}. m is 16, n 8.
void performMma(Processor &, Warp &, const Collective &, uint32_t lanes);

// wgmma: warpgroup.cpp. A warp computes its 16 rows of the 64.
/// {Element, n, transposes of A (1) and B (2), negations likewise}; {A's descriptor, B's, whether
/// sums are added to, 0, address of the addresses of the n / 2 registers of D} -> nothing: what D's
/// registers hold shows at the wait.
void performWarpgroupProduct(Processor &, Warp &, const Collective &, uint32_t lanes);
void performWarpgroupFence(Processor &, Warp &, const Collective &, uint32_t lanes);
void performWarpgroupCommit(Processor &, Warp &, const Collective &, uint32_t lanes);
/// {groups that may be under way}.
void performWarpgroupWait(Processor &, Warp &, const Collective &, uint32_t lanes);

/// Registers of the operands of an mma.
struct MmaRegisters {
  uint32_t a, b, c;
};
/// A number of 16 bits, as a product takes it.
float narrowElement(Element element, uint16_t bits);
MmaRegisters mmaRegisters(Element element, uint32_t k, bool halfAccumulator);

} // namespace memformer::emulator

#endif
