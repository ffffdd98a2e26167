// From the LLVM dialect to PTX.

#include "codegen/nvptx/PtxCode.h"
#include "dialect/program/Arguments.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

#include <mutex>

using namespace llvm;

// Of libLLVM, which has the back end of every target; its own header needs all of them.
extern "C" {
void LLVMInitializeNVPTXTargetInfo();
void LLVMInitializeNVPTXTarget();
void LLVMInitializeNVPTXTargetMC();
void LLVMInitializeNVPTXAsmPrinter();
}

namespace memformer::nvptx {

static Expected<std::unique_ptr<TargetMachine>> createMachine(const GpuTarget &target) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  Triple triple("nvptx64-nvidia-cuda");
  std::string message;
  const Target *found = TargetRegistry::lookupTarget(triple, message);
  if (!found)
    return createStringError(message);
  std::string features = "+ptx" + std::to_string(target.ptxVersion);
  std::unique_ptr<TargetMachine> machine(
      found->createTargetMachine(triple, target.architecture, features, TargetOptions(),
                                 std::nullopt, std::nullopt, CodeGenOptLevel::Aggressive));
  if (!machine)
    return createStringError("LLVM has no code generator for " + target.architecture);
  // A product and a sum stay two roundings unless a kernel asks for one.
  machine->Options.AllowFPOpFusion = FPOpFusion::Strict;
  return machine;
}

// What is known of the arguments of a kernel: no two overlap where one is written. What is written
// may be read by another thread of the block after a barrier, of which LLVM knows nothing: it is
// not said to be the thread's alone.
static void addArgumentAttributes(Function &function, const KernelModule &kernel) {
  LLVMContext &context = function.getContext();
  for (auto [index, known] : llvm::enumerate(kernel.arguments)) {
    AttrBuilder attributes(context);
    attributes.addAttribute(Attribute::NonNull);
    attributes.addAlignmentAttr(Align(uint64_t(program::argumentAlignment(known.bytes))));
    if (!known.isWritten) {
      attributes.addAttribute(Attribute::NoAlias);
      attributes.addAttribute(Attribute::ReadOnly);
    }
    function.getArg(unsigned(index))->addAttrs(attributes);
  }
}

static void optimize(Module &module, TargetMachine &machine) {
  PipelineTuningOptions tuning;
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  // Emitters unroll what is worth it.
  tuning.LoopUnrolling = false;
  PassBuilder builder(&machine, tuning);
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager components;
  ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(OptimizationLevel::O3).run(module, modules);
}

// The back end writes what it finds at a loop's end as a pragma for ptxas.
static void keepLoops(Function &function) {
  LLVMContext &context = function.getContext();
  DominatorTree tree(function);
  MDNode *disable = MDNode::get(context, MDString::get(context, "llvm.loop.unroll.disable"));
  for (BasicBlock &block : function)
    for (BasicBlock *next : successors(&block))
      if (tree.dominates(next, &block)) {
        MDNode *loop = MDNode::getDistinct(context, {nullptr, disable});
        loop->replaceOperandWith(0, loop);
        block.getTerminator()->setMetadata(LLVMContext::MD_loop, loop);
      }
}

Expected<std::string> emitCode(const KernelModule &kernel, StringRef symbol,
                               const GpuTarget &target, CodeKind kind) {
  Expected<std::unique_ptr<TargetMachine>> machine = createMachine(target);
  if (!machine)
    return machine.takeError();
  LLVMContext context;
  std::unique_ptr<Module> module = mlir::translateModuleToLLVMIR(*kernel.module, context, symbol);
  Function *function = module ? module->getFunction(symbol) : nullptr;
  if (!function)
    return createStringError("the kernel could not be translated to LLVM IR");
  module->setTargetTriple(Triple("nvptx64-nvidia-cuda"));
  module->setDataLayout((*machine)->createDataLayout());
  function->setCallingConv(CallingConv::PTX_Kernel);
  function->addFnAttr("nvvm.maxntid", std::to_string(kernel.threads));
  // Without this ptxas may spill registers to make room for more blocks.
  function->addFnAttr("nvvm.minctasm", "1");
  function->addFnAttr(Attribute::NoUnwind);
  function->addFnAttr("no-builtins");
  addArgumentAttributes(*function, kernel);
  // What a warp does together stays so.
  for (BasicBlock &block : *function)
    for (Instruction &instruction : block)
      if (auto *call = dyn_cast<CallInst>(&instruction); call && call->isInlineAsm())
        call->setConvergent();
  if (GlobalVariable *shared = module->getNamedGlobal("shared_memory");
      shared && shared->use_empty())
    shared->eraseFromParent();
  optimize(*module, **machine);
  if (kernel.keepsLoops)
    keepLoops(*function);

  if (kind == CodeKind::LLVM) {
    std::string text;
    raw_string_ostream stream(text);
    module->print(stream, nullptr);
    return text;
  }
  SmallVector<char, 0> code;
  raw_svector_ostream stream(code);
  legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr, CodeGenFileType::AssemblyFile))
    return createStringError("LLVM writes no PTX for " + target.architecture);
  passes.run(*module);
  std::string text;
  for (const std::string &form : kernel.forms)
    text += "// kernel: " + form + "\n";
  return text + std::string(code.begin(), code.end());
}

} // namespace memformer::nvptx
