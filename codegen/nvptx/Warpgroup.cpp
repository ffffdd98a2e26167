// Warpgroups' products, and copies in bulk: instructions of sm_90a, written as PTX.

#include "codegen/nvptx/Emit.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/SmallString.h"

using namespace mlir;

namespace memformer::nvptx {

static LLVM::InlineAsmOp assemblyOf(Emit &e, TypeRange results, StringRef text,
                                    StringRef constraints, ValueRange operands) {
  return LLVM::InlineAsmOp::create(e.b, e.loc, results, operands, text, constraints,
                                   /*has_side_effects=*/true, /*is_align_stack=*/false,
                                   LLVM::TailCallKind::None, LLVM::AsmDialectAttr(),
                                   /*operand_attrs=*/ArrayAttr());
}

void Emit::assembly(StringRef text, StringRef constraints, ValueRange operands) {
  llvm::SmallString<32> all(constraints);
  all += constraints.empty() ? "~{memory}" : ",~{memory}";
  assemblyOf(*this, {}, text, all, operands);
}

Buffer Emit::mbarriers(int64_t count) {
  return reserved ? sharedAt(0, 2 * count, b.getI32Type()) : shared(2 * count, b.getI32Type());
}

void Emit::initMbarrier(Value mbarrier) {
  assembly("mbarrier.init.shared::cta.b64 [$0], 1;", "l", mbarrier);
}

void Emit::endMbarrier(Value mbarrier) {
  assembly("mbarrier.inval.shared::cta.b64 [$0];", "l", mbarrier);
}

void Emit::expectBytes(Value mbarrier, int64_t bytes) {
  assembly("mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], $1;", "l,r",
           {mbarrier, index(bytes)});
}

void Emit::copyInBulk(Value from, Value to, int64_t bytes, Value mbarrier) {
  assembly(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [$0], [$1], $2, [$3];",
      "l,l,r,l", {to, from, index(bytes), mbarrier});
}

void Emit::waitForPhase(Value mbarrier, Value parity) {
  assembly("{\n\t.reg .pred done;\nwait:\n\tmbarrier.try_wait.parity.shared::cta.b64 done, [$0], "
           "$1;\n\t@!done bra wait;\n\t}",
           "l,r", {mbarrier, parity});
}

void Emit::fenceProxy() { assembly("fence.proxy.async.shared::cta;", "", {}); }

// Bits 0 to 13: the address, 16 to 29 and 32 to 45 the strides, all in units of 16 bytes; no
// swizzle.
static Value descriptorOf(Emit &e, const Emit::CoreMatrices &matrices) {
  Type wide = e.b.getI64Type();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(e.b, e.loc, e.b.getI64IntegerAttr(value));
  };
  Value address = LLVM::PtrToIntOp::create(e.b, e.loc, wide, matrices.pointer);
  Value low = arith::AndIOp::create(e.b, e.loc, address, constant(0x3ffff));
  low = arith::ShRUIOp::create(e.b, e.loc, low, constant(4));
  return arith::OrIOp::create(
      e.b, e.loc, low, constant(matrices.depthStride / 16 << 16 | matrices.lineStride / 16 << 32));
}

// One piece of code: between the first instruction and the wait nobody may touch the sums.
Emit::Carried Emit::multiplyWarpgroup(const CoreMatrices &a, const CoreMatrices &b, int64_t columns,
                                      int64_t depth, Type type, ValueRange sums) {
  int64_t count = columns / 2;
  std::string list, constraints, text;
  llvm::raw_string_ostream stream(text), listed(list), constrained(constraints);
  for (int64_t i = 0; i < count; ++i) {
    listed << (i ? ", $" : "$") << i;
    constrained << "=f,";
  }
  constrained << "l,l";
  for (int64_t i = 0; i < count; ++i)
    constrained << "," << i;
  constrained << ",~{memory}";
  StringRef name = type.isBF16() ? "bf16" : "f16";
  stream << "{\n\t.reg .pred adds;\n\t.reg .b64 a, b;\n\tsetp.eq.u32 adds, 0, 0;\n"
         << "\twgmma.fence.sync.aligned;\n";
  for (int64_t k = 0; k < depth; k += 16)
    stream << "\tadd.s64 a, $" << count << ", " << k / 8 * a.depthStride / 16 << ";\n\tadd.s64 b, $"
           << count + 1 << ", " << k / 8 * b.depthStride / 16
           << ";\n\twgmma.mma_async.sync.aligned.m64n" << columns << "k16.f32." << name << "."
           << name << " {" << list << "}, a, b, adds, 1, 1, " << int(!a.isDeep) << ", "
           << int(!b.isDeep) << ";\n";
  stream << "\twgmma.commit_group.sync.aligned;\n\twgmma.wait_group.sync.aligned 0;\n\t}";
  SmallVector<Value> operands = {descriptorOf(*this, a), descriptorOf(*this, b)};
  llvm::append_range(operands, sums);
  SmallVector<Type> types(size_t(count), this->b.getF32Type());
  auto result = LLVM::LLVMStructType::getLiteral(this->b.getContext(), types);
  Value all = assemblyOf(*this, TypeRange(result), text, constraints, operands).getResult(0);
  Carried values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(LLVM::ExtractValueOp::create(this->b, loc, all, ArrayRef<int64_t>{i}));
  return values;
}

} // namespace memformer::nvptx
