// A program of an artifact on a CUDA device.
#pragma once

#include "runtime/cuda/architecture.h"
#include "runtime/device.h"

namespace memformer::cuda {

/// Errors: no driver, no such device, no program in the artifact that it runs, a driver that cannot
/// load it, and less memory than is planned: all before the first launch.
///
/// The environment: MEMFORMER_CUDA_DRIVER names another driver library; MEMFORMER_CUDA_GRAPHS=0
/// launches kernels one by one; MEMFORMER_CUDA_SYNCHRONOUS=1 waits for each, so that the message of
/// a failure names the kernel.
///
/// `replayOnHost`: the replay buffer is in pinned memory of the host, and slots are brought to the
/// device while the segment before runs.
Result<std::unique_ptr<Device>> createDevice(const Artifact &artifact, int64_t segments,
                                             unsigned threads, int index, bool replayOnHost);

/// What is there, for whoever chooses what to compile.
struct Description {
  std::string name; // "cuda:0 (NVIDIA H100)"
  Capability capability;
};
Result<Description> describeDevice(int index);

} // namespace memformer::cuda
