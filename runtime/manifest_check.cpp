// Rules that tie the tables of a manifest to each other.

#include "runtime/manifest.h"

#include <algorithm>
#include <set>

namespace memformer {

namespace {

template <class Entry>
void checkUnique(const std::vector<Entry> &entries, std::string_view table, JsonErrors &errors) {
  std::set<std::string_view> names;
  for (const auto &entry : entries)
    if (!names.insert(entry.name).second)
      errors.add(table, "the name '{}' occurs twice", entry.name);
}

/// Each tensor ends at or before `bytes`, and none overlaps another.
template <class Entry>
void checkLayout(const std::vector<Entry> &tensors, uint64_t bytes, std::string_view table,
                 JsonErrors &errors) {
  std::vector<const TensorInfo *> sorted;
  for (const auto &tensor : tensors) {
    if (tensor.offset > bytes || tensor.bytes() > bytes - tensor.offset)
      errors.add(table, "'{}' has bytes {} to {}, but its space ends at {}", tensor.name,
                 tensor.offset, tensor.offset + tensor.bytes(), bytes);
    if (tensor.bytes() != 0)
      sorted.push_back(&tensor);
  }
  std::ranges::sort(sorted, {}, [](const TensorInfo *tensor) { return tensor->offset; });
  for (size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i - 1]->offset + sorted[i - 1]->bytes() > sorted[i]->offset)
      errors.add(table, "'{}' and '{}' overlap", sorted[i - 1]->name, sorted[i]->name);
}

/// The fixed size of a space that the runtime itself uses; 0 and an error where it is needed but
/// missing.
uint64_t fixedBytes(const Manifest &manifest, const std::string &where, std::string_view space,
                    bool needed, JsonErrors &errors) {
  if (auto index = manifest.findSpace(space)) {
    const auto &info = manifest.spaces[*index];
    if (info.segmentBytes != 0)
      errors.add(where + ".spaces", "expected '{}' to have segment_bytes 0, but got {}", space,
                 info.segmentBytes);
    return info.bytes;
  }
  if (needed)
    errors.add(where + ".spaces", "expected a space named '{}'", space);
  return 0;
}

/// The two inputs and the output of a position, each in a space of its own.
void checkStream(const Manifest &manifest, const std::string &where, JsonErrors &errors) {
  const std::string table = where + ".stream";
  if (!manifest.stream)
    return;
  const StreamInfo &stream = *manifest.stream;
  checkUnique(stream.inputs, table, errors);
  checkUnique(stream.outputs, table, errors);
  checkLayout(stream.inputs, fixedBytes(manifest, where, "step_inputs", true, errors), table,
              errors);
  checkLayout(stream.outputs, fixedBytes(manifest, where, "step_outputs", true, errors), table,
              errors);
  if (stream.inputs.size() != 2 || stream.outputs.size() != 1)
    return errors.add(table, "expected two inputs and an output, but got {} and {}",
                      stream.inputs.size(), stream.outputs.size());
  const InputInfo &token = stream.inputs[0], &position = stream.inputs[1];
  const TensorInfo &output = stream.outputs[0];
  if (position.name != "position" || position.type != ElementType::I32 || !position.shape.empty())
    errors.add(table, "expected the second input to be 'position', i32 []");
  // The whole segment's tokens say how many positions there are.
  auto whole = manifest.findInput(token.name);
  std::vector<int64_t> shape = token.shape;
  if (whole && shape.size() >= 2 && manifest.inputs[*whole].shape.size() >= 2)
    shape[1] = manifest.inputs[*whole].shape[1];
  if (!whole || token.shape.size() < 2 || token.shape[1] != 1 ||
      token.type != manifest.inputs[*whole].type || shape != manifest.inputs[*whole].shape)
    errors.add(table, "expected the first input, '{}', to be one position of an input", token.name);
  if (output.shape.size() < 2 || output.shape[1] != 1)
    errors.add(table, "expected the output '{}' to be of one position", output.name);
}

} // namespace

void checkManifest(const Manifest &manifest, const std::string &where, JsonErrors &errors) {
  checkUnique(manifest.spaces, where + ".spaces", errors);
  checkUnique(manifest.parameters, where + ".parameters", errors);
  checkUnique(manifest.fixed, where + ".fixed", errors);
  checkUnique(manifest.state, where + ".state", errors);
  checkUnique(manifest.inputs, where + ".inputs", errors);
  checkUnique(manifest.outputs, where + ".outputs", errors);
  checkUnique(manifest.scalars, where + ".scalars", errors);

  auto all = manifest.parameters;
  all.insert(all.end(), manifest.fixed.begin(), manifest.fixed.end());
  checkLayout(all, fixedBytes(manifest, where, "parameters", !all.empty(), errors),
              where + ".parameters", errors);
  for (const auto &parameter : manifest.fixed) {
    const bool sinusoids = parameter.initializer.kind == Initializer::Kind::Sinusoids;
    if (!sinusoids || parameter.shape.size() != 2)
      errors.add(where + ".fixed", "expected '{}' to be a table of sinusoids", parameter.name);
  }
  // Gradients and moments are of the parameters that are trained, with the padding behind them.
  uint64_t trainedBytes = 0;
  for (const auto &parameter : manifest.parameters)
    trainedBytes = std::max(trainedBytes, (parameter.offset + parameter.bytes() + 63) / 64 * 64);
  checkLayout(manifest.inputs,
              fixedBytes(manifest, where, "inputs", !manifest.inputs.empty(), errors),
              where + ".inputs", errors);
  checkLayout(manifest.outputs,
              fixedBytes(manifest, where, "outputs", !manifest.outputs.empty(), errors),
              where + ".outputs", errors);
  checkLayout(manifest.scalars,
              fixedBytes(manifest, where, "scalars", !manifest.scalars.empty(), errors),
              where + ".scalars", errors);
  // A model that is only evaluated has neither gradients nor moments.
  if (manifest.findSpace("gradients"))
    if (uint64_t bytes = fixedBytes(manifest, where, "gradients", false, errors);
        bytes < trainedBytes)
      errors.add(
          where + ".spaces",
          "expected gradients to have {} bytes as the parameters that are trained, but got {}",
          trainedBytes, bytes);
  if (manifest.findSpace("optimizer"))
    if (uint64_t bytes = fixedBytes(manifest, where, "optimizer", false, errors);
        bytes / 2 < trainedBytes)
      errors.add(where + ".spaces",
                 "expected optimizer to have {} bytes, twice those of the parameters that are "
                 "trained, but got {}",
                 2 * trainedBytes, bytes);

  uint64_t slotBytes = 0;
  if (auto index = manifest.findSpace("replay")) {
    const auto &replay = manifest.spaces[*index];
    slotBytes = replay.segmentBytes;
    if (replay.bytes != 0 || replay.extraSegments != 1)
      errors.add(where + ".spaces",
                 "expected replay to have bytes 0 and extra_segments 1, but got {} and {}",
                 replay.bytes, replay.extraSegments);
  }
  checkLayout(manifest.state, slotBytes, where + ".state", errors);

  for (const auto &input : manifest.inputs) {
    const bool reset = input.name == "reset", key = input.name == "dropout_key";
    const std::vector<int64_t> expected{reset ? manifest.batch : 2};
    if ((reset || key) && (input.type != ElementType::I32 || input.shape != expected))
      errors.add(where + ".inputs", "expected '{}' to be i32 [{}]", input.name, expected[0]);
  }

  checkStream(manifest, where, errors);

  static constexpr std::string_view knownScalars[] = {"loss_scale",
                                                      "learning_rate",
                                                      "beta1",
                                                      "beta2",
                                                      "epsilon",
                                                      "weight_decay",
                                                      "max_gradient_norm",
                                                      "bias_correction1",
                                                      "bias_correction2",
                                                      "gradient_scale",
                                                      "gradient_norm"};
  for (const auto &scalar : manifest.scalars) {
    if (std::ranges::find(knownScalars, scalar.name) == std::end(knownScalars))
      errors.add(where + ".scalars", "unknown scalar '{}'", scalar.name);
    if (scalar.type != ElementType::F32)
      errors.add(where + ".scalars", "expected '{}' to be f32, but got i32", scalar.name);
  }
}

namespace {

/// Each entry of the host's table is in the device's, and no other: places may differ.
template <class Entry>
void checkSameTensors(const std::vector<Entry> &device, const std::vector<Entry> &host,
                      const std::string &table, JsonErrors &errors) {
  for (const Entry &entry : host) {
    auto found = std::ranges::find(device, entry.name, &Entry::name);
    if (found == device.end())
      return errors.add(table, "expected '{}', as the host's program has", entry.name);
    bool same = found->type == entry.type && found->shape == entry.shape;
    if constexpr (std::is_same_v<Entry, InputInfo>)
      same &= found->bound == entry.bound && found->ignored == entry.ignored;
    if (!same)
      errors.add(table, "expected '{}' to be as the host's program has it", entry.name);
  }
  for (const Entry &entry : device)
    if (std::ranges::find(host, entry.name, &Entry::name) == host.end())
      errors.add(table, "the host's program has no '{}'", entry.name);
}

} // namespace

void checkDeviceManifest(const Manifest &device, const Manifest &host, const std::string &where,
                         JsonErrors &errors) {
  checkSameTensors(device.state, host.state, where + ".state", errors);
  checkSameTensors(device.inputs, host.inputs, where + ".inputs", errors);
  checkSameTensors(device.outputs, host.outputs, where + ".outputs", errors);
  if (device.stream.has_value() != host.stream.has_value())
    return errors.add(where, "expected a stream where the host's program has one, and only there");
  if (!device.stream)
    return;
  checkSameTensors(device.stream->inputs, host.stream->inputs, where + ".stream", errors);
  checkSameTensors(device.stream->outputs, host.stream->outputs, where + ".stream", errors);
}

void checkDeviceCode(const Manifest &device, std::span<const std::byte> section,
                     const std::string &where, JsonErrors &errors) {
  const std::string &name = device.target.architecture;
  for (size_t i = 0; i < device.kernels.size(); ++i) {
    const KernelInfo &kernel = device.kernels[i];
    auto check = [&](const SectionRange &range, std::string_view key, auto &&isCode,
                     std::string_view expected) {
      const std::string place = fmt::format("{}.kernels[{}].{}", where, i, key);
      if (range.offset > section.size() || range.bytes > section.size() - range.offset)
        errors.add(place, "bytes {} to {} of section '{}', which has {}", range.offset,
                   range.offset + range.bytes, name, section.size());
      else if (!isCode(section.subspan(range.offset, range.bytes)))
        errors.add(place, "expected {}", expected);
    };
    check(
        kernel.ptx, "ptx",
        [](std::span<const std::byte> code) {
          return code.size() > 1 && std::ranges::find(code, std::byte()) == code.end() - 1;
        },
        "text with a zero at its end alone");
    auto isElf = [](std::span<const std::byte> code) {
      constexpr std::byte magic[] = {std::byte{0x7f}, std::byte{'E'}, std::byte{'L'},
                                     std::byte{'F'}};
      return code.size() >= 64 && std::ranges::equal(code.first(4), magic);
    };
    if (kernel.cubin)
      check(*kernel.cubin, "cubin", isElf, "an ELF file");
  }
}

} // namespace memformer
