// Runs one block of threads at a time: every thread is a fibre, and what threads wait for is here.

#ifndef MEMFORMER_TEST_EMULATOR_PROCESSOR_H
#define MEMFORMER_TEST_EMULATOR_PROCESSOR_H

#include "test/emulator/fibre.h"
#include "test/emulator/modes.h"
#include "test/emulator/races.h"

#include <array>
#include <optional>
#include <span>
#include <string>

namespace memformer::emulator {

class Processor;

constexpr unsigned warpSize = 32, maximumThreads = 1024, barrierCount = 16;
/// Bytes of shared memory of a block: the most that a device has, and what placement may add.
constexpr uint64_t maximumShared = 232448 + 16384;
/// The highest byte of a generic address says where it points: 0 is global.
constexpr uint64_t sharedTag = uint64_t(1) << 56, localTag = uint64_t(2) << 56;

/// What failed, as the driver's error code and a sentence.
struct Fault {
  int code;
  std::string message;
};

/// A kernel, ready to run. Generated code is called with a thread and the bytes of the parameters.
struct KernelCode {
  std::string name;
  void (*entry)(struct Thread *, const uint8_t *) = nullptr;
  uint64_t staticShared = 0;   // bytes
  uint64_t dynamicShared = 0;  // offset of dynamic shared memory
  uint64_t declaredShared = 0; // static bytes without what adversarial placement adds
  const std::vector<std::string> *lines = nullptr; // of the text
};

struct Launch {
  const KernelCode *code;
  std::array<uint32_t, 3> grid, block;
  uint64_t dynamicShared; // bytes
  const uint8_t *parameters;
  const uint64_t *variables; // addresses of the module's variables
};

/// Generated code reads this by its offsets.
struct Geometry {
  uint32_t block[3], threads[3], blocks[3];
  uint32_t sharedBytes, dynamicShared;
};

/// A warp's collective instruction. Each lane brings a buffer, from which its operands are read and
/// into which its results are written.
struct Collective {
  using Perform = void (*)(Processor &, struct Warp &, const Collective &, uint32_t lanes);
  Perform perform;
  uint32_t line;
  bool needsAllLanes;         // mma, ldmatrix, wgmma
  uint32_t arguments[4] = {}; // what the instruction says: see collectives.cpp
};

enum class Wait : uint8_t { Nothing, Barrier, Warp, Mbarrier, Finished };

/// A cp.async that has not landed.
struct AsyncCopy {
  uint32_t to, bytes, fromBytes, group, line;
  uint64_t from;
};

/// A bulk copy whose bytes complete a phase of an mbarrier.
struct BulkCopy {
  uint32_t to, bytes, line;
  uint64_t from;
};

/// An mbarrier object, whose state is kept here and not in the memory that it is at.
struct Mbarrier {
  uint32_t offset, count;             // of shared memory; arrivals of a phase
  uint32_t number;                    // in the block: its place among the clocks
  uint32_t missing;                   // arrivals of the phase that is under way
  int64_t bytes = 0;                  // that the phase waits for
  uint32_t phases = 0;                // that have completed
  unsigned maker = 0;                 // thread that initialised it
  RaceDetector::Time made = {};       // when it did
  std::vector<BulkCopy> copies = {};  // of this phase; have landed where copies are eager
  std::vector<BulkCopy> arrived = {}; // of completed phases, which nobody has waited for yet
  RaceDetector::Released released = {}, completed = {};
  std::vector<unsigned> waiting = {}; // threads
};

/// Of a warp, its part of a wgmma: rows 16 w … 16 w + 15 of 64, w being its place in its warpgroup.
struct WarpgroupProduct {
  const Collective *what;
  uint64_t a, b;    // descriptors
  bool accumulates; // else the sums begin at zero
  uint32_t group;   // of wgmma.commit_group
  size_t sums;      // in `Warp::sums`
};

/// Sums of products under way, of which the registers hold nothing until they are waited for.
struct WarpgroupSums {
  uint32_t *const *registers[32]; // of each lane, n / 2
  unsigned n;
  uint32_t underWay = 0;
  std::vector<float> values = {}; // [16, n]
};

struct Thread {
  // Read by generated code.
  uint32_t tid[3];
  uint32_t lane, warp, index;
  const Geometry *geometry;
  uint8_t *shared;
  const uint64_t *variables;
  Processor *processor;

  void *stackPointer; // null before the thread's first step
  unsigned stack;
  Wait wait;
  uint32_t line; // where it waits
  uint32_t copyGroup;
  std::vector<AsyncCopy> copies;
};

struct Warp {
  uint32_t first;  // thread
  uint32_t exists; // lanes
  uint32_t live;   // lanes that have not returned
  uint32_t *buffers[warpSize];
  // Collectives that wait for lanes, by the lowest lane of their mask.
  struct Pending {
    const Collective *collective;
    uint32_t mask, arrived;
  } pending[warpSize];
  // wgmma: those that nobody has waited for.
  std::vector<WarpgroupProduct> products = {};
  std::vector<WarpgroupSums> sums = {};
  uint32_t productGroup = 0;
  bool isFenced = false; // wgmma.fence since the last wait
};

class Processor {
public:
  explicit Processor(const Modes &modes);
  ~Processor();

  /// Runs a block, whose number counts x fastest.
  std::optional<Fault> run(const Launch &launch, uint64_t number);

  // Called on fibres, by generated code.
  void barrier(Thread &thread, uint32_t id, uint32_t count, bool aligned, bool waits,
               uint32_t line);
  void meet(Thread &thread, const Collective &collective, uint32_t mask, uint32_t *buffer);
  void copyAsync(Thread &thread, const AsyncCopy &copy);
  void commitCopies(Thread &thread) { ++thread.copyGroup; }
  /// Lands all groups but the newest `pending`, or with UINT32_MAX all copies. A wait that is
  /// skipped lands one group less, or none.
  void waitForCopies(Thread &thread, uint32_t pending, uint32_t line);
  // mbarriers, at offsets of shared memory.
  void initMbarrier(Thread &thread, uint32_t offset, uint32_t count, uint32_t line);
  void endMbarrier(Thread &thread, uint32_t offset, uint32_t line);
  /// Arrives, and adds to the bytes that the phase waits for.
  void arrive(Thread &thread, uint32_t offset, uint32_t bytes, uint32_t line);
  /// Waits until the phase of a parity has completed.
  void waitForPhase(Thread &thread, uint32_t offset, uint32_t parity, uint32_t line);
  void copyBulk(Thread &thread, const BulkCopy &copy, uint32_t mbarrier);
  /// fence.proxy.async: what the thread has written, or seen, may be accessed by that proxy.
  void fenceProxy(Thread &thread, uint32_t line);
  /// A read of the asynchronous proxy.
  void asyncRead(Thread &thread, uint64_t offset, uint32_t bytes, uint32_t line);
  /// Where an access to shared memory is followed, in race mode.
  void shared(Thread &thread, uint64_t offset, uint32_t bytes, Access access, uint32_t line);
  void global(Thread &thread, uint64_t address, uint32_t bytes, Access access, uint32_t line);
  /// Ends the block. The format is printf's.
  [[noreturn]] void fault(const Thread &thread, int code, uint32_t line, const char *format, ...)
      __attribute__((format(printf, 5, 6)));

  Thread &thread(unsigned index) { return threads[index]; }
  Warp &warpOf(const Thread &thread) { return warps[thread.warp]; }
  const Launch &running() const { return *launch; }
  const Geometry &shape() const { return geometry; }
  const Modes &modes() const { return settings; }
  RaceDetector *races() { return detector ? &*detector : nullptr; }

private:
  struct Barrier {
    uint32_t expected = 0, arrived = 0; // expected is 0 where nobody waits
    bool aligned = false;
    uint32_t waiting[warpSize] = {}; // lanes of each warp
  };

  static void enter(void *processor);
  void runThreads();
  void prepare(const Launch &launch, uint64_t number);
  Thread *next();
  void suspend(Thread &thread);
  void wake(Warp &warp, uint32_t lanes);
  void finish(Thread &thread);
  void resume(Thread *to, void **from);
  void complete(Thread &last, Barrier &barrier, uint32_t id);
  void perform(Warp &warp, Warp::Pending &pending);
  void land(Thread &thread, const AsyncCopy &copy);
  void land(const BulkCopy &copy);
  Mbarrier &mbarrierAt(Thread &thread, uint32_t offset, uint32_t line);
  void completePhase(Mbarrier &mbarrier);
  [[noreturn]] void report(const Thread &thread, const Race &race, const char *memory,
                           uint64_t offset, Access access, uint32_t line);
  std::string place(const Thread &thread, uint32_t line) const;
  std::string sourceLine(uint32_t line) const;
  Fault deadlock() const;
  uint32_t random(uint32_t below);

  Modes settings;
  StackPool stacks;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<uint32_t> runnable; // lanes of each warp
  uint32_t runnableWarps = 0;
  unsigned unfinished = 0;
  Thread *current = nullptr;
  std::array<Barrier, barrierCount> barriers;
  std::array<std::vector<unsigned>, barrierCount> arriving; // threads of bar.arrive
  std::vector<Mbarrier> mbarriers;                          // those that are initialised
  uint32_t mbarrierNumber = 0;                              // of the next one
  Geometry geometry = {};
  const Launch *launch = nullptr;
  uint8_t *sharedMemory;
  void *mainStack = nullptr;
  std::optional<Fault> failure;
  std::optional<RaceDetector> detector;
  uint64_t randomState = 0;
};

} // namespace memformer::emulator

#endif
