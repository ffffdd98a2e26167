// Reads the tables of a manifest.

#include "runtime/manifest.h"
#include "runtime/cuda/architecture.h"

#include <cmath>

namespace memformer {

namespace {

constexpr uint64_t maxElements = uint64_t(1) << 42;

uint64_t readOffset(const JsonReader &reader, uint64_t alignment = 64) {
  const uint64_t offset = reader.asUnsigned(maxSpaceBytes);
  if (offset % alignment != 0)
    reader.fail("expected a multiple of {}, but got {}", alignment, offset);
  return offset;
}

TensorInfo readTensor(const JsonReader &reader, bool shaped = true) {
  TensorInfo tensor;
  tensor.name = reader.string("name");
  if (tensor.name.empty())
    reader.fail("expected a name, but got an empty one");
  const auto type = reader.string("type");
  if (type == "i32")
    tensor.type = ElementType::I32;
  else if (type != "f32")
    reader.member("type").fail("expected f32 or i32, but got '{}'", type);
  if (!shaped) {
    // Scalars stand side by side.
    tensor.offset = readOffset(reader.member("offset"), 4);
    return tensor;
  }
  const auto shape = reader.member("shape");
  uint64_t elements = 1;
  for (size_t i = 0, n = shape.arraySize(); i < n; ++i) {
    const uint64_t dimension = shape.element(i).asUnsigned(maxElements);
    tensor.shape.push_back(int64_t(dimension));
    if (dimension != 0 && elements > maxElements / dimension) {
      shape.fail("expected at most {} entries", maxElements);
      break;
    }
    elements *= dimension;
  }
  tensor.offset = readOffset(reader.member("offset"));
  return tensor;
}

std::optional<Category> findCategory(std::string_view text) {
  for (size_t i = 0; i < numCategories; ++i)
    if (name(Category(i)) == text)
      return Category(i);
  return std::nullopt;
}

SpaceInfo readSpace(const JsonReader &reader) {
  SpaceInfo space;
  space.name = reader.string("name");
  const auto category = reader.string("category");
  if (auto found = findCategory(category))
    space.category = *found;
  else
    reader.member("category").fail("unknown category '{}'", category);
  space.bytes = readOffset(reader.member("bytes"));
  space.segmentBytes = readOffset(reader.member("segment_bytes"));
  space.extraSegments = reader.unsignedInteger("extra_segments", maxSegments);
  return space;
}

Initializer readInitializer(const JsonReader &reader) {
  Initializer initializer;
  const auto kind = reader.string("kind");
  if (kind == "uniform")
    initializer.kind = Initializer::Kind::Uniform;
  else if (kind == "normal")
    initializer.kind = Initializer::Kind::Normal;
  else if (kind == "constant")
    initializer.kind = Initializer::Kind::Constant;
  else if (kind == "rows")
    initializer.kind = Initializer::Kind::Rows;
  else if (kind == "sinusoids")
    initializer.kind = Initializer::Kind::Sinusoids;
  else
    reader.member("kind").fail(
        "expected uniform, normal, constant, rows or sinusoids, but got '{}'", kind);
  initializer.value = reader.member("value").asNumber();
  return initializer;
}

TargetInfo readHostTarget(const JsonReader &reader) {
  TargetInfo target;
  target.kind = reader.string("kind");
  if (target.kind != "host")
    reader.member("kind").fail("expected host, but got '{}'", target.kind);
  target.triple = reader.string("triple");
  target.cpu = reader.string("cpu");
  const auto features = reader.member("features");
  for (size_t i = 0, n = features.arraySize(); i < n; ++i)
    target.features.push_back(features.element(i).asString());
  return target;
}

TargetInfo readDeviceTarget(const JsonReader &reader) {
  TargetInfo target;
  target.kind = reader.string("kind");
  if (target.kind != "cuda")
    reader.member("kind").fail("expected cuda, but got '{}'", target.kind);
  target.architecture = reader.string("architecture");
  if (!cuda::parseArchitecture(target.architecture))
    reader.member("architecture")
        .fail("expected an architecture such as sm_80 or sm_90a, but got '{}'",
              target.architecture);
  target.ptxVersion = uint32_t(reader.unsignedInteger("ptx_version", 999));
  if (target.ptxVersion < 60)
    reader.member("ptx_version").fail("expected at least 60, but got {}", target.ptxVersion);
  return target;
}

/// `[offset, bytes]`
SectionRange readRange(const JsonReader &reader) {
  if (size_t size = reader.arraySize(); size != 2) {
    reader.fail("expected [offset, bytes], but got {} entries", size);
    return {};
  }
  return {reader.element(0).asUnsigned(maxSpaceBytes), reader.element(1).asUnsigned(maxSpaceBytes)};
}

KernelInfo readKernel(const JsonReader &reader, bool host) {
  KernelInfo kernel;
  kernel.symbol = reader.string("symbol");
  kernel.kind = reader.string("kind");
  kernel.flops = reader.unsignedInteger("flops", uint64_t(1) << 53);
  kernel.bytes = reader.unsignedInteger("bytes", uint64_t(1) << 53);
  if (kernel.symbol.empty())
    reader.member("symbol").fail("expected a name, but got an empty one");
  if (host)
    return kernel;
  // A block of any architecture has at most 1024 threads and 227 KiB.
  kernel.threads = uint32_t(reader.unsignedInteger("threads", 1024));
  if (kernel.threads == 0)
    reader.member("threads").fail("expected at least 1, but got 0");
  kernel.sharedBytes = uint32_t(reader.unsignedInteger("shared_bytes", 227 << 10));
  kernel.registers = uint32_t(reader.unsignedInteger("registers", 255));
  kernel.ptx = readRange(reader.member("ptx"));
  if (reader.has("cubin"))
    kernel.cubin = readRange(reader.member("cubin"));
  return kernel;
}

InputInfo readInput(const JsonReader &reader) {
  InputInfo input{readTensor(reader), std::nullopt, false};
  if (reader.has("bound")) {
    input.bound = int64_t(reader.unsignedInteger("bound", uint64_t(1) << 31));
    if (*input.bound == 0 || input.type != ElementType::I32)
      reader.member("bound").fail("expected a positive bound of an i32 tensor");
  }
  if (reader.has("ignored"))
    input.ignored = reader.member("ignored").asBoolean();
  return input;
}

/// What each program of an artifact has of its own, but for its target and its functions.
void readTables(const JsonReader &root, Manifest &manifest) {
  const auto spaces = root.member("spaces");
  for (size_t i = 0, n = spaces.arraySize(); i < n; ++i)
    manifest.spaces.push_back(readSpace(spaces.element(i)));

  const auto state = root.member("state");
  for (size_t i = 0, n = state.arraySize(); i < n; ++i)
    manifest.state.push_back(readInput(state.element(i)));

  const auto inputs = root.member("inputs");
  for (size_t i = 0, n = inputs.arraySize(); i < n; ++i)
    manifest.inputs.push_back(readInput(inputs.element(i)));

  const auto outputs = root.member("outputs");
  for (size_t i = 0, n = outputs.arraySize(); i < n; ++i)
    manifest.outputs.push_back(readTensor(outputs.element(i)));

  const auto scalars = root.member("scalars");
  for (size_t i = 0, n = scalars.arraySize(); i < n; ++i)
    manifest.scalars.push_back(readTensor(scalars.element(i), /*shaped=*/false));

  if (root.has("stream")) {
    const auto stream = root.member("stream");
    const auto streamInputs = stream.member("inputs"), streamOutputs = stream.member("outputs");
    StreamInfo &info = manifest.stream.emplace();
    for (size_t i = 0, n = streamInputs.arraySize(); i < n; ++i)
      info.inputs.push_back(readInput(streamInputs.element(i)));
    for (size_t i = 0, n = streamOutputs.arraySize(); i < n; ++i)
      info.outputs.push_back(readTensor(streamOutputs.element(i)));
  }

  const auto kernels = root.member("kernels");
  for (size_t i = 0, n = kernels.arraySize(); i < n; ++i)
    manifest.kernels.push_back(readKernel(kernels.element(i), manifest.target.isHost()));
}

} // namespace

Manifest readManifest(const JsonReader &root) {
  Manifest manifest;
  manifest.producer = root.string("producer");
  manifest.name = root.string("name");
  manifest.configuration = root.string("configuration");
  manifest.schedule = root.string("schedule");
  manifest.batch = int64_t(root.unsignedInteger("batch", uint64_t(1) << 24));
  if (manifest.batch == 0)
    root.member("batch").fail("expected at least 1, but got 0");
  manifest.target = readHostTarget(root.member("target"));

  auto read = [](const JsonReader &table, std::vector<ParameterInfo> &parameters) {
    for (size_t i = 0, n = table.arraySize(); i < n; ++i) {
      const auto entry = table.element(i);
      ParameterInfo parameter{readTensor(entry), readInitializer(entry.member("initializer"))};
      if (parameter.type != ElementType::F32)
        entry.member("type").fail("expected f32, the type of all parameters, but got i32");
      parameters.push_back(std::move(parameter));
    }
  };
  read(root.member("parameters"), manifest.parameters);
  if (root.has("fixed"))
    read(root.member("fixed"), manifest.fixed);
  readTables(root, manifest);
  return manifest;
}

Manifest readDeviceManifest(const JsonReader &entry, const Manifest &host) {
  Manifest manifest;
  manifest.producer = host.producer;
  manifest.name = host.name;
  manifest.configuration = host.configuration;
  manifest.schedule = host.schedule;
  manifest.batch = host.batch;
  manifest.parameters = host.parameters;
  manifest.fixed = host.fixed;
  manifest.target = readDeviceTarget(entry.member("target"));
  readTables(entry, manifest);
  return manifest;
}

} // namespace memformer
