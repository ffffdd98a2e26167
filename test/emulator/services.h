// What generated code calls. All take the calling thread first, where they need one.

#ifndef MEMFORMER_TEST_EMULATOR_SERVICES_H
#define MEMFORMER_TEST_EMULATOR_SERVICES_H

#include "test/emulator/processor.h"

namespace memformer::emulator {

extern "C" {

[[noreturn]] void serveTrap(Thread *thread, uint32_t line);
/// An access that a check found wrong: misaligned, or outside; `space` is a Space.
[[noreturn]] void serveBadAccess(Thread *thread, uint64_t address, uint32_t bytes, uint32_t access,
                                 uint32_t space, uint32_t line);
/// Where a generic address of checked bytes is on the host.
void *serveGeneric(Thread *thread, uint64_t address, uint32_t bytes, uint32_t access,
                   uint32_t line);
void serveGlobal(Thread *thread, uint64_t address, uint32_t bytes, uint32_t access, uint32_t line);
void serveShared(Thread *thread, uint64_t offset, uint32_t bytes, uint32_t access, uint32_t line);
void serveBarrier(Thread *thread, uint32_t id, uint32_t count, uint32_t aligned, uint32_t waits,
                  uint32_t line);
void serveMeet(Thread *thread, const Collective *collective, uint32_t mask, uint32_t *buffer);
void serveCopy(Thread *thread, uint64_t to, uint64_t from, uint32_t bytes, uint32_t fromBytes,
               uint32_t line);
void serveCommit(Thread *thread);
void serveWait(Thread *thread, uint32_t pending, uint32_t line);
void serveInitMbarrier(Thread *thread, uint64_t at, uint32_t count, uint32_t line);
void serveEndMbarrier(Thread *thread, uint64_t at, uint32_t line);
void serveArrive(Thread *thread, uint64_t at, uint32_t bytes, uint32_t line);
void servePhase(Thread *thread, uint64_t at, uint32_t parity, uint32_t line);
void serveBulkCopy(Thread *thread, uint64_t to, uint64_t from, uint32_t bytes, uint64_t mbarrier,
                   uint32_t line);
void serveProxyFence(Thread *thread, uint32_t line);
uint64_t serveClock();

uint32_t serveFusedHalf(uint32_t a, uint32_t b, uint32_t c);
uint32_t serveFusedBfloat(uint32_t a, uint32_t b, uint32_t c);
/// A double to a half, or with `towardZero` to the next one toward zero.
uint32_t serveHalf(double value, uint32_t towardZero);
uint32_t serveBfloat(double value, uint32_t towardZero);
/// A double to an f32 toward zero.
float serveTowardZero(double value);
}

} // namespace memformer::emulator

#endif
