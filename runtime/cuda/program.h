// A function of an artifact, bound to the memory and the kernels of a CUDA device.
#pragma once

#include "runtime/cuda/graphs.h"
#include "runtime/cuda/modules.h"
#include "runtime/cuda/replay_window.h"
#include "runtime/cuda/staging.h"
#include "runtime/cuda/timer.h"

namespace memformer::cuda {

class Program {
public:
  /// What the programs of a device share.
  struct Resources {
    const Manifest &manifest;
    const Modules &modules;
    std::span<const DeviceMemory> spaces;
    DevicePointer bounce = 0;       // what a copy between overlapping ranges goes through
    ReplayWindow *replay = nullptr; // where the replay buffer is on the host
    Queue &queue;
    Staging &staging;
    Graphs &graphs;
    Timer &timer;
    bool synchronous = false; // waits after each launch, to know whose error it is
  };

  Program() = default;
  Program(const Resources &resources, memformer::Function which);

  /// Asks for the whole function; where it waits for a segment, outputs of that one are collected.
  /// In the steady state a segment is one launch of a graph. With a profile, kernels are launched
  /// one by one and timed.
  void run(SegmentHooks &hooks, int64_t segments, int64_t stored, bool profiled);

  /// Slots in a row that a pass needs of a replay buffer on the host, for the functions of a
  /// manifest. Errors: instructions that reach into it in another way than slot after slot.
  static Result<int64_t> replayReach(const Manifest &manifest);
  /// Bytes of the longest copy of a list whose ranges may overlap in a rollout of so many segments.
  static uint64_t bounceBytes(const std::vector<Instruction> &list, int64_t segments);

private:
  /// Address of segment 0, and what each segment adds; in a replay window, from its beginning.
  struct Pointer {
    DevicePointer base = 0;
    uint64_t stride = 0;
    const ReplayWindow *window = nullptr;
    DevicePointer at(int64_t segment) const {
      const uint64_t address = base + stride * uint64_t(segment);
      return window ? window->at(address) : address;
    }
  };
  /// Slots that a part touches, relative to its segment.
  struct Slots {
    int64_t first = 0, count = 0;
  };
  struct Step {
    const Instruction *instruction = nullptr;
    EntryPoint entry = nullptr;
    Pointer to, from;
    size_t firstArgument = 0; // in `pointers`
  };
  /// A loop, or instructions between loops.
  struct Part {
    const Instruction *loop = nullptr;
    std::vector<Step> steps;
    bool stagesInputs = false, usesUnstored = false, usesLast = false;
    size_t nodes = 0; // at most
    Slots slots;      // of a replay window
  };

  Step bind(const Instruction &instruction);
  Pointer pointer(const Address &address) const;
  void addStep(Part &part, const Instruction &instruction);
  void issue(const Part &part, int64_t segment, int64_t segments, int64_t stored, bool profiled);
  void issueStep(const Step &step, int64_t segment, bool profiled);
  void runPart(size_t index, int64_t segment, int64_t segments, int64_t stored, bool profiled);

  const Resources *resources = nullptr;
  memformer::Function which{};
  std::vector<Part> parts;
  std::vector<Pointer> pointers;        // of all dispatches
  std::vector<DevicePointer> arguments; // of the dispatch that is asked for
  std::vector<void *> argumentPlaces;
};

} // namespace memformer::cuda
