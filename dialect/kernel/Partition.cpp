// Kernels that can be computed a part of the batch at a time.

#include "dialect/kernel/Partition.h"

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace memformer::kernel {

Type partOf(Type type, int64_t parts) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getShape());
  shape[0] /= parts;
  return RankedTensorType::get(shape, tensor.getElementType());
}

// Whether parts of a tensor are equal and begin where they may.
static bool hasParts(Type type, int64_t parts) {
  auto tensor = cast<RankedTensorType>(type);
  if (tensor.getRank() == 0 || tensor.getDimSize(0) % parts != 0)
    return false;
  int64_t bytes = tensor.getNumElements() / parts * (tensor.getElementTypeBitWidth() / 8);
  return bytes % (bytes < 64 ? 4 : partAlignment) == 0;
}

namespace {

// Marks operands; each must go along with the results.
class Marks {
public:
  explicit Marks(Operation *op) : op(op), rows(shapeOf(op->getResult(0).getType())) {
    partition.operands.assign(op->getNumOperands(), false);
  }

  void inParts(OpOperand &operand) {
    ArrayRef<int64_t> shape = shapeOf(operand.get().getType());
    possible &= !shape.empty() && !rows.empty() && shape[0] == rows[0];
    partition.operands[operand.getOperandNumber()] = true;
  }
  void inParts(OperandRange operands) {
    for (unsigned i = 0; i < operands.size(); ++i)
      inParts(op->getOpOperand(operands.getBeginOperandIndex() + i));
  }
  // Trailing dimensions of `shape`: those that have all of them have its rows.
  void trailing(OpOperand &operand, ArrayRef<int64_t> shape) {
    if (shapeOf(operand.get().getType()).size() == shape.size())
      inParts(operand);
  }
  // Operands of a region for entries of `shape`.
  void extras(OperandRange operands, ArrayRef<int32_t> indexing, ArrayRef<int64_t> shape) {
    for (auto [i, kind] : llvm::enumerate(indexing)) {
      OpOperand &operand = op->getOpOperand(operands.getBeginOperandIndex() + unsigned(i));
      switch (OperandIndexing(kind)) {
      case OperandIndexing::Trailing:
        trailing(operand, shape);
        break;
      case OperandIndexing::Leading:
        if (!shapeOf(operand.get().getType()).empty())
          inParts(operand);
        break;
      case OperandIndexing::Whole:
        break;
      }
    }
  }

  Operation *op;
  ArrayRef<int64_t> rows;
  Partition partition;
  bool possible = true;
};

} // namespace

// Marks what an op reads in parts. False for ops that have none.
static bool mark(Operation *op, Marks &marks) {
  auto rowsOnly = [&](auto row) {
    marks.inParts(row.getInputMutable());
    return true;
  };
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](GemmOp gemm) {
        marks.inParts(gemm.getAMutable());
        marks.extras(gemm.getExtras(), gemm.getIndexing(), shapeOf(op->getResult(0).getType()));
        return !gemm.getTransposeA() && !gemm.getAccumulate() &&
               shapeOf(gemm.getA().getType()).size() > 1;
      })
      .Case([&](MapOp map) {
        marks.extras(map.getInputs(), map.getIndexing(), shapeOf(op->getResult(0).getType()));
        return true;
      })
      .Case([&](GatherOp gather) {
        marks.inParts(gather.getIndicesMutable());
        marks.extras(gather.getExtras(), gather.getIndexing(), shapeOf(op->getResult(0).getType()));
        return true;
      })
      .Case([&](LayerNormOp norm) { return rowsOnly(norm) && marks.rows.size() > 1; })
      .Case([&](ArgmaxOp argmax) { return rowsOnly(argmax); })
      .Case([&](NormalizeOp normalize) {
        if (normalize.getBias())
          marks.trailing(normalize.getBiasMutable()[0], marks.rows);
        return rowsOnly(normalize) && marks.rows.size() > 1;
      })
      .Case([&](NormalizeGradientOp normalize) {
        if (normalize.getBias())
          marks.trailing(normalize.getBiasMutable()[0], marks.rows);
        marks.inParts(normalize.getGradientMutable());
        return rowsOnly(normalize) && marks.rows.size() > 1;
      })
      .Case([&](AttentionOp attention) {
        marks.inParts(attention.getQueryMutable());
        marks.inParts(attention.getKeyMutable());
        marks.inParts(attention.getValueMutable());
        if (attention.getSelfKey()) {
          marks.inParts(attention.getSelfKeyMutable()[0]);
          marks.inParts(attention.getSelfValueMutable()[0]);
        }
        if (attention.getBias())
          marks.trailing(attention.getBiasMutable()[0], marks.rows);
        if (attention.getRelativeQuery())
          marks.inParts(attention.getRelativeQueryMutable()[0]);
        return true;
      })
      .Case([&](AttentionGradientOp attention) {
        // All but the key of the dropout and what belongs to distances.
        for (OpOperand &operand : op->getOpOperands())
          if (operand.get() != attention.getDropoutKey() &&
              operand.get() != attention.getRelativeKey())
            marks.inParts(operand);
        return true;
      })
      .Case([&](AttentionWeightsOp) {
        marks.inParts(op->getOperands());
        return true;
      })
      .Case([&](AttentionUsageOp usage) {
        for (OpOperand &operand : op->getOpOperands())
          if (operand.get() != usage.getRelativeKey())
            marks.inParts(operand);
        return true;
      })
      .Case([&](CrossEntropyOp) {
        marks.inParts(op->getOperands());
        return true;
      })
      .Case([&](CrossEntropyGradientOp gradient) {
        if (!shapeOf(gradient.getGradient().getType()).empty())
          marks.inParts(gradient.getGradientMutable());
        marks.inParts(gradient.getLogitsMutable());
        marks.inParts(gradient.getTargetsMutable());
        marks.inParts(gradient.getLseMutable());
        return true;
      })
      .Case([&](ConcatOp concat) {
        marks.inParts(op->getOperands());
        return concat.getAxis() > 0;
      })
      .Case([&](SliceOp slice) {
        marks.inParts(slice.getInputMutable());
        return slice.getAxis() > 0 && !slice.getPosition();
      })
      .Default([](Operation *) { return false; });
}

std::optional<Partition> partitionOf(Operation *op, int64_t parts) {
  if (op->getNumResults() == 0 || parts < 1)
    return std::nullopt;
  Marks marks(op);
  if (!mark(op, marks) || !marks.possible)
    return std::nullopt;
  for (OpOperand &operand : op->getOpOperands())
    if (marks.partition.operands[operand.getOperandNumber()] &&
        !hasParts(operand.get().getType(), parts))
      return std::nullopt;
  for (Value result : op->getResults())
    if (!hasParts(result.getType(), parts))
      return std::nullopt;
  return marks.partition;
}

} // namespace memformer::kernel
