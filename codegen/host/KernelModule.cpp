// From a kernel op to a function in the LLVM dialect.

#include "codegen/host/KernelModule.h"
#include "codegen/host/Emitter.h"
#include "dialect/kernel/Shapes.h"
#include "dialect/program/Arguments.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace memformer::host {

void registerKernelDialects(DialectRegistry &registry) {
  registry
      .insert<MemformerDialect, kernel::KernelDialect, program::ProgramDialect,
              affine::AffineDialect, arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect,
              LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
              ub::UBDialect, vector::VectorDialect, x86vector::X86VectorDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

// bf16 lies in memory as i16: what LLVM makes of its own bf16 may call the compiler's library.
static MemRefType memrefOf(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  Type element = tensor.getElementType();
  if (element.isBF16())
    element = IntegerType::get(element.getContext(), 16);
  return MemRefType::get(tensor.getShape(), element);
}

// The gradient buffer that a kernel adds to, as a matrix of its rows; null for none.
static MemRefType accumulatedType(Operation *op) {
  if (!op->hasAttr("accumulate"))
    return {};
  Type element = Float32Type::get(op->getContext());
  if (auto gemm = dyn_cast<kernel::GemmOp>(op)) {
    Type a = gemm.getA().getType();
    int64_t rows = gemm.getTransposeA() ? kernel::widthOf(a) : kernel::rowsOf(a);
    return MemRefType::get({rows, int64_t(gemm.getN())}, element);
  }
  if (auto reduce = dyn_cast<kernel::ReduceOp>(op))
    return MemRefType::get({int64_t(reduce.getEntries())}, element);
  auto scatter = cast<kernel::ScatterAddOp>(op);
  return MemRefType::get(
      {int64_t(scatter.getRows()), kernel::widthOf(scatter.getInput().getType())}, element);
}

static int64_t bytesOf(MemRefType type) {
  return type.getNumElements() * int64_t(type.getElementTypeBitWidth() / 8);
}

FailureOr<KernelModule> buildKernelModule(program::KernelOp kernel, const HostTarget &target) {
  Operation *op = kernel.getSingle();
  if (!op)
    return kernel.emitError("expected a kernel of one op: the host has no launches of several");
  if (!isa<kernel::KernelDialect>(op->getDialect()))
    return op->emitError("expected an op of the kernel dialect, but got '") << op->getName() << "'";
  KernelModule result;
  SmallVector<Type> types;
  auto addArgument = [&](MemRefType type, bool isWritten) {
    types.push_back(type);
    result.arguments.push_back({bytesOf(type), isWritten});
  };
  SmallVector<OpOperand *> inPlace = llvm::map_to_vector(
      op->getResults(), [](OpResult result) { return program::operandInPlace(result); });
  for (OpOperand &operand : op->getOpOperands())
    addArgument(memrefOf(operand.get().getType()),
                isa<kernel::AdamWOp>(op) || llvm::is_contained(inPlace, &operand));
  if (MemRefType type = accumulatedType(op))
    addArgument(type, true);
  for (OpResult result : op->getResults())
    if (!inPlace[result.getResultNumber()])
      addArgument(memrefOf(result.getType()), true);
  OpBuilder builder(op->getContext());
  types.push_back(builder.getIndexType());

  Location loc = op->getLoc();
  result.module = ModuleOp::create(loc);
  builder.setInsertionPointToStart(result.module->getBody());
  auto function =
      func::FuncOp::create(builder, loc, kernel.getSymName(), builder.getFunctionType(types, {}));
  Block *block = function.addEntryBlock();
  builder.setInsertionPointToStart(block);
  KernelArguments arguments;
  size_t operands = op->getNumOperands();
  llvm::append_range(arguments.operands, block->getArguments().take_front(operands));
  llvm::append_range(arguments.results, block->getArguments().drop_front(operands).drop_back());
  arguments.workgroup = block->getArguments().back();
  FailureOr<int64_t> grid = emitKernel(builder, op, arguments, target);
  if (failed(grid))
    return failure();
  builder.setInsertionPointToEnd(block);
  func::ReturnOp::create(builder, loc);
  result.grid = *grid;
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
  passes.addPass(createConvertVectorToSCFPass());
  passes.addPass(memref::createExpandStridedMetadataPass());
  passes.addPass(createLowerAffinePass());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(createLoopInvariantCodeMotionPass());
  passes.addPass(createSCFToControlFlowPass());
  ConvertVectorToLLVMPassOptions vectors;
  vectors.x86Vector = true;
  passes.addPass(createConvertVectorToLLVMPass(vectors));
  passes.addPass(createUBToLLVMConversionPass());
  passes.addPass(createConvertMathToLLVMPass());
  passes.addPass(createFinalizeMemRefToLLVMConversionPass());
  passes.addPass(createArithToLLVMConversionPass());
  ConvertFuncToLLVMPassOptions pointers;
  pointers.useBarePtrCallConv = true;
  passes.addPass(createConvertFuncToLLVMPass(pointers));
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  return success(succeeded(passes.run(module)) && succeeded(verify(module)));
}

} // namespace memformer::host
