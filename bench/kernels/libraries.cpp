// BLAS libraries of this machine, opened at run time: none is needed to build.

#include "bench/kernels/libraries.h"

#include <cstdlib>
#include <dlfcn.h>
#include <memory>

namespace memformer::bench {

namespace {

// Values of the C interface of BLAS, and of MKL's extensions of it.
constexpr int rowMajor = 101, notTransposed = 111, transposed = 112, packedB = 152, matrixB = 162;

using Sgemm = void (*)(int order, int transposeA, int transposeB, int m, int n, int k, float alpha,
                       const float *a, int lda, const float *b, int ldb, float beta, float *c,
                       int ldc);
using DnnlSgemm = int (*)(char transposeA, char transposeB, int64_t m, int64_t n, int64_t k,
                          float alpha, const float *a, int64_t lda, const float *b, int64_t ldb,
                          float beta, float *c, int64_t ldc);
using PackSize = size_t (*)(int identifier, int m, int n, int k);
using Pack = void (*)(int order, int identifier, int transpose, int m, int n, int k, float alpha,
                      const float *source, int ld, float *target);
using Compute = void (*)(int order, int transposeA, int transposeB, int m, int n, int k,
                         const float *a, int lda, const float *b, int ldb, float beta, float *c,
                         int ldc);

template <typename Function> Function find(void *library, const char *name) {
  return reinterpret_cast<Function>(::dlsym(library, name));
}

int transposition(bool isTransposed) { return isTransposed ? transposed : notTransposed; }
int lda(const Product &p) { return int(p.transposeA ? p.m : p.k); }
int ldb(const Product &p) { return int(p.transposeB ? p.k : p.n); }

Library blas(const char *name, Sgemm sgemm) {
  return {name, [=](const Product &p, const float *a, const float *b, float *c) {
            return [=] {
              sgemm(rowMajor, transposition(p.transposeA), transposition(p.transposeB), int(p.m),
                    int(p.n), int(p.k), 1, a, lda(p), b, ldb(p), float(p.accumulate), c, int(p.n));
            };
          }};
}

Library dnnl(DnnlSgemm sgemm) {
  return {"oneDNN", [=](const Product &p, const float *a, const float *b, float *c) {
            return [=] {
              sgemm(p.transposeA ? 'T' : 'N', p.transposeB ? 'T' : 'N', p.m, p.n, p.k, 1, a, lda(p),
                    b, ldb(p), float(p.accumulate), c, p.n);
            };
          }};
}

// Weights packed once, as ours are; the two operands of a weight gradient are new each time.
Library packing(PackSize size, Pack pack, Compute compute) {
  return {"MKL, packed",
          [=](const Product &p, const float *a, const float *b, float *c) -> std::function<void()> {
            if (p.transposeA)
              return nullptr;
            size_t bytes = (size(matrixB, int(p.m), int(p.n), int(p.k)) + 63) / 64 * 64;
            std::shared_ptr<void> memory(std::aligned_alloc(64, bytes), std::free);
            auto *packed = static_cast<float *>(memory.get());
            pack(rowMajor, matrixB, transposition(p.transposeB), int(p.m), int(p.n), int(p.k), 1, b,
                 ldb(p), packed);
            return [=] {
              static_cast<void>(memory);
              compute(rowMajor, notTransposed, packedB - 1, int(p.m), int(p.n), int(p.k), a, lda(p),
                      packed, ldb(p), float(p.accumulate), c, int(p.n));
            };
          }};
}

void *open(const std::string &path) { return ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); }

} // namespace

std::vector<Library> openLibraries(const std::string &mkl) {
  // What limits threads has to stand before a library is opened; what picks code for another CPU
  // must not.
  for (const char *name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"})
    ::setenv(name, "1", 1);
  ::setenv("MKL_THREADING_LAYER", "SEQUENTIAL", 1);
  for (const char *name : {"OPENBLAS_CORETYPE", "MKL_ENABLE_INSTRUCTIONS", "MKL_DEBUG_CPU_TYPE",
                           "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA"})
    ::unsetenv(name);

  std::vector<Library> libraries;
  if (void *library = open("libopenblas.so.0"))
    if (auto sgemm = find<Sgemm>(library, "cblas_sgemm"))
      libraries.push_back(blas("OpenBLAS", sgemm));
  for (const char *name : {"libdnnl.so.3", "libdnnl.so.2"})
    if (void *library = open(name)) {
      if (auto sgemm = find<DnnlSgemm>(library, "dnnl_sgemm"))
        libraries.push_back(dnnl(sgemm));
      break;
    }
  if (void *library = mkl.empty() ? nullptr : open(mkl)) {
    if (auto sgemm = find<Sgemm>(library, "cblas_sgemm"))
      libraries.push_back(blas("MKL", sgemm));
    auto size = find<PackSize>(library, "cblas_sgemm_pack_get_size");
    auto pack = find<Pack>(library, "cblas_sgemm_pack");
    auto compute = find<Compute>(library, "cblas_sgemm_compute");
    if (size && pack && compute)
      libraries.push_back(packing(size, pack, compute));
  }
  return libraries;
}

} // namespace memformer::bench
