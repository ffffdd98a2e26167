// The compiled model as the compiler wrote it (docs/artifact.md): reading, checking and writing.
#pragma once

#include "runtime/result.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace memformer {

class JsonErrors;
class JsonReader;

enum class ElementType { F32, I32 };

/// A dense row-major tensor at a byte offset of its space.
struct TensorInfo {
  std::string name;
  ElementType type = ElementType::F32;
  std::vector<int64_t> shape;
  uint64_t offset = 0;

  int64_t elements() const;
  uint64_t bytes() const { return uint64_t(elements()) * 4; } // both element types have 4 bytes
};

struct Initializer {
  enum class Kind { Uniform, Normal, Constant, Rows, Sinusoids };
  Kind kind = Kind::Constant;
  double value = 0;
};

struct ParameterInfo : TensorInfo {
  Initializer initializer;
};

/// Of an input or a state; i32 of these may index a table or name a class.
struct InputInfo : TensorInfo {
  std::optional<int64_t> bound; // entries are in [0, bound)
  bool ignored = false;         // or -1, for "not counted"
};

enum class Category { Parameters, Gradients, Optimizer, Replay, Saved, Workspace };
inline constexpr size_t numCategories = 6;
std::string_view name(Category category);

/// Memory of a program: `bytes + segmentBytes * (T + extraSegments)` for T segments.
struct SpaceInfo {
  std::string name;
  Category category = Category::Workspace;
  uint64_t bytes = 0;
  uint64_t segmentBytes = 0;
  uint64_t extraSegments = 0;

  uint64_t size(int64_t segments) const {
    return bytes + segmentBytes * (uint64_t(segments) + extraSegments);
  }
};

/// Byte `offset + stride * segment` of a space.
struct Address {
  uint32_t space = 0;
  uint64_t offset = 0;
  uint64_t stride = 0;
};

/// Bytes of a section.
struct SectionRange {
  uint64_t offset = 0; // from the section's beginning
  uint64_t bytes = 0;
};

struct KernelInfo {
  std::string symbol;
  std::string kind;
  uint64_t flops = 0; // of one dispatch, all its workgroups
  uint64_t bytes = 0; // read and written by one dispatch
  // Of a program for a GPU, in the section that its architecture names.
  uint32_t threads = 0;     // of a workgroup
  uint32_t sharedBytes = 0; // dynamic shared memory of a workgroup
  uint32_t registers = 0;   // of a thread; 0 where that is not known
  SectionRange ptx;         // with a zero at its end
  std::optional<SectionRange> cubin;
};

struct Instruction {
  enum class Op { Dispatch, Fill, Copy, Loop };
  enum class When { Always, Unstored, Last };
  Op op = Op::Dispatch;
  When when = When::Always;
  // Dispatch
  uint32_t kernel = 0;
  int64_t grid = 0;
  bool together = false; // may run at the same time as the dispatch before it
  std::vector<Address> arguments;
  // Fill and copy
  Address to, from;
  uint64_t bytes = 0;
  // Loop over segments
  bool descending = false;
  bool fromStored = false;       // begins at `stored`, not at zero
  bool withoutLast = false;      // ends at segments-1, exclusive
  std::vector<uint32_t> outputs; // indices, collected after the body of each segment
  std::vector<Instruction> body;
};

enum class Function { Prepare, Train, Update, Evaluate, Trace, Begin, Step, End };
inline constexpr size_t numFunctions = 8;
std::string_view name(Function function);

/// Of generation: the first input is a token (of the streamed input's name), the second its
/// position; the outputs are what is known of that position. Rows have one entry along axis 1.
struct StreamInfo {
  std::vector<InputInfo> inputs;
  std::vector<TensorInfo> outputs;
};

struct TargetInfo {
  std::string kind; // "host" or "cuda"
  // Of the host.
  std::string triple;
  std::string cpu;
  std::vector<std::string> features; // LLVM's names
  // Of CUDA devices.
  std::string architecture{}; // "sm_80", "sm_90a"
  uint32_t ptxVersion = 0;    // 78 for PTX 7.8

  bool isHost() const { return kind == "host"; }
};

struct MemoryReport {
  std::array<uint64_t, numCategories> bytes{}; // by Category
  uint64_t total = 0;
  uint64_t operator[](Category category) const { return bytes[size_t(category)]; }
};

/// A checked manifest. Every index and every address in it is inside what it refers to.
struct Manifest {
  std::string producer;
  std::string name;
  std::string configuration; // TOML text, or "" for a model given as IR
  std::string schedule;
  int64_t batch = 0;
  TargetInfo target;
  std::vector<SpaceInfo> spaces;
  std::vector<ParameterInfo> parameters;
  /// In the space of parameters too, but neither trained nor in weights files: their initializers
  /// say what they are.
  std::vector<ParameterInfo> fixed;
  std::vector<InputInfo> state;  // offsets in a slot of the replay buffer
  std::vector<InputInfo> inputs; // of one segment
  std::vector<TensorInfo> outputs;
  std::vector<TensorInfo> scalars;
  std::optional<StreamInfo> stream; // where there are functions `begin` and `step`
  std::vector<KernelInfo> kernels;
  std::array<std::vector<Instruction>, numFunctions> functions; // by Function

  const std::vector<Instruction> &function(Function which) const {
    return functions[size_t(which)];
  }
  std::optional<uint32_t> findSpace(std::string_view name) const;
  std::optional<uint32_t> findParameter(std::string_view name) const;
  std::optional<uint32_t> findState(std::string_view name) const;
  std::optional<uint32_t> findInput(std::string_view name) const;
  std::optional<uint32_t> findOutput(std::string_view name) const;
  std::optional<uint32_t> findScalar(std::string_view name) const;
  int64_t parameterElements() const;

  /// Planned bytes of a session for `segments` segments.
  MemoryReport memoryReport(int64_t segments) const;
  /// Floating-point operations of one run of a function over a rollout.
  uint64_t flops(Function which, int64_t segments, int64_t stored = 0) const;
  /// The same for each kind of kernel.
  std::map<std::string, uint64_t> flopsByKind(Function which, int64_t segments,
                                              int64_t stored = 0) const;
};

struct SectionInfo {
  std::string name;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

class Artifact {
public:
  /// Reads and checks a file. Does not ask whether this machine can run it: Session::create does.
  static Result<std::shared_ptr<const Artifact>> load(const std::filesystem::path &path);
  /// The same, of a file's bytes.
  static Result<std::shared_ptr<const Artifact>> load(std::vector<std::byte> bytes);

  /// Of the program for the host.
  const Manifest &manifest() const { return contents; }
  /// Of the programs of the same model for other devices. What they share with the host's (name,
  /// configuration, schedule, batch and parameters) is there too.
  std::span<const Manifest> devices() const { return deviceManifests; }
  std::span<const SectionInfo> sections() const { return sectionInfos; }
  /// The bytes of a section; nullopt if there is none of that name.
  std::optional<std::span<const std::byte>> section(std::string_view name) const;

private:
  Result<void> readDevices(const JsonReader &list, JsonErrors &errors);

  std::vector<std::byte> file;
  Manifest contents;
  std::vector<Manifest> deviceManifests;
  std::vector<SectionInfo> sectionInfos;
};

/// One section for writeArtifact.
struct SectionData {
  std::string name;
  std::span<const std::byte> bytes;
};

/// The bytes of an artifact. `manifest` is the object of docs/artifact.md without "sections", which
/// is added here. The result is loaded once to check it: what the runtime would refuse is an error.
Result<std::vector<std::byte>> assembleArtifact(nlohmann::json manifest,
                                                std::span<const SectionData> sections);
/// The same, written atomically to a file.
Result<void> writeArtifact(const std::filesystem::path &path, nlohmann::json manifest,
                           std::span<const SectionData> sections);

} // namespace memformer
