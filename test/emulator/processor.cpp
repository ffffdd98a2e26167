// Blocks of fibres: who runs next, who waits, and how a block ends.

#include "test/emulator/processor.h"

#include "test/emulator/collectives.h"
#include "test/emulator/cuda_driver.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

namespace memformer::emulator {

namespace {

uint64_t mix(uint64_t x) { // splitmix64
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint32_t bit(unsigned i) { return uint32_t(1) << i; }

/// The first set bit of `mask` after bit `after`, going round.
unsigned following(uint32_t mask, unsigned after) {
  uint32_t above = after >= 31 ? 0 : mask & (~uint32_t(0) << (after + 1));
  return unsigned(__builtin_ctz(above ? above : mask));
}

unsigned preceding(uint32_t mask, unsigned before) {
  uint32_t below = mask & (bit(before) - 1);
  return unsigned(31 - __builtin_clz(below ? below : mask));
}

} // namespace

Processor::Processor(const Modes &modes) : settings(modes) {
  void *memory =
      mmap(nullptr, maximumShared, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    std::fprintf(stderr, "emulator: no memory for a block\n");
    std::_Exit(1);
  }
  sharedMemory = static_cast<uint8_t *>(memory);
  if (modes.races)
    detector.emplace(maximumShared);
}

Processor::~Processor() { munmap(sharedMemory, maximumShared); }

uint32_t Processor::random(uint32_t below) {
  randomState = mix(randomState);
  return uint32_t((randomState >> 32) * below >> 32);
}

void Processor::prepare(const Launch &what, uint64_t number) {
  launch = &what;
  failure.reset();
  unsigned count = 1;
  for (unsigned i = 0; i < 3; ++i) {
    geometry.threads[i] = what.block[i];
    geometry.blocks[i] = what.grid[i];
    count *= what.block[i];
  }
  geometry.block[0] = uint32_t(number % what.grid[0]);
  geometry.block[1] = uint32_t(number / what.grid[0] % what.grid[1]);
  geometry.block[2] = uint32_t(number / what.grid[0] / what.grid[1]);
  geometry.dynamicShared = uint32_t(what.dynamicShared);
  geometry.sharedBytes = uint32_t(what.dynamicShared ? what.code->dynamicShared + what.dynamicShared
                                                     : what.code->staticShared);
  std::memset(sharedMemory, settings.poison ? 0xff : 0, geometry.sharedBytes);
  randomState = mix(settings.seed) ^ number;

  unsigned warpCount = (count + warpSize - 1) / warpSize;
  threads.resize(count);
  warps.assign(warpCount, {});
  runnable.assign(warpCount, 0);
  barriers.fill({});
  mbarriers.clear();
  mbarrierNumber = 0;
  for (std::vector<unsigned> &threads : arriving)
    threads.clear();
  unfinished = count;
  for (unsigned i = 0; i < count; ++i) {
    Thread &t = threads[i];
    uint32_t x = what.block[0], y = what.block[1];
    t = {{i % x, i / x % y, i / x / y},
         i % warpSize,
         i / warpSize,
         i,
         &geometry,
         sharedMemory,
         what.variables,
         this,
         nullptr,
         0,
         Wait::Nothing,
         0,
         0,
         std::move(t.copies)};
    t.copies.clear();
    warps[t.warp].first = t.warp * warpSize;
    warps[t.warp].exists |= bit(t.lane);
    runnable[t.warp] |= bit(t.lane);
  }
  for (Warp &warp : warps)
    warp.live = warp.exists;
  runnableWarps = warpCount == warpSize ? ~uint32_t(0) : bit(warpCount) - 1;
  if (detector)
    detector->beginBlock(count);
}

std::optional<Fault> Processor::run(const Launch &what, uint64_t number) {
  prepare(what, number);
  current = nullptr;
  resume(next(), &mainStack);
  // Stacks of threads that a failure left behind.
  for (Thread &t : threads)
    if (t.stackPointer) {
      stacks.give(t.stack);
      t.stackPointer = nullptr;
    }
  return std::move(failure);
}

/// The thread that runs next, taken from those that can; null where all wait.
Thread *Processor::next() {
  if (!runnableWarps)
    return nullptr;
  bool forward = settings.order == Order::Forward;
  unsigned warp = current ? current->warp : forward ? unsigned(warps.size()) - 1 : 0;
  unsigned lane = current ? current->lane : forward ? 31 : 0;
  if (settings.order == Order::Random) {
    warp = random(uint32_t(warps.size()));
    warp = following(runnableWarps, (warp + 31) % 32);
    lane = following(runnable[warp], (random(warpSize) + 31) % 32);
  } else if (forward) {
    if (!current || !runnable[warp]) {
      warp = following(runnableWarps, warp);
      lane = 31;
    }
    lane = following(runnable[warp], lane);
  } else {
    if (!current || !runnable[warp]) {
      warp = preceding(runnableWarps, warp);
      lane = 0;
    }
    lane = preceding(runnable[warp], lane);
  }
  runnable[warp] &= ~bit(lane);
  if (!runnable[warp])
    runnableWarps &= ~bit(warp);
  return current = &threads[warp * warpSize + lane];
}

void Processor::wake(Warp &warp, uint32_t lanes) {
  if (!lanes)
    return;
  unsigned index = warp.first / warpSize;
  runnable[index] |= lanes;
  runnableWarps |= bit(index);
  for (; lanes; lanes &= lanes - 1)
    threads[warp.first + unsigned(__builtin_ctz(lanes))].wait = Wait::Nothing;
}

/// Goes on with a thread, or with the host where there is none.
void Processor::resume(Thread *to, void **from) {
  if (to && !to->stackPointer)
    to->stackPointer = stacks.take(to->stack, enter, this);
  if (!to && unfinished && !failure)
    failure = deadlock();
  memformerSwitchStack(from, to ? to->stackPointer : mainStack);
}

void Processor::suspend(Thread &thread) {
  Thread *to = next();
  if (to != &thread)
    resume(to, &thread.stackPointer);
}

void Processor::enter(void *processor) { static_cast<Processor *>(processor)->runThreads(); }

/// What runs on each stack. A thread that returns hands its stack to the next one that has not
/// begun.
void Processor::runThreads() {
  while (true) {
    Thread *thread = current;
    launch->code->entry(thread, launch->parameters);
    finish(*thread);
    Thread *to = next();
    unsigned stack = thread->stack;
    thread->stackPointer = nullptr;
    if (to && !to->stackPointer) {
      to->stack = stack;
      to->stackPointer = this; // set when it is left
      continue;
    }
    stacks.give(stack);
    void *ignored;
    resume(to, &ignored);
  }
}

void Processor::finish(Thread &thread) {
  Warp &warp = warpOf(thread);
  if (!warp.products.empty())
    fault(thread, CUDA_ERROR_LAUNCH_FAILED, warp.products[0].what->line,
          "the thread returns before it has waited for this");
  thread.wait = Wait::Finished;
  if (!--unfinished)
    for (const Mbarrier &mbarrier : mbarriers)
      if (!mbarrier.copies.empty())
        fault(thread, CUDA_ERROR_LAUNCH_FAILED, mbarrier.copies[0].line,
              "the block ends before anyone has waited for this copy");
  warp.live &= ~bit(thread.lane);
  // Those that wait for this lane wait no longer, where they can do without it.
  for (Warp::Pending &pending : warp.pending)
    if (pending.arrived && !pending.collective->needsAllLanes &&
        pending.arrived == (pending.mask & warp.live)) {
      uint32_t lanes = pending.arrived;
      perform(warp, pending);
      wake(warp, lanes);
    }
}

void Processor::perform(Warp &warp, Warp::Pending &pending) {
  uint32_t lanes = pending.arrived;
  pending.arrived = 0;
  pending.collective->perform(*this, warp, *pending.collective, lanes);
}

void Processor::meet(Thread &thread, const Collective &collective, uint32_t mask,
                     uint32_t *buffer) {
  if (collective.line == settings.skip && collective.perform == performWarpBarrier)
    return;
  Warp &warp = warpOf(thread);
  if (!(mask & bit(thread.lane)))
    fault(thread, CUDA_ERROR_LAUNCH_FAILED, collective.line,
          "a lane that is not in the mask 0x%08x of its instruction", mask);
  if (collective.needsAllLanes && (mask != ~uint32_t(0) || warp.live != ~uint32_t(0)))
    fault(thread, CUDA_ERROR_LAUNCH_FAILED, collective.line,
          "expected all 32 lanes of the warp, but only 0x%08x have not returned", warp.live);
  Warp::Pending &pending = warp.pending[__builtin_ctz(mask)];
  if (pending.arrived && (pending.mask != mask || (pending.collective != &collective)))
    fault(thread, CUDA_ERROR_LAUNCH_FAILED, collective.line,
          "diverged: lanes 0x%08x of the warp wait at line %u", pending.arrived,
          pending.collective->line);
  pending.collective = &collective;
  pending.mask = mask;
  pending.arrived |= bit(thread.lane);
  warp.buffers[thread.lane] = buffer;
  if (pending.arrived == (mask & warp.live)) {
    uint32_t others = pending.arrived & ~bit(thread.lane);
    perform(warp, pending);
    wake(warp, others);
    // In a random order the one that came last is not the first to go on.
    if (settings.order == Order::Random) {
      wake(warp, bit(thread.lane));
      suspend(thread);
    }
    return;
  }
  thread.wait = Wait::Warp;
  thread.line = collective.line;
  suspend(thread);
}

void Processor::barrier(Thread &thread, uint32_t id, uint32_t count, bool aligned, bool waits,
                        uint32_t line) {
  if (line == settings.skip)
    return;
  if (id >= barrierCount)
    fault(thread, CUDA_ERROR_LAUNCH_FAILED, line, "barrier %u, but there are %u", id, barrierCount);
  if (count % warpSize || count > threads.size())
    fault(thread, CUDA_ERROR_LAUNCH_FAILED, line,
          "a barrier for %u threads of %zu: expected a multiple of %u", count, threads.size(),
          warpSize);
  uint32_t expected = count ? count : uint32_t(threads.size());
  Barrier &barrier = barriers[id];
  if (barrier.arrived && barrier.expected != expected)
    fault(thread, CUDA_ERROR_LAUNCH_FAILED, line,
          "a barrier for %u threads, at which others wait for %u", expected, barrier.expected);
  barrier.expected = expected;
  barrier.aligned |= aligned;
  ++barrier.arrived;
  thread.line = line;
  if (waits)
    barrier.waiting[thread.warp] |= bit(thread.lane);
  else
    arriving[id].push_back(thread.index);
  if (barrier.arrived == expected) {
    complete(thread, barrier, id);
    if (waits && settings.order == Order::Random) {
      wake(warpOf(thread), bit(thread.lane));
      suspend(thread);
    }
    return;
  }
  if (!waits)
    return;
  thread.wait = Wait::Barrier;
  suspend(thread);
}

/// All have come: checks that warps came whole, and lets everyone go on.
void Processor::complete(Thread &last, Barrier &barrier, uint32_t id) {
  std::vector<unsigned> waiting;
  for (Warp &warp : warps) {
    uint32_t lanes = barrier.waiting[warp.first / warpSize];
    if (!lanes)
      continue;
    uint32_t line = threads[warp.first + unsigned(__builtin_ctz(lanes))].line;
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
      Thread &t = threads[warp.first + unsigned(__builtin_ctz(rest))];
      if (barrier.aligned && t.line != line)
        fault(t, CUDA_ERROR_LAUNCH_FAILED, t.line,
              "a divergent barrier: other lanes of the warp wait at line %u", line);
    }
    if (barrier.aligned && lanes != warp.live)
      fault(last, CUDA_ERROR_LAUNCH_FAILED, line,
            "a divergent barrier: lanes 0x%08x of a warp wait, but 0x%08x have not returned", lanes,
            warp.live);
    wake(warp, lanes);
    for (uint32_t rest = detector ? lanes : 0; rest; rest &= rest - 1)
      waiting.push_back(warp.first + unsigned(__builtin_ctz(rest)));
  }
  // The last to come goes on without a switch.
  uint32_t &own = runnable[last.warp];
  if (barrier.waiting[last.warp] & bit(last.lane)) {
    own &= ~bit(last.lane);
    if (!own)
      runnableWarps &= ~bit(last.warp);
  }
  if (detector && barrier.arrived == threads.size() && arriving[id].empty()) {
    detector->blockBarrier();
  } else if (detector) {
    std::vector<unsigned> &all = arriving[id];
    all.insert(all.end(), waiting.begin(), waiting.end());
    detector->barrier(all, waiting);
  }
  arriving[id].clear();
  barrier = {};
}

} // namespace memformer::emulator
