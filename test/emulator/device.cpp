// A pool of host threads, each with a processor, that take blocks of a grid one by one.

#include "test/emulator/device.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <sched.h>
#include <thread>
#include <xmmintrin.h>

namespace memformer::emulator {

DeviceMemory &deviceMemory() {
  static DeviceMemory *memory = new DeviceMemory;
  return *memory;
}

namespace {

unsigned coresOfProcess() {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores))
    return 1;
  return std::max(1, CPU_COUNT(&cores));
}

/// Denormals are numbers on the device, whatever the caller has set.
class StandardRounding {
public:
  StandardRounding() : saved(_mm_getcsr()) { _mm_setcsr(0x1f80); }
  ~StandardRounding() { _mm_setcsr(saved); }

private:
  unsigned saved;
};

/// Blocks of one launch, handed out in the order of the modes.
struct Work {
  const Launch *launch;
  const Modes *modes;
  uint64_t blocks = 0;
  std::atomic<uint64_t> next = 0;
  std::mutex lock;
  uint64_t failedAt = UINT64_MAX; // place in the order
  std::optional<Fault> fault;

  /// A permutation for the random order: multiplication by a number without a common factor.
  uint64_t blockAt(uint64_t place) const {
    if (modes->order == Order::Forward)
      return place;
    if (modes->order == Order::Reverse)
      return blocks - 1 - place;
    uint64_t factor = modes->seed % blocks | 1;
    while (std::__gcd(factor, blocks) != 1)
      factor += 2;
    return (place * (factor % blocks) + modes->seed / 3) % blocks;
  }

  void run(std::unique_ptr<Processor> &processor) {
    StandardRounding rounding;
    if (!processor)
      processor = std::make_unique<Processor>(*modes);
    for (uint64_t place; (place = next++) < blocks;) {
      std::optional<Fault> found = processor->run(*launch, blockAt(place));
      if (!found)
        continue;
      std::lock_guard guard(lock);
      if (place < failedAt) {
        failedAt = place;
        fault = std::move(found);
      }
      next = blocks; // those before this place are running already
    }
  }
};

class Pool {
public:
  std::optional<Fault> run(const Launch &launch, const Modes &modes) {
    std::lock_guard oneAtATime(launching);
    Work work;
    work.launch = &launch;
    work.modes = &modes;
    work.blocks = uint64_t(launch.grid[0]) * launch.grid[1] * launch.grid[2];
    unsigned count = modes.threads ? modes.threads : coresOfProcess();
    count = unsigned(std::min<uint64_t>(count, work.blocks));
    {
      std::lock_guard guard(lock);
      while (processors.size() < count) {
        processors.emplace_back();
        if (processors.size() > 1)
          std::thread(&Pool::serve, this, processors.size() - 1).detach();
      }
    }
    if (count > 1) {
      std::lock_guard guard(lock);
      current = &work;
      helpers = count - 1;
      running = count - 1;
      ++generation;
      begun.notify_all();
    }
    work.run(processors[0]);
    std::unique_lock guard(lock);
    ended.wait(guard, [&] { return !running; });
    current = nullptr;
    return std::move(work.fault);
  }

  void reset() {
    std::lock_guard oneAtATime(launching);
    for (auto &processor : processors)
      processor.reset();
  }

private:
  void serve(size_t index) {
    uint64_t seen = 0;
    while (true) {
      Work *work;
      std::unique_ptr<Processor> *processor;
      {
        std::unique_lock guard(lock);
        begun.wait(guard, [&] { return generation != seen && index <= helpers; });
        seen = generation;
        work = current;
        processor = &processors[index];
      }
      if (!work)
        continue;
      work->run(*processor);
      std::lock_guard guard(lock);
      if (!--running)
        ended.notify_one();
    }
  }

  std::mutex launching, lock;
  std::condition_variable begun, ended;
  std::deque<std::unique_ptr<Processor>> processors; // of the caller, then of the helpers
  Work *current = nullptr;
  unsigned helpers = 0, running = 0;
  uint64_t generation = 0;
};

// Never destroyed: its threads wait until the process ends.
Pool &pool() {
  static Pool *made = new Pool;
  return *made;
}

} // namespace

std::optional<Fault> runGrid(const Launch &launch, const Modes &modes) {
  return pool().run(launch, modes);
}

void resetProcessors() { pool().reset(); }

} // namespace memformer::emulator
