// Puts every fault that ptx_mutants.h knows into kernels, one at a time, and sees that the emulator
// finds it: memformer-kernel-mutants [options] PROGRAM.mlir…

#include "codegen/EachKernel.h"
#include "codegen/nvptx/Compile.h"
#include "codegen/nvptx/KernelModule.h"
#include "dialect/kernel/Form.h"
#include "mlir/Parser/Parser.h"
#include "test/emulator/kernel_inputs.h"
#include "test/emulator/kernel_trial.h"
#include "test/emulator/ptx_mutants.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

#include <map>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

using namespace mlir;
using namespace memformer;
using namespace memformer::emulator;
namespace cl = llvm::cl;

namespace {

cl::list<std::string> files(cl::Positional, cl::OneOrMore, cl::desc("PROGRAM.mlir..."));
cl::opt<std::string> gpu("target", cl::init("sm_80"),
                         cl::desc("what the kernels are compiled for"));
cl::opt<unsigned> jobs("jobs", cl::init(0), cl::desc("kernels at a time [all cores]"));
cl::opt<unsigned> sample("sample", cl::init(4),
                         cl::desc("faults of a kind in a kernel, evenly over it; 0: all. Barriers "
                                  "and waits are all tried in any case"));
cl::opt<std::string> only("only", cl::desc("kernels whose symbol or form has this in it"));
cl::opt<unsigned> seeds("seeds", cl::init(6), cl::desc("sets of numbers that a kernel is given"));
cl::opt<std::string> kinds("kinds", cl::init("all"),
                           cl::desc("faults to try: order (barriers, waits), numbers, or all"));
cl::opt<unsigned>
    blocks("blocks", cl::init(24),
           cl::desc("blocks of a kernel with shared memory that run, the first ones"));
cl::opt<bool> every("every", cl::desc("every kernel, not one of each form"));
cl::opt<bool> quiet("quiet", cl::desc("list faults that are not found alone"));

using Bytes = std::vector<std::vector<uint8_t>>; // of each argument

/// A kernel of a program, as text of its own.
struct Job {
  std::string file, symbol, form, text;
};

/// What a child says of a kernel: lines for people, then `counts`.
struct Counts {
  unsigned found[mutationKinds] = {}, all[mutationKinds] = {};
  /// Strides of loops that have one round.
  unsigned unused = 0;
  bool failed = false;
};

/// Of a launch the forms of its ops, each once.
std::string formOf(program::KernelOp kernel) {
  if (Operation *single = kernel.getSingle())
    return kernel::formOf(single);
  std::set<std::string> forms;
  for (Operation &op : kernel.getKernels())
    forms.insert(kernel::formOf(&op));
  return (kernel.getParts() ? "chain of " : "side by side ") + llvm::join(forms, ", ");
}

/// The kernels of the programs: one of each form, the one with the most work, or all that differ.
std::vector<Job> jobsOf(MLIRContext &context, bool &failed) {
  std::vector<Job> all;
  std::map<std::string, std::pair<size_t, int64_t>> byForm;
  std::set<std::string> texts;
  for (const std::string &file : files) {
    OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(file, &context);
    if (!module) {
      failed = true;
      return {};
    }
    for (auto kernel : module->getOps<program::KernelOp>()) {
      Job job{file, kernel.getSymName().str(), formOf(kernel), ""};
      if (!only.empty() && job.symbol.find(only) == std::string::npos &&
          job.form.find(only) == std::string::npos)
        continue;
      llvm::raw_string_ostream stream(job.text);
      kernel->print(stream, OpPrintingFlags().useLocalScope());
      if (!texts.insert(job.text.substr(job.text.find('\n'))).second)
        continue;
      int64_t work = int64_t(kernel.getFlops()) + int64_t(kernel.getBytes());
      auto [place, isNew] = byForm.try_emplace(job.form, all.size(), work);
      if (every || isNew) {
        all.push_back(std::move(job));
      } else if (place->second.second < work) {
        place->second.second = work;
        all[place->second.first] = std::move(job);
      }
    }
  }
  return all;
}

/// Those of a kind that are tried, evenly over the text.
std::vector<MutationSite> sampled(const std::vector<MutationSite> &sites) {
  std::map<MutationSite::Kind, unsigned> counts, seen;
  for (const MutationSite &site : sites)
    ++counts[site.kind];
  std::vector<MutationSite> kept;
  for (const MutationSite &site : sites) {
    unsigned count = counts[site.kind], number = seen[site.kind]++;
    bool isOrder = site.kind <= MutationSite::Kind::Wait;
    if (kinds != "all" && isOrder != (kinds == "order"))
      continue;
    if (!sample || isOrder || count <= sample ||
        number * sample / count != (number + 1) * sample / count)
      kept.push_back(site);
  }
  return kept;
}

/// In a process of its own, which may hang or crash: that is found too.
std::string findInChild(const KernelImage &image, const Bytes &expected, bool orders) {
  int ends[2];
  if (pipe(ends))
    return "";
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    alarm(60);
    std::freopen("/dev/null", "w", stderr);
    std::string found = findFault(image, expected, orders);
    ssize_t ignored = write(ends[1], found.data(), found.size());
    _exit(ignored < 0);
  }
  close(ends[1]);
  std::string found;
  char buffer[4096];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;)
    found.append(buffer, size_t(got));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    return WTERMSIG(status) == SIGALRM ? "does not end" : "ends by a signal";
  return found;
}

/// Compiles a kernel, sees that it is right in all modes, and tries its faults.
Counts tryKernel(const Job &job, const nvptx::GpuTarget &target, llvm::raw_ostream &out) {
  Counts counts;
  auto fail = [&](const llvm::Twine &what) {
    out << job.symbol << " (" << job.form << ") of " << job.file << ": " << what << "\n";
    counts.failed = true;
  };
  llvm::Expected<nvptx::CompiledKernel> compiled = nvptx::compileKernel(job.text, target);
  if (!compiled) {
    fail(llvm::toString(compiled.takeError()));
    return counts;
  }
  KernelImage image;
  image.ptx = compiled->code;
  image.symbol = compiled->symbol;
  image.architecture = unsigned(std::atoi(target.architecture.data() + 3));
  // Blocks without shared memory cost little, and may differ in which arguments they read.
  image.grid = compiled->sharedBytes == 0 ? unsigned(compiled->grid)
                                          : std::min(unsigned(compiled->grid), unsigned(blocks));
  image.threads = unsigned(compiled->threads);
  image.sharedBytes = unsigned(compiled->sharedBytes);
  DialectRegistry registry;
  nvptx::registerKernelDialects(registry);

  // The same kernel on several numbers: a fault may not show in some.
  std::vector<KernelImage> images;
  std::vector<Bytes> expected;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    images.push_back(image);
    if (llvm::Error error = withKernel(job.text, registry, [&](program::KernelOp kernel) {
          images.back().arguments = inputsOf(kernel, seed);
          return success();
        })) {
      fail(llvm::toString(std::move(error)));
      return counts;
    }
    expected.emplace_back();
    for (const std::string &modes : trialModes()) {
      Outcome outcome = runImage(images.back(), modes);
      if (!outcome.fault.empty())
        fail(modes + ": " + outcome.fault);
      else if (expected.back().empty())
        expected.back() = std::move(outcome.after);
      else if (outcome.after != expected.back())
        fail(modes + ": other bits than in the first mode");
      if (counts.failed)
        return counts;
      if (seed > 1)
        break;
    }
  }
  for (const MutationSite &site : sampled(mutationSites(image.ptx))) {
    bool orders = site.kind <= MutationSite::Kind::Wait;
    auto findChanged = [&](const MutationSite &changed) {
      // What orders is left out by the emulator: the kernel is compiled already.
      std::string ptx = orders ? image.ptx : mutated(image.ptx, changed), found;
      for (size_t i = 0; i < images.size() && found.empty(); ++i) {
        images[i].ptx = ptx;
        images[i].skip = orders ? changed.line : 0;
        found = findInChild(images[i], expected[i], orders);
      }
      return found;
    };
    std::string found = findChanged(site);
    // What makes no difference however far it goes is never used: a loop of one round.
    if (found.empty() && site.kind == MutationSite::Kind::Stride) {
      MutationSite far = site;
      far.change = 1 << 28;
      if (findChanged(far).empty()) {
        ++counts.unused;
        continue;
      }
    }
    ++counts.all[size_t(site.kind)];
    counts.found[size_t(site.kind)] += !found.empty();
    if (found.empty() || !quiet)
      out << (found.empty() ? "NOT FOUND " : "found ") << job.symbol << " (" << job.form
          << ") line " << site.line << ", " << nameOf(site.kind) << ": "
          << StringRef(site.instruction).substr(0, 60) << (found.empty() ? "" : " -- ") << found
          << "\n";
  }
  return counts;
}

/// The text that `body` writes in a process of its own, for each number below `count`, `atOnce` at
/// a time.
std::vector<std::string> inProcesses(size_t count, unsigned atOnce,
                                     llvm::function_ref<void(size_t, llvm::raw_ostream &)> body) {
  std::vector<std::FILE *> outputs;
  size_t running = 0;
  auto wait = [&] {
    int status;
    if (waitpid(-1, &status, 0) > 0)
      --running;
  };
  for (size_t i = 0; i < count; ++i) {
    if (running == atOnce)
      wait();
    outputs.push_back(std::tmpfile());
    if (fork() == 0) {
      {
        llvm::raw_fd_ostream out(fileno(outputs.back()), /*shouldClose=*/false);
        body(i, out);
      }
      _exit(0);
    }
    ++running;
  }
  while (running)
    wait();
  std::vector<std::string> texts;
  for (std::FILE *output : outputs) {
    std::string &text = texts.emplace_back();
    std::rewind(output);
    char buffer[4096];
    for (size_t got; (got = std::fread(buffer, 1, sizeof buffer, output)) > 0;)
      text.append(buffer, got);
    std::fclose(output);
  }
  return texts;
}

/// The line that ends a child's text.
constexpr StringRef totals = "totals";

void writeCounts(const Counts &counts, llvm::raw_ostream &out) {
  out << totals;
  for (unsigned kind = 0; kind < mutationKinds; ++kind)
    out << " " << counts.found[kind] << " " << counts.all[kind];
  out << " " << counts.unused << (counts.failed ? " failed\n" : " right\n");
}

/// Takes the counts off a child's text; one that did not get that far has failed.
Counts readCounts(std::string &text) {
  Counts counts;
  size_t begin = text.rfind(totals);
  if (begin == std::string::npos) {
    counts.failed = true;
    text += "a kernel's process ended before it was done\n";
    return counts;
  }
  SmallVector<StringRef> words;
  StringRef(text).substr(begin).trim().split(words, ' ');
  for (unsigned kind = 0; kind < mutationKinds; ++kind) {
    words[1 + 2 * kind].getAsInteger(10, counts.found[kind]);
    words[2 + 2 * kind].getAsInteger(10, counts.all[kind]);
  }
  words[1 + 2 * mutationKinds].getAsInteger(10, counts.unused);
  counts.failed = words.back() == "failed";
  text.resize(begin);
  return counts;
}

} // namespace

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(argc, argv, "faults in kernels, which the emulator must find\n");
  llvm::Expected<nvptx::GpuTarget> target = nvptx::GpuTarget::get(gpu);
  if (!target) {
    llvm::errs() << "error: " << llvm::toString(target.takeError()) << "\n";
    return 2;
  }
  std::vector<Job> kernels;
  {
    DialectRegistry registry;
    nvptx::registerKernelDialects(registry);
    MLIRContext context(registry, MLIRContext::Threading::DISABLED);
    context.loadAllAvailableDialects();
    bool failed = false;
    kernels = jobsOf(context, failed);
    if (failed)
      return 2;
  }
  unsigned atOnce = jobs ? unsigned(jobs) : unsigned(sysconf(_SC_NPROCESSORS_ONLN));
  std::vector<std::string> texts =
      inProcesses(kernels.size(), atOnce, [&](size_t i, llvm::raw_ostream &out) {
        writeCounts(tryKernel(kernels[i], *target, out), out);
      });
  Counts sum;
  for (std::string &text : texts) {
    Counts counts = readCounts(text);
    llvm::outs() << text;
    sum.failed |= counts.failed;
    sum.unused += counts.unused;
    for (unsigned kind = 0; kind < mutationKinds; ++kind) {
      sum.found[kind] += counts.found[kind];
      sum.all[kind] += counts.all[kind];
    }
  }
  llvm::outs() << kernels.size() << " kernels for " << gpu << ", faults found:";
  bool complete = !sum.failed && !kernels.empty();
  for (unsigned kind = 0; kind < mutationKinds; ++kind)
    if (sum.all[kind]) {
      llvm::outs() << " " << nameOf(MutationSite::Kind(kind)) << " " << sum.found[kind] << "/"
                   << sum.all[kind];
      complete &= sum.found[kind] == sum.all[kind];
    }
  if (sum.unused)
    llvm::outs() << "; " << sum.unused << " strides of loops of one round are left out";
  llvm::outs() << "\n";
  return complete ? 0 : 1;
}
