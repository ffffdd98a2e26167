// Whether accesses of one block's threads are in order.

#include "codegen/nvptx/Hazards.h"
#include "llvm/ADT/STLExtras.h"

namespace memformer::nvptx {

void Hazards::meet(int64_t threads) {
  auto *known =
      llvm::find_if(meetings, [&](const auto &meeting) { return meeting.first == threads; });
  if (known == meetings.end())
    known = &meetings.emplace_back(int32_t(threads), 0);
  known->second = ++time;
}

// Whether its threads have all met with another since.
inline bool Hazards::isBehind(const Use &use, int32_t thread) const {
  if (use.time == time)
    return false;
  int32_t last = std::max(use.lastThread, thread);
  for (const auto &[threads, when] : meetings)
    if (last < threads && use.time < when)
      return true;
  return false;
}

inline bool Hazards::isUnordered(const Use &use, int32_t firstThread, int32_t lastThread,
                                 int64_t met) const {
  bool isOwn = use.firstThread == use.lastThread && firstThread == lastThread &&
               use.firstThread == firstThread;
  return use.time >= 0 && !isOwn && std::max(use.lastThread, lastThread) >= met &&
         !isBehind(use, lastThread);
}

// `body(first granule, behind the last, first thread, last thread)` until it returns true.
template <typename Body>
static bool forThreads(const MemoryAccess &access, uint64_t granule, Body body) {
  auto part = [&](uint64_t begin, int32_t first, int32_t last) {
    return body(begin / granule, (begin + access.bytes + granule - 1) / granule, first, last);
  };
  if (!access.isEach)
    return part(access.begin, access.firstThread, access.lastThread);
  uint64_t begin = access.begin;
  for (int32_t thread = access.firstThread; thread <= access.lastThread; ++thread) {
    if (part(begin, thread, thread))
      return true;
    begin += uint64_t(access.stride);
  }
  return false;
}

bool Hazards::conflicts(const MemoryAccess &access, int64_t met) const {
  if (access.memory >= memories.size() || memories[access.memory].uses.empty())
    return false;
  const auto &[granule, uses] = memories[access.memory];
  auto isInConflict = [&](uint64_t begin, uint64_t end, int32_t first, int32_t last) {
    end = std::min(end, uint64_t(uses.size()));
    for (uint64_t i = begin; i < end; ++i)
      if (isUnordered(uses[i].write, first, last, met) ||
          (access.isWrite && isUnordered(uses[i].read, first, last, met)))
        return true;
    return false;
  };
  return forThreads(access, granule, isInConflict);
}

// Whoever is unordered with a use that is behind a new one is unordered with the new one.
inline void Hazards::add(Use &use, int32_t firstThread, int32_t lastThread) const {
  if (use.time < 0 || isBehind(use, lastThread))
    use = {time, firstThread, lastThread};
  else
    use = {time, std::min(use.firstThread, firstThread), std::max(use.lastThread, lastThread)};
}

void Hazards::add(const MemoryAccess &access) {
  if (access.memory >= memories.size())
    memories.resize(access.memory + 1);
  auto &[granule, uses] = memories[access.memory];
  if (granule == 4 && (access.begin | access.bytes | uint64_t(access.stride)) % 4 != 0) {
    granule = 2;
    std::vector<Uses> halves;
    for (const Uses &word : uses)
      halves.insert(halves.end(), 2, word);
    uses = std::move(halves);
  }
  forThreads(access, granule, [&](uint64_t begin, uint64_t end, int32_t first, int32_t last) {
    if (uses.size() < end)
      uses.resize(end);
    for (uint64_t i = begin; i < end; ++i)
      add(access.isWrite ? uses[i].write : uses[i].read, first, last);
    return false;
  });
}

/// In order: `follow` the accesses between two meetings, and `meet`.
template <typename Follow, typename Meet>
static void forParts(llvm::ArrayRef<Trace> blocks, bool meetsBehind, Follow follow, Meet meet) {
  for (const Trace &block : blocks) {
    follow(block.first);
    if (block.meets)
      meet();
    follow(block.between);
    if (block.meets)
      meet();
    follow(block.last);
    if (meetsBehind)
      meet();
  }
}

Clashes Hazards::clashesOf(llvm::ArrayRef<Trace> blocks, int64_t threads, bool meetsBehind) const {
  Clashes clashes;
  Hazards own;
  int64_t met = 0;
  auto follow = [&](const Accesses &accesses) {
    for (const MemoryAccess &access : accesses.global)
      clashes.inGlobal |= conflicts(access, met);
    for (const MemoryAccess &access : accesses.shared) {
      clashes.inShared |= conflicts(access, met);
      clashes.ofBlocks |= own.conflicts(access);
    }
    for (const MemoryAccess &access : accesses.shared)
      own.add(access);
  };
  forParts(blocks, meetsBehind, follow, [&] {
    own.meet(threads);
    met = threads;
  });
  return clashes;
}

void Hazards::add(llvm::ArrayRef<Trace> blocks, int64_t threads, bool meetsBehind) {
  auto follow = [&](const Accesses &accesses) {
    for (const auto *some : {&accesses.shared, &accesses.global})
      for (const MemoryAccess &access : *some)
        add(access);
  };
  forParts(blocks, meetsBehind, follow, [&] { meet(threads); });
}

} // namespace memformer::nvptx
