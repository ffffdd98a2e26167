// The interpreter of instructions on a CUDA device.

#include "runtime/cuda/program.h"
#include "runtime/instructions.h"

namespace memformer::cuda {

Program::Program(const Resources &shared, memformer::Function function)
    : resources(&shared), which(function) {
  bool between = false; // the last part is one between loops
  for (const Instruction &instruction : shared.manifest.function(function)) {
    if (instruction.op == Instruction::Op::Loop) {
      Part &loop = parts.emplace_back();
      loop.loop = &instruction;
      for (const Instruction &inner : instruction.body)
        addStep(loop, inner);
      if (auto inputs = shared.manifest.findSpace("inputs"))
        loop.stagesInputs = touches(instruction.body, *inputs);
      loop.nodes += instruction.outputs.size() + loop.stagesInputs;
      between = false;
      continue;
    }
    if (!between)
      parts.emplace_back();
    between = true;
    addStep(parts.back(), instruction);
  }
  for (DevicePointer &argument : arguments)
    argumentPlaces.push_back(&argument);
}

namespace {

/// Calls onAddress(address, bytes) for what an instruction reads or writes; 0 bytes where the
/// extent is not known.
template <class OnAddress>
void forAddresses(const Instruction &instruction, OnAddress &&onAddress) {
  if (instruction.op == Instruction::Op::Dispatch)
    for (const Address &address : instruction.arguments)
      onAddress(address, 0);
  if (instruction.op == Instruction::Op::Copy)
    onAddress(instruction.from, instruction.bytes);
  if (instruction.op == Instruction::Op::Copy || instruction.op == Instruction::Op::Fill)
    onAddress(instruction.to, instruction.bytes);
}

} // namespace

Result<int64_t> Program::replayReach(const Manifest &manifest) {
  const auto replay = manifest.findSpace("replay");
  if (!replay)
    return 0;
  const uint64_t slot = manifest.spaces[*replay].segmentBytes;
  int64_t reach = 0;
  bool regular = true;
  auto walk = [&](const auto &self, const std::vector<Instruction> &list, bool inLoop) -> void {
    int64_t low = INT64_MAX, high = -1;
    for (const Instruction &instruction : list) {
      if (instruction.op == Instruction::Op::Loop)
        self(self, instruction.body, true);
      forAddresses(instruction, [&](const Address &address, uint64_t bytes) {
        if (address.space != *replay)
          return;
        regular &= address.stride == (inLoop ? slot : 0) && address.offset % slot + bytes <= slot;
        low = std::min(low, int64_t(address.offset / slot));
        high = std::max(high, int64_t(address.offset / slot));
      });
    }
    reach = std::max(reach, high - low + 1);
  };
  for (const auto &function : manifest.functions)
    walk(walk, function, false);
  if (!regular)
    return error("expected a program that goes through the replay buffer slot after slot, to have "
                 "it on the host: this one needs it on the device");
  return reach;
}

Program::Pointer Program::pointer(const Address &address) const {
  if (resources->replay && address.space == *resources->manifest.findSpace("replay"))
    return {address.offset, address.stride, resources->replay};
  return {resources->spaces[address.space].address() + address.offset, address.stride, nullptr};
}

void Program::addStep(Part &part, const Instruction &instruction) {
  Step step;
  step.instruction = &instruction;
  part.nodes += 1;
  switch (instruction.op) {
  case Instruction::Op::Dispatch:
    step.entry = resources->modules.entry(instruction.kernel);
    step.firstArgument = pointers.size();
    for (const Address &address : instruction.arguments)
      pointers.push_back(pointer(address));
    arguments.resize(std::max(arguments.size(), instruction.arguments.size()));
    break;
  case Instruction::Op::Copy:
    step.from = pointer(instruction.from);
    part.nodes += 1; // two where it goes through the bounce buffer
    [[fallthrough]];
  case Instruction::Op::Fill:
    step.to = pointer(instruction.to);
    break;
  case Instruction::Op::Loop:
    return; // loops stand at the top level alone
  }
  forAddresses(instruction, [&](const Address &address, uint64_t) {
    if (!resources->replay || address.space != *resources->manifest.findSpace("replay"))
      return;
    const auto slot =
        int64_t(address.offset / resources->manifest.spaces[address.space].segmentBytes);
    const int64_t first = part.slots.count ? std::min(part.slots.first, slot) : slot;
    const int64_t last =
        part.slots.count ? std::max(part.slots.first + part.slots.count - 1, slot) : slot;
    part.slots = {first, last - first + 1};
  });
  part.usesUnstored |= instruction.when == Instruction::When::Unstored;
  part.usesLast |= instruction.when == Instruction::When::Last;
  part.steps.push_back(step);
}

uint64_t Program::bounceBytes(const std::vector<Instruction> &list, int64_t segments) {
  uint64_t most = 0;
  for (const Instruction &instruction : list) {
    if (instruction.op == Instruction::Op::Loop)
      most = std::max(most, bounceBytes(instruction.body, segments));
    if (instruction.op != Instruction::Op::Copy || instruction.to.space != instruction.from.space)
      continue;
    const Address &to = instruction.to, &from = instruction.from;
    for (int64_t segment = 0; segment < segments; ++segment)
      if (overlap(to.offset + to.stride * uint64_t(segment),
                  from.offset + from.stride * uint64_t(segment), instruction.bytes))
        most = std::max(most, instruction.bytes);
  }
  return most;
}

void Program::issueStep(const Step &step, int64_t segment, bool profiled) {
  const Instruction &instruction = *step.instruction;
  Queue &queue = resources->queue;
  switch (instruction.op) {
  case Instruction::Op::Dispatch: {
    const KernelInfo &kernel = resources->manifest.kernels[instruction.kernel];
    for (size_t i = 0; i < instruction.arguments.size(); ++i)
      arguments[i] = pointers[step.firstArgument + i].at(segment);
    if (profiled)
      resources->timer.before(instruction.kernel);
    queue.launch(step.entry, uint32_t(instruction.grid), kernel.threads, kernel.sharedBytes,
                 argumentPlaces.data(), kernel.symbol);
    if (profiled)
      resources->timer.after();
    if (resources->synchronous)
      (void)queue.finish("running the kernel", kernel.symbol); // kept in the queue
    break;
  }
  case Instruction::Op::Fill:
    queue.zero(step.to.at(segment), instruction.bytes);
    break;
  case Instruction::Op::Copy: {
    const DevicePointer to = step.to.at(segment), from = step.from.at(segment);
    if (overlap(to, from, instruction.bytes)) {
      queue.copy(resources->bounce, from, instruction.bytes);
      queue.copy(to, resources->bounce, instruction.bytes);
    } else {
      queue.copy(to, from, instruction.bytes);
    }
    break;
  }
  case Instruction::Op::Loop:
    break; // loops stand at the top level alone
  }
}

void Program::issue(const Part &part, int64_t segment, int64_t segments, int64_t stored,
                    bool profiled) {
  const Manifest &manifest = resources->manifest;
  Queue &queue = resources->queue;
  if (part.stagesInputs) {
    const uint32_t space = *manifest.findSpace("inputs");
    queue.toDevice(resources->spaces[space].address(), resources->staging.inputs(segment),
                   manifest.spaces[space].bytes);
  }
  for (const Step &step : part.steps)
    if (runsAt(step.instruction->when, segment, segments, stored))
      issueStep(step, segment, profiled);
  if (!part.loop || part.loop->outputs.empty())
    return;
  const DevicePointer outputs = resources->spaces[*manifest.findSpace("outputs")].address();
  for (uint32_t index : part.loop->outputs) {
    const TensorInfo &output = manifest.outputs[index];
    queue.toHost(resources->staging.outputs(segment) + output.offset, outputs + output.offset,
                 output.bytes());
  }
}

void Program::runPart(size_t index, int64_t segment, int64_t segments, int64_t stored,
                      bool profiled) {
  const Part &part = parts[index];
  const Slots slots = {part.slots.first + segment, part.slots.count};
  if (slots.count)
    resources->replay->need(slots.first, slots.count);
  auto ask = [&] { issue(part, segment, segments, stored, profiled); };
  if (profiled || resources->synchronous)
    ask();
  else
    resources->graphs.run({.function = uint32_t(which),
                           .part = uint32_t(index),
                           .segment = segment,
                           .unstored = part.usesUnstored && segment >= stored,
                           .last = part.usesLast && segment == segments - 1},
                          part.nodes, ask);
  if (!slots.count)
    return;
  resources->replay->used(slots.first, slots.count);
  if (part.loop)
    resources->replay->prefetch(slots.first + (part.loop->descending ? -1 : 1), slots.count);
}

void Program::run(SegmentHooks &hooks, int64_t segments, int64_t stored, bool profiled) {
  Queue &queue = resources->queue;
  Staging &staging = resources->staging;
  staging.begin();
  for (size_t index = 0; index < parts.size() && !queue.failed(); ++index) {
    const Part &part = parts[index];
    if (!part.loop) {
      runPart(index, 0, segments, stored, profiled);
      continue;
    }
    forEachSegment(*part.loop, segments, stored, [&](int64_t segment) {
      staging.stage(queue, hooks, segment, part.loop->outputs);
      if (queue.failed())
        return false;
      runPart(index, segment, segments, stored, profiled);
      staging.issued(queue, segment, part.loop->outputs);
      return !queue.failed();
    });
  }
  if (resources->replay)
    resources->replay->flush();
}

} // namespace memformer::cuda
