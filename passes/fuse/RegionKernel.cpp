// Kernels with a region of scalars, seen alike, and how two of them become one.

#include "passes/fuse/RegionKernel.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace memformer;

std::optional<RegionKernel> RegionKernel::get(Operation *op) {
  unsigned results = op->getNumResults();
  if (auto map = dyn_cast<kernel::MapOp>(op))
    return RegionKernel{op, &map.getBody(), 0, 0, results, map.getIndexing()};
  if (auto gather = dyn_cast<kernel::GatherOp>(op))
    return RegionKernel{op, &gather.getEpilogue(), 2, 1, results, gather.getIndexing()};
  if (auto gradient = dyn_cast<kernel::LayerNormGradientOp>(op))
    return RegionKernel{op, &gradient.getEpilogue(), 3, 1, results - 1, gradient.getIndexing()};
  auto gemm = dyn_cast<kernel::GemmOp>(op);
  if (!gemm || gemm.getAccumulate())
    return std::nullopt;
  unsigned fixed = gemm.getScale() ? 4 : 2;
  return RegionKernel{op,
                      &gemm.getEpilogue(),
                      fixed,
                      1,
                      results - unsigned(gemm.getStoreNormalized()),
                      gemm.getIndexing()};
}

static int64_t argumentsOf(Value extra, int32_t indexing) {
  return OperandIndexing(indexing) == OperandIndexing::Whole
             ? cast<RankedTensorType>(extra.getType()).getNumElements()
             : 1;
}

namespace {

// The extra operands of the merged kernel, each once, and their block arguments.
struct Extras {
  SmallVector<Value> values;
  SmallVector<int32_t> indexing;
  SmallVector<unsigned> firstArguments;

  void add(Block &block, Value value, int32_t kind, Location location) {
    if (find(value, kind))
      return;
    firstArguments.push_back(block.getNumArguments());
    values.push_back(value);
    indexing.push_back(kind);
    Type element = cast<RankedTensorType>(value.getType()).getElementType();
    for (int64_t i = 0, n = argumentsOf(value, kind); i < n; ++i)
      block.addArgument(element, location);
  }

  std::optional<unsigned> find(Value value, int32_t kind) const {
    for (auto [i, other] : llvm::enumerate(values))
      if (other == value && indexing[i] == kind)
        return firstArguments[i];
    return std::nullopt;
  }
};

} // namespace

// Maps the block arguments of a kernel's extra operands to those of the merged block. Operands that
// are `inner`, results of the producer, are mapped to what it yields for them.
static void mapExtras(const RegionKernel &kernel, const Extras &extras, Block &merged,
                      function_ref<Value(Value)> inner, IRMapping &mapping) {
  unsigned argument = kernel.own;
  for (auto [value, kind] : llvm::zip_equal(kernel.extras(), kernel.indexing)) {
    Value computed = inner(value);
    unsigned first = computed ? 0 : *extras.find(value, kind);
    for (int64_t i = 0, n = argumentsOf(value, kind); i < n; ++i, ++argument)
      mapping.map(kernel.region->getArgument(argument),
                  computed ? computed : Value(merged.getArgument(first + unsigned(i))));
  }
}

Operation *memformer::mergeKernels(OpBuilder &builder, const RegionKernel &producer,
                                   kernel::MapOp consumer) {
  Operation *op = producer.op;
  Location location = builder.getFusedLoc({op->getLoc(), consumer.getLoc()});
  RegionKernel reader = *RegionKernel::get(consumer);

  SmallVector<unsigned> kept; // results of the producer that others read too
  for (OpResult result : op->getResults())
    if (result.getResultNumber() < producer.yielded &&
        llvm::any_of(result.getUsers(), [&](Operation *user) { return user != consumer; }))
      kept.push_back(result.getResultNumber());

  // The region: the producer's, then the consumer's.
  Region region;
  Block &block = region.emplaceBlock();
  for (unsigned i = 0; i < producer.own; ++i)
    block.addArgument(producer.region->getArgument(i).getType(), location);
  Extras extras;
  for (auto [value, kind] : llvm::zip_equal(producer.extras(), producer.indexing))
    extras.add(block, value, kind, location);
  for (auto [value, kind] : llvm::zip_equal(reader.extras(), reader.indexing))
    if (value.getDefiningOp() != op)
      extras.add(block, value, kind, location);
  Value index = block.addArgument(builder.getI32Type(), location);

  OpBuilder inner(builder.getContext());
  inner.setInsertionPointToEnd(&block);
  IRMapping mapping;
  for (unsigned i = 0; i < producer.own; ++i)
    mapping.map(producer.region->getArgument(i), block.getArgument(i));
  mapExtras(producer, extras, block, [](Value) { return Value(); }, mapping);
  mapping.map(producer.region->getArguments().back(), index);
  Block &first = producer.region->front();
  for (Operation &entry : first.without_terminator())
    inner.clone(entry, mapping);
  SmallVector<Value> computed = llvm::map_to_vector(
      first.getTerminator()->getOperands(), [&](Value value) { return mapping.lookup(value); });

  IRMapping second;
  mapExtras(
      reader, extras, block,
      [&](Value value) {
        auto result = dyn_cast<OpResult>(value);
        return result && result.getOwner() == op ? computed[result.getResultNumber()] : Value();
      },
      second);
  second.map(reader.region->getArguments().back(), index);
  for (Operation &entry : reader.region->front().without_terminator())
    inner.clone(entry, second);
  SmallVector<Value> yields =
      llvm::map_to_vector(kept, [&](unsigned result) { return computed[result]; });
  for (Value value : reader.region->front().getTerminator()->getOperands())
    yields.push_back(second.lookup(value));
  kernel::KernelYieldOp::create(inner, location, yields);

  // The kernel: the producer with more operands and other results.
  SmallVector<Value> operands(op->getOperands().take_front(producer.fixedOperands));
  operands.append(extras.values);
  SmallVector<Type> types =
      llvm::map_to_vector(kept, [&](unsigned result) { return op->getResult(result).getType(); });
  types.append(consumer->result_type_begin(), consumer->result_type_end());
  for (Value result : op->getResults().drop_front(producer.yielded))
    types.push_back(result.getType());
  NamedAttrList attributes(op->getAttrDictionary());
  attributes.set("indexing", builder.getDenseI32ArrayAttr(extras.indexing));
  if (auto gemm = dyn_cast<kernel::GemmOp>(op)) {
    int32_t normalized = gemm.getScale() ? 1 : 0;
    attributes.set("operandSegmentSizes",
                   builder.getDenseI32ArrayAttr(
                       {1, 1, normalized, normalized, int32_t(extras.values.size())}));
  }
  OperationState state(location, op->getName(), operands, types, attributes.getAttrs());
  state.addRegion()->takeBody(region);
  Operation *merged = builder.create(state);

  unsigned place = 0;
  for (unsigned result : kept)
    op->getResult(result).replaceAllUsesWith(merged->getResult(place++));
  for (Value result : consumer->getResults())
    result.replaceAllUsesWith(merged->getResult(place++));
  for (Value result : op->getResults().drop_front(producer.yielded))
    result.replaceAllUsesWith(merged->getResult(place++));
  consumer->erase();
  op->erase();
  return merged;
}
