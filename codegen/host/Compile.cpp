// Kernels compiled for a CPU, each on its own and many at a time.

#include "codegen/host/Compile.h"
#include "codegen/EachKernel.h"
#include "codegen/host/KernelModule.h"
#include "codegen/host/MachineCode.h"

using namespace mlir;

namespace memformer::host {

static LogicalResult compileOne(program::KernelOp kernel, const HostTarget &target, Stage stage,
                                CompiledKernel &result) {
  FailureOr<KernelModule> built = buildKernelModule(kernel, target);
  if (failed(built))
    return failure();
  result.symbol = kernel.getSymName().str();
  result.grid = built->grid;
  if (stage == Stage::MLIR) {
    llvm::raw_string_ostream stream(result.code);
    built->module->print(stream);
    return success();
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
  return success();
}

llvm::Expected<CompiledKernel> compileKernel(StringRef text, const HostTarget &target,
                                             Stage stage) {
  DialectRegistry registry;
  registerKernelDialects(registry);
  CompiledKernel result;
  if (llvm::Error error = withKernel(text, registry, [&](program::KernelOp kernel) {
        return compileOne(kernel, target, stage, result);
      }))
    return error;
  return result;
}

FailureOr<std::vector<CompiledKernel>> compileKernels(ArrayRef<program::KernelOp> kernels,
                                                      const HostTarget &target, Stage stage,
                                                      unsigned threads) {
  std::vector<CompiledKernel> results(kernels.size());
  if (failed(forEachKernel(kernels, threads, [&](size_t index, StringRef text) -> llvm::Error {
        llvm::Expected<CompiledKernel> result = compileKernel(text, target, stage);
        if (!result)
          return result.takeError();
        results[index] = std::move(*result);
        return llvm::Error::success();
      })))
    return failure();
  return results;
}

} // namespace memformer::host
