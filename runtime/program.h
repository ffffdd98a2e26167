// A function of an artifact, bound to the memory and the kernels of a session.
#pragma once

#include "runtime/artifact.h"
#include "runtime/kernels.h"
#include "runtime/memory.h"
#include "runtime/thread_pool.h"

#include <span>
#include <vector>

namespace memformer {

/// What a session does around each segment of a loop.
class SegmentHooks {
public:
  virtual void stageInputs(int64_t segment) = 0;
  virtual void collectOutputs(int64_t segment, std::span<const uint32_t> outputs) = 0;

protected:
  ~SegmentHooks() = default;
};

/// What the dispatches of one kernel took.
struct KernelTime {
  uint64_t dispatches = 0;
  double seconds = 0;
};

class Program {
public:
  Program() = default;
  /// `memory` has one entry for each space and stays where it is.
  Program(const std::vector<Instruction> &function, std::span<const Memory> memory,
          const KernelLibrary &kernels);

  bool empty() const { return steps.empty(); }
  /// Runs over a rollout (0 segments for a function without loops). Allocates nothing. Where
  /// `profile` is not empty it has an entry for each kernel, to which dispatches add their time.
  void run(ThreadPool &pool, SegmentHooks &hooks, int64_t segments, int64_t stored,
           std::span<KernelTime> profile = {});
  /// Whether a loop collects this output.
  bool yields(uint32_t output) const;
  /// Whether an instruction reads or writes what begins at this place.
  bool touches(const std::byte *place) const;

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
  void runLoop(const Step &loop, ThreadPool &pool, SegmentHooks &hooks, int64_t segments,
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
