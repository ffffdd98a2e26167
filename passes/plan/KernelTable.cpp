// The kernels of a program, each once.

#include "passes/plan/KernelTable.h"

#include "dialect/program/Arguments.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OperationSupport.h"

using namespace mlir;
using namespace memformer;

static size_t hashOf(program::KernelOp kernel) {
  size_t hash = size_t(kernel.getParts().value_or(0));
  for (Operation &op : kernel.getKernels()) {
    hash = llvm::hash_combine(hash, op.getName().getAsOpaquePointer(),
                              op.getAttrDictionary().getAsOpaquePointer());
    for (Type type : llvm::concat<const Type>(op.getOperandTypes(), op.getResultTypes()))
      hash = llvm::hash_combine(hash, type.getAsOpaquePointer());
  }
  return hash;
}

// The kernel has the name of its kind until its number is known.
FlatSymbolRefAttr KernelTable::keepOne(program::KernelOp kernel) {
  SmallVector<program::KernelOp> &candidates = byHash[hashOf(kernel)];
  for (program::KernelOp candidate : candidates)
    if (candidate.getParts() == kernel.getParts() &&
        OperationEquivalence::isRegionEquivalentTo(&candidate.getBody(), &kernel.getBody(),
                                                   OperationEquivalence::IgnoreLocations)) {
      kernel.erase();
      return FlatSymbolRefAttr::get(candidate.getSymNameAttr());
    }
  candidates.push_back(kernel);
  ++kernels;
  StringRef kind = kernel.getKind();
  kernel.setSymName((kind + "_" + Twine(numbers[kind]++)).str());
  return FlatSymbolRefAttr::get(kernel.getSymNameAttr());
}

FlatSymbolRefAttr KernelTable::get(Operation *op) {
  SmallVector<Value> read(op->getOperands());
  SmallPtrSet<Value, 4> returned(op->result_begin(), op->result_end());
  return get(op, 0, read, returned);
}

FlatSymbolRefAttr KernelTable::get(ArrayRef<Operation *> ops, int64_t parts, ArrayRef<Value> read,
                                   const SmallPtrSetImpl<Value> &returned) {
  int64_t flops = 0;
  for (Operation *op : ops)
    flops += cast<FlopsOpInterface>(op).getFlops();
  auto kernel = program::KernelOp::create(builder, ops.front()->getLoc(), "kernel", uint64_t(flops),
                                          /*bytes=*/0,
                                          parts ? builder.getI64IntegerAttr(parts) : IntegerAttr());
  OpBuilder::InsertionGuard guard(builder);
  Block *body = builder.createBlock(&kernel.getBody());
  IRMapping values;
  SmallVector<Value> arguments, results;
  for (Value value : read) {
    arguments.push_back(body->addArgument(value.getType(), value.getLoc()));
    values.map(value, arguments.back());
  }
  int64_t bytes = 0;
  for (Operation *op : ops) {
    Operation *clone = builder.clone(*op, values);
    // An op alone has an argument for each operand.
    if (ops.size() == 1 && parts == 0)
      clone->setOperands(arguments);
    if (program::accumulatedParameter(op))
      clone->setAttr("accumulate", FlatSymbolRefAttr::get(op->getContext(), "gradient"));
    for (auto [result, copy] : llvm::zip_equal(op->getResults(), clone->getResults()))
      if (returned.contains(result))
        results.push_back(copy);
  }
  program::ReturnOp::create(builder, ops.front()->getLoc(), results);
  // Once each, but for what nobody reads afterwards.
  for (const program::KernelArgument &argument : program::argumentsOf(kernel).all)
    if (!argument.result || llvm::is_contained(results, argument.result))
      bytes += argument.passedBytes();
  kernel.setBytes(uint64_t(bytes));
  builder.setInsertionPointAfter(kernel);
  return keepOne(kernel);
}
