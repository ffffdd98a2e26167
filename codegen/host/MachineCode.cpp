// From the LLVM dialect to machine code.

#include "codegen/host/MachineCode.h"
#include "dialect/program/Arguments.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

using namespace llvm;

namespace memformer::host {

static Expected<std::unique_ptr<TargetMachine>> createMachine(const HostTarget &target) {
  std::string message;
  Triple triple(target.triple);
  const Target *found = TargetRegistry::lookupTarget(triple, message);
  if (!found)
    return createStringError(message);
  // The baseline and the listed features alone: an artifact asks a machine for no others.
  StringRef baseline = triple.isX86() ? "x86-64" : "generic";
  std::unique_ptr<TargetMachine> machine(
      found->createTargetMachine(triple, baseline, target.featureString(), TargetOptions(),
                                 Reloc::PIC_, std::nullopt, CodeGenOptLevel::Aggressive));
  if (!machine)
    return createStringError("LLVM has no code generator for " + target.triple);
  // A product and a sum stay two roundings unless a kernel asks for one.
  machine->Options.AllowFPOpFusion = FPOpFusion::Strict;
  return machine;
}

// What is known of the arguments of a kernel: no two overlap where one is written.
static void addArgumentAttributes(Function &function, const KernelModule &kernel) {
  LLVMContext &context = function.getContext();
  for (auto [index, known] : llvm::enumerate(kernel.arguments)) {
    Argument *argument = function.getArg(unsigned(index));
    AttrBuilder attributes(context);
    attributes.addAttribute(Attribute::NoAlias);
    attributes.addAttribute(Attribute::NonNull);
    attributes.addAlignmentAttr(Align(uint64_t(program::argumentAlignment(known.bytes))));
    if (known.bytes > 0)
      attributes.addDereferenceableAttr(uint64_t(known.bytes));
    if (!known.isWritten)
      attributes.addAttribute(Attribute::ReadOnly);
    argument->addAttrs(attributes);
  }
}

static void addFunctionAttributes(Function &function, const HostTarget &target) {
  function.addFnAttr("tune-cpu", target.cpu);
  function.addFnAttr("prefer-vector-width", std::to_string(target.lanes * 32));
  // No loop becomes a call: the shared object has no library.
  function.addFnAttr("no-builtins");
  function.addFnAttr(Attribute::NoUnwind);
}

// void symbol(ptr arguments, i64 workgroup): loads the pointers and calls the kernel.
static void addEntry(Module &module, Function &body, StringRef symbol, const HostTarget &target) {
  LLVMContext &context = module.getContext();
  Type *pointer = PointerType::get(context, 0), *word = Type::getInt64Ty(context);
  auto *type = FunctionType::get(Type::getVoidTy(context), {pointer, word}, false);
  Function *entry = Function::Create(type, Function::ExternalLinkage, symbol, module);
  addFunctionAttributes(*entry, target);
  IRBuilder<> builder(BasicBlock::Create(context, "entry", entry));
  SmallVector<Value *> arguments;
  for (unsigned i = 0; i + 1 < body.arg_size(); ++i)
    arguments.push_back(builder.CreateLoad(
        pointer, builder.CreateConstInBoundsGEP1_64(pointer, entry->getArg(0), i)));
  arguments.push_back(entry->getArg(1));
  builder.CreateCall(&body, arguments);
  builder.CreateRetVoid();
}

static void optimize(Module &module, TargetMachine &machine) {
  PipelineTuningOptions tuning;
  // Kernels are written with vectors; what is left of scalar code is not worth the time.
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
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

Expected<std::string> emitMachineCode(const KernelModule &kernel, StringRef symbol,
                                      const HostTarget &target, CodeKind kind) {
  Expected<std::unique_ptr<TargetMachine>> machine = createMachine(target);
  if (!machine)
    return machine.takeError();
  LLVMContext context;
  std::unique_ptr<Module> module = mlir::translateModuleToLLVMIR(*kernel.module, context, symbol);
  Function *body = module ? module->getFunction(symbol) : nullptr;
  if (!body || body->arg_size() != kernel.arguments.size() + 1)
    return createStringError("the kernel could not be translated to LLVM IR");
  module->setTargetTriple(Triple(target.triple));
  module->setDataLayout((*machine)->createDataLayout());
  body->setName(symbol + ".body");
  body->setLinkage(GlobalValue::InternalLinkage);
  body->addFnAttr(Attribute::NoInline);
  addFunctionAttributes(*body, target);
  addArgumentAttributes(*body, kernel);
  addEntry(*module, *body, symbol, target);
  optimize(*module, **machine);

  std::string text;
  if (kind == CodeKind::LLVM) {
    raw_string_ostream stream(text);
    module->print(stream, nullptr);
    return text;
  }
  SmallVector<char, 0> code;
  raw_svector_ostream stream(code);
  legacy::PassManager passes;
  auto type =
      kind == CodeKind::Assembly ? CodeGenFileType::AssemblyFile : CodeGenFileType::ObjectFile;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr, type))
    return createStringError("LLVM writes no code of this kind for " + target.triple);
  passes.run(*module);
  return std::string(code.begin(), code.end());
}

} // namespace memformer::host
