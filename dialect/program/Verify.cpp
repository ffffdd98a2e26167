// Verifiers of the program dialect.

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Partition.h"
#include "dialect/program/Arguments.h"
#include "dialect/program/ProgramDialect.h"

using namespace mlir;
using namespace memformer::program;

LogicalResult SpaceOp::verify() {
  static constexpr StringLiteral categories[] = {"parameters", "gradients", "optimizer",
                                                 "replay",     "saved",     "workspace"};
  if (!llvm::is_contained(categories, getCategory()))
    return emitOpError("expected a category of parameters, gradients, optimizer, replay, saved and "
                       "workspace, but got '")
           << getCategory() << "'";
  for (int64_t bytes : {int64_t(getBytes()), int64_t(getSegmentBytes())})
    if (bytes < 0 || bytes % alignment != 0)
      return emitOpError("expected a multiple of ") << alignment << " bytes, but got " << bytes;
  if (int64_t(getExtraSegments()) < 0)
    return emitOpError("expected no fewer than 0 extra segments, but got ")
           << int64_t(getExtraSegments());
  return success();
}

Operation *KernelOp::getSingle() {
  auto ops = getKernels();
  return llvm::hasSingleElement(ops) && !getParts() ? &*ops.begin() : nullptr;
}

StringRef KernelOp::getKind() {
  if (Operation *single = getSingle())
    return single->getName().stripDialect();
  return getParts() ? "chain" : "launch";
}

// Whether an op of a launch may read a value: one that another op has computed for its own part.
static LogicalResult verifyRead(KernelOp kernel, OpOperand &operand,
                                const std::optional<memformer::kernel::Partition> &partition) {
  if (isa<BlockArgument>(operand.get()))
    return success();
  Operation *op = operand.getOwner();
  if (!partition)
    return op->emitOpError("expected operands from outside of a launch without parts");
  if (!partition->operands[operand.getOperandNumber()])
    return op->emitOpError("expected operand ")
           << operand.getOperandNumber()
           << ", which is read whole, from outside of a launch in parts";
  return success();
}

LogicalResult KernelOp::verifyRegions() {
  Block &block = getBody().front();
  auto isKernel = [](Operation &op) {
    return isa_and_nonnull<memformer::kernel::KernelDialect>(op.getDialect());
  };
  if (block.empty() || !isa<ReturnOp>(block.back()) || !isKernel(block.front()) ||
      !llvm::all_of(getKernels(), isKernel))
    return emitOpError("expected ops of the kernel dialect and program.return");
  if (getSingle()) {
    if (!llvm::equal(block.front().getOperands(), block.getArguments()))
      return emitOpError("expected the arguments to be the kernel's operands in order");
    if (!llvm::equal(block.back().getOperands(), block.front().getResults()))
      return emitOpError("expected to return the kernel's results in order");
    return success();
  }
  std::optional<uint64_t> parts = getParts();
  for (Operation &op : getKernels()) {
    std::optional<memformer::kernel::Partition> partition;
    if (parts && !(partition = memformer::kernel::partitionOf(&op, int64_t(*parts))))
      return op.emitOpError("expected an op of a launch to be one that can be computed in ")
             << *parts << " parts";
    for (OpOperand &operand : op.getOpOperands())
      if (failed(verifyRead(*this, operand, partition)))
        return failure();
  }
  for (Value value : block.back().getOperands())
    if (isa<BlockArgument>(value))
      return emitOpError("expected to return results of its ops");
  return success();
}

// `bytes` of an address lie in its space, whatever the number of segments: where an instruction
// runs, there is at least that segment.
static LogicalResult verifyAddress(Operation *op, SymbolTableCollection &symbols,
                                   AddressAttr address, int64_t bytes) {
  auto space = symbols.lookupNearestSymbolFrom<SpaceOp>(op, address.getSpace());
  if (!space)
    return op->emitOpError("expected a space, but got ") << address.getSpace();
  if (address.getOffset() < 0 || address.getStride() < 0 || bytes < 0)
    return op->emitOpError("expected offset, stride and bytes of at least 0");
  if (address.getStride() > int64_t(space.getSegmentBytes()))
    return op->emitOpError("expected a stride of at most the ")
           << space.getSegmentBytes() << " bytes of a segment of " << address.getSpace()
           << ", but got " << address.getStride();
  auto loop = op->getParentOfType<LoopOp>();
  if (!loop && address.getStride() != 0)
    return op->emitOpError("expected a stride of 0 outside a loop, but got ")
           << address.getStride();
  int64_t segments = int64_t(space.getExtraSegments()) + (loop && loop.getSkipLast() ? 2 : 1);
  int64_t end = int64_t(space.getBytes()) + int64_t(space.getSegmentBytes()) * segments;
  if (address.getOffset() + bytes > end) {
    InFlightDiagnostic error = op->emitOpError("expected bytes within the ")
                               << end << " of " << address.getSpace() << ", but got "
                               << address.getOffset() << " to " << address.getOffset() + bytes;
    error.attachNote(space.getLoc()) << "the space is here";
    return error;
  }
  return success();
}

LogicalResult TensorOp::verifySymbolUses(SymbolTableCollection &symbols) {
  bool parameter = getKind() == TensorKind::Parameter || getKind() == TensorKind::Fixed;
  if (parameter != bool(getInitializer()))
    return emitOpError("expected an initializer with a parameter and only then");
  if (getAddress().getOffset() % (getKind() == TensorKind::Scalar ? 4 : alignment) != 0)
    return emitOpError("expected an aligned offset, but got ") << getAddress().getOffset();
  return verifyAddress(*this, symbols, getAddress(), bytesOf(getType()));
}

LogicalResult DispatchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (getTogether() && !isa_and_nonnull<DispatchOp>((*this)->getPrevNode()))
    return emitOpError("expected a dispatch before one that runs together with it");
  auto kernel = symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError("expected a kernel, but got ") << getKernelAttr();
  SmallVector<KernelArgument> expected = argumentsOf(kernel).all;
  if (getArguments().size() != expected.size()) {
    InFlightDiagnostic error = emitOpError("expected ") << expected.size() << " arguments, but got "
                                                        << getArguments().size();
    error.attachNote(kernel.getLoc()) << "the kernel is here";
    return error;
  }
  for (auto [argument, attribute] : llvm::zip_equal(expected, getArguments())) {
    auto address = cast<AddressAttr>(attribute);
    int64_t unit = argumentAlignment(argument.bytes);
    if (address.getOffset() % unit != 0 || address.getStride() % unit != 0)
      return emitOpError("expected an argument of ") << argument.bytes << " bytes at a multiple of "
                                                     << unit << " bytes, but got " << address;
    if (failed(verifyAddress(*this, symbols, address, argument.bytes)))
      return failure();
  }
  return success();
}

LogicalResult FillOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyAddress(*this, symbols, getTo(), int64_t(getBytes()));
}

LogicalResult CopyOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (getWhen() != When::Always && !(*this)->getParentOfType<LoopOp>())
    return emitOpError("expected a condition inside a loop only");
  return success(succeeded(verifyAddress(*this, symbols, getTo(), int64_t(getBytes()))) &&
                 succeeded(verifyAddress(*this, symbols, getFrom(), int64_t(getBytes()))));
}
