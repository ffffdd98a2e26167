// A block's shared memory: asynchronous copies and races; and how failures are told.

#include "test/emulator/cuda_driver.h"
#include "test/emulator/processor.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace memformer::emulator {

void Processor::land(Thread &thread, const AsyncCopy &copy) {
  const void *from = reinterpret_cast<const void *>(copy.from);
  std::memcpy(sharedMemory + copy.to, from, copy.fromBytes);
  std::memset(sharedMemory + copy.to + copy.fromBytes, 0, copy.bytes - copy.fromBytes);
}

void Processor::copyAsync(Thread &thread, const AsyncCopy &copy) {
  if (copy.fromBytes)
    global(thread, copy.from, copy.fromBytes, Access::Read, copy.line);
  if (detector)
    if (auto race = detector->beginCopy(thread.index, copy.to, copy.bytes, copy.line))
      report(thread, *race, "shared memory", copy.to, Access::Write, copy.line);
  if (!settings.lazyCopies)
    land(thread, copy);
  if (settings.lazyCopies || detector) {
    thread.copies.push_back(copy);
    thread.copies.back().group = thread.copyGroup;
  }
}

void Processor::waitForCopies(Thread &thread, uint32_t pending, uint32_t line) {
  if (line == settings.skip && pending++ == UINT32_MAX)
    return;
  // Groups are numbered from 0: those below copyGroup are committed.
  uint32_t end =
      pending == UINT32_MAX ? UINT32_MAX : thread.copyGroup - std::min(pending, thread.copyGroup);
  auto rest = thread.copies.begin();
  for (; rest != thread.copies.end() && rest->group < end; ++rest) {
    if (settings.lazyCopies)
      land(thread, *rest);
    if (detector)
      detector->endCopy(thread.index, rest->to, rest->bytes);
  }
  thread.copies.erase(thread.copies.begin(), rest);
}

void Processor::shared(Thread &thread, uint64_t offset, uint32_t bytes, Access access,
                       uint32_t line) {
  if (!detector)
    return;
  if (auto race = detector->access(thread.index, offset, bytes, access, line))
    report(thread, *race, "shared memory", offset, access, line);
}

void Processor::global(Thread &thread, uint64_t address, uint32_t bytes, Access access,
                       uint32_t line) {
  if (!settings.globalRaces)
    return;
  if (auto race = detector->access(thread.index, detector->placeOf(address), bytes, access, line))
    report(thread, *race, "global memory", address, access, line);
}

void Processor::report(const Thread &thread, const Race &race, const char *memory, uint64_t offset,
                       Access access, uint32_t line) {
  const char *verb = access == Access::Read ? "reads" : "writes";
  if (race.unfenced)
    fault(thread, CUDA_ERROR_LAUNCH_FAILED, line,
          "%s %s at %llu through the asynchronous proxy, which thread %u writes at line %u with no "
          "fence.proxy.async between",
          verb, memory, static_cast<unsigned long long>(offset), race.thread, race.line);
  if (race.thread >= threads.size())
    fault(
        thread, CUDA_ERROR_LAUNCH_FAILED, line,
        "a race: %s %s at %llu, which a bulk copy at line %u writes, for whose mbarrier the thread "
        "has not waited",
        verb, memory, static_cast<unsigned long long>(offset), race.line);
  if (race.pending)
    fault(thread, CUDA_ERROR_LAUNCH_FAILED, line,
          "%s %s at %llu, where the asynchronous copy of thread %u at line %u may not have landed",
          verb, memory, static_cast<unsigned long long>(offset), race.thread, race.line);
  fault(thread, CUDA_ERROR_LAUNCH_FAILED, line,
        "a race: %s %s at %llu, which thread %u %s at line %u with no barrier between", verb,
        memory, static_cast<unsigned long long>(offset), race.thread,
        race.access == Access::Read ? "reads" : "writes", race.line);
}

std::string Processor::sourceLine(uint32_t line) const {
  const std::vector<std::string> &lines = *launch->code->lines;
  if (!line || line > lines.size())
    return "";
  std::string text = lines[line - 1];
  std::replace(text.begin(), text.end(), '\t', ' ');
  size_t begin = text.find_first_not_of(' '), end = text.find("//");
  if (begin == std::string::npos)
    return "";
  text = text.substr(begin, end == std::string::npos ? end : end - begin);
  return " (" + text.substr(0, text.find_last_not_of(" ;") + 1) + ")";
}

std::string Processor::place(const Thread &thread, uint32_t line) const {
  char text[160];
  std::snprintf(text, sizeof text, "block (%u,%u,%u), thread (%u,%u,%u), line %u",
                geometry.block[0], geometry.block[1], geometry.block[2], thread.tid[0],
                thread.tid[1], thread.tid[2], line);
  return "kernel '" + launch->code->name + "', " + text + sourceLine(line) + ": ";
}

void Processor::fault(const Thread &thread, int code, uint32_t line, const char *format, ...) {
  {
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    failure = Fault{code, place(thread, line) + text};
  }
  // Nobody comes back to this stack.
  void *ignored;
  memformerSwitchStack(&ignored, mainStack);
  __builtin_unreachable();
}

/// Who waits where, when nobody can go on.
Fault Processor::deadlock() const {
  char text[96];
  std::snprintf(text, sizeof text, "', block (%u,%u,%u): deadlock: ", geometry.block[0],
                geometry.block[1], geometry.block[2]);
  std::string message = "kernel '" + launch->code->name + text;
  const char *separator = "";
  for (size_t begin = 0, end; begin < threads.size(); begin = end) {
    const Thread &first = threads[begin];
    auto alike = [&](const Thread &other) {
      return other.wait == first.wait && (first.wait == Wait::Finished || other.line == first.line);
    };
    for (end = begin + 1; end < threads.size() && alike(threads[end]);)
      ++end;
    std::string range = end == begin + 1
                            ? "thread " + std::to_string(begin)
                            : "threads " + std::to_string(begin) + "-" + std::to_string(end - 1);
    message += separator + range;
    if (first.wait == Wait::Finished)
      message += end == begin + 1 ? " has returned" : " have returned";
    else
      message += (end == begin + 1 ? " waits at line " : " wait at line ") +
                 std::to_string(first.line) + sourceLine(first.line);
    separator = ", ";
  }
  return {CUDA_ERROR_LAUNCH_TIMEOUT, message};
}

} // namespace memformer::emulator
