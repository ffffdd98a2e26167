// Kernels from text, each in a context of its own and many at a time.

#include "codegen/EachKernel.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/ThreadPool.h"

using namespace mlir;

namespace memformer {

static LogicalResult parseKernel(MLIRContext &context, StringRef text,
                                 llvm::function_ref<LogicalResult(program::KernelOp)> body) {
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context, "kernel");
  if (!module)
    return failure();
  auto kernels = module->getOps<program::KernelOp>();
  if (!llvm::hasSingleElement(kernels))
    return module->emitError("expected one program.kernel");
  return body(*kernels.begin());
}

llvm::Error withKernel(StringRef text, const DialectRegistry &registry,
                       llvm::function_ref<LogicalResult(program::KernelOp)> body) {
  // Contexts share nothing, so that kernels compile side by side; one has no threads of its own.
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
  if (failed(parseKernel(context, text, body)))
    return llvm::createStringError(messages.empty() ? "the kernel does not compile" : messages);
  return llvm::Error::success();
}

LogicalResult forEachKernel(ArrayRef<program::KernelOp> kernels, unsigned threads,
                            llvm::function_ref<llvm::Error(size_t, StringRef)> body) {
  // Printed before any thread starts: the ops' context is not to be shared.
  std::vector<std::string> texts;
  for (program::KernelOp kernel : kernels) {
    llvm::raw_string_ostream stream(texts.emplace_back());
    kernel->print(stream, OpPrintingFlags().useLocalScope());
  }
  std::vector<std::string> errors(kernels.size());
  llvm::DefaultThreadPool pool(llvm::hardware_concurrency(threads));
  for (size_t i = 0; i < kernels.size(); ++i)
    pool.async([&, i] {
      if (llvm::Error error = body(i, texts[i]))
        errors[i] = llvm::toString(std::move(error));
    });
  pool.wait();
  for (auto [index, error] : llvm::enumerate(errors))
    if (!error.empty())
      return kernels[index]->emitError("cannot compile the kernel: ") << error;
  return success();
}

std::string textOfKernel(StringRef op, ArrayRef<std::string> operands,
                         ArrayRef<std::string> results) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "program.kernel @k attributes {flops = 0 : i64, bytes = 0 : i64} {\n^bb0(";
  for (auto [i, type] : llvm::enumerate(operands))
    stream << (i ? ", %" : "%") << i << ": " << type;
  stream << "):\n";
  bool several = results.size() > 1;
  if (several)
    stream << "%r:" << results.size() << " = ";
  else if (!results.empty())
    stream << "%r = ";
  stream << op << "\nprogram.return";
  for (size_t i = 0; i < results.size(); ++i) {
    stream << (i ? ", %r" : " %r");
    if (several)
      stream << '#' << i;
  }
  for (auto [i, type] : llvm::enumerate(results))
    stream << (i ? ", " : " : ") << type;
  stream << "\n}\n";
  return text;
}

} // namespace memformer
