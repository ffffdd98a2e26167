// Counts instructions, occupancy and rooflines.

#include "codegen/nvptx/Report.h"
#include "codegen/nvptx/Assemble.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using llvm::formatv;

namespace memformer::nvptx {

// The instruction of a line of PTX, "" for none: labels, directives and predicates are left out.
static StringRef instructionOf(StringRef line) {
  line = line.trim();
  if (line.consume_front("@"))
    line = line.drop_until(llvm::isSpace).ltrim();
  if (line.empty() || !llvm::isLower(line.front()) || line.split(' ').first.ends_with(":"))
    return "";
  return line.take_until([](char c) { return llvm::isSpace(c) || c == ';'; });
}

static void countInstructions(StringRef ptx, KernelReport &report) {
  while (!ptx.empty()) {
    auto [line, rest] = ptx.split('\n');
    ptx = rest;
    StringRef name = instructionOf(line);
    if (name.starts_with("mma.") || name.starts_with("wgmma.mma_async")) {
      ++report.matrixProducts;
      report.isTF32 |= name.contains("tf32");
    } else if (name.starts_with("ld.global") || name.starts_with("st.global"))
      ++report.globalAccesses;
    else if (name.starts_with("ld.shared") || name.starts_with("st.shared") ||
             name.starts_with("ldmatrix"))
      ++report.sharedAccesses;
    else if ((name.starts_with("cp.async.c") && !name.contains("commit")) ||
             name.starts_with("cp.async.bulk"))
      ++report.asyncCopies;
    else if (name.starts_with("bar.sync") || name.starts_with("barrier.sync") ||
             name.starts_with("barrier.cta.sync"))
      ++report.barriers;
  }
}

static void countMachineCode(StringRef binary, KernelReport &report) {
  std::optional<std::string> disassembler = findDisassembler();
  if (binary.empty() || !disassembler)
    return;
  llvm::Expected<std::string> text = disassemble(*disassembler, binary);
  if (!text) { // no more than is known without it
    llvm::consumeError(text.takeError());
    return;
  }
  report.sass.assign(std::size(Report::sassKinds), 0);
  SmallVector<StringRef> lines;
  StringRef(*text).split(lines, '\n');
  for (StringRef line : lines)
    for (auto [kind, count] : llvm::zip_equal(Report::sassKinds, report.sass)) {
      size_t at = line.find((" " + kind).str());
      StringRef rest = at == StringRef::npos ? "" : line.substr(at + 1 + kind.size());
      count += !rest.empty() && (rest.front() == '.' || rest.front() == ' ');
    }
}

// Blocks of a multiprocessor, by each of its resources.
static double occupancyOf(const KernelReport &kernel, const GpuTarget &target) {
  // Registers are given to warps in units of 256; a block has a kilobyte of shared memory beside
  // its own where the architecture keeps one for itself.
  constexpr int64_t unit = 256, mostBlocks = 32;
  int64_t warps = llvm::divideCeil(kernel.threads, GpuTarget::warp);
  int64_t blocks = std::min(mostBlocks, target.threadsOfMultiprocessor / kernel.threads);
  if (kernel.registers > 0) {
    int64_t ofWarp = int64_t(llvm::alignTo(uint64_t(kernel.registers * GpuTarget::warp), unit));
    blocks = std::min(blocks, GpuTarget::registersOfMultiprocessor / (ofWarp * warps));
  }
  int64_t kept = target.capability >= 80 ? 1024 : 0;
  if (int64_t shared = kernel.sharedBytes + kept)
    blocks = std::min(blocks, target.sharedBytesOfMultiprocessor / shared);
  return double(blocks * warps * GpuTarget::warp) / double(target.threadsOfMultiprocessor);
}

static void addDispatches(Block &block, const llvm::StringMap<const KernelReport *> &kernels,
                          FunctionReport &report) {
  for (auto dispatch : block.getOps<program::DispatchOp>()) {
    const KernelReport &kernel = *kernels.lookup(dispatch.getKernel());
    report.launches += 1;
    if (report.sequence.empty() || report.sequence.back().first != kernel.symbol)
      report.sequence.push_back({kernel.symbol, 0});
    ++report.sequence.back().second;
    report.flops += kernel.flops;
    report.tensorFlops += kernel.tensorFlops;
    report.bytes += kernel.bytes;
    report.movedBytes += kernel.movedBytes;
    report.seconds += kernel.seconds;
  }
}

static void addTimes(const FunctionReport &part, int64_t times, FunctionReport &sum) {
  sum.launches += times * part.launches;
  sum.flops += times * part.flops;
  sum.tensorFlops += times * part.tensorFlops;
  sum.bytes += times * part.bytes;
  sum.movedBytes += times * part.movedBytes;
  sum.seconds += double(times) * part.seconds;
}

Report makeReport(ModuleOp program, ArrayRef<CompiledKernel> compiled, const GpuTarget &target,
                  int64_t segments) {
  Report report;
  report.target = target;
  report.segments = segments;
  report.step.name = "step";
  for (auto [op, kernel] : llvm::zip_equal(program.getOps<program::KernelOp>(), compiled)) {
    KernelReport entry;
    entry.symbol = kernel.symbol;
    entry.kind = op.getKind().str();
    entry.grid = kernel.grid;
    entry.threads = kernel.threads;
    entry.sharedBytes = kernel.sharedBytes;
    entry.registers = kernel.registers;
    entry.spilledBytes = kernel.spilledBytes;
    report.assembled |= !kernel.binary.empty();
    entry.occupancy = occupancyOf(entry, target);
    countInstructions(kernel.code, entry);
    entry.flops = int64_t(op.getFlops());
    entry.bytes = int64_t(op.getBytes());
    entry.tensorFlops = kernel.tensorFlops;
    entry.movedBytes = kernel.movedBytes;
    double rate = entry.isTF32 ? target.tf32Rate() : target.tensorRate;
    entry.seconds = std::max(double(entry.tensorFlops) / rate +
                                 double(entry.flops - entry.tensorFlops) / target.f32Rate,
                             double(entry.movedBytes) / target.bandwidth);
    countMachineCode(kernel.binary, entry);
    report.kernels.push_back(std::move(entry));
  }
  llvm::StringMap<const KernelReport *> bySymbol;
  for (const KernelReport &kernel : report.kernels)
    bySymbol[kernel.symbol] = &kernel;
  for (auto function : program.getOps<program::FunctionOp>()) {
    Block &body = function.getBody().front();
    FunctionReport outside;
    outside.name = function.getSymName().str();
    addDispatches(body, bySymbol, outside);
    if (outside.launches > 0)
      report.functions.push_back(outside);
    for (auto loop : body.getOps<program::LoopOp>()) {
      // The reverse traversal is the one that descends.
      StringRef what = loop.getDescending()               ? " (replay)"
                       : function.getSymName() == "train" ? " (forward)"
                                                          : "";
      FunctionReport inside{(function.getSymName() + what).str(), true, loop.getSkipLast()};
      addDispatches(loop.getBody().front(), bySymbol, inside);
      report.functions.push_back(inside);
    }
  }
  bool trained = llvm::any_of(report.functions, [](const FunctionReport &function) {
    return StringRef(function.name).starts_with("train");
  });
  for (const FunctionReport &function : report.functions) {
    StringRef name = function.name;
    if (trained && (name.starts_with("train") || name == "prepare" || name == "update"))
      addTimes(function, function.perSegment ? segments - function.skipsLast : 1, report.step);
  }
  return report;
}

llvm::json::Object Report::json() const {
  llvm::json::Array kernelList, functionList;
  for (const KernelReport &kernel : kernels)
    kernelList.push_back(llvm::json::Object{{"symbol", kernel.symbol},
                                            {"kind", kernel.kind},
                                            {"grid", kernel.grid},
                                            {"threads", kernel.threads},
                                            {"shared_bytes", kernel.sharedBytes},
                                            {"registers", kernel.registers},
                                            {"spilled_bytes", kernel.spilledBytes},
                                            {"occupancy", kernel.occupancy},
                                            {"matrix_products", kernel.matrixProducts},
                                            {"global_accesses", kernel.globalAccesses},
                                            {"shared_accesses", kernel.sharedAccesses},
                                            {"async_copies", kernel.asyncCopies},
                                            {"barriers", kernel.barriers},
                                            {"flops", kernel.flops},
                                            {"tensor_core_flops", kernel.tensorFlops},
                                            {"bytes", kernel.bytes},
                                            {"moved_bytes", kernel.movedBytes},
                                            {"roofline_seconds", kernel.seconds}});
  for (auto [entry, kernel] : llvm::zip_equal(kernelList, kernels)) {
    llvm::json::Object counts;
    for (auto [kind, count] : llvm::zip(sassKinds, kernel.sass))
      counts[kind] = count;
    if (!counts.empty())
      (*entry.getAsObject())["sass"] = std::move(counts);
  }
  auto describe = [](const FunctionReport &function) {
    return llvm::json::Object{{"function", function.name},
                              {"per_segment", function.perSegment},
                              {"launches", function.launches},
                              {"flops", function.flops},
                              {"tensor_core_flops", function.tensorFlops},
                              {"bytes", function.bytes},
                              {"moved_bytes", function.movedBytes},
                              {"roofline_seconds", function.seconds},
                              {"launch_seconds", double(function.launches) * secondsOfLaunch}};
  };
  for (const FunctionReport &function : functions) {
    llvm::json::Object described = describe(function);
    llvm::json::Array sequence;
    for (const auto &[symbol, times] : function.sequence)
      sequence.push_back(llvm::json::Array{symbol, times});
    described["sequence"] = std::move(sequence);
    functionList.push_back(std::move(described));
  }
  llvm::json::Object result{{"architecture", target.architecture},
                            {"gpu", target.gpu},
                            {"assembled", assembled},
                            {"kernels", std::move(kernelList)},
                            {"functions", std::move(functionList)}};
  if (step.launches > 0) {
    llvm::json::Object total = describe(step);
    total["segments"] = segments;
    result["step"] = std::move(total);
  }
  return result;
}

void Report::print(llvm::raw_ostream &stream) const {
  stream << formatv("{0}, numbers of {1}: {2:f0} GB/s, {3:f1} TFLOP/s in f32, {4:f0} on tensor "
                    "cores in {5}\n",
                    target.architecture, target.gpu, target.bandwidth / 1e9, target.f32Rate / 1e12,
                    target.tensorRate / 1e12, target.hasBF16() ? "bf16" : "f16");
  if (!assembled)
    stream << "without ptxas: registers and spills are not known\n";
  stream << formatv("\n{0,-28}{1,8}{2,8}{3,8}{4,10}{5,8}{6,10}{7,6}{8,8}{9,8}{10,7}{11,6}{12,12}\n",
                    "kernel", "grid", "threads", "shared", "registers", "spills", "occupancy",
                    "mma", "global", "shared", "async", "bars", "roofline us");
  for (const KernelReport &kernel : kernels)
    stream << formatv("{0,-28}{1,8}{2,8}{3,8}{4,10}{5,8}{6,10}{7,6}{8,8}{9,8}{10,7}{11,6}{12,12}\n",
                      kernel.symbol, kernel.grid, kernel.threads, kernel.sharedBytes,
                      kernel.registers, kernel.spilledBytes,
                      formatv("{0:f0} %", 100 * kernel.occupancy).str(), kernel.matrixProducts,
                      kernel.globalAccesses, kernel.sharedAccesses, kernel.asyncCopies,
                      kernel.barriers, formatv("{0:f2}", kernel.seconds * 1e6).str());
  stream << formatv("\n{0,-28}{1,10}{2,12}{3,14}{4,10}{5,10}{6,14}{7,14}\n", "function", "launches",
                    "GFLOP", "on tensor", "MB", "moved", "roofline us", "with launches");
  auto timeOf = [](const FunctionReport &function) {
    return function.seconds + double(function.launches) * secondsOfLaunch;
  };
  auto printLine = [&](const std::string &name, const FunctionReport &function) {
    double share = function.flops ? double(function.tensorFlops) / double(function.flops) : 0;
    double ratio = function.bytes ? double(function.movedBytes) / double(function.bytes) : 1;
    stream << formatv("{0,-28}{1,10}{2,12}{3,14}{4,10}{5,10}{6,14}{7,14}\n", name,
                      function.launches, formatv("{0:f3}", double(function.flops) / 1e9).str(),
                      formatv("{0:f1} %", 100 * share).str(),
                      formatv("{0:f1}", double(function.bytes) / 1e6).str(),
                      formatv("x {0:f2}", ratio).str(),
                      formatv("{0:f1}", function.seconds * 1e6).str(),
                      formatv("{0:f1}", timeOf(function) * 1e6).str());
  };
  for (const FunctionReport &function : functions)
    printLine(function.name + (function.perSegment ? ", a segment" : ""), function);
  if (step.launches > 0) {
    printLine(formatv("step of {0} segments", segments).str(), step);
    stream << formatv("\n{0} such steps: {1:f1} minutes\n", projectedSteps,
                      timeOf(step) * double(projectedSteps) / 60);
  }
  stream << formatv("\nAssumed: the data sheet's rates and bandwidth, operands and results pass "
                    "memory once, and again where blocks read them when L2 ({1} MiB) has lost "
                    "them, {0:f1} us from one kernel of a graph to the next.\n",
                    secondsOfLaunch * 1e6, target.cacheBytes >> 20);
}

} // namespace memformer::nvptx
