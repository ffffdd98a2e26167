// The interpreter of instructions on the host.

#include "runtime/program.h"
#include "runtime/instructions.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace memformer {

namespace {

// One thread fills or copies about this much in the time in which others could be asked to help.
constexpr uint64_t blockBytes = uint64_t(1) << 18;

// What it costs that other threads take part.
constexpr double secondsOfHelp = 0.5e-6;

template <class OnBlock> void forEachBlock(ThreadPool &pool, uint64_t bytes, OnBlock &&onBlock) {
  auto body = [&](int64_t block) {
    const uint64_t begin = uint64_t(block) * blockBytes;
    onBlock(begin, std::min(blockBytes, bytes - begin));
  };
  pool.run(int64_t((bytes + blockBytes - 1) / blockBytes), body);
}

void copy(ThreadPool &pool, std::byte *to, const std::byte *from, uint64_t bytes) {
  // Blocks of ranges that overlap would depend on their order.
  if (to < from + bytes && from < to + bytes) {
    std::memmove(to, from, bytes);
    return;
  }
  forEachBlock(pool, bytes,
               [&](uint64_t begin, uint64_t size) { std::memcpy(to + begin, from + begin, size); });
}

} // namespace

Program::Program(const std::vector<Instruction> &function, std::span<const Memory> memory,
                 const KernelLibrary &kernels)
    : steps(bind(function, memory, kernels)) {}

std::vector<Program::Step> Program::bind(const std::vector<Instruction> &list,
                                         std::span<const Memory> memory,
                                         const KernelLibrary &kernels) {
  auto pointer = [&](const Address &address) {
    return Pointer{memory[address.space].data() + address.offset, address.stride};
  };
  std::vector<Step> bound;
  bound.reserve(list.size());
  for (const auto &instruction : list) {
    Step step;
    step.instruction = &instruction;
    switch (instruction.op) {
    case Instruction::Op::Dispatch:
      if (instruction.together)
        step = std::exchange(bound.back(), {});
      else
        step.firstCall = calls.size();
      step.numCalls += 1;
      step.seconds += kernels.seconds(instruction.kernel);
      calls.push_back({&instruction, kernels.kernel(instruction.kernel), pointers.size()});
      for (const auto &address : instruction.arguments)
        pointers.push_back(pointer(address));
      arguments.resize(
          std::max(arguments.size(), pointers.size() - calls[step.firstCall].firstArgument));
      jobs.resize(std::max(jobs.size(), step.numCalls));
      if (instruction.together)
        bound.pop_back();
      break;
    case Instruction::Op::Copy:
      step.from = pointer(instruction.from);
      [[fallthrough]];
    case Instruction::Op::Fill:
      step.to = pointer(instruction.to);
      break;
    case Instruction::Op::Loop:
      step.body = bind(instruction.body, memory, kernels);
      break;
    }
    bound.push_back(std::move(step));
  }
  return bound;
}

void Program::run(ThreadPool &pool, const Staging &staging, int64_t segments, int64_t stored,
                  std::span<KernelTime> times) {
  profile = times;
  for (const auto &step : steps) {
    if (step.instruction->op == Instruction::Op::Loop)
      runLoop(step, pool, staging, segments, stored);
    else
      runStep(step, pool, 0);
  }
}

void Program::runLoop(const Step &loop, ThreadPool &pool, const Staging &staging, int64_t segments,
                      int64_t stored) {
  const auto &instruction = *loop.instruction;
  forEachSegment(instruction, segments, stored, [&](int64_t segment) {
    staging.hooks->stageInputs(segment, staging.inputs);
    for (const auto &step : loop.body)
      if (runsAt(step.instruction->when, segment, segments, stored))
        runStep(step, pool, segment);
    staging.hooks->collectOutputs(segment, instruction.outputs, staging.outputs);
    return true;
  });
}

void Program::runCalls(const Step &step, ThreadPool &pool, int64_t segment) {
  void **next = arguments.data();
  for (size_t i = 0; i < step.numCalls; ++i) {
    Call &call = calls[step.firstCall + i];
    call.arguments = next;
    for (size_t k = 0, n = call.instruction->arguments.size(); k < n; ++k)
      *next++ = pointers[call.firstArgument + k].at(segment);
    jobs[i] = {call.instruction->grid,
               [](void *context, int64_t workgroup) {
                 const auto &call = *static_cast<const Call *>(context);
                 call.kernel(call.arguments, workgroup);
               },
               &call};
  }
  const std::span list(jobs.data(), step.numCalls);
  if (!profile.empty()) {
    for (size_t i = 0; i < step.numCalls; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      pool.run(list.subspan(i, 1));
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      KernelTime &time = profile[calls[step.firstCall + i].instruction->kernel];
      time.dispatches += 1;
      time.seconds += seconds.count();
    }
  } else if (step.seconds >= secondsOfHelp) {
    pool.run(list);
  } else {
    for (const ThreadPool::Job &job : list)
      for (int64_t workgroup = 0; workgroup < job.grid; ++workgroup)
        job.body(job.context, workgroup);
  }
}

void Program::runStep(const Step &step, ThreadPool &pool, int64_t segment) {
  const auto &instruction = *step.instruction;
  switch (instruction.op) {
  case Instruction::Op::Dispatch:
    runCalls(step, pool, segment);
    break;
  case Instruction::Op::Fill: {
    std::byte *to = step.to.at(segment);
    forEachBlock(pool, instruction.bytes,
                 [to](uint64_t begin, uint64_t size) { std::memset(to + begin, 0, size); });
    break;
  }
  case Instruction::Op::Copy:
    copy(pool, step.to.at(segment), step.from.at(segment), instruction.bytes);
    break;
  case Instruction::Op::Loop:
    break; // loops stand at the top level alone, where runLoop takes them
  }
}

} // namespace memformer
