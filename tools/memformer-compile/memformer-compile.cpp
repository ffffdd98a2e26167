// memformer-compile: a model, as a configuration or as IR, to an artifact or any level before it.

#include "codegen/Compile.h"
#include "codegen/host/Compile.h"
#include "codegen/host/MatrixVector.h"
#include "codegen/nvptx/Compile.h"
#include "codegen/nvptx/Report.h"
#include "frontend/Model.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Pipelines.h"
#include "passes/Register.h"
#include "runtime/file.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"

#include <csignal>

using namespace mlir;
using namespace memformer;
using llvm::formatv;
namespace cl = llvm::cl;

namespace {

// In the order of compilation.
enum class Level {
  Model,
  Replay,
  Schedule,
  Kernels,
  Program,
  MLIR,
  LLVM,
  Assembly,
  PTX,
  GpuReport,
  Plan,
  Artifact
};

// Which functions are made: training takes those of gradients and the optimizer, generation those
// of single positions.
enum class Purpose { Training, Generation, Everything };

struct Settings {
  std::string input, output, targets, cpu;
  Purpose purpose;
  int64_t batch;
  ScheduleKind schedule;
  Level level;
  unsigned threads;
  bool json;
  int64_t multiprocessors;
  bool separate;
  bool withoutHost;
  std::vector<std::string> overrides;
};

Settings parseCommandLine(int argc, char **argv) {
  // LLVM's own options have names that clash with these, and are no business of a user.
  cl::ResetCommandLineParser();
  cl::opt<std::string> input(cl::Positional, cl::Required, cl::desc("MODEL.{toml,mlir}"));
  cl::opt<std::string> output("o", cl::value_desc("file"), cl::init("-"),
                              cl::desc("where to write; '-' prints (not an artifact)"));
  cl::opt<std::string> targets(
      "target", cl::value_desc("host,sm_80,..."), cl::init("host"),
      cl::desc("what to compile for; an artifact has the host's code too"));
  cl::opt<std::string> cpu("cpu", cl::init("native"),
                           cl::desc("the CPU at hand (native), or LLVM's name of another"));
  cl::opt<int64_t> batch("batch", cl::init(0), cl::desc("rows of a batch [the configuration's]"));
  cl::opt<ScheduleKind> schedule(
      "schedule", cl::init(ScheduleKind::Mrbp), cl::desc("what the forward traversal saves:"),
      cl::values(
          clEnumValN(ScheduleKind::Bptt, "bptt", "everything that the gradient reads"),
          clEnumValN(ScheduleKind::Checkpoint, "checkpoint", "the state; every node is computed"),
          clEnumValN(ScheduleKind::Mrbp, "mrbp",
                     "the state; only what the next state needs is computed (default)")));
  cl::opt<Purpose> purpose(
      "for", cl::init(Purpose::Training), cl::desc("what it is compiled for, beside evaluation:"),
      cl::values(clEnumValN(Purpose::Training, "training", "gradients and the optimizer (default)"),
                 clEnumValN(Purpose::Generation, "generation", "one position after the other"),
                 clEnumValN(Purpose::Everything, "everything", "both")));
  cl::opt<Level> level(
      "emit", cl::init(Level::Artifact), cl::desc("the level to stop at:"),
      cl::values(clEnumValN(Level::Model, "model", "the model as IR"),
                 clEnumValN(Level::Replay, "replay", "with the reverse traversal of a segment"),
                 clEnumValN(Level::Schedule, "schedule", "functions with their saved values"),
                 clEnumValN(Level::Kernels, "kernels", "fused kernels on tensors"),
                 clEnumValN(Level::Program, "program", "dispatches with every byte's place"),
                 clEnumValN(Level::MLIR, "mlir", "each kernel in vector ops"),
                 clEnumValN(Level::LLVM, "llvm", "each kernel in LLVM IR, optimised"),
                 clEnumValN(Level::Assembly, "assembly", "each kernel in assembly"),
                 clEnumValN(Level::PTX, "ptx", "each kernel of one GPU target in PTX"),
                 clEnumValN(Level::GpuReport, "gpu-report",
                            "what is known of each kernel on one GPU target, and of a step"),
                 clEnumValN(Level::Plan, "plan",
                            "an artifact without code: what `memformer-run inspect` needs"),
                 clEnumValN(Level::Artifact, "artifact", "the artifact (default)")));
  cl::opt<bool> json("json", cl::desc("print the report as JSON"));
  cl::opt<int64_t> multiprocessors(
      "multiprocessors", cl::init(0),
      cl::desc("multiprocessors of the GPU at hand [those of the one --emit=gpu-report names]"));
  cl::opt<bool> separate("separate",
                         cl::desc("each kernel of a GPU in a launch of its own, to look at it"));
  cl::opt<bool> withoutHost("without-host",
                            cl::desc("leave the host's code out: the artifact runs on GPUs alone"));
  cl::opt<unsigned> threads("threads", cl::init(0),
                            cl::desc("threads of the compiler [all cores]"));
  cl::list<std::string> overrides("set", cl::value_desc("section.key=value"),
                                  cl::desc("changes the configuration"));
  cl::SetVersionPrinter(
      [](llvm::raw_ostream &stream) { stream << "memformer-compile " MEMFORMER_VERSION "\n"; });
  cl::ParseCommandLineOptions(argc, argv, "memformer-compile: compiles a model to an artifact\n");
  Settings settings{input,           output,   targets,     cpu,      purpose,
                    batch,           schedule, level,       threads,  json,
                    multiprocessors, separate, withoutHost, overrides};
  // These end here, and the linker goes through all options that it finds.
  cl::ResetCommandLineParser();
  return settings;
}

constexpr int userError = 1;

int fail(const llvm::Twine &message) {
  llvm::errs() << "error: " << message << "\n";
  return userError;
}

void printDiagnostic(Diagnostic &diagnostic) {
  auto print = [](Diagnostic &one, StringRef kind) {
    if (auto place = one.getLocation()->findInstanceOf<FileLineColLoc>())
      llvm::errs() << place.getFilename().getValue() << ":" << place.getLine() << ":"
                   << place.getColumn() << ": ";
    llvm::errs() << kind << ": " << one << "\n";
  };
  switch (diagnostic.getSeverity()) {
  case DiagnosticSeverity::Error:
    print(diagnostic, "error");
    break;
  case DiagnosticSeverity::Warning:
    print(diagnostic, "warning");
    break;
  default:
    print(diagnostic, "note");
  }
  for (Diagnostic &note : diagnostic.getNotes())
    print(note, "note");
}

// What a target wishes of the passes.
struct TargetOptions {
  int64_t panelWidth, panelGroup, fewRows;
  bool fuseNormalize;
  /// Types of which products, and attention, round what they multiply.
  std::vector<std::string> products, attention;
  /// Whether kernels are merged to launches, and in chains for how many multiprocessors.
  bool merge;
  int64_t multiprocessors;
};

TargetOptions optionsOf(const host::HostTarget &target) {
  return {target.panelWidth(), 2, host::mostVectorRows, false, {"bf16"}, {}, false, 0};
}

// A launch costs more than a block that has all heads of its rows.
TargetOptions optionsOf(const nvptx::GpuTarget &target) {
  // Products of bf16 are computed everywhere, of rounded factors in f32 where tensor cores have
  // none.
  std::vector<std::string> products = {"bf16", "f16"}, attention = {"f16"};
  if (target.hasTF32())
    products.push_back("tf32");
  if (target.hasBF16())
    attention.push_back("bf16");
  return {target.panelWidth(),   target.panelGroup(), 0, true, products, attention, true,
          target.multiprocessors};
}

// The passes up to a level, Program at most.
void buildPipeline(OpPassManager &passes, const Settings &settings, const TargetOptions &target) {
  Level level = settings.level;
  if (level == Level::Model)
    return;
  if (level == Level::Replay) {
    passes.addPass(createExpandPass());
    passes.addPass(createCanonicalizerPass());
    passes.addPass(createCSEPass());
    passes.addPass(createDifferentiatePass());
    return;
  }
  ScheduleOptions scheduleOptions;
  scheduleOptions.schedule = settings.schedule;
  scheduleOptions.training = settings.purpose != Purpose::Generation;
  scheduleOptions.generation = settings.purpose != Purpose::Training;
  buildSchedulePipeline(passes, scheduleOptions);
  if (level == Level::Schedule)
    return;
  KernelOptions kernelOptions;
  kernelOptions.panelWidth = target.panelWidth;
  kernelOptions.panelGroup = target.panelGroup;
  kernelOptions.training = scheduleOptions.training;
  kernelOptions.fewRows = target.fewRows;
  kernelOptions.fuseNormalize = target.fuseNormalize;
  kernelOptions.products = target.products;
  kernelOptions.attention = target.attention;
  buildKernelPipeline(passes, kernelOptions);
  if (level != Level::Kernels) {
    ProgramOptions programOptions;
    programOptions.merge = target.merge && !settings.separate;
    programOptions.multiprocessors = target.multiprocessors;
    buildProgramPipeline(passes, programOptions);
  }
}

FailureOr<std::string> printKernels(ModuleOp program, const Settings &settings,
                                    const host::HostTarget &target) {
  SmallVector<program::KernelOp> kernels(program.getOps<program::KernelOp>());
  host::Stage stage = settings.level == Level::MLIR   ? host::Stage::MLIR
                      : settings.level == Level::LLVM ? host::Stage::LLVM
                                                      : host::Stage::Assembly;
  auto compiled = host::compileKernels(kernels, target, stage, settings.threads);
  if (failed(compiled))
    return failure();
  std::string text;
  for (const host::CompiledKernel &kernel : *compiled)
    text += kernel.code + "\n";
  return text;
}

FailureOr<std::string> printKernels(ModuleOp program, const Settings &settings,
                                    const nvptx::GpuTarget &target) {
  SmallVector<program::KernelOp> kernels(program.getOps<program::KernelOp>());
  nvptx::Stage stage = settings.level == Level::MLIR   ? nvptx::Stage::MLIR
                       : settings.level == Level::LLVM ? nvptx::Stage::LLVM
                                                       : nvptx::Stage::PTX;
  auto compiled = nvptx::compileKernels(kernels, target, stage, settings.threads);
  if (failed(compiled))
    return failure();
  std::string text;
  for (const nvptx::CompiledKernel &kernel : *compiled)
    text += kernel.code + "\n";
  return text;
}

FailureOr<std::string> reportKernels(ModuleOp program, const Settings &settings,
                                     const nvptx::GpuTarget &target, int64_t segments) {
  SmallVector<program::KernelOp> kernels(program.getOps<program::KernelOp>());
  auto compiled = nvptx::compileKernels(kernels, target, nvptx::Stage::Binary, settings.threads);
  if (failed(compiled))
    return failure();
  nvptx::Report report = nvptx::makeReport(program, *compiled, target, segments);
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (settings.json)
    stream << formatv("{0:2}\n", llvm::json::Value(report.json()));
  else
    report.print(stream);
  return text;
}

int write(const std::string &output, std::string_view bytes) {
  if (output == "-") {
    llvm::outs() << bytes;
    llvm::outs().flush();
    if (!llvm::outs().has_error())
      return 0;
    std::string message = llvm::outs().error().message();
    llvm::outs().clear_error();
    return fail("cannot write to standard output: " + message);
  }
  if (auto written = writeFileAtomically(output, bytes); !written)
    return fail(written.error().message);
  return 0;
}

/// The targets of a command line: GPUs in the order given, and whether the host is among them.
struct Targets {
  bool host = false;
  std::vector<nvptx::GpuTarget> devices;
};

llvm::Expected<Targets> parseTargets(StringRef list, int64_t multiprocessors) {
  Targets targets;
  SmallVector<StringRef> names;
  list.split(names, ',');
  for (StringRef name : names) {
    if (name == "host") {
      targets.host = true;
      continue;
    }
    llvm::Expected<nvptx::GpuTarget> target = nvptx::GpuTarget::get(name);
    if (!target)
      return target.takeError();
    for (const nvptx::GpuTarget &other : targets.devices)
      if (other.architecture == name)
        return llvm::createStringError("expected each --target once, but got '" + name + "' twice");
    targets.devices.push_back(*target);
    if (multiprocessors > 0)
      targets.devices.back().multiprocessors = multiprocessors;
  }
  return targets;
}

// What does not go together on a command line; "" for nothing.
std::string conflictOf(const Settings &settings, const Targets &targets) {
  bool isArtifact = settings.level >= Level::Plan;
  if (settings.batch < 0)
    return "expected --batch to be at least 1, but got " + std::to_string(settings.batch);
  if (isArtifact && settings.output == "-")
    return "expected -o FILE for the artifact";
  if (settings.level != Level::Artifact && size_t(targets.host) + targets.devices.size() != 1)
    return "expected one --target with --emit, but got '" + settings.targets + "'";
  if (settings.multiprocessors < 0)
    return "expected --multiprocessors to be at least 1, but got " +
           std::to_string(settings.multiprocessors);
  if (settings.level == Level::Plan && !targets.host)
    return "expected --target to be host with --emit=plan, but got '" + settings.targets + "'";
  for (auto [level, name] : {std::pair(Level::PTX, "ptx"), {Level::GpuReport, "gpu-report"}})
    if (settings.level == level && targets.host)
      return std::string("expected --target to be a GPU with --emit=") + name + ", but got 'host'";
  if (settings.withoutHost && (settings.level != Level::Artifact || targets.host))
    return "expected --without-host with an artifact for GPUs only";
  if (settings.json && settings.level != Level::GpuReport)
    return "expected --json with --emit=gpu-report only";
  if (settings.level == Level::Assembly && !targets.host)
    return "expected --target to be host with --emit=assembly, but got '" + settings.targets + "'";
  return "";
}

int printLevel(ModuleOp module, const Settings &settings, const Targets &targets,
               const host::HostTarget &host, int64_t segments) {
  if (settings.level <= Level::Program) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module->print(stream);
    return write(settings.output, text + "\n");
  }
  FailureOr<std::string> text = targets.host ? printKernels(module, settings, host)
                                : settings.level == Level::GpuReport
                                    ? reportKernels(module, settings, targets.devices[0], segments)
                                    : printKernels(module, settings, targets.devices[0]);
  return failed(text) ? userError : write(settings.output, *text);
}

int compile(const Settings &settings) {
  llvm::Expected<Targets> targets = parseTargets(settings.targets, settings.multiprocessors);
  if (!targets)
    return fail(llvm::toString(targets.takeError()));
  if (std::string conflict = conflictOf(settings, *targets); !conflict.empty())
    return fail(conflict);
  llvm::Expected<host::HostTarget> host = host::HostTarget::get(settings.cpu);
  if (!host)
    return fail(llvm::toString(host.takeError()));

  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  // An error names the place; the whole operation after it may be a whole model.
  context.printOpOnDiagnostic(false);
  context.getDiagEngine().registerHandler([](Diagnostic &diagnostic) {
    printDiagnostic(diagnostic);
    return success();
  });
  loadModelDialects(context);
  FailureOr<Model> model = loadModel(context, settings.input, settings.batch, settings.overrides);
  if (failed(model))
    return userError;
  auto planFor = [&](ModuleOp module, const TargetOptions &target) {
    PassManager passes(&context);
    buildPipeline(passes, settings, target);
    return passes.run(module);
  };

  if (settings.level < Level::Plan) {
    TargetOptions target = targets->host ? optionsOf(*host) : optionsOf(targets->devices[0]);
    if (failed(planFor(*model->module, target)))
      return userError;
    // As `memformer-run bench` has it.
    int64_t horizon = model->configuration.train.horizon;
    return printLevel(*model->module, settings, *targets, *host, horizon ? horizon : 8);
  }
  // Each target has a program of its own, planned for it.
  std::vector<OwningOpRef<ModuleOp>> modules;
  std::vector<DeviceProgram> devices;
  for (const nvptx::GpuTarget &target : targets->devices) {
    modules.emplace_back(model->module->clone());
    if (failed(planFor(*modules.back(), optionsOf(target))))
      return userError;
    devices.push_back({*modules.back(), target});
  }
  if (failed(planFor(*model->module, optionsOf(*host))))
    return userError;
  CompileOptions options;
  options.producer = "memformer-compile " MEMFORMER_VERSION;
  options.configuration = model->configuration.text;
  options.threads = settings.threads;
  options.code = settings.level == Level::Artifact && !settings.withoutHost;
  FailureOr<std::vector<std::byte>> artifact =
      compileArtifact(*model->module, *host, devices, options);
  if (failed(artifact))
    return userError;
  return write(settings.output,
               {reinterpret_cast<const char *>(artifact->data()), artifact->size()});
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  // A file that may not grow further is an error of the write, as a full disk is, not a signal.
  std::signal(SIGXFSZ, SIG_IGN);
  return compile(parseCommandLine(argc, argv));
}
