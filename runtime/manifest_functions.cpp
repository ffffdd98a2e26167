// Reads the functions of a manifest and checks every address in them.

#include "runtime/manifest.h"

namespace memformer {

namespace {

constexpr size_t maxArguments = 4095; // of 8 bytes, in 32,764 bytes of parameters

/// Where an instruction stands.
enum class Place { Outside, Loop, LoopWithoutLast };

class FunctionReader {
public:
  FunctionReader(const Manifest &manifest, bool hasSegments)
      : manifest(manifest), hasSegments(hasSegments) {}

  std::vector<Instruction> readList(const JsonReader &reader, Place place) {
    std::vector<Instruction> list;
    const size_t count = reader.arraySize();
    list.reserve(count);
    auto isPlain = [](const Instruction &instruction) {
      return instruction.op == Instruction::Op::Dispatch &&
             instruction.when == Instruction::When::Always;
    };
    for (size_t i = 0; i < count; ++i) {
      list.push_back(readInstruction(reader.element(i), place));
      if (list[i].together && (!isPlain(list[i]) || i == 0 || !isPlain(list[i - 1])))
        reader.element(i)
            .member("together")
            .fail("expected two dispatches that run for every segment");
    }
    return list;
  }

private:
  /// `bytes` are read or written there; for a kernel's argument the extent is not known, and 0.
  Address readAddress(const JsonReader &reader, Place place, uint64_t bytes) {
    Address address;
    if (size_t size = reader.arraySize(); size != 3) {
      reader.fail("expected [space, offset, stride], but got {} entries", size);
      return address;
    }
    address.space = uint32_t(reader.element(0).asUnsigned(UINT32_MAX));
    address.offset = reader.element(1).asUnsigned(maxSpaceBytes);
    address.stride = reader.element(2).asUnsigned(maxSpaceBytes);
    if (address.space >= manifest.spaces.size()) {
      reader.fail("space {} of {}", address.space, manifest.spaces.size());
      return address;
    }
    const auto &space = manifest.spaces[address.space];
    if (place == Place::Outside && address.stride != 0)
      reader.fail("expected stride 0 outside a loop, but got {}", address.stride);
    if (address.stride > space.segmentBytes)
      reader.fail("stride {} exceeds segment_bytes {} of '{}'", address.stride, space.segmentBytes,
                  space.name);
    // With stride <= segment_bytes, the shortest rollout that reaches this place is the worst:
    // there it runs for segment 0 alone.
    const uint64_t size = space.size(place == Place::LoopWithoutLast ? 2 : 1);
    if (address.offset > size || bytes > size - address.offset)
      reader.fail("bytes {} to {} of '{}', which has {} for the shortest rollout", address.offset,
                  address.offset + bytes, space.name, size);
    return address;
  }

  Instruction::When readWhen(const JsonReader &reader, Place place) {
    if (!reader.has("when"))
      return Instruction::When::Always;
    const auto when = reader.string("when");
    if (place == Place::Outside)
      reader.member("when").fail("expected it inside a loop only");
    if (when == "unstored")
      return Instruction::When::Unstored;
    if (when != "last")
      reader.member("when").fail("expected unstored or last, but got '{}'", when);
    return Instruction::When::Last;
  }

  void readDispatch(const JsonReader &reader, Place place, Instruction &instruction) {
    instruction.op = Instruction::Op::Dispatch;
    instruction.kernel = uint32_t(reader.unsignedInteger("kernel", UINT32_MAX));
    if (instruction.kernel >= manifest.kernels.size())
      reader.member("kernel").fail("kernel {} of {}", instruction.kernel, manifest.kernels.size());
    // Of a GPU, gridDim.x.
    const uint64_t most = manifest.target.isHost() ? uint64_t(1) << 40 : INT32_MAX;
    instruction.grid = int64_t(reader.unsignedInteger("grid", most));
    if (reader.has("together"))
      instruction.together = reader.member("together").asBoolean();
    const auto arguments = reader.member("arguments");
    if (size_t count = arguments.arraySize(); !manifest.target.isHost() && count > maxArguments)
      arguments.fail("expected at most {} arguments of a GPU's kernel, but got {}", maxArguments,
                     count);
    for (size_t i = 0, n = arguments.arraySize(); i < n; ++i)
      instruction.arguments.push_back(readAddress(arguments.element(i), place, 0));
  }

  void readLoop(const JsonReader &reader, Place place, Instruction &instruction) {
    instruction.op = Instruction::Op::Loop;
    if (place != Place::Outside || !hasSegments) {
      reader.fail("expected loops only at the top level of train, evaluate, trace, begin and end");
      return;
    }
    const auto order = reader.string("order"), from = reader.string("from"),
               to = reader.string("to");
    instruction.descending = order == "descending";
    if (!instruction.descending && order != "ascending")
      reader.member("order").fail("expected ascending or descending, but got '{}'", order);
    instruction.fromStored = from == "stored";
    if (!instruction.fromStored && from != "zero")
      reader.member("from").fail("expected zero or stored, but got '{}'", from);
    instruction.withoutLast = to == "segments-1";
    if (!instruction.withoutLast && to != "segments")
      reader.member("to").fail("expected segments or segments-1, but got '{}'", to);
    const auto outputs = reader.member("outputs");
    for (size_t i = 0, n = outputs.arraySize(); i < n; ++i) {
      const auto output = outputs.element(i).asString();
      if (auto index = manifest.findOutput(output))
        instruction.outputs.push_back(*index);
      else
        outputs.element(i).fail("unknown output '{}'", output);
    }
    instruction.body = readList(reader.member("body"),
                                instruction.withoutLast ? Place::LoopWithoutLast : Place::Loop);
  }

  Instruction readInstruction(const JsonReader &reader, Place place) {
    Instruction instruction;
    const auto op = reader.string("op");
    instruction.when = readWhen(reader, place);
    if (op == "dispatch") {
      readDispatch(reader, place, instruction);
    } else if (op == "fill") {
      instruction.op = Instruction::Op::Fill;
      instruction.bytes = reader.unsignedInteger("bytes", maxSpaceBytes);
      instruction.to = readAddress(reader.member("to"), place, instruction.bytes);
    } else if (op == "copy") {
      instruction.op = Instruction::Op::Copy;
      instruction.bytes = reader.unsignedInteger("bytes", maxSpaceBytes);
      instruction.to = readAddress(reader.member("to"), place, instruction.bytes);
      instruction.from = readAddress(reader.member("from"), place, instruction.bytes);
    } else if (op == "loop") {
      readLoop(reader, place, instruction);
    } else {
      reader.member("op").fail("expected dispatch, fill, copy or loop, but got '{}'", op);
    }
    return instruction;
  }

  const Manifest &manifest;
  bool hasSegments;
};

} // namespace

void readFunctions(const JsonReader &functions, Manifest &manifest) {
  if (!functions.expectObject())
    return;
  for (size_t i = 0; i < numFunctions; ++i) {
    const auto which = Function(i);
    const bool ofStream =
        which == Function::Begin || which == Function::Step || which == Function::End;
    const bool hasSegments =
        which != Function::Prepare && which != Function::Update && which != Function::Step;
    FunctionReader reader(manifest, hasSegments);
    const std::string key(name(which));
    // Generation is there where it was asked for.
    if (ofStream && !functions.has(key.c_str()))
      continue;
    manifest.functions[i] = reader.readList(functions.member(key.c_str()), Place::Outside);
  }
  for (auto which : {Function::Begin, Function::Step})
    if (manifest.function(which).empty() == manifest.stream.has_value())
      functions.fail("expected '{}' with {}.stream and only then", name(which),
                     functions.parentPath());
  if (!manifest.function(Function::End).empty() && !manifest.stream)
    functions.fail("expected 'end' with {}.stream only", functions.parentPath());
  for (const auto &[key, body] : functions.json().items()) {
    bool known = false;
    for (size_t i = 0; i < numFunctions; ++i)
      known |= key == name(Function(i));
    if (!known)
      functions.fail("unknown function '{}'", key);
  }
}

} // namespace memformer
