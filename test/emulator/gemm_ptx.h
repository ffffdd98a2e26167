// A matrix product in PTX as a code generator would write it: tiles in shared memory in two stages
// of asynchronous copies, ldmatrix and mma.

#ifndef MEMFORMER_TEST_EMULATOR_GEMM_PTX_H
#define MEMFORMER_TEST_EMULATOR_GEMM_PTX_H

#include <string>

namespace memformer::emulator {

/// Kernel `k` with pointers to A [m, k] and B [k, n] of bf16 and C [m, n] of f32, for m and n
/// multiples of 64 and k of 32; (m / 64) · (n / 64) blocks of 128 threads.
std::string gemmPtx(unsigned m, unsigned n, unsigned k);

} // namespace memformer::emulator

#endif
