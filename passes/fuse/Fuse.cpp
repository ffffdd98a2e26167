// Fusion of element-wise kernels into the kernels whose results they read.

#include "passes/fuse/Fuse.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Passes.h"
#include "passes/fuse/RegionKernel.h"
#include "llvm/ADT/STLExtras.h"

#include <limits>

namespace memformer {

#define GEN_PASS_DEF_FUSEPASS
#include "passes/Passes.h.inc"

} // namespace memformer

using namespace mlir;
using namespace memformer;

// Whether the consumer reads results of the producer entry by entry and in no other way.
static bool readsEntries(const RegionKernel &producer, kernel::MapOp consumer) {
  Type shape = consumer.getResult(0).getType();
  bool reads = false;
  for (auto [value, kind] : llvm::zip_equal(consumer.getInputs(), consumer.getIndexing())) {
    auto result = dyn_cast<OpResult>(value);
    if (!result || result.getOwner() != producer.op)
      continue;
    if (!producer.yields(result) || OperandIndexing(kind) != OperandIndexing::Trailing ||
        cast<ShapedType>(result.getType()).getShape() != cast<ShapedType>(shape).getShape())
      return false;
    reads = true;
  }
  // Epilogues yield f32.
  return reads && (isa<kernel::MapOp>(producer.op) ||
                   llvm::all_of(consumer->getResultTypes(), [](Type type) {
                     return cast<ShapedType>(type).getElementType().isF32();
                   }));
}

// The place of the merged kernel: before the first reader of either, which is after every operand
// of both; null where there is none. Kernels of this kind have no effect, so they may move.
static Operation *placeOf(const RegionKernel &producer, kernel::MapOp consumer) {
  Operation *place = consumer;
  for (Operation *user : producer.op->getUsers())
    if (user != consumer && user->isBeforeInBlock(place))
      place = user;
  for (Value operand : consumer.getInputs()) {
    Operation *definition = operand.getDefiningOp();
    if (definition && definition != producer.op && !definition->isBeforeInBlock(place))
      return nullptr;
  }
  return place;
}

// Fuses a map into the last of the kernels that it reads and that can take it.
static bool fuse(kernel::MapOp consumer) {
  SmallVector<Operation *> producers;
  for (Value operand : consumer.getInputs())
    if (Operation *op = operand.getDefiningOp(); op && !llvm::is_contained(producers, op))
      producers.push_back(op);
  llvm::sort(producers, [](Operation *a, Operation *b) { return b->isBeforeInBlock(a); });
  for (Operation *op : producers) {
    std::optional<RegionKernel> producer = RegionKernel::get(op);
    if (!producer || !readsEntries(*producer, consumer))
      continue;
    Operation *place = placeOf(*producer, consumer);
    if (!place)
      continue;
    OpBuilder builder(place);
    mergeKernels(builder, *producer, consumer);
    return true;
  }
  return false;
}

namespace {

struct FusePass : memformer::impl::FusePassBase<FusePass> {
  using FusePassBase::FusePassBase;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal())
        continue;
      Block &body = function.getBody().front();
      for (bool changed = true; changed;) {
        changed = false;
        SmallVector<kernel::MapOp> maps(body.getOps<kernel::MapOp>());
        // What this erases is the map in hand and one before it: the list stays valid.
        for (kernel::MapOp map : maps)
          if (fuse(map)) {
            changed = true;
            ++mapsFused;
          }
      }
      if (fuseNormalize)
        normalizesFused += fuseNormalizeIntoAttention(body);
      if (fuseLayerNorm || fewRows > 0)
        layerNormsFused += fuseLayerNormIntoGemm(
            body, fuseLayerNorm ? std::numeric_limits<int64_t>::max() : int64_t(fewRows));
      for (Operation &op : body.without_terminator())
        kernels += !isa<LoadParamOp>(op);
    }
  }
};

} // namespace
