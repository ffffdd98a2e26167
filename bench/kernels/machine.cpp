// What this machine's core can do: multiply-adds, and copies.

#include "bench/kernels/machine.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <vector>

namespace memformer::bench {

namespace {

constexpr int64_t rounds = 400'000;
constexpr int chains = 12;

// Enough chains that no multiply-add waits for another.
template <typename Vector> __attribute__((always_inline)) inline float multiplyAdd() {
  Vector sums[chains], x = Vector{} + 0.999F, y = Vector{} + 0.001F;
  for (Vector &sum : sums)
    sum = y;
  for (int64_t i = 0; i < rounds; ++i)
#pragma GCC unroll 12
    for (int c = 0; c < chains; ++c)
      sums[c] = sums[c] * x + y;
  Vector total = y;
  for (Vector &sum : sums)
    total = total + sum;
  return total[0];
}

using Wide = float __attribute__((vector_size(64)));
using Narrow = float __attribute__((vector_size(32)));

__attribute__((target("avx512f"), optimize("fp-contract=fast"))) float wide() {
  return multiplyAdd<Wide>();
}

__attribute__((target("avx2,fma"), optimize("fp-contract=fast"))) float narrow() {
  return multiplyAdd<Narrow>();
}

double perSecond(float (*function)(), double lanes) {
  double best = 0;
  volatile float kept = 0;
  for (int i = 0; i < 9; ++i) {
    double begin = now();
    kept = kept + function();
    best = std::max(best, 2 * lanes * chains * double(rounds) / (now() - begin));
  }
  return best;
}

} // namespace

double now() {
  timespec time;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

double measureFmaPeak() {
  double best = 0;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    best = perSecond(narrow, 8);
  if (__builtin_cpu_supports("avx512f"))
    best = std::max(best, perSecond(wide, 16));
  return best;
}

double measureCopyBandwidth() {
  constexpr size_t bytes = size_t(128) << 20;
  std::vector<char> from(bytes, 1), to(bytes, 2);
  double best = 0;
  for (int i = 0; i < 7; ++i) {
    double begin = now();
    std::memcpy(to.data(), from.data(), bytes);
    asm volatile("" : : "r"(to.data()) : "memory");
    best = std::max(best, 2.0 * double(bytes) / (now() - begin));
  }
  return best;
}

} // namespace memformer::bench
