// The pool's one word of state, and the order in which it changes.
//
// `state` is generation << 17 | open << 16 | workers in the job. The caller of `run` writes the
// job, then opens a new generation. A worker joins by adding one to the count in a compare-and-swap
// over the whole word, so it can only join a job that is open now and is not the one it has seen
// last. The caller takes workgroups too; when none is left it closes the job and waits until those
// inside have gone. A worker that slept through a job is not waited for. Only then may the job be
// written again.

#include "runtime/thread_pool.h"
#include "runtime/machine.h"

#include <chrono>
#include <cstring>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace memformer {

namespace {

constexpr uint64_t openBit = uint64_t(1) << 16;
constexpr uint64_t countMask = openBit - 1;
constexpr unsigned generationShift = 17;
constexpr unsigned maxThreads = 1024;

// Kernels keep scratch arrays on the stack; the main thread has as much by default.
constexpr size_t stackBytes = size_t(8) << 20;

// Longer than the serial instructions between two dispatches, shorter than a person's patience with
// a process that does nothing.
constexpr std::chrono::microseconds spinTime{100};

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

} // namespace

unsigned availableProcessors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) != 0)
    return 1;
  return std::max(1, CPU_COUNT(&set));
}

Result<std::unique_ptr<ThreadPool>> ThreadPool::create(unsigned threads) {
  if (threads == 0)
    threads = availableProcessors();
  if (threads > maxThreads)
    return error("expected at most {} threads, but got {}", maxThreads, threads);
  std::unique_ptr<ThreadPool> pool(new ThreadPool);
  pool->workers.reserve(threads - 1);

  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, stackBytes);
  // Signals are for the threads of the program that uses this library.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int status = 0;
  for (unsigned i = 1; i < threads && status == 0; ++i) {
    pthread_t worker;
    status = ::pthread_create(&worker, &attributes, threadMain, pool.get());
    if (status == 0)
      pool->workers.push_back(worker);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_attr_destroy(&attributes);
  if (status != 0)
    return error("cannot start {} threads: {}", threads, std::strerror(status));
  return pool;
}

ThreadPool::~ThreadPool() {
  stopping.store(true);
  wake.fetch_add(1);
  wake.notify_all();
  for (auto worker : workers)
    ::pthread_join(worker, nullptr);
}

void *ThreadPool::threadMain(void *pool) {
  FloatingPointMode mode;
  static_cast<ThreadPool *>(pool)->work();
  return nullptr;
}

void ThreadPool::takeWorkgroups() {
  const int64_t end = grid;
  while (true) {
    const int64_t workgroup = next.fetch_add(1, std::memory_order_relaxed);
    if (workgroup >= end)
      return;
    body(context, workgroup);
  }
}

void ThreadPool::run(int64_t newGrid, Body newBody, void *newContext) {
  if (workers.empty() || newGrid <= 1) {
    for (int64_t workgroup = 0; workgroup < newGrid; ++workgroup)
      newBody(newContext, workgroup);
    return;
  }
  body = newBody;
  context = newContext;
  grid = newGrid;
  next.store(0, std::memory_order_relaxed);
  const uint64_t generation = (state.load(std::memory_order_relaxed) >> generationShift) + 1;
  // Sequentially consistent, as are a sleeper's announcement and its last look: one of the two sees
  // the other.
  state.store(generation << generationShift | openBit);
  if (uint32_t asleep = sleepers.load()) {
    wake.fetch_add(1);
    if (newGrid - 1 >= asleep)
      wake.notify_all();
    else
      for (int64_t i = 1; i < newGrid; ++i)
        wake.notify_one();
  }

  takeWorkgroups();

  state.fetch_and(~openBit);
  for (unsigned spins = 0; (state.load(std::memory_order_acquire) & countMask) != 0; ++spins) {
    // With more threads than processors the one waited for may need this processor.
    if (spins > 4096)
      ::sched_yield();
    else
      pause();
  }
}

/// The state of a job that is open and not `lastSeen`, or 0 when the pool ends.
uint64_t ThreadPool::waitForJob(uint64_t lastSeen) {
  auto isNew = [&](uint64_t value) {
    return (value & openBit) != 0 && value >> generationShift != lastSeen;
  };
  using Clock = std::chrono::steady_clock;
  while (true) {
    const auto end = Clock::now() + spinTime;
    do {
      for (int i = 0; i < 32; ++i) {
        if (uint64_t value = state.load(std::memory_order_acquire); isNew(value))
          return value;
        pause();
      }
      if (stopping.load(std::memory_order_relaxed))
        return 0;
    } while (Clock::now() < end);

    sleepers.fetch_add(1);
    const uint32_t ticket = wake.load();
    const uint64_t value = state.load();
    if (!isNew(value) && !stopping.load())
      wake.wait(ticket);
    sleepers.fetch_sub(1);
    if (stopping.load())
      return 0;
  }
}

void ThreadPool::work() {
  uint64_t lastSeen = 0;
  while (uint64_t value = waitForJob(lastSeen)) {
    if (!state.compare_exchange_weak(value, value + 1, std::memory_order_acq_rel,
                                     std::memory_order_relaxed))
      continue;
    lastSeen = value >> generationShift;
    takeWorkgroups();
    state.fetch_sub(1, std::memory_order_release);
  }
}

} // namespace memformer
