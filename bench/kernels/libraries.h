// BLAS libraries of this machine, opened at run time: none is needed to build.

#ifndef MEMFORMER_BENCH_KERNELS_LIBRARIES_H
#define MEMFORMER_BENCH_KERNELS_LIBRARIES_H

#include "bench/kernels/cases.h"

#include <functional>
#include <string>
#include <vector>

namespace memformer::bench {

/// A library's way to compute products, on one thread.
struct Library {
  std::string name;
  /// What computes the product of matrices at these addresses, ready to be called again and again;
  /// null where this library has no such way.
  std::function<std::function<void()>(const Product &, const float *a, const float *b, float *c)>
      prepare;
};

/// OpenBLAS, oneDNN and MKL, as many as are found; MKL by the path of its libmkl_rt where given.
std::vector<Library> openLibraries(const std::string &mkl);

} // namespace memformer::bench

#endif
