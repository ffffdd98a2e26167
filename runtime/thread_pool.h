// A fixed set of threads that walks the grid of one dispatch after the other.
#pragma once

#include "runtime/result.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

namespace memformer {

/// The processors that this process may use.
unsigned availableProcessors();

/// `run` may be called by one thread at a time, and not from inside a body.
class ThreadPool {
public:
  /// `threads` counts the caller of `run`: a pool of one starts none. 0 means
  /// availableProcessors().
  static Result<std::unique_ptr<ThreadPool>> create(unsigned threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  unsigned threads() const { return unsigned(workers.size()) + 1; }

  using Body = void (*)(void *context, int64_t workgroup);
  struct Job {
    int64_t grid = 0;
    Body body = nullptr;
    void *context = nullptr;
  };
  /// Calls body(context, i) of each job once for each i in [0, grid), in any order, on any thread.
  /// All have ended, and what they wrote is visible, on return.
  void run(std::span<const Job> jobs);

  /// The same for a callable `void(int64_t)`.
  template <class Callable> void run(int64_t grid, Callable &&callable) {
    using Plain = std::remove_reference_t<Callable>;
    const Job job{
        grid, [](void *context, int64_t workgroup) { (*static_cast<Plain *>(context))(workgroup); },
        const_cast<void *>(static_cast<const void *>(&callable))};
    run(std::span(&job, 1));
  }

private:
  ThreadPool() = default;
  static void *threadMain(void *pool);
  void work(size_t self);
  int64_t takeWorkgroups(size_t self);
  uint64_t waitForJob(uint64_t lastSeen);
  void runPart(std::span<const Job> part, int64_t begin, int64_t workgroups);

  /// The workgroups that a thread takes first: end << 32 | next.
  struct alignas(64) Share {
    std::atomic<uint64_t> word{0};
  };

  // The jobs: written while nobody has a workgroup of them, read by those that have; see the
  // source.
  alignas(64) std::atomic<uint64_t> generation{0};
  std::span<const Job> jobs;
  int64_t first = 0;

  std::unique_ptr<Share[]> shares; // the caller's, then one for each worker
  alignas(64) std::atomic<int64_t> done{0};
  alignas(64) std::atomic<uint32_t> sleepers{0};
  std::atomic<uint32_t> wake{0};
  std::atomic<uint32_t> started{0};
  std::atomic<bool> stopping{false};
  std::vector<unsigned long> workers; // pthread_t
};

} // namespace memformer
