// A stand-in for the CUDA driver: 'device' memory is memory of the host that only the driver's own
// calls may touch, streams run at once, and 'kernels' are the toy model's host kernels.
//
// The environment variable FAKE_CUDA sets, with commas between: devices=N, architecture=86,
// version=12080, memory=BYTES, and fail=FUNCTION:CODE[:N], which makes the Nth call (the first) of
// FUNCTION and all after it give CODE. A 'module' is text; a cubin's is behind its 64 bytes of
// header. Text with "bad" in it is refused with a log.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

extern "C" {
void toy_pack(void *const *, int64_t);
void toy_forward(void *const *, int64_t);
void toy_loss(void *const *, int64_t);
void toy_backward(void *const *, int64_t);
void toy_count(void *const *, int64_t);
void toy_norm(void *const *, int64_t);
void toy_update(void *const *, int64_t);
void toy_denormal(void *const *, int64_t);
}

namespace {

using HostKernel = void (*)(void *const *, int64_t);

struct KernelEntry {
  const char *name;
  HostKernel kernel;
  size_t arguments;
};
constexpr KernelEntry table[] = {
    {"toy_pack", toy_pack, 2},         {"toy_forward", toy_forward, 5},   {"toy_loss", toy_loss, 4},
    {"toy_backward", toy_backward, 6}, {"toy_count", toy_count, 1},       {"toy_norm", toy_norm, 3},
    {"toy_update", toy_update, 9},     {"toy_denormal", toy_denormal, 1},
};

// Addresses of the device are those of the host and this: a pointer that is used without the driver
// faults, on either side.
constexpr uint64_t deviceBit = uint64_t(1) << 60;

std::mutex lock;
std::map<std::string, int64_t> calls;
std::map<uint64_t, size_t> allocations; // address on the host
std::map<void *, size_t> pinned;
size_t used = 0;
int contexts = 0;
thread_local int current = 0;

std::string setting(std::string_view name, std::string_view otherwise) {
  const char *text = std::getenv("FAKE_CUDA");
  std::string_view rest = text ? text : "";
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    if (entry.substr(0, entry.find('=')) == name)
      return std::string(entry.substr(entry.find('=') + 1));
  }
  return std::string(otherwise);
}

int64_t number(std::string_view name, int64_t otherwise) {
  return std::atoll(setting(name, std::to_string(otherwise)).c_str());
}

constexpr int invalidValue = 1, outOfMemory = 2, noDevice = 100, invalidDevice = 101,
              invalidContext = 201, invalidPtx = 218, notFound = 500, illegalAddress = 700,
              captureInvalidated = 901;

/// Counts a call; gives the code with which it is told to fail, or 0.
int count(const char *function) {
  const std::lock_guard guard(lock);
  const int64_t n = ++calls[function];
  const std::string fail = setting("fail", "");
  const size_t first = fail.find(':'), second = fail.find(':', first + 1);
  if (fail.substr(0, first) != function)
    return 0;
  const int64_t from = second == fail.npos ? 1 : std::atoll(fail.c_str() + second + 1);
  return n >= from ? std::atoi(fail.c_str() + first + 1) : 0;
}

struct FakeStream {
  bool capturing = false;
  std::vector<std::function<int()>> captured;
  int error = 0; // of what has run, told at the next synchronisation
};
struct FakeModule {
  std::string text;
};

/// The host's address of bytes of one allocation; null where they are not.
void *inside(uint64_t address, size_t bytes) {
  const std::lock_guard guard(lock);
  const uint64_t host = address - deviceBit;
  auto next = allocations.upper_bound(host);
  if (!(address & deviceBit) || next == allocations.begin())
    return nullptr;
  const auto &[begin, size] = *--next;
  return host - begin <= size && bytes <= size - (host - begin) ? reinterpret_cast<void *>(host)
                                                                : nullptr;
}

bool isPinned(const void *memory, size_t bytes) {
  const std::lock_guard guard(lock);
  auto next = pinned.upper_bound(const_cast<void *>(memory));
  if (next == pinned.begin())
    return false;
  const auto &[begin, size] = *--next;
  return size_t(static_cast<const char *>(memory) - static_cast<char *>(begin)) + bytes <= size;
}

int enqueue(void *stream, std::function<int()> work) {
  auto *target = static_cast<FakeStream *>(stream);
  if (!target || current == 0)
    return invalidContext;
  if (target->capturing) {
    target->captured.push_back(std::move(work));
    return 0;
  }
  if (target->error == 0)
    target->error = work();
  return 0;
}

} // namespace

#define FAKE(name, ...) extern "C" __attribute__((visibility("default"))) int name(__VA_ARGS__)
#define COUNT(name)                                                                                \
  if (int code = count(#name))                                                                     \
    return code;

// Of the tests: how often a function has been called, and what has not been given back.
extern "C" __attribute__((visibility("default"))) int64_t fakeCudaCalls(const char *function) {
  const std::lock_guard guard(lock);
  return calls[function];
}
extern "C" __attribute__((visibility("default"))) void fakeCudaReset() {
  const std::lock_guard guard(lock);
  calls.clear();
}
extern "C" __attribute__((visibility("default"))) int64_t fakeCudaLeaks() {
  const std::lock_guard guard(lock);
  return int64_t(allocations.size() + pinned.size()) + contexts + current;
}

FAKE(cuInit, unsigned) { COUNT(cuInit) return 0; }
FAKE(cuDriverGetVersion, int *version) {
  COUNT(cuDriverGetVersion)
  *version = int(number("version", 12080));
  return 0;
}
FAKE(cuGetErrorName, int code, const char **text) {
  static const std::map<int, const char *> names = {
      {1, "CUDA_ERROR_INVALID_VALUE"},  {2, "CUDA_ERROR_OUT_OF_MEMORY"},
      {100, "CUDA_ERROR_NO_DEVICE"},    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU"},
      {218, "CUDA_ERROR_INVALID_PTX"},  {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"},
      {500, "CUDA_ERROR_NOT_FOUND"},    {700, "CUDA_ERROR_ILLEGAL_ADDRESS"},
      {719, "CUDA_ERROR_LAUNCH_FAILED"}};
  auto found = names.find(code);
  *text = found == names.end() ? nullptr : found->second;
  return *text ? 0 : invalidValue;
}
FAKE(cuGetErrorString, int code, const char **text) {
  *text = code == outOfMemory ? "out of memory" : "what went wrong";
  return 0;
}
FAKE(cuDeviceGetCount, int *n) {
  COUNT(cuDeviceGetCount)
  *n = int(number("devices", 1));
  return 0;
}
FAKE(cuDeviceGet, int *device, int ordinal) {
  COUNT(cuDeviceGet)
  *device = ordinal;
  return ordinal < number("devices", 1) ? 0 : invalidDevice;
}
FAKE(cuDeviceGetName, char *name, int bytes, int) {
  COUNT(cuDeviceGetName)
  std::strncpy(name, "Fake", size_t(bytes));
  return 0;
}
FAKE(cuDeviceGetAttribute, int *value, int attribute, int) {
  COUNT(cuDeviceGetAttribute)
  const int architecture = int(number("architecture", 86));
  *value = attribute == 75 ? architecture / 10 : architecture % 10;
  return attribute == 75 || attribute == 76 ? 0 : invalidValue;
}
FAKE(cuDevicePrimaryCtxRetain, void **context, int) {
  COUNT(cuDevicePrimaryCtxRetain)
  ++contexts;
  *context = &contexts;
  return 0;
}
FAKE(cuDevicePrimaryCtxRelease_v2, int) {
  --contexts;
  return 0;
}
FAKE(cuCtxPushCurrent_v2, void *context) {
  ++current;
  return context == &contexts ? 0 : invalidContext;
}
FAKE(cuCtxPopCurrent_v2, void **context) {
  *context = &contexts;
  return current-- > 0 ? 0 : invalidContext;
}
FAKE(cuMemGetInfo_v2, size_t *free, size_t *total) {
  COUNT(cuMemGetInfo_v2)
  *total = size_t(number("memory", 1 << 30));
  *free = *total - used;
  return current ? 0 : invalidContext;
}
FAKE(cuMemAlloc_v2, uint64_t *memory, size_t bytes) {
  COUNT(cuMemAlloc_v2)
  if (current == 0 || bytes == 0)
    return current ? invalidValue : invalidContext;
  if (used + bytes > size_t(number("memory", 1 << 30)))
    return outOfMemory;
  auto host = reinterpret_cast<uint64_t>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
  std::memset(reinterpret_cast<void *>(host), 0xa5, bytes); // as memory of a device may be
  *memory = host | deviceBit;
  const std::lock_guard guard(lock);
  allocations[host] = bytes;
  used += bytes;
  return 0;
}
FAKE(cuMemFree_v2, uint64_t memory) {
  const std::lock_guard guard(lock);
  auto found = allocations.find(memory - deviceBit);
  if (found == allocations.end() || current == 0)
    return invalidValue;
  used -= found->second;
  std::free(reinterpret_cast<void *>(found->first));
  allocations.erase(found);
  return 0;
}
FAKE(cuMemHostAlloc, void **memory, size_t bytes, unsigned) {
  COUNT(cuMemHostAlloc)
  *memory = std::malloc(bytes);
  const std::lock_guard guard(lock);
  pinned[*memory] = bytes;
  return current ? 0 : invalidContext;
}
FAKE(cuMemFreeHost, void *memory) {
  const std::lock_guard guard(lock);
  if (!pinned.erase(memory) || current == 0)
    return invalidValue;
  std::free(memory);
  return 0;
}

FAKE(cuMemcpyHtoDAsync_v2, uint64_t to, const void *from, size_t bytes, void *stream) {
  COUNT(cuMemcpyHtoDAsync_v2)
  void *host = inside(to, bytes);
  // A graph reads what lies there when it runs: that is the driver's to keep only where it is
  // pinned.
  if (!host || (static_cast<FakeStream *>(stream)->capturing && !isPinned(from, bytes)))
    return invalidValue;
  return enqueue(stream, [=] { return std::memcpy(host, from, bytes), 0; });
}
FAKE(cuMemcpyDtoHAsync_v2, void *to, uint64_t from, size_t bytes, void *stream) {
  COUNT(cuMemcpyDtoHAsync_v2)
  void *host = inside(from, bytes);
  if (!host || (static_cast<FakeStream *>(stream)->capturing && !isPinned(to, bytes)))
    return invalidValue;
  return enqueue(stream, [=] { return std::memcpy(to, host, bytes), 0; });
}
FAKE(cuMemcpyDtoDAsync_v2, uint64_t to, uint64_t from, size_t bytes, void *stream) {
  COUNT(cuMemcpyDtoDAsync_v2)
  void *target = inside(to, bytes), *source = inside(from, bytes);
  // What overlaps is undefined.
  if (!target || !source || (to < from + bytes && from < to + bytes))
    return invalidValue;
  return enqueue(stream, [=] { return std::memcpy(target, source, bytes), 0; });
}
FAKE(cuMemsetD8Async, uint64_t to, unsigned char value, size_t bytes, void *stream) {
  COUNT(cuMemsetD8Async)
  void *host = inside(to, bytes);
  if (!host)
    return invalidValue;
  return enqueue(stream, [=] { return std::memset(host, value, bytes), 0; });
}

FAKE(cuModuleLoadDataEx, void **module, const void *image, unsigned options, int *names,
     void **values) {
  COUNT(cuModuleLoadDataEx)
  const auto *bytes = static_cast<const char *>(image);
  const bool cubin = std::memcmp(bytes,
                                 "\x7f"
                                 "ELF",
                                 4) == 0;
  if (cubin)
    if (int code = count("cubin"))
      return code;
  std::string text(cubin ? bytes + 64 : bytes);
  if (text.find("bad") != text.npos) {
    for (unsigned i = 0; i < options; ++i)
      if (names[i] == 5)
        std::strcpy(static_cast<char *>(values[i]), "ptxas fatal: line 7\nand more");
    return invalidPtx;
  }
  *module = new FakeModule{std::move(text)};
  return current ? 0 : invalidContext;
}
FAKE(cuModuleUnload, void *module) {
  delete static_cast<FakeModule *>(module);
  return 0;
}
FAKE(cuModuleGetFunction, void **function, void *module, const char *name) {
  COUNT(cuModuleGetFunction)
  for (const KernelEntry &entry : table)
    if (static_cast<FakeModule *>(module)->text.find(name) != std::string::npos &&
        std::string_view(entry.name) == name) {
      *function = const_cast<KernelEntry *>(&entry);
      return 0;
    }
  return notFound;
}
FAKE(cuFuncSetAttribute, void *, int attribute, int value) {
  COUNT(cuFuncSetAttribute)
  return attribute == 8 && value <= 100 << 10 ? 0 : invalidValue;
}

FAKE(cuStreamCreate, void **stream, unsigned) {
  COUNT(cuStreamCreate)
  *stream = new FakeStream;
  return current ? 0 : invalidContext;
}
FAKE(cuStreamDestroy_v2, void *stream) {
  delete static_cast<FakeStream *>(stream);
  return 0;
}
FAKE(cuStreamWaitEvent, void *stream, void *event, unsigned) {
  COUNT(cuStreamWaitEvent)
  return stream && event ? 0 : invalidValue;
}
FAKE(cuStreamSynchronize, void *stream) {
  COUNT(cuStreamSynchronize)
  return static_cast<FakeStream *>(stream)->error;
}
FAKE(cuLaunchKernel, void *function, unsigned gridX, unsigned, unsigned, unsigned blockX, unsigned,
     unsigned, unsigned, void *stream, void **parameters, void **) {
  COUNT(cuLaunchKernel)
  const auto *entry = static_cast<const KernelEntry *>(function);
  if (!entry || gridX == 0 || blockX == 0)
    return invalidValue;
  std::vector<void *> arguments;
  for (size_t i = 0; i < entry->arguments; ++i) {
    void *host = inside(*static_cast<uint64_t *>(parameters[i]), 1);
    if (!host)
      return invalidValue;
    arguments.push_back(host);
  }
  return enqueue(stream, [=] {
    if (int code = count(entry->name))
      return code;
    for (unsigned workgroup = gridX; workgroup-- > 0;)
      entry->kernel(arguments.data(), workgroup);
    return 0;
  });
}

FAKE(cuEventCreate, void **event, unsigned) {
  COUNT(cuEventCreate)
  *event = new int(0);
  return current ? 0 : invalidContext;
}
FAKE(cuEventDestroy_v2, void *event) {
  delete static_cast<int *>(event);
  return 0;
}
FAKE(cuEventRecord, void *event, void *stream) {
  COUNT(cuEventRecord)
  return event && !static_cast<FakeStream *>(stream)->capturing ? 0 : invalidValue;
}
FAKE(cuEventSynchronize, void *) { COUNT(cuEventSynchronize) return 0; }
FAKE(cuEventElapsedTime, float *milliseconds, void *, void *) {
  COUNT(cuEventElapsedTime)
  *milliseconds = 0.5f;
  return 0;
}

#ifndef FAKE_CUDA_WITHOUT_GRAPHS
FAKE(cuStreamBeginCapture_v2, void *stream, int) {
  COUNT(cuStreamBeginCapture_v2)
  static_cast<FakeStream *>(stream)->capturing = true;
  return 0;
}
FAKE(cuStreamEndCapture, void *stream, void **graph) {
  auto *source = static_cast<FakeStream *>(stream);
  source->capturing = false;
  auto captured = std::move(source->captured);
  source->captured.clear();
  COUNT(cuStreamEndCapture)
  *graph = new std::vector<std::function<int()>>(std::move(captured));
  return 0;
}
FAKE(cuGraphInstantiateWithFlags, void **exec, void *graph, unsigned long long) {
  COUNT(cuGraphInstantiateWithFlags)
  *exec = new auto(*static_cast<std::vector<std::function<int()>> *>(graph));
  return 0;
}
FAKE(cuGraphLaunch, void *exec, void *stream) {
  COUNT(cuGraphLaunch)
  for (const auto &work : *static_cast<std::vector<std::function<int()>> *>(exec))
    if (int code = enqueue(stream, work))
      return code;
  return 0;
}
FAKE(cuGraphDestroy, void *graph) {
  delete static_cast<std::vector<std::function<int()>> *>(graph);
  return 0;
}
FAKE(cuGraphExecDestroy, void *exec) {
  delete static_cast<std::vector<std::function<int()>> *>(exec);
  return 0;
}
#endif
