// What generated code calls: a thin layer in front of the block's processor.

#include "test/emulator/services.h"

#include "test/emulator/cuda_driver.h"
#include "test/emulator/device.h"
#include "test/emulator/numbers.h"
#include "test/emulator/ptx_module.h"

#include <chrono>

namespace memformer::emulator {

namespace {

using Long = unsigned long long;

const char *verb(uint32_t access) { return Access(access) == Access::Read ? "loads" : "stores"; }

void checkGlobal(Thread &thread, uint64_t address, uint32_t bytes, uint32_t access, uint32_t line) {
  const DeviceMemory &memory = deviceMemory();
  uint64_t offset = address - memory.base();
  if (address % bytes || offset >= DeviceMemory::reserved ||
      offset % DeviceMemory::granule + bytes > memory.table()[offset / DeviceMemory::granule])
    serveBadAccess(&thread, address, bytes, access, uint32_t(Space::Global), line);
}

void checkShared(Thread &thread, uint64_t offset, uint32_t bytes, uint32_t access, uint32_t line) {
  uint64_t limit = thread.geometry->sharedBytes;
  if (offset % bytes || offset >= limit || limit - offset < bytes)
    serveBadAccess(&thread, offset, bytes, access, uint32_t(Space::Shared), line);
}

} // namespace

void serveTrap(Thread *thread, uint32_t line) {
  thread->processor->fault(*thread, CUDA_ERROR_LAUNCH_FAILED, line, "a trap");
}

void serveBadAccess(Thread *thread, uint64_t address, uint32_t bytes, uint32_t access,
                    uint32_t space, uint32_t line) {
  const char *name = Space(space) == Space::Shared      ? "shared"
                     : Space(space) == Space::Local     ? "local"
                     : Space(space) == Space::Parameter ? "parameter"
                                                        : "global";
  if (address % bytes)
    thread->processor->fault(*thread, CUDA_ERROR_MISALIGNED_ADDRESS, line,
                             "%s %u bytes of %s memory at 0x%llx, which is no multiple of that",
                             verb(access), bytes, name, Long(address));
  if (Space(space) == Space::Shared)
    thread->processor->fault(
        *thread, CUDA_ERROR_ILLEGAL_ADDRESS, line,
        "%s %u bytes of shared memory at %llu, of which the block has %u bytes", verb(access),
        bytes, Long(address), thread->geometry->sharedBytes);
  thread->processor->fault(*thread, CUDA_ERROR_ILLEGAL_ADDRESS, line,
                           "%s %u bytes of %s memory at 0x%llx, outside of what is allocated",
                           verb(access), bytes, name, Long(address));
}

void serveGlobal(Thread *thread, uint64_t address, uint32_t bytes, uint32_t access, uint32_t line) {
  checkGlobal(*thread, address, bytes, access, line);
  thread->processor->global(*thread, address, bytes, Access(access), line);
}

void *serveGeneric(Thread *thread, uint64_t address, uint32_t bytes, uint32_t access,
                   uint32_t line) {
  uint64_t tag = address >> 56, rest = address & (sharedTag - 1);
  if (tag == sharedTag >> 56) {
    checkShared(*thread, rest, bytes, access, line);
    thread->processor->shared(*thread, rest, bytes, Access(access), line);
    return thread->shared + rest;
  }
  if (tag != localTag >> 56)
    serveGlobal(thread, address, bytes, access, line);
  else if (rest % bytes)
    serveBadAccess(thread, address, bytes, access, uint32_t(Space::Local), line);
  return reinterpret_cast<void *>(rest);
}

void serveShared(Thread *thread, uint64_t offset, uint32_t bytes, uint32_t access, uint32_t line) {
  thread->processor->shared(*thread, offset, bytes, Access(access), line);
}

void serveBarrier(Thread *thread, uint32_t id, uint32_t count, uint32_t aligned, uint32_t waits,
                  uint32_t line) {
  thread->processor->barrier(*thread, id, count, aligned, waits, line);
}

void serveMeet(Thread *thread, const Collective *collective, uint32_t mask, uint32_t *buffer) {
  thread->processor->meet(*thread, *collective, mask, buffer);
}

void serveCopy(Thread *thread, uint64_t to, uint64_t from, uint32_t bytes, uint32_t fromBytes,
               uint32_t line) {
  if (to >> 56)
    to -= sharedTag;
  checkShared(*thread, to, bytes, uint32_t(Access::Write), line);
  if (fromBytes > bytes)
    thread->processor->fault(*thread, CUDA_ERROR_LAUNCH_FAILED, line,
                             "copies %u bytes to %u of shared memory", fromBytes, bytes);
  if (from % bytes)
    serveBadAccess(thread, from, bytes, uint32_t(Access::Read), uint32_t(Space::Global), line);
  // Fewer bytes than the whole are zero-filled: only those that are read need to exist.
  for (uint32_t i = 0; i < fromBytes; ++i)
    if (i % 4 == 0 || i + 1 == fromBytes)
      checkGlobal(*thread, from + i, 1, uint32_t(Access::Read), line);
  thread->processor->copyAsync(*thread, {uint32_t(to), bytes, fromBytes, 0, line, from});
}

void serveCommit(Thread *thread) { thread->processor->commitCopies(*thread); }

void serveWait(Thread *thread, uint32_t pending, uint32_t line) {
  thread->processor->waitForCopies(*thread, pending, line);
}

/// The offset of an mbarrier's 8 bytes.
static uint32_t mbarrierOffset(Thread *thread, uint64_t at, uint32_t line) {
  if (at >> 56)
    at -= sharedTag;
  checkShared(*thread, at, 8, uint32_t(Access::Atomic), line);
  return uint32_t(at);
}

void serveInitMbarrier(Thread *thread, uint64_t at, uint32_t count, uint32_t line) {
  thread->processor->initMbarrier(*thread, mbarrierOffset(thread, at, line), count, line);
}

void serveEndMbarrier(Thread *thread, uint64_t at, uint32_t line) {
  thread->processor->endMbarrier(*thread, mbarrierOffset(thread, at, line), line);
}

void serveArrive(Thread *thread, uint64_t at, uint32_t bytes, uint32_t line) {
  thread->processor->arrive(*thread, mbarrierOffset(thread, at, line), bytes, line);
}

void servePhase(Thread *thread, uint64_t at, uint32_t parity, uint32_t line) {
  thread->processor->waitForPhase(*thread, mbarrierOffset(thread, at, line), parity, line);
}

void serveBulkCopy(Thread *thread, uint64_t to, uint64_t from, uint32_t bytes, uint64_t mbarrier,
                   uint32_t line) {
  constexpr uint32_t piece = 16;
  if (to >> 56)
    to -= sharedTag;
  if (bytes % piece)
    thread->processor->fault(*thread, CUDA_ERROR_LAUNCH_FAILED, line,
                             "copies %u bytes, which is no multiple of %u", bytes, piece);
  for (uint32_t i = 0; i < bytes; i += piece) {
    checkShared(*thread, to + i, piece, uint32_t(Access::Write), line);
    checkGlobal(*thread, from + i, piece, uint32_t(Access::Read), line);
  }
  thread->processor->copyBulk(*thread, {uint32_t(to), bytes, line, from},
                              mbarrierOffset(thread, mbarrier, line));
}

void serveProxyFence(Thread *thread, uint32_t line) {
  thread->processor->fenceProxy(*thread, line);
}

uint64_t serveClock() {
  return uint64_t(std::chrono::steady_clock::now().time_since_epoch().count());
}

uint32_t serveFusedHalf(uint32_t a, uint32_t b, uint32_t c) {
  return halfOf(
      fusedToOdd(floatOfHalf(uint16_t(a)), floatOfHalf(uint16_t(b)), floatOfHalf(uint16_t(c))));
}

uint32_t serveFusedBfloat(uint32_t a, uint32_t b, uint32_t c) {
  return bfloatOf(fusedToOdd(floatOfBfloat(uint16_t(a)), floatOfBfloat(uint16_t(b)),
                             floatOfBfloat(uint16_t(c))));
}

uint32_t serveHalf(double value, uint32_t towardZero) { return halfOf(value, towardZero); }

uint32_t serveBfloat(double value, uint32_t towardZero) { return bfloatOf(value, towardZero); }

float serveTowardZero(double value) {
  float nearest = float(value);
  return std::fabs(double(nearest)) > std::fabs(value) ? std::nextafter(nearest, 0.0f) : nearest;
}

} // namespace memformer::emulator
