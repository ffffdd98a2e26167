// mbarriers, bulk copies, and the fence between the proxies through which memory is accessed.

#include "test/emulator/cuda_driver.h"
#include "test/emulator/processor.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace memformer::emulator {

Mbarrier &Processor::mbarrierAt(Thread &thread, uint32_t offset, uint32_t line) {
  for (Mbarrier &mbarrier : mbarriers)
    if (mbarrier.offset == offset)
      return mbarrier;
  fault(thread, CUDA_ERROR_LAUNCH_FAILED, line, "no mbarrier is initialised at %u of shared memory",
        offset);
}

void Processor::initMbarrier(Thread &thread, uint32_t offset, uint32_t count, uint32_t line) {
  shared(thread, offset, 8, Access::Write, line);
  for (const Mbarrier &mbarrier : mbarriers)
    if (mbarrier.offset == offset)
      fault(thread, CUDA_ERROR_LAUNCH_FAILED, line,
            "an mbarrier at %u of shared memory, where there is one that nobody has ended", offset);
  if (!count || count >= 1 << 20)
    fault(thread, CUDA_ERROR_LAUNCH_FAILED, line, "an mbarrier for %u arrivals", count);
  mbarriers.push_back({.offset = offset,
                       .count = count,
                       .number = mbarrierNumber++ % mostMbarriers,
                       .missing = count,
                       .maker = thread.index});
  if (detector)
    mbarriers.back().made = detector->now(thread.index);
}

void Processor::endMbarrier(Thread &thread, uint32_t offset, uint32_t line) {
  Mbarrier &mbarrier = mbarrierAt(thread, offset, line);
  shared(thread, offset, 8, Access::Write, line);
  if (!mbarrier.copies.empty() || !mbarrier.waiting.empty())
    fault(thread, CUDA_ERROR_LAUNCH_FAILED, line,
          "ends an mbarrier for which copies are under way or threads wait");
  mbarriers.erase(mbarriers.begin() + (&mbarrier - mbarriers.data()));
}

void Processor::land(const BulkCopy &copy) {
  std::memcpy(sharedMemory + copy.to, reinterpret_cast<const void *>(copy.from), copy.bytes);
}

/// Ends the phase where all have arrived, and all bytes have or, in lazy mode, will now.
void Processor::completePhase(Mbarrier &mbarrier) {
  int64_t left = mbarrier.bytes;
  if (settings.lazyCopies)
    for (const BulkCopy &copy : mbarrier.copies)
      left -= copy.bytes;
  if (mbarrier.missing || left)
    return;
  for (const BulkCopy &copy : mbarrier.copies) {
    if (settings.lazyCopies)
      land(copy);
    mbarrier.arrived.push_back(copy);
  }
  mbarrier.copies.clear();
  mbarrier.bytes = 0;
  mbarrier.missing = mbarrier.count;
  ++mbarrier.phases;
  mbarrier.completed = std::exchange(mbarrier.released, {});
  for (unsigned index : mbarrier.waiting)
    wake(warpOf(threads[index]), uint32_t(1) << threads[index].lane);
  mbarrier.waiting.clear();
}

void Processor::arrive(Thread &thread, uint32_t offset, uint32_t bytes, uint32_t line) {
  Mbarrier &mbarrier = mbarrierAt(thread, offset, line);
  shared(thread, offset, 8, Access::Atomic, line);
  if (!mbarrier.missing) // of a phase whose copies have landed without a wait
    completePhase(mbarrier);
  if (!mbarrier.missing)
    fault(thread, CUDA_ERROR_LAUNCH_FAILED, line,
          "arrives at an mbarrier whose phase waits for %lld bytes alone",
          static_cast<long long>(mbarrier.bytes));
  mbarrier.bytes += bytes;
  --mbarrier.missing;
  if (detector)
    detector->release(thread.index, mbarrier.released);
  if (!settings.lazyCopies || !mbarrier.waiting.empty())
    completePhase(mbarrier);
}

void Processor::waitForPhase(Thread &thread, uint32_t offset, uint32_t parity, uint32_t line) {
  if (line == settings.skip)
    return;
  while (true) {
    Mbarrier &mbarrier = mbarrierAt(thread, offset, line);
    shared(thread, offset, 8, Access::Atomic, line);
    // The phase under way has the parity of those that have completed.
    if ((mbarrier.phases & 1) == (parity & 1))
      completePhase(mbarrier);
    if ((mbarrier.phases & 1) != (parity & 1)) {
      if (detector) {
        for (const BulkCopy &copy : mbarrier.arrived)
          detector->endBulk(mbarrier.number, mbarrier.phases, copy.to, copy.bytes);
        detector->acquire(thread.index, mbarrier.completed, mbarrier.number, mbarrier.phases);
      }
      mbarrier.arrived.clear();
      return;
    }
    mbarrier.waiting.push_back(thread.index);
    thread.wait = Wait::Mbarrier;
    thread.line = line;
    suspend(thread);
  }
}

void Processor::copyBulk(Thread &thread, const BulkCopy &copy, uint32_t offset) {
  Mbarrier &mbarrier = mbarrierAt(thread, offset, copy.line);
  if (detector) {
    if (auto race = detector->beginBulk(thread.index, copy.to, copy.bytes, copy.line))
      report(thread, *race, "shared memory", copy.to, Access::Write, copy.line);
    if (!detector->isFenced(mbarrier.maker, mbarrier.made, thread.index))
      fault(thread, CUDA_ERROR_LAUNCH_FAILED, copy.line,
            "an mbarrier that thread %u has initialised with no fence.proxy.async since",
            mbarrier.maker);
    detector->release(thread.index, mbarrier.released);
  }
  for (uint32_t i = 0; i < copy.bytes; i += 16)
    global(thread, copy.from + i, 16, Access::Read, copy.line);
  mbarrier.copies.push_back(copy);
  if (!settings.lazyCopies) {
    land(copy);
    mbarrier.bytes -= copy.bytes;
  }
  if (!settings.lazyCopies || !mbarrier.waiting.empty())
    completePhase(mbarrier);
}

void Processor::fenceProxy(Thread &thread, uint32_t line) {
  if (detector && line != settings.skip)
    detector->fence(thread.index);
}

void Processor::asyncRead(Thread &thread, uint64_t offset, uint32_t bytes, uint32_t line) {
  if (!detector)
    return;
  if (auto race = detector->asyncRead(thread.index, offset, bytes, line))
    report(thread, *race, "shared memory", offset, Access::Read, line);
}

} // namespace memformer::emulator
