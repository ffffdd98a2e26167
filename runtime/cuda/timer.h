// Times of kernels on a CUDA device, from events before and after each dispatch.
#pragma once

#include "runtime/cuda/queue.h"
#include "runtime/device.h"

#include <vector>

namespace memformer::cuda {

class Timer {
public:
  explicit Timer(Queue &queue) : queue(queue) {}
  ~Timer();
  Timer(const Timer &) = delete;
  Timer &operator=(const Timer &) = delete;

  void before(uint32_t kernel);
  void after();
  /// The queue has finished: adds what has been timed to the kernels' entries.
  void add(std::span<KernelTime> times);

private:
  struct Interval {
    uint32_t kernel = 0;
    Event begin = nullptr, end = nullptr;
  };
  Queue &queue;
  std::vector<Interval> intervals; // those in use first
  size_t used = 0;
};

} // namespace memformer::cuda
