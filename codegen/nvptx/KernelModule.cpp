// From a kernel op to a function of one thread in the LLVM dialect.

#include "codegen/nvptx/KernelModule.h"
#include "codegen/nvptx/Launch.h"
#include "codegen/nvptx/Traffic.h"
#include "dialect/kernel/Flops.h"
#include "dialect/kernel/Form.h"
#include "dialect/kernel/Shapes.h"
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

KernelArguments buffersOf(Operation *op, ValueRange pointers) {
  KernelArguments buffers;
  for (auto [argument, pointer] : llvm::zip_equal(program::argumentsOf(op), pointers)) {
    Buffer buffer = bufferOf(argument, op->getContext());
    buffer.pointer = pointer;
    (argument.operand ? buffers.operands : buffers.results).push_back(std::move(buffer));
  }
  return buffers;
}

bool usesTensorCores(Operation *emitted) {
  return emitted
      ->walk([](Operation *op) {
        auto call = dyn_cast<LLVM::CallIntrinsicOp>(op);
        auto assembly = dyn_cast<LLVM::InlineAsmOp>(op);
        bool multiplies = (call && call.getIntrin().contains(".mma.")) ||
                          (assembly && assembly.getAsmString().contains("wgmma.mma"));
        return multiplies ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

// Indices are 32 bits wide, and entries two or four bytes.
static LogicalResult checkTensors(Operation *op, ArrayRef<program::KernelArgument> arguments) {
  constexpr int64_t mostEntries = (int64_t(1) << 32) - (1 << 20);
  for (const program::KernelArgument &argument : arguments) {
    if (bufferOf(argument, op->getContext()).element.isInteger(8))
      return op->emitError("expected tensors of f32, bf16, f16 or i32 on a GPU, but got one of i8");
    if (argument.bytes / 2 > mostEntries &&
        bufferOf(argument, op->getContext()).entries() > mostEntries)
      return op->emitError("expected tensors of at most ")
             << mostEntries << " entries, but got one of " << argument.bytes << " bytes";
  }
  return success();
}

std::string formOf(Operation *op, const Emit &e) {
  std::string form = kernel::formOf(op);
  for (const std::string &note : e.notes())
    form += "; " + note;
  return form;
}

// One op, with the function's arguments.
static LogicalResult emitSingle(OpBuilder &builder, Operation *op, ValueRange pointers,
                                const GpuTarget &target, KernelModule &result) {
  Emit e(builder, op->getLoc(), target);
  FailureOr<int64_t> grid = emitKernel(e, op, buffersOf(op, pointers));
  if (failed(grid))
    return failure();
  result.grid = *grid;
  result.threads = e.threads();
  result.sharedBytes = e.sharedBytes();
  result.keepsLoops = e.keepsLoops();
  result.movedBytes = movedBytesOf(op, *grid, e.blocksAcross(), target);
  result.forms.push_back(formOf(op, e));
  if (usesTensorCores(*result.module))
    result.tensorFlops = kernel::productFlops(op);
  return success();
}

FailureOr<KernelModule> buildKernelModule(program::KernelOp kernel, const GpuTarget &target) {
  program::KernelArguments described = program::argumentsOf(kernel);
  if (failed(checkTensors(kernel, described.all)))
    return failure();
  KernelModule result;
  MLIRContext *context = kernel.getContext();
  OpBuilder builder(context);
  Location loc = kernel.getLoc();
  result.module = ModuleOp::create(loc);
  builder.setInsertionPointToStart(result.module->getBody());
  auto bytes = LLVM::LLVMArrayType::get(builder.getI8Type(), 0);
  LLVM::GlobalOp::create(builder, loc, bytes, /*isConstant=*/false, LLVM::Linkage::External,
                         "shared_memory", Attribute(), /*alignment=*/16, /*addrSpace=*/3);
  auto pointer = LLVM::LLVMPointerType::get(context, 1);
  SmallVector<Type> types(described.all.size(), pointer);
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), types);
  auto function = LLVM::LLVMFuncOp::create(builder, loc, kernel.getSymName(), type);
  Block *block = function.addEntryBlock(builder);
  builder.setInsertionPointToStart(block);

  bool isEmpty = true;
  for (const program::KernelArgument &argument : described.all) {
    result.arguments.push_back({argument.bytes, argument.isWritten});
    isEmpty &= !argument.isWritten || argument.bytes == 0;
  }
  if (isEmpty) {
    result.grid = 1;
    result.threads = Emit::warp;
  } else if (Operation *single = kernel.getSingle()) {
    if (failed(emitSingle(builder, single, block->getArguments(), target, result)))
      return failure();
  } else if (failed(emitLaunch(builder, kernel, described, block->getArguments(), target, result)))
    return failure();
  builder.setInsertionPointToEnd(block);
  LLVM::ReturnOp::create(builder, loc, ValueRange());
  if (result.sharedBytes > target.mostSharedBytes)
    return kernel.emitError("expected a kernel of at most ")
           << target.mostSharedBytes << " bytes of shared memory, but it needs "
           << result.sharedBytes;
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
