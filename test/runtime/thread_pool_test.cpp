// The thread pool: every workgroup once, everything visible afterwards.

#include "runtime/thread_pool.h"

#include <atomic>
#include <chrono>
#include <gtest/gtest.h>
#include <thread>

namespace memformer {
namespace {

class ThreadPoolTest : public testing::TestWithParam<unsigned> {
protected:
  std::unique_ptr<ThreadPool> pool = std::move(*ThreadPool::create(GetParam()));
};

TEST_P(ThreadPoolTest, EveryWorkgroupOnce) {
  EXPECT_EQ(pool->threads(), GetParam());
  for (int64_t grid : {0, 1, 2, 3, 7, 64, 1001}) {
    std::vector<int> counts(size_t(grid) + 1);
    pool->run(grid, [&](int64_t i) { ++counts[size_t(i)]; });
    EXPECT_EQ(counts.back(), 0);
    counts.pop_back();
    EXPECT_EQ(counts, std::vector<int>(size_t(grid), 1));
  }
}

// Each dispatch reads what the one before wrote, without any other synchronization.
TEST_P(ThreadPoolTest, DispatchesAreInOrder) {
  constexpr size_t n = 37;
  std::vector<int64_t> a(n), b(n);
  for (size_t i = 0; i < n; ++i)
    a[i] = int64_t(i);
  for (int round = 0; round < 5000; ++round) {
    pool->run(n, [&](int64_t i) { b[size_t(i)] = a[(size_t(i) + 1) % n] + 1; });
    std::swap(a, b);
  }
  for (size_t i = 0; i < n; ++i)
    EXPECT_EQ(a[i], int64_t((i + 5000) % n) + 5000);
}

// Of several jobs each workgroup runs once, and all before `run` returns.
TEST_P(ThreadPoolTest, JobsRunTogether) {
  for (const std::vector<int64_t> &grids :
       {std::vector<int64_t>{}, {0, 0}, {0, 1, 0}, {1, 1, 1, 1, 1}, {3, 0, 64, 1, 1001, 2}}) {
    std::vector<std::vector<int>> counts;
    for (int64_t grid : grids)
      counts.emplace_back(size_t(grid));
    std::vector<ThreadPool::Job> jobs;
    for (size_t i = 0; i < grids.size(); ++i)
      jobs.push_back({grids[i],
                      [](void *context, int64_t workgroup) {
                        ++static_cast<std::vector<int> *>(context)->at(size_t(workgroup));
                      },
                      &counts[i]});
    for (int round = 1; round <= 200; ++round) {
      pool->run(jobs);
      for (const auto &count : counts)
        EXPECT_EQ(count, std::vector<int>(count.size(), round));
    }
  }
}

TEST_P(ThreadPoolTest, WakesAfterSleep) {
  for (int round = 0; round < 40; ++round) {
    std::this_thread::sleep_for(std::chrono::microseconds(round % 4 * 100));
    std::atomic<int> sum = 0;
    pool->run(9, [&](int64_t i) { sum += int(i); });
    EXPECT_EQ(sum, 36);
  }
}

TEST_P(ThreadPoolTest, WorkersHaveLargeStacks) {
  std::vector<int> sums(16);
  pool->run(16, [&](int64_t i) {
    volatile char scratch[6 << 20];
    for (size_t k = 0; k < sizeof(scratch); k += 4096)
      scratch[k] = char(i);
    sums[size_t(i)] = scratch[4096 * 100];
  });
  for (int i = 0; i < 16; ++i)
    EXPECT_EQ(sums[size_t(i)], i);
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1u, 2u, 3u, 8u));

TEST(ThreadPool, MoreThanOneThreadTakesPart) {
  auto pool = std::move(*ThreadPool::create(2));
  // Each of the two waits for the other: one thread alone would never end.
  std::atomic<int> inside = 0;
  std::thread::id seen[2];
  pool->run(2, [&](int64_t i) {
    seen[i] = std::this_thread::get_id();
    ++inside;
    while (inside < 2)
      std::this_thread::yield();
  });
  EXPECT_NE(seen[0], seen[1]);
}

TEST(ThreadPool, StartsAndStopsManyTimes) {
  for (int round = 0; round < 100; ++round) {
    auto pool = std::move(*ThreadPool::create(1 + unsigned(round) % 4));
    if (round % 3 == 0)
      continue;
    std::atomic<int> count = 0;
    pool->run(5, [&](int64_t) { ++count; });
    EXPECT_EQ(count, 5);
  }
}

TEST(ThreadPool, ZeroMeansAllProcessors) {
  EXPECT_EQ((*ThreadPool::create(0))->threads(), availableProcessors());
}

} // namespace
} // namespace memformer
