// Kernels compiled for a CPU, each on its own and many at a time.

#include "codegen/host/Compile.h"
#include "codegen/host/KernelModule.h"
#include "codegen/host/MachineCode.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/ThreadPool.h"

using namespace mlir;

namespace memformer::host {

static FailureOr<CompiledKernel> compileIn(MLIRContext &context, StringRef text,
                                           const HostTarget &target, Stage stage) {
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context, "kernel");
  if (!module)
    return failure();
  auto kernels = module->getOps<program::KernelOp>();
  if (!llvm::hasSingleElement(kernels))
    return module->emitError("expected one program.kernel");
  program::KernelOp kernel = *kernels.begin();
  FailureOr<KernelModule> built = buildKernelModule(kernel, target);
  if (failed(built))
    return failure();
  CompiledKernel result;
  result.symbol = kernel.getSymName().str();
  result.grid = built->grid;
  if (stage == Stage::MLIR) {
    llvm::raw_string_ostream stream(result.code);
    built->module->print(stream);
    return result;
  }
  if (failed(lowerToLLVM(*built->module)))
    return failure();
  CodeKind kind = stage == Stage::LLVM       ? CodeKind::LLVM
                  : stage == Stage::Assembly ? CodeKind::Assembly
                                             : CodeKind::Object;
  llvm::Expected<std::string> code = emitMachineCode(*built, result.symbol, target, kind);
  if (!code)
    return kernel.emitError() << llvm::toString(code.takeError());
  result.code = std::move(*code);
  return result;
}

llvm::Expected<CompiledKernel> compileKernel(StringRef text, const HostTarget &target,
                                             Stage stage) {
  // Contexts share nothing, so that kernels compile side by side; one has no threads of its own.
  DialectRegistry registry;
  registerKernelDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.printOpOnDiagnostic(false);
  std::string messages;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    llvm::raw_string_ostream stream(messages);
    stream << (messages.empty() ? "" : "\n") << diagnostic;
    for (Diagnostic &note : diagnostic.getNotes())
      stream << "\n" << note;
    return success();
  });
  context.loadAllAvailableDialects();
  FailureOr<CompiledKernel> result = compileIn(context, text, target, stage);
  if (failed(result))
    return llvm::createStringError(messages.empty() ? "the kernel does not compile" : messages);
  return std::move(*result);
}

FailureOr<std::vector<CompiledKernel>> compileKernels(ArrayRef<program::KernelOp> kernels,
                                                      const HostTarget &target, Stage stage,
                                                      unsigned threads) {
  // Printed before any thread starts: the ops' context is not to be shared.
  std::vector<std::string> texts;
  for (program::KernelOp kernel : kernels) {
    llvm::raw_string_ostream stream(texts.emplace_back());
    kernel->print(stream, OpPrintingFlags().useLocalScope());
  }
  std::vector<CompiledKernel> results(kernels.size());
  std::vector<std::string> errors(kernels.size());
  llvm::DefaultThreadPool pool(llvm::hardware_concurrency(threads));
  for (size_t i = 0; i < kernels.size(); ++i)
    pool.async([&, i] {
      llvm::Expected<CompiledKernel> result = compileKernel(texts[i], target, stage);
      if (result)
        results[i] = std::move(*result);
      else
        errors[i] = llvm::toString(result.takeError());
    });
  pool.wait();
  for (auto [index, error] : llvm::enumerate(errors))
    if (!error.empty())
      return kernels[index]->emitError("cannot compile the kernel: ") << error;
  return results;
}

} // namespace memformer::host
