// From PTX to machine code: translation when a module is loaded, optimization and code at a
// kernel's first launch.

#include "test/emulator/program.h"

#include "test/emulator/ptx_parser.h"
#include "test/emulator/translator.h"

#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"

#include <map>
#include <mutex>

namespace memformer::emulator {

namespace {

/// The process's compiler.
struct Compiler {
  std::unique_ptr<llvm::orc::LLJIT> jit;
  std::unique_ptr<llvm::TargetMachine> machine;
  std::string error;
  uint64_t kernels = 0;

  Compiler() {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    auto builder = llvm::orc::JITTargetMachineBuilder::detectHost();
    if (!builder) {
      error = llvm::toString(builder.takeError());
      return;
    }
    // Kernels run for less time than better code would take to make.
    builder->setCodeGenOptLevel(llvm::CodeGenOptLevel::None);
    auto target = builder->createTargetMachine();
    if (!target) {
      error = llvm::toString(target.takeError());
      return;
    }
    machine = std::move(*target);
    auto made = llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(*builder).create();
    if (!made) {
      error = llvm::toString(made.takeError());
      return;
    }
    jit = std::move(*made);
  }
};

// Never destroyed: kernels may run until the process ends.
Compiler &compiler() {
  static Compiler *made = new Compiler;
  return *made;
}

std::mutex &mutex() {
  static std::mutex *made = new std::mutex;
  return *made;
}

/// Registers into values, and what that makes simple: kernels run for a short time, so passes over
/// loops, and those that look twice, take longer than they gain.
void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graph, modules);
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  passes.addPass(llvm::EarlyCSEPass());
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::EarlyCSEPass(true));
  passes.addPass(llvm::SimplifyCFGPass());
  for (llvm::Function &function : module)
    if (!function.isDeclaration())
      passes.run(function, functions);
}

} // namespace

struct Program::Parts {
  struct Piece {
    std::unique_ptr<llvm::LLVMContext> context;
    std::unique_ptr<llvm::Module> module; // until it is compiled
    KernelCode code;
  };
  std::vector<Piece> pieces;
  std::deque<Collective> collectives;
};

Program::Program() : module(new PtxModule), parts(new Parts) {}
Program::~Program() = default;

const KernelCode &Program::code(size_t kernel) const { return parts->pieces[kernel].code; }

std::expected<std::shared_ptr<Program>, std::string>
Program::load(std::string_view text, const Modes &modes, const DeviceMemory &memory) {
  // What generated code depends on.
  static auto *cache = new std::map<std::string, std::shared_ptr<Program>>;
  std::lock_guard lock(mutex());
  std::string key(text);
  key += char('0' + modes.races + 2 * modes.adversarialPlacement + 4 * modes.poison);
  if (auto found = cache->find(key); found != cache->end())
    return found->second;
  auto parsed = parsePtx(text);
  if (!parsed)
    return std::unexpected(parsed.error());
  if (!compiler().error.empty())
    return std::unexpected("no compiler for this machine: " + compiler().error);
  std::shared_ptr<Program> program(new Program);
  *program->module = std::move(*parsed);
  for (const Kernel &kernel : program->module->kernels) {
    Parts::Piece &piece = program->parts->pieces.emplace_back();
    piece.context = std::make_unique<llvm::LLVMContext>();
    piece.module = std::make_unique<llvm::Module>(kernel.name, *piece.context);
    piece.module->setDataLayout(compiler().jit->getDataLayout());
    piece.module->setTargetTriple(compiler().jit->getTargetTriple());
    Translator translator(*program->module, kernel, modes, memory, *piece.module,
                          program->parts->collectives);
    if (!translator.run())
      return std::unexpected(translator.error);
    SharedLayout layout = layoutShared(*program->module, kernel, modes.adversarialPlacement);
    SharedLayout declared = layoutShared(*program->module, kernel, false);
    piece.code = {kernel.name,    nullptr,        layout.bytes,
                  layout.dynamic, declared.bytes, &program->module->lines};
  }
  cache->emplace(std::move(key), program);
  return program;
}

std::expected<const KernelCode *, std::string> Program::compile(size_t kernel) {
  std::lock_guard lock(mutex());
  Parts::Piece &piece = parts->pieces[kernel];
  if (piece.code.entry)
    return &piece.code;
  std::string problem;
  llvm::raw_string_ostream stream(problem);
  if (llvm::verifyModule(*piece.module, &stream))
    return std::unexpected("kernel '" + piece.code.name + "' was translated wrongly: " + problem);
  optimize(*piece.module, *compiler().machine);
  llvm::orc::LLJIT &jit = *compiler().jit;
  auto library = jit.createJITDylib("kernel" + std::to_string(compiler().kernels++));
  if (!library)
    return std::unexpected(llvm::toString(library.takeError()));
  if (auto error = jit.addIRModule(
          *library, llvm::orc::ThreadSafeModule(std::move(piece.module), std::move(piece.context))))
    return std::unexpected(llvm::toString(std::move(error)));
  auto address = jit.lookup(*library, piece.code.name);
  if (!address)
    return std::unexpected(llvm::toString(address.takeError()));
  piece.code.entry = address->toPtr<void (*)(Thread *, const uint8_t *)>();
  return &piece.code;
}

} // namespace memformer::emulator
