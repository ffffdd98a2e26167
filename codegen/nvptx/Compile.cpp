// Kernels compiled for a GPU, each on its own and many at a time.

#include "codegen/nvptx/Compile.h"
#include "codegen/EachKernel.h"
#include "codegen/nvptx/Assemble.h"
#include "codegen/nvptx/KernelModule.h"
#include "codegen/nvptx/PtxCode.h"

using namespace mlir;

namespace memformer::nvptx {

static LogicalResult compileOne(program::KernelOp kernel, const GpuTarget &target, Stage stage,
                                CompiledKernel &result) {
  FailureOr<KernelModule> built = buildKernelModule(kernel, target);
  if (failed(built))
    return failure();
  result.symbol = kernel.getSymName().str();
  result.grid = built->grid;
  result.threads = built->threads;
  result.sharedBytes = built->sharedBytes;
  result.movedBytes = built->movedBytes;
  result.tensorFlops = built->tensorFlops;
  if (stage == Stage::MLIR) {
    llvm::raw_string_ostream stream(result.code);
    for (const std::string &form : built->forms)
      stream << "// kernel: " << form << "\n";
    built->module->print(stream);
    return success();
  }
  if (failed(lowerToLLVM(*built->module)))
    return failure();
  CodeKind kind = stage == Stage::LLVM ? CodeKind::LLVM : CodeKind::PTX;
  llvm::Expected<std::string> code = emitCode(*built, result.symbol, target, kind);
  if (!code)
    return kernel.emitError() << llvm::toString(code.takeError());
  result.code = std::move(*code);
  std::optional<std::string> assembler = findAssembler();
  if (stage != Stage::Binary || !assembler)
    return success();
  llvm::Expected<Assembly> assembly = assemble(*assembler, result.code, target);
  if (!assembly)
    return kernel.emitError() << llvm::toString(assembly.takeError());
  result.binary = std::move(assembly->binary);
  result.registers = assembly->registers;
  result.spilledBytes = assembly->spilledBytes;
  return success();
}

llvm::Expected<CompiledKernel> compileKernel(StringRef text, const GpuTarget &target, Stage stage) {
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
                                                      const GpuTarget &target, Stage stage,
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

} // namespace memformer::nvptx
