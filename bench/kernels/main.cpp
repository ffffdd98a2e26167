// memformer-bench-kernels: times generated kernels and libraries, as another process asks.

#include "bench/kernels/cases.h"
#include "bench/kernels/libraries.h"
#include "bench/kernels/machine.h"
#include "codegen/host/Load.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <xmmintrin.h>

using namespace memformer;
using namespace memformer::bench;

namespace {

constexpr const char *usage =
    R"(usage: memformer-bench-kernels [--cpu CPU] [--mkl libmkl_rt.so.2]

Times one kernel at a time on one thread. Answers each line of standard input with a line of JSON:
  list                    every case: name, FLOPs, bytes, what PyTorch is asked for, wanted ratio
  machine                 FMA peak (FLOP/s), copy bandwidth (byte/s), libraries found
  time CASE MILLISECONDS  seconds a call, of "memformer" and of each library that has this case
)";

using Memory = std::unique_ptr<void, decltype(&std::free)>;

Memory allocate(const Buffer &buffer, uint32_t &state) {
  auto entries = size_t(buffer.entries());
  Memory memory(std::aligned_alloc(64, (entries * 4 + 63) / 64 * 64), std::free);
  for (size_t i = 0; i < entries; ++i) {
    state = state * 1664525U + 1013904223U;
    if (buffer.bound)
      static_cast<int32_t *>(memory.get())[i] = int32_t((state >> 8) % uint32_t(buffer.bound));
    else
      static_cast<float *>(memory.get())[i] =
          buffer.center + buffer.largest * (2 * float(state >> 8) * 0x1p-24F - 1);
  }
  return memory;
}

/// A case with its memory, and all ways to compute it.
struct Contest {
  std::vector<Memory> memory;
  std::vector<void *> arguments;
  std::vector<std::pair<std::string, std::function<void()>>> ways;
};

std::vector<std::string> typesOf(const std::vector<Buffer> &buffers) {
  std::vector<std::string> types;
  for (const Buffer &buffer : buffers)
    types.push_back(buffer.type());
  return types;
}

llvm::Expected<std::unique_ptr<Contest>> prepare(const Case &c, const host::HostTarget &target,
                                                 const std::vector<Library> &libraries) {
  auto kernel = host::loadKernel(c.body, typesOf(c.operands), typesOf(c.results), target);
  if (!kernel)
    return kernel.takeError();
  auto contest = std::make_unique<Contest>();
  uint32_t state = 1;
  auto add = [&](const Buffer &buffer) {
    contest->memory.push_back(allocate(buffer, state));
    return contest->memory.back().get();
  };
  for (const auto *list : {&c.operands, &c.buffers, &c.results})
    for (const Buffer &buffer : *list)
      contest->arguments.push_back(add(buffer));
  contest->ways.emplace_back("memformer", [arguments = contest->arguments.data(),
                                           kernel = *kernel] { kernel.run(arguments); });
  if (c.product) {
    const Product &p = *c.product;
    auto *a = static_cast<float *>(add({{p.m, p.k}}));
    auto *b = static_cast<float *>(add({{p.k, p.n}}));
    auto *sums = static_cast<float *>(add({{p.m, p.n}}));
    for (const Library &library : libraries)
      if (auto way = library.prepare(p, a, b, sums))
        contest->ways.emplace_back(library.name, way);
  }
  return contest;
}

// Seconds a call: the shortest stretch of several, each of about a quarter of the time.
double timeWay(const std::function<void()> &way, double seconds) {
  double begin = now();
  way();
  double once = now() - begin;
  auto calls = int64_t(std::max(1.0, seconds / 4 / std::max(once, 1e-7)));
  double best = once;
  for (int stretch = 0; stretch < 4; ++stretch) {
    begin = now();
    for (int64_t i = 0; i < calls; ++i)
      way();
    best = std::min(best, (now() - begin) / double(calls));
  }
  return best;
}

class Server {
public:
  Server(host::HostTarget target, std::vector<Library> libraries)
      : target(std::move(target)), libraries(std::move(libraries)),
        cases(allCases(this->target.panelWidth())) {}

  llvm::json::Value answer(const std::string &line) {
    std::istringstream words(line);
    std::string command, name;
    double milliseconds = 0;
    words >> command >> name >> milliseconds;
    if (command == "list")
      return list();
    if (command == "machine")
      return machine();
    if (command != "time" || milliseconds <= 0)
      return error("expected 'list', 'machine' or 'time CASE MILLISECONDS', but got '" + line +
                   "'");
    for (const Case &c : cases)
      if (c.name == name)
        return time(c, milliseconds / 1000);
    return error("expected a case of 'list', but got '" + name + "'");
  }

private:
  static llvm::json::Value error(const std::string &message) {
    return llvm::json::Object{{"error", message}};
  }

  llvm::json::Value list() const {
    llvm::json::Array rows;
    for (const Case &c : cases)
      rows.push_back(llvm::json::Object{{"name", c.name},
                                        {"flops", c.flops},
                                        {"bytes", c.bytes},
                                        {"torch", c.torch},
                                        {"wanted", c.wanted}});
    return rows;
  }

  llvm::json::Value machine() const {
    llvm::json::Array names;
    for (const Library &library : libraries)
      names.push_back(library.name);
    return llvm::json::Object{{"fma_peak", measureFmaPeak()},
                              {"copy_bandwidth", measureCopyBandwidth()},
                              {"cpu", target.cpu},
                              {"lanes", target.lanes},
                              {"libraries", std::move(names)}};
  }

  llvm::json::Value time(const Case &c, double seconds) {
    std::unique_ptr<Contest> &contest = contests[c.name];
    if (!contest) {
      // One case's memory at a time.
      contests.clear();
      auto prepared = prepare(c, target, libraries);
      if (!prepared)
        return error(llvm::toString(prepared.takeError()));
      contests[c.name] = std::move(*prepared);
    }
    llvm::json::Object times;
    for (const auto &[name, way] : contests[c.name]->ways)
      times[name] = timeWay(way, seconds);
    return times;
  }

  host::HostTarget target;
  std::vector<Library> libraries;
  std::vector<Case> cases;
  std::map<std::string, std::unique_ptr<Contest>> contests;
};

} // namespace

int main(int count, char **words) {
  std::string cpu = "native", mkl;
  for (int i = 1; i < count; ++i) {
    std::string option = words[i];
    if (i + 1 < count && option == "--cpu")
      cpu = words[++i];
    else if (i + 1 < count && option == "--mkl")
      mkl = words[++i];
    else {
      std::cerr << usage;
      return option == "--help" ? 0 : 1;
    }
  }
  // As the runtime calls kernels: denormal numbers are zeros.
  _mm_setcsr(_mm_getcsr() | 0x8040);
  auto target = host::HostTarget::get(cpu);
  if (!target) {
    llvm::errs() << "memformer-bench-kernels: " << llvm::toString(target.takeError()) << "\n";
    return 1;
  }
  Server server(*target, openLibraries(mkl));
  for (std::string line; std::getline(std::cin, line);)
    llvm::outs() << server.answer(line) << "\n", llvm::outs().flush();
}
