// Fusions of norms, which not every target has.

#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"
#include "mlir/IR/Builders.h"
#include "passes/fuse/Fuse.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace memformer;

// A gemm that reads `norm` as its rows and nowhere else.
static kernel::GemmOp readerOf(kernel::LayerNormOp norm, Operation *user) {
  auto gemm = dyn_cast<kernel::GemmOp>(user);
  bool fits = gemm && gemm.getA() == norm.getResult() && !gemm.getTransposeA() &&
              !gemm.getScale() && llvm::count(gemm->getOperands(), norm.getResult()) == 1;
  return fits ? gemm : kernel::GemmOp();
}

static kernel::GemmOp normalizeIn(kernel::GemmOp gemm, kernel::LayerNormOp norm, bool store) {
  OpBuilder builder(gemm);
  SmallVector<Type> types(gemm->getResultTypes());
  if (store)
    types.push_back(norm.getType());
  auto fused = kernel::GemmOp::create(
      builder, gemm.getLoc(), types, norm.getInput(), gemm.getB(), norm.getScale(), norm.getShift(),
      gemm.getExtras(), gemm.getN(), /*transpose_a=*/false, gemm.getPacked(), store,
      norm.getEpsilon(), gemm.getIndexing(), gemm.getAccumulateAttr(), gemm.getOperandTypeAttr());
  fused.getEpilogue().takeBody(gemm.getEpilogue());
  for (auto [before, after] : llvm::zip(gemm->getResults(), fused->getResults()))
    before.replaceAllUsesWith(after);
  gemm.erase();
  return fused;
}

int64_t memformer::fuseLayerNormIntoGemm(Block &block, int64_t mostRows) {
  int64_t fused = 0;
  for (auto norm : llvm::make_early_inc_range(block.getOps<kernel::LayerNormOp>())) {
    if (kernel::rowsOf(norm.getType()) > mostRows)
      continue;
    SmallVector<kernel::GemmOp> gemms;
    Operation *first = nullptr; // of all readers
    bool others = false;
    for (Operation *user : llvm::SetVector<Operation *>(norm->user_begin(), norm->user_end())) {
      if (!first || user->isBeforeInBlock(first))
        first = user;
      if (kernel::GemmOp gemm = readerOf(norm, user))
        gemms.push_back(gemm);
      else
        others = true;
    }
    if (gemms.empty())
      continue;
    if (others) {
      kernel::GemmOp gemm = readerOf(norm, first);
      if (!gemm)
        continue;
      kernel::GemmOp storing = normalizeIn(gemm, norm, /*store=*/true);
      norm.getResult().replaceAllUsesWith(storing->getResults().back());
    } else {
      for (kernel::GemmOp gemm : gemms)
        normalizeIn(gemm, norm, /*store=*/false);
    }
    norm.erase();
    ++fused;
  }
  return fused;
}

int64_t memformer::fuseNormalizeIntoAttention(Block &block) {
  int64_t fused = 0;
  for (auto norm : llvm::make_early_inc_range(block.getOps<kernel::NormalizeOp>())) {
    auto attention = norm.getInput().getDefiningOp<kernel::AttentionOp>();
    if (!attention || attention.getResult() != norm.getInput() || attention.getNormalize())
      continue;
    // Before the first reader of either, where the bias must be there already.
    Operation *place = norm;
    for (Operation *user : attention->getUsers())
      if (user->isBeforeInBlock(place))
        place = user;
    Operation *bias = norm.getBias() ? norm.getBias().getDefiningOp() : nullptr;
    if (bias && !bias->isBeforeInBlock(place))
      continue;
    OpBuilder builder(place);
    auto merged = kernel::AttentionOp::create(
        builder, attention.getLoc(), attention.getResult().getType(), attention.getLse().getType(),
        norm.getType(), attention.getQuery(), attention.getKey(), attention.getValue(),
        attention.getSelfKey(), attention.getSelfValue(), norm.getBias(),
        attention.getRelativeQuery(), attention.getRelativeKey(), attention.getDropoutKey(),
        attention.getHeadsAttr(), attention.getScaleAttr(), attention.getCausalAttr(),
        builder.getUnitAttr(), attention.getProbabilityAttr(), attention.getOperandTypeAttr());
    attention.getResult().replaceAllUsesWith(merged.getResult());
    attention.getLse().replaceAllUsesWith(merged.getLse());
    norm.getResult().replaceAllUsesWith(merged.getNormalized());
    norm.erase();
    attention.erase();
    ++fused;
  }
  return fused;
}
