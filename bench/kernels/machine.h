// What this machine's core can do: multiply-adds, and copies.

#ifndef MEMFORMER_BENCH_KERNELS_MACHINE_H
#define MEMFORMER_BENCH_KERNELS_MACHINE_H

namespace memformer::bench {

/// f32 multiplications and additions a second, in registers, of one thread.
double measureFmaPeak();

/// Bytes read and written a second by copies of what no cache holds, of one thread.
double measureCopyBandwidth();

/// Seconds that this thread has computed: what else the machine does is not counted.
double now();

} // namespace memformer::bench

#endif
