// A function of an artifact, bound to the host's memory and kernels.
#pragma once

#include "runtime/device.h"
#include "runtime/kernels.h"
#include "runtime/memory.h"
#include "runtime/thread_pool.h"

#include <span>
#include <vector>

namespace memformer {

class Program {
public:
  Program() = default;
  /// `memory` has one entry for each space and stays where it is.
  Program(const std::vector<Instruction> &function, std::span<const Memory> memory,
          const KernelLibrary &kernels);

  /// What the host gives a segment and takes from it.
  struct Staging {
    std::byte *inputs = nullptr;
    const std::byte *outputs = nullptr;
    SegmentHooks *hooks = nullptr;
  };

  /// Runs over a rollout (0 segments for a function without loops). Allocates nothing. Where
  /// `profile` is not empty it has an entry for each kernel, to which dispatches add their time.
  void run(ThreadPool &pool, const Staging &staging, int64_t segments, int64_t stored,
           std::span<KernelTime> profile);

private:
  /// Address of segment 0, and what each segment adds.
  struct Pointer {
    std::byte *base = nullptr;
    uint64_t stride = 0;
    std::byte *at(int64_t segment) const { return base + stride * uint64_t(segment); }
  };
  struct Call {
    const Instruction *instruction = nullptr;
    Kernel kernel = nullptr;
    size_t firstArgument = 0; // in `pointers`
    void *const *arguments = nullptr;
  };
  /// An instruction, or several dispatches that run together.
  struct Step {
    const Instruction *instruction = nullptr;
    size_t firstCall = 0, numCalls = 0; // of dispatches, in `calls`
    double seconds = 0;                 // that one thread takes for them, about
    Pointer to, from;
    std::vector<Step> body;
  };

  std::vector<Step> bind(const std::vector<Instruction> &list, std::span<const Memory> memory,
                         const KernelLibrary &kernels);
  void runLoop(const Step &loop, ThreadPool &pool, const Staging &staging, int64_t segments,
               int64_t stored);
  void runStep(const Step &step, ThreadPool &pool, int64_t segment);
  void runCalls(const Step &step, ThreadPool &pool, int64_t segment);

  // `steps` is the last: binding it fills the others.
  std::vector<Pointer> pointers;     // of all dispatches
  std::vector<Call> calls;           // all dispatches
  std::vector<void *> arguments;     // of the dispatches that run
  std::vector<ThreadPool::Job> jobs; // the dispatches that run
  std::span<KernelTime> profile;     // of the run that goes on
  std::vector<Step> steps;
};

} // namespace memformer
