// Calls, reductions, loops and branches of kernels.

#include "codegen/nvptx/Emit.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace memformer::nvptx {

Value Emit::call(StringRef intrinsic, Type result, ValueRange arguments) {
  auto name = b.getStringAttr(intrinsic);
  if (!result) {
    LLVM::CallIntrinsicOp::create(b, loc, name, arguments);
    return {};
  }
  return LLVM::CallIntrinsicOp::create(b, loc, result, name, arguments).getResults();
}

SmallVector<Value> Emit::callForMany(StringRef intrinsic, ArrayRef<Type> results,
                                     ValueRange arguments) {
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), results);
  Value all = call(intrinsic, type, arguments);
  SmallVector<Value> values;
  for (size_t i = 0; i < results.size(); ++i)
    values.push_back(LLVM::ExtractValueOp::create(b, loc, all, ArrayRef<int64_t>{int64_t(i)}));
  return values;
}

//===-- reductions
//--------------------------------------------------------------------------------===//

Value Emit::exchange(Value x, int64_t distance) {
  StringRef name =
      x.getType().isF32() ? "llvm.nvvm.shfl.sync.bfly.f32" : "llvm.nvvm.shfl.sync.bfly.i32";
  return call(name, x.getType(),
              {integer(-1), x, integer(int32_t(distance)), integer(int32_t(warp - 1))});
}

Value Emit::reduceLanes(Value x, Combine combine, int64_t lanes) {
  // Both partners combine the same two numbers: every lane ends with the same bits.
  for (int64_t distance = lanes / 2; distance > 0; distance /= 2)
    x = combine(x, exchange(x, distance));
  return x;
}

Value Emit::sumLanes(Value x, int64_t lanes) {
  return reduceLanes(x, [&](Value y, Value z) { return add(y, z); }, lanes);
}

Value Emit::maxLanes(Value x, int64_t lanes) {
  return reduceLanes(x, [&](Value y, Value z) { return max(y, z); }, lanes);
}

Value Emit::reduceBlock(Value x, Combine combine) {
  x = reduceLanes(x, combine);
  int64_t warps = threadCount / warp;
  if (warps == 1)
    return x;
  // Two places in turn: between the reads of one and the next writes to it lies the barrier of the
  // other.
  if (exchangeOffset < 0)
    exchangeOffset = allocated;
  Buffer both = sharedAt(exchangeOffset, 2 * warp, {});
  Buffer places = from(both, index(exchangeSlot * warp));
  exchangeSlot = 1 - exchangeSlot;
  ifThen(compareInt(arith::CmpIPredicate::eq, lane(), index(0)),
         [&] { store(fromBitsOf(x), places, warpIndex()); });
  barrier();
  auto part = [&](int64_t i) {
    Value y = load(places, index(i));
    return x.getType().isF32() ? y : bits(y);
  };
  Value result = part(0);
  for (int64_t i = 1; i < warps; ++i)
    result = combine(result, part(i));
  return result;
}

Value Emit::sumBlock(Value x) {
  return reduceBlock(x, [&](Value y, Value z) { return add(y, z); });
}

Value Emit::fromBitsOf(Value x) { return x.getType().isF32() ? x : fromBits(x); }

//===-- control
//-----------------------------------------------------------------------------------===//

void Emit::loop(Value lower, Value upper, int64_t step, llvm::function_ref<void(Value)> body) {
  loop(lower, upper, step, {}, [&](Value i, ValueRange) {
    body(i);
    return Carried();
  });
}

Emit::Carried Emit::loop(Value lower, Value upper, int64_t step, ValueRange init,
                         llvm::function_ref<Carried(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(b, loc, lower, upper, index(step), init);
  loop.setUnsignedCmp(true);
  OpBuilder::InsertionGuard guard(b);
  if (init.empty())
    b.setInsertionPoint(loop.getBody()->getTerminator());
  else
    b.setInsertionPointToStart(loop.getBody());
  Carried next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!init.empty())
    scf::YieldOp::create(b, loc, next);
  return Carried(loop.getResults());
}

Emit::Carried Emit::strided(Value first, int64_t count, int64_t step, ValueRange init,
                            llvm::function_ref<Carried(Value, ValueRange)> body) {
  return loop(first, index(count), step, init, body);
}

void Emit::strided(Value first, int64_t count, int64_t step, llvm::function_ref<void(Value)> body) {
  loop(first, index(count), step, body);
}

void Emit::ifThen(Value condition, llvm::function_ref<void()> yes, llvm::function_ref<void()> no) {
  auto op = scf::IfOp::create(b, loc, condition, bool(no));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op.thenBlock()->getTerminator());
  yes();
  if (no) {
    b.setInsertionPoint(op.elseBlock()->getTerminator());
    no();
  }
}

Emit::Carried Emit::choose(Value condition, TypeRange types, llvm::function_ref<Carried()> yes,
                           llvm::function_ref<Carried()> no) {
  auto op = scf::IfOp::create(b, loc, types, condition, /*addThenBlock=*/true,
                              /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.thenBlock());
  scf::YieldOp::create(b, loc, yes());
  b.setInsertionPointToStart(op.elseBlock());
  scf::YieldOp::create(b, loc, no());
  return Carried(op.getResults());
}

//===-- rows
//--------------------------------------------------------------------------------------===//

RowGroups::RowGroups(Emit &e, int64_t rows, bool whole) : e(e), rows(rows), whole(whole) {
  constexpr int64_t threadsOfRow = 256;
  // With as many threads as the other kernels of a chain, but none without a row.
  int64_t rowsOfBlock = std::min<int64_t>(e.isLoop() ? threadsOfRow / Emit::warp : 4, rows);
  e.setThreads(whole ? threadsOfRow : rowsOfBlock * Emit::warp);
  if (whole)
    e.note("a block for a row");
  blocks = whole ? rows : (rows + rowsOfBlock - 1) / rowsOfBlock;
}

void RowGroups::forRow(llvm::function_ref<void(Value)> body) {
  if (whole)
    return body(e.block());
  int64_t rowsOfBlock = e.threads() / Emit::warp;
  Value row = e.at(e.block(), rowsOfBlock, e.warpIndex());
  if (rows % rowsOfBlock == 0)
    return body(row);
  e.ifThen(e.less(row, rows), [&] { body(row); });
}

Value RowGroups::sum(Value x) {
  return reduce(x, [&](Value y, Value z) { return e.add(y, z); });
}

Value RowGroups::max(Value x) {
  return reduce(x, [&](Value y, Value z) { return e.max(y, z); });
}

} // namespace memformer::nvptx
