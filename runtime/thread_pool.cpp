// Each job is cut in one share of consecutive workgroups for each thread, so that a thread comes
// back to rows that it has just had in its cache. Of jobs that run together a thread's share is
// that of the first, then that of the second, and so on. A thread takes the workgroups of its share
// one by one, then helps the others with theirs.
//
// A workgroup is taken by adding one to a share's word, which holds the share's end too: whoever
// gets one that is before the end has it, whatever jobs it believed to be in. The jobs end when all
// workgroups have been counted as done, so they are not written while somebody has one of them; a
// worker that slept through them is not waited for.

#include "runtime/thread_pool.h"
#include "runtime/machine.h"

#include <algorithm>
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

constexpr unsigned maxThreads = 1024;
// Of jobs that run together: what a share's word has room for, with a little to spare.
constexpr int64_t maxGrid = int64_t(1) << 30;

/// Where the share of a job ends that is thread `i`'s, of `threads`.
int64_t endOf(const ThreadPool::Job &job, int64_t i, int64_t threads) {
  return job.grid * (i + 1) / threads;
}

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
  pool->shares = std::make_unique<Share[]>(threads);

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

void *ThreadPool::threadMain(void *pointer) {
  FloatingPointMode mode;
  auto *pool = static_cast<ThreadPool *>(pointer);
  pool->work(pool->started.fetch_add(1) + 1);
  return nullptr;
}

/// Runs workgroups of any share, beginning with one's own; returns how many.
int64_t ThreadPool::takeWorkgroups(size_t self) {
  int64_t taken = 0;
  const int64_t count = threads();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t of = (int64_t(self) + i) % count;
    std::atomic<uint64_t> &word = shares[size_t(of)].word;
    auto isLeft = [](uint64_t value) { return uint32_t(value) < uint32_t(value >> 32); };
    // Where the job of the last workgroup begins in the share: those that follow come later.
    size_t job = 0;
    int64_t begin = 0;
    // A look first: a share that is empty stays in the caches of those that look.
    while (isLeft(word.load(std::memory_order_relaxed))) {
      const uint64_t value = word.fetch_add(1, std::memory_order_acquire);
      if (!isLeft(value))
        break;
      int64_t index = int64_t(uint32_t(value));
      auto sizeOf = [&](const Job &job) {
        return endOf(job, of, count) - endOf(job, of - 1, count);
      };
      while (index - begin >= sizeOf(jobs[job]))
        begin += sizeOf(jobs[job++]);
      jobs[job].body(jobs[job].context, first + endOf(jobs[job], of - 1, count) + index - begin);
      ++taken;
    }
  }
  return taken;
}

void ThreadPool::run(std::span<const Job> all) {
  int64_t workgroups = 0;
  for (const Job &job : all)
    workgroups += job.grid;
  if (workers.empty() || workgroups <= 1) {
    for (const Job &job : all)
      for (int64_t workgroup = 0; workgroup < job.grid; ++workgroup)
        job.body(job.context, workgroup);
    return;
  }
  if (workgroups <= maxGrid)
    return runPart(all, 0, workgroups);
  for (const Job &job : all)
    for (int64_t begin = 0; begin < job.grid; begin += maxGrid) {
      const Job part{std::min(maxGrid, job.grid - begin), job.body, job.context};
      runPart(std::span(&part, 1), begin, part.grid);
    }
}

/// The jobs' workgroups count from `begin`.
void ThreadPool::runPart(std::span<const Job> part, int64_t begin, int64_t workgroups) {
  jobs = part;
  first = begin;
  done.store(0, std::memory_order_relaxed);
  const int64_t count = threads();
  for (int64_t i = 0; i < count; ++i) {
    int64_t size = 0;
    for (const Job &job : part)
      size += endOf(job, i, count) - endOf(job, i - 1, count);
    shares[size_t(i)].word.store(uint64_t(size) << 32, std::memory_order_release);
  }
  // Sequentially consistent, as are a sleeper's announcement and its last look: one of the two sees
  // the other.
  generation.fetch_add(1);
  if (uint32_t asleep = sleepers.load()) {
    wake.fetch_add(1);
    if (workgroups - 1 >= asleep)
      wake.notify_all();
    else
      for (int64_t i = 1; i < workgroups; ++i)
        wake.notify_one();
  }

  const int64_t taken = takeWorkgroups(0);
  for (unsigned spins = 0; done.load(std::memory_order_acquire) != workgroups - taken; ++spins) {
    // With more threads than processors the one waited for may need this processor.
    if (spins > 4096)
      ::sched_yield();
    else
      pause();
  }
}

/// The generation of a job that is not `lastSeen`, or 0 when the pool ends.
uint64_t ThreadPool::waitForJob(uint64_t lastSeen) {
  using Clock = std::chrono::steady_clock;
  while (true) {
    const auto end = Clock::now() + spinTime;
    do {
      for (int i = 0; i < 32; ++i) {
        if (uint64_t value = generation.load(std::memory_order_acquire); value != lastSeen)
          return value;
        pause();
      }
      if (stopping.load(std::memory_order_relaxed))
        return 0;
    } while (Clock::now() < end);

    sleepers.fetch_add(1);
    const uint32_t ticket = wake.load();
    if (generation.load() == lastSeen && !stopping.load())
      wake.wait(ticket);
    sleepers.fetch_sub(1);
    if (stopping.load())
      return 0;
  }
}

void ThreadPool::work(size_t self) {
  uint64_t lastSeen = 0;
  while (uint64_t value = waitForJob(lastSeen)) {
    lastSeen = value;
    if (int64_t taken = takeWorkgroups(self))
      done.fetch_add(taken, std::memory_order_release);
  }
}

} // namespace memformer
