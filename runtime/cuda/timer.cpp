// Pairs of events.

#include "runtime/cuda/timer.h"

namespace memformer::cuda {

Timer::~Timer() {
  for (const Interval &interval : intervals) {
    queue.driver().eventDestroy(interval.begin);
    queue.driver().eventDestroy(interval.end);
  }
}

void Timer::before(uint32_t kernel) {
  if (used == intervals.size()) {
    Interval interval;
    if (!queue.check(queue.driver().eventCreate(&interval.begin, 0), "making an event") ||
        !queue.check(queue.driver().eventCreate(&interval.end, 0), "making an event"))
      return;
    intervals.push_back(interval);
  }
  intervals[used].kernel = kernel;
  queue.record(intervals[used].begin);
}

void Timer::after() {
  if (queue.failed())
    return;
  queue.record(intervals[used].end);
  ++used;
}

void Timer::add(std::span<KernelTime> times) {
  for (size_t i = 0; i < used && !queue.failed(); ++i) {
    const Interval &interval = intervals[i];
    float milliseconds = 0;
    queue.check(queue.driver().eventElapsed(&milliseconds, interval.begin, interval.end),
                "reading an event");
    times[interval.kernel].dispatches += 1;
    times[interval.kernel].seconds += double(milliseconds) * 1e-3;
  }
  used = 0;
}

} // namespace memformer::cuda
