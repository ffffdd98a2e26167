// From a kernel op to a function of one thread in the LLVM dialect.

#include "codegen/nvptx/KernelModule.h"
#include "codegen/nvptx/Emitter.h"
#include "codegen/nvptx/Traffic.h"
#include "dialect/kernel/Form.h"
#include "dialect/kernel/Shapes.h"
#include "dialect/program/Arguments.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace memformer::nvptx {

void registerKernelDialects(DialectRegistry &registry) {
  registry
      .insert<MemformerDialect, kernel::KernelDialect, program::ProgramDialect, arith::ArithDialect,
              cf::ControlFlowDialect, LLVM::LLVMDialect, math::MathDialect, scf::SCFDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

// A buffer without its pointer.
static Buffer bufferOf(const program::KernelArgument &argument, MLIRContext *context) {
  Value tensor = argument.operand ? argument.operand : argument.result;
  Buffer buffer;
  if (!tensor) {
    buffer.element = Float32Type::get(context);
    buffer.shape = {argument.bytes / 4};
    return buffer;
  }
  auto type = cast<RankedTensorType>(tensor.getType());
  buffer.element = type.getElementType();
  buffer.shape.assign(type.getShape().begin(), type.getShape().end());
  return buffer;
}

// Indices are 32 bits wide, and entries two or four bytes.
static LogicalResult checkTensors(Operation *op, ArrayRef<program::KernelArgument> arguments) {
  constexpr int64_t mostEntries = (int64_t(1) << 32) - (1 << 20);
  for (const program::KernelArgument &argument : arguments) {
    if (bufferOf(argument, op->getContext()).element.isInteger(8))
      return op->emitError("expected tensors of f32, bf16 or i32 on a GPU, but got one of i8");
    if (argument.bytes / 2 > mostEntries &&
        bufferOf(argument, op->getContext()).entries() > mostEntries)
      return op->emitError("expected tensors of at most ")
             << mostEntries << " entries, but got one of " << argument.bytes << " bytes";
  }
  return success();
}

FailureOr<KernelModule> buildKernelModule(program::KernelOp kernel, const GpuTarget &target) {
  Operation *op = kernel.getKernel();
  SmallVector<program::KernelArgument> described = program::argumentsOf(op);
  if (failed(checkTensors(op, described)))
    return failure();
  KernelModule result;
  MLIRContext *context = op->getContext();
  OpBuilder builder(context);
  Location loc = op->getLoc();
  result.module = ModuleOp::create(loc);
  builder.setInsertionPointToStart(result.module->getBody());
  auto bytes = LLVM::LLVMArrayType::get(builder.getI8Type(), 0);
  LLVM::GlobalOp::create(builder, loc, bytes, /*isConstant=*/false, LLVM::Linkage::External,
                         "shared_memory", Attribute(), /*alignment=*/16, /*addrSpace=*/3);
  auto pointer = LLVM::LLVMPointerType::get(context, 1);
  SmallVector<Type> types(described.size(), pointer);
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), types);
  auto function = LLVM::LLVMFuncOp::create(builder, loc, kernel.getSymName(), type);
  Block *block = function.addEntryBlock(builder);
  builder.setInsertionPointToStart(block);

  KernelArguments arguments;
  bool isEmpty = true;
  for (auto [index, argument] : llvm::enumerate(described)) {
    result.arguments.push_back({argument.bytes, argument.isWritten});
    isEmpty &= !argument.isWritten || argument.bytes == 0;
    Buffer buffer = bufferOf(argument, context);
    buffer.pointer = block->getArgument(unsigned(index));
    (argument.operand ? arguments.operands : arguments.results).push_back(std::move(buffer));
  }
  Emit e(builder, loc, target);
  FailureOr<int64_t> grid = isEmpty ? FailureOr<int64_t>(1) : emitKernel(e, op, arguments);
  if (failed(grid))
    return failure();
  builder.setInsertionPointToEnd(block);
  LLVM::ReturnOp::create(builder, loc, ValueRange());
  if (e.sharedBytes() > target.mostSharedBytes)
    return op->emitError("expected a kernel of at most ")
           << target.mostSharedBytes << " bytes of shared memory, but it needs " << e.sharedBytes();
  result.grid = *grid;
  result.movedBytes = movedBytesOf(op, *grid, e.blocksAcross(), target);
  result.threads = e.threads();
  result.sharedBytes = e.sharedBytes();
  result.keepsLoops = e.keepsLoops();
  result.form = kernel::formOf(op);
  for (const std::string &note : e.notes())
    result.form += "; " + note;
  if (failed(verify(*result.module)))
    return failure();
  return result;
}

LogicalResult lowerToLLVM(ModuleOp module) {
  PassManager passes(module.getContext(), ModuleOp::getOperationName());
  // Ops of upstream dialects alone from here on: they are verified once, at the end.
  passes.enableVerifier(false);
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  return success(succeeded(passes.run(module)) && succeeded(verify(module)));
}

} // namespace memformer::nvptx
