// Emitters of cross-entropy, its gradient, and argmax: rows of classes.

#include "codegen/nvptx/Emitters.h"
#include "codegen/nvptx/Math.h"

#include <limits>

using namespace mlir;

namespace memformer::nvptx {

static constexpr float lowest = -std::numeric_limits<float>::infinity();
// Rows that are longer have a block each.
static constexpr int64_t longRow = 2048;

FailureOr<int64_t> emitCrossEntropy(Emit &e, kernel::CrossEntropyOp op,
                                    const KernelArguments &arguments) {
  const Buffer &logits = arguments.operands[0], &targets = arguments.operands[1];
  int64_t width = logits.width();
  RowGroups groups(e, logits.rows(), width > longRow);
  groups.forRow([&](Value row) {
    auto columns = [&](ValueRange init, llvm::function_ref<Emit::Carried(Value, ValueRange)> body) {
      return e.strided(groups.member(), width, groups.size(), init, body);
    };
    auto logit = [&](Value column) { return e.load(logits, e.at(row, width, column)); };
    Value wanted = e.load(targets, row);
    Value largest = groups.max(columns(e.real(lowest), [&](Value column, ValueRange most) {
      return Emit::Carried{e.max(logit(column), most[0])};
    })[0]);
    // The target's logit is its thread's: no other column is read.
    Emit::Carried found = columns({e.real(0), e.real(0)}, [&](Value column, ValueRange carried) {
      Value x = logit(column);
      Value isWanted = e.compareInt(arith::CmpIPredicate::eq, column, wanted);
      return Emit::Carried{e.add(carried[0], emitExp(e, e.sub(x, largest))),
                           e.select(isWanted, x, carried[1])};
    });
    Value lse = e.add(largest, emitLog(e, groups.sum(found[0])));
    e.ifThen(e.less(groups.member(), 1), [&] { e.store(lse, arguments.results[1], row); });
    Value counted = e.compareInt(arith::CmpIPredicate::sge, wanted, e.integer(0));
    Value owner = e.select(counted, e.remIndex(wanted, groups.size()), e.index(0));
    e.ifThen(e.compareInt(arith::CmpIPredicate::eq, groups.member(), owner), [&] {
      Value loss = e.sub(lse, found[1]);
      e.store(e.select(counted, loss, e.real(0)), arguments.results[0], row);
    });
  });
  return groups.grid();
}

FailureOr<int64_t> emitCrossEntropyGradient(Emit &e, kernel::CrossEntropyGradientOp op,
                                            const KernelArguments &arguments) {
  const Buffer &gradients = arguments.operands[0], &logits = arguments.operands[1];
  const Buffer &targets = arguments.operands[2], &lses = arguments.operands[3];
  const Buffer &result = arguments.results[0];
  int64_t width = logits.width();
  bool shared = gradients.shape.empty();
  RowGroups groups(e, logits.rows(), width > longRow);
  groups.forRow([&](Value row) {
    Value wanted = e.load(targets, row), lse = e.load(lses, row);
    Value counted = e.compareInt(arith::CmpIPredicate::sge, wanted, e.integer(0));
    Value gradient = e.load(gradients, shared ? e.index(0) : row);
    e.strided(groups.member(), width, groups.size(), [&](Value column) {
      Value place = e.at(row, width, column);
      Value p = emitExp(e, e.sub(e.load(logits, place), lse));
      Value here = e.compareInt(arith::CmpIPredicate::eq, column, wanted);
      Value difference = e.select(here, e.sub(p, e.real(1)), p);
      e.store(e.select(counted, e.mul(gradient, difference), e.real(0)), result, place);
    });
  });
  return groups.grid();
}

FailureOr<int64_t> emitArgmax(Emit &e, kernel::ArgmaxOp op, const KernelArguments &arguments) {
  constexpr int32_t none = std::numeric_limits<int32_t>::max();
  const Buffer &input = arguments.operands[0];
  int64_t width = input.width();
  RowGroups groups(e, input.rows(), width > longRow);
  groups.forRow([&](Value row) {
    // Each thread keeps its first largest entry.
    Emit::Carried best = e.strided(
        groups.member(), width, groups.size(), {e.real(lowest), e.integer(none)},
        [&](Value column, ValueRange carried) {
          Value x = e.load(input, e.at(row, width, column));
          Value larger = e.compare(arith::CmpFPredicate::OGT, x, carried[0]);
          Value begins = e.compareInt(arith::CmpIPredicate::eq, carried[1], e.integer(none));
          Value isLowest = e.compare(arith::CmpFPredicate::OEQ, x, e.real(lowest));
          Value taken = arith::OrIOp::create(e.b, e.loc, larger, e.both(begins, isLowest));
          return Emit::Carried{e.select(larger, x, carried[0]),
                               e.select(taken, column, carried[1])};
        });
    Value largest = groups.max(best[0]);
    Value holds = e.compare(arith::CmpFPredicate::OEQ, best[0], largest);
    Value candidate = e.select(holds, best[1], e.integer(none));
    Value place = groups.reduce(candidate, [&](Value x, Value y) { return e.minIndex(x, y); });
    // Rows of NaN alone have no largest entry.
    Value found = e.compareInt(arith::CmpIPredicate::ne, place, e.integer(none));
    e.ifThen(e.less(groups.member(), 1),
             [&] { e.store(e.select(found, place, e.integer(0)), arguments.results[0], row); });
  });
  return groups.grid();
}

} // namespace memformer::nvptx
