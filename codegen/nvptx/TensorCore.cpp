// Asynchronous copies and products of tensor cores.

#include "codegen/nvptx/Emit.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace memformer::nvptx {

void Emit::copyAsync(Value from, Value to, Value condition) {
  if (!condition) {
    call("llvm.nvvm.cp.async.cg.shared.global.16", {}, {to, from});
    return;
  }
  Value bytes = select(condition, integer(16), integer(0));
  call("llvm.nvvm.cp.async.cg.shared.global.16.s", {}, {to, from, bytes});
}

void Emit::commitCopies() { call("llvm.nvvm.cp.async.commit.group", {}, {}); }

void Emit::waitForCopies(int64_t groups) {
  call("llvm.nvvm.cp.async.wait.group", {}, {integer(int32_t(groups))});
}

void Emit::forgetLoads() {
  LLVM::InlineAsmOp::create(b, loc, TypeRange(), ValueRange(), /*asm_string=*/"",
                            /*constraints=*/"~{memory}", /*has_side_effects=*/true,
                            /*is_align_stack=*/false, LLVM::TailCallKind::None,
                            LLVM::AsmDialectAttr(), /*operand_attrs=*/ArrayAttr());
}

SmallVector<Value> Emit::loadMatrices(Value pointer, bool transposed) {
  StringRef name = transposed ? "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3"
                              : "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3";
  Type word = b.getI32Type();
  return callForMany(name, {word, word, word, word}, {pointer});
}

static Emit::Carried multiply(Emit &e, StringRef intrinsic, ValueRange a, ValueRange b,
                              ValueRange sums) {
  SmallVector<Value> operands(a);
  llvm::append_range(operands, b);
  llvm::append_range(operands, sums);
  SmallVector<Type> types(4, e.b.getF32Type());
  return e.callForMany(intrinsic, types, operands);
}

Emit::Carried Emit::multiplyMatrices(Type type, ValueRange a, ValueRange b, ValueRange sums) {
  if (type.isBF16())
    return multiply(*this, "llvm.nvvm.mma.m16n8k16.row.col.bf16", a, b, sums);
  auto pairs = [&](ValueRange words) {
    return llvm::map_to_vector(words, [&](Value word) -> Value {
      return LLVM::BitcastOp::create(this->b, loc, VectorType::get({2}, type), word);
    });
  };
  SmallVector<Value> ofA = pairs(a), ofB = pairs(b);
  if (target.hasDeepF16())
    return multiply(*this, "llvm.nvvm.mma.m16n8k16.row.col.f32.f32", ofA, ofB, sums);
  // The halves of the depth one after the other: of A two words each, of B one.
  Carried first = multiply(*this, "llvm.nvvm.mma.m16n8k8.row.col.f32.f32",
                           ValueRange(ofA).take_front(2), ofB[0], sums);
  return multiply(*this, "llvm.nvvm.mma.m16n8k8.row.col.f32.f32", ValueRange(ofA).drop_front(2),
                  ofB[1], first);
}

Emit::Carried Emit::multiplyTF32(ValueRange a, ValueRange b, ValueRange sums) {
  SmallVector<Value> ofA = llvm::map_to_vector(a, [&](Value x) { return bits(x); });
  SmallVector<Value> ofB = llvm::map_to_vector(b, [&](Value x) { return bits(x); });
  return multiply(*this, "llvm.nvvm.mma.m16n8k8.row.col.tf32", ofA, ofB, sums);
}

} // namespace memformer::nvptx
