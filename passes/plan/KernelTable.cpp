// The kernels of a program, each once.

#include "passes/plan/KernelTable.h"

#include "dialect/program/Arguments.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OperationSupport.h"

using namespace mlir;
using namespace memformer;

static size_t hashOf(Operation *op) {
  size_t hash = llvm::hash_combine(op->getName().getAsOpaquePointer(),
                                   op->getAttrDictionary().getAsOpaquePointer());
  for (Type type : llvm::concat<const Type>(op->getOperandTypes(), op->getResultTypes()))
    hash = llvm::hash_combine(hash, type.getAsOpaquePointer());
  return hash;
}

FlatSymbolRefAttr KernelTable::get(Operation *op) {
  int64_t bytes = 0;
  for (const program::KernelArgument &argument : program::argumentsOf(op))
    bytes += argument.bytes * (int64_t(argument.isRead) + int64_t(argument.isWritten));
  StringRef kind = op->getName().stripDialect();
  int64_t flops = cast<FlopsOpInterface>(op).getFlops();
  auto kernel = program::KernelOp::create(builder, op->getLoc(),
                                          (kind + "_" + Twine(numbers.lookup(kind))).str(),
                                          uint64_t(flops), uint64_t(bytes));
  {
    OpBuilder::InsertionGuard guard(builder);
    Block *body = builder.createBlock(&kernel.getBody());
    Operation *clone = op->clone();
    for (OpOperand &operand : clone->getOpOperands())
      operand.set(body->addArgument(operand.get().getType(), op->getLoc()));
    if (program::accumulatedParameter(op))
      clone->setAttr("accumulate", FlatSymbolRefAttr::get(op->getContext(), "gradient"));
    builder.insert(clone);
    program::ReturnOp::create(builder, op->getLoc(), clone->getResults());
  }

  SmallVector<program::KernelOp> &candidates = byHash[hashOf(kernel.getKernel())];
  for (program::KernelOp candidate : candidates)
    if (OperationEquivalence::isRegionEquivalentTo(&candidate.getBody(), &kernel.getBody(),
                                                   OperationEquivalence::IgnoreLocations)) {
      kernel.erase();
      return FlatSymbolRefAttr::get(candidate.getSymNameAttr());
    }
  candidates.push_back(kernel);
  ++numbers[kind];
  ++kernels;
  return FlatSymbolRefAttr::get(kernel.getSymNameAttr());
}
