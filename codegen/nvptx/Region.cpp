// Epilogues and bodies: a kernel's region of scalars, as one thread's code.

#include "codegen/nvptx/Region.h"
#include "codegen/nvptx/Math.h"
#include "dialect/memformer/MemformerDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace memformer::nvptx {

// Functions of our own, and those that are instructions of every GPU.
static FailureOr<Value> emitMath(Emit &e, Operation &op, ValueRange operands) {
  Value x = operands[0];
  auto same = [&](StringRef intrinsic) { return e.call(intrinsic, x.getType(), operands); };
  return TypeSwitch<Operation &, FailureOr<Value>>(op)
      .Case([&](math::ExpOp) { return emitExp(e, x); })
      .Case([&](math::Exp2Op) { return emitExp2(e, x); })
      .Case([&](math::LogOp) { return emitLog(e, x); })
      .Case([&](math::TanhOp) { return emitTanh(e, x); })
      .Case([&](math::RsqrtOp) { return e.div(e.real(1), e.sqrt(x)); })
      .Case([&](math::SqrtOp) { return e.sqrt(x); })
      .Case([&](math::AbsFOp) { return same("llvm.fabs.f32"); })
      .Case([&](math::FmaOp) { return same("llvm.fma.f32"); })
      .Case([&](math::FloorOp) { return same("llvm.floor.f32"); })
      .Case([&](math::CeilOp) { return same("llvm.ceil.f32"); })
      .Case([&](math::RoundEvenOp) { return same("llvm.rint.f32"); })
      .Case([&](math::TruncOp) { return same("llvm.trunc.f32"); })
      .Case([&](math::CopySignOp) { return same("llvm.copysign.f32"); })
      .Case([&](math::AbsIOp) {
        Value negative = e.compareInt(arith::CmpIPredicate::slt, x, e.integer(0));
        return e.select(negative, e.sub(e.integer(0), x), x);
      })
      .Default([&](Operation &other) -> FailureOr<Value> {
        return other.emitError("the nvptx target has no form of '") << other.getName() << "'";
      });
}

FailureOr<SmallVector<Value>> ScalarRegion::emit(Emit &e, ValueRange own, Value linear) {
  Block &block = region.front();
  IRMapping values;
  unsigned next = 0;
  for (Value value : own)
    values.map(block.getArgument(next++), value);
  for (auto [extra, kind] : llvm::zip_equal(extras, indexing)) {
    int64_t count = extra.entries();
    if (OperandIndexing(kind) == OperandIndexing::Whole) {
      for (int64_t i = 0; i < count; ++i) {
        BlockArgument argument = block.getArgument(next++);
        if (!argument.use_empty())
          values.map(argument, e.load(extra, e.index(i)));
      }
      continue;
    }
    BlockArgument argument = block.getArgument(next++);
    if (argument.use_empty())
      continue;
    Value place = OperandIndexing(kind) == OperandIndexing::Trailing
                      ? (count == entries ? linear : e.remIndex(linear, count))
                      : e.divIndex(linear, std::max<int64_t>(entries / count, 1));
    values.map(argument, e.load(extra, place));
  }
  if (BlockArgument number = block.getArgument(next); !number.use_empty())
    values.map(number, e.inBatch(linear, entries));

  for (Operation &op : block.without_terminator()) {
    if (!isa<math::MathDialect>(op.getDialect())) {
      e.b.clone(op, values);
      continue;
    }
    SmallVector<Value> operands =
        llvm::map_to_vector(op.getOperands(), [&](Value x) { return values.lookup(x); });
    FailureOr<Value> result = emitMath(e, op, operands);
    if (failed(result))
      return failure();
    values.map(op.getResult(0), *result);
  }
  return llvm::map_to_vector(block.getTerminator()->getOperands(),
                             [&](Value x) { return values.lookup(x); });
}

} // namespace memformer::nvptx
