// What is known of a program's kernels on a GPU without running them.

#ifndef MEMFORMER_CODEGEN_NVPTX_REPORT_H
#define MEMFORMER_CODEGEN_NVPTX_REPORT_H

#include "codegen/nvptx/Compile.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace memformer::nvptx {

struct KernelReport {
  std::string symbol, kind;
  int64_t grid = 0, threads = 0, sharedBytes = 0;
  /// Of a thread; 0 without ptxas.
  int64_t registers = 0, spilledBytes = 0;
  /// Warps of a multiprocessor over the most that it can have, in [0, 1]. Without ptxas as if
  /// registers were no limit.
  double occupancy = 0;
  /// Instructions in the PTX, each counted once: products on tensor cores, loads and stores of
  /// global memory, of shared memory, asynchronous copies, barriers.
  int64_t matrixProducts = 0, globalAccesses = 0, sharedAccesses = 0, asyncCopies = 0, barriers = 0;
  /// Whether those products are of tf32.
  bool isTF32 = false;
  /// Instructions of the machine code, where nvdisasm is installed: of the kinds in
  /// Report::sassKinds.
  std::vector<int64_t> sass;
  /// Of one dispatch: operations, of them those on tensor cores, bytes of operands and results,
  /// each once, and bytes between memory and L2 (Traffic.h).
  int64_t flops = 0, tensorFlops = 0, bytes = 0, movedBytes = 0;
  /// The roofline, in seconds: operations on tensor cores and on ordinary lanes at the GPU's rates,
  /// or moved bytes at its bandwidth, whichever takes longer.
  double seconds = 0;
};

/// One list of instructions: a function outside of its loops, or the body of a loop, which runs
/// once for each segment, the last left out where `skipsLast`.
struct FunctionReport {
  std::string name;
  bool perSegment = false, skipsLast = false;
  int64_t launches = 0, flops = 0, tensorFlops = 0, bytes = 0, movedBytes = 0;
  double seconds = 0;
  /// The kernels in the order of their launches, each with how often it follows itself.
  std::vector<std::pair<std::string, int64_t>> sequence = {};
};

struct Report {
  GpuTarget target;
  /// Whether registers are those that ptxas gave.
  bool assembled = false;
  std::vector<KernelReport> kernels;
  std::vector<FunctionReport> functions;

  /// A training step of so many segments: weights packed, the rollout, the optimizer. No launches
  /// where the program is not trained.
  int64_t segments = 0;
  FunctionReport step;

  /// Products on tensor cores, asynchronous copies, matrix loads, stores to global memory and loads
  /// of what registers did not hold.
  static constexpr llvm::StringLiteral sassKinds[] = {"HMMA", "HGMMA", "LDGSTS",
                                                      "LDSM", "STG",   "LDL"};

  /// Between two kernels of a graph: an assumption.
  static constexpr double secondsOfLaunch = 1.5e-6;
  /// Steps whose time is projected: the paper's (section 4.2).
  static constexpr int64_t projectedSteps = 10'000;

  llvm::json::Object json() const;
  void print(llvm::raw_ostream &stream) const;
};

/// `compiled` are the kernels of `program` at Stage::Binary, in order; a rollout has `segments`.
Report makeReport(mlir::ModuleOp program, llvm::ArrayRef<CompiledKernel> compiled,
                  const GpuTarget &target, int64_t segments);

} // namespace memformer::nvptx

#endif
