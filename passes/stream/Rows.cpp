// What one position of a segment computes, op by op.

#include "passes/stream/Rows.h"

#include "dialect/memformer/Shapes.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "passes/schedule/Roles.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace memformer;

// The axis of positions.
static constexpr int64_t positions = 1;

static RankedTensorType withOnePosition(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getShape());
  shape[positions] = 1;
  return RankedTensorType::get(shape, tensor.getElementType());
}

RowBuilder::RowBuilder(func::FuncOp step, const DifferentiatedSegment &segment, Value streamed)
    : step(step), segment(segment), builder(step.getContext()), body(*step.addEntryBlock()) {
  dependent.insert(streamed);
  for (Operation &op : segment.block)
    if (llvm::any_of(op.getOperands(), [&](Value operand) { return dependent.contains(operand); }))
      dependent.insert(op.result_begin(), op.result_end());
  builder.setInsertionPointToEnd(&body);
  for (const Port &input : segment.inputs)
    if (input.value == streamed)
      mapping.map(streamed,
                  addArgument(withOnePosition(streamed.getType()), role::stepInput, input.name));
  position =
      addArgument(RankedTensorType::get({}, builder.getI32Type()), role::stepInput, name::position);
}

Value RowBuilder::addArgument(Type type, StringRef role, const Twine &name) {
  auto attributes =
      builder.getDictionaryAttr({builder.getNamedAttr(roleAttribute, builder.getStringAttr(role)),
                                 builder.getNamedAttr(nameAttribute, builder.getStringAttr(name))});
  unsigned place = step.getNumArguments();
  LogicalResult inserted = step.insertArgument(place, type, attributes, step.getLoc());
  assert(succeeded(inserted) && "a function of this dialect takes any argument");
  (void)inserted;
  return step.getArgument(place);
}

LogicalResult RowBuilder::refuse(Operation *op, const Twine &why) {
  InFlightDiagnostic error =
      op->emitOpError("expected an op that can be computed one position of the streamed input at "
                      "a time, but ");
  error << why;
  return error;
}

bool RowBuilder::isFromParameters(Value value) const {
  DenseSet<Operation *> slice = sliceOf(segment.block, value, {}, /*effects=*/false);
  return value.getDefiningOp() && llvm::all_of(slice, [&](Operation *op) {
           return isPure(op) && llvm::all_of(op->getOperands(),
                                             [](Value operand) { return operand.getDefiningOp(); });
         });
}

Value RowBuilder::whole(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  // What depends on parameters alone costs no memory: it is prepared once.
  if (isFromParameters(value)) {
    DenseSet<Operation *> slice = sliceOf(segment.block, value, {}, /*effects=*/false);
    for (Operation &op : segment.block)
      if (slice.contains(&op) &&
          llvm::none_of(op.getResults(), [&](Value result) { return mapping.contains(result); }))
        builder.clone(op, mapping);
    return mapping.lookup(value);
  }
  Value argument = addArgument(value.getType(), role::carried, carry(value).name);
  mapping.map(value, argument);
  return argument;
}

Port RowBuilder::carry(Value value) {
  auto known = llvm::find_if(carried, [&](const Port &port) { return port.value == value; });
  if (known != carried.end())
    return *known;
  carried.push_back({value, role::carried, ("carried" + Twine(carried.size())).str()});
  return carried.back();
}

Value RowBuilder::rowOf(Operation *op, Value value, int64_t axis) {
  auto type = cast<RankedTensorType>(value.getType());
  if (!isa<FloatType>(type.getElementType())) {
    (void)refuse(op, "an operand of integers has an axis of positions that it is not streamed "
                     "along");
    return {};
  }
  SmallVector<int64_t> shape(type.getShape());
  // The same for all positions.
  if (shape[axis] == 1)
    return whole(value);
  shape[axis] = 1;
  return RowOp::create(builder, op->getLoc(), type.clone(shape), whole(value), position,
                       uint64_t(axis));
}

LogicalResult RowBuilder::cloneRow(Operation *op, ValueRange operands) {
  Operation *row = builder.clone(*op);
  row->setOperands(operands);
  for (auto [before, after] : llvm::zip_equal(op->getResults(), row->getResults())) {
    after.setType(withOnePosition(before.getType()));
    mapping.map(before, after);
  }
  return success();
}

LogicalResult RowBuilder::buildElementwise(Operation *op) {
  auto elementwise = cast<ElementwiseOpInterface>(op);
  int64_t rank = cast<RankedTensorType>(op->getResult(0).getType()).getRank();
  SmallVector<Value> operands;
  for (OpOperand &operand : op->getOpOperands()) {
    Value value = operand.get();
    OperandIndexing indexing = elementwise.getOperandIndexing(operand.getOperandNumber());
    int64_t own = cast<RankedTensorType>(value.getType()).getRank();
    int64_t axis = indexing == OperandIndexing::Trailing ? positions - (rank - own) : positions;
    bool hasPositions = indexing != OperandIndexing::Whole && axis >= 0 && axis < own;
    if (!dependsOnStream(value)) {
      operands.push_back(hasPositions ? rowOf(op, value, axis) : whole(value));
      if (!operands.back())
        return failure();
      continue;
    }
    if (!hasPositions || axis != positions)
      return refuse(op, "it moves the axis of positions");
    operands.push_back(mapping.lookup(value));
  }
  return cloneRow(op, operands);
}

void RowBuilder::buildBefore(Operation *op) {
  Value rows = before.lookup(op->getOperand(0));
  OpBuilder inSegment(op);
  Operation *earlier = inSegment.clone(*op);
  earlier->setOperand(0, rows);
  SmallVector<int64_t> shape(shapeOf(op->getResult(0)));
  shape[positions] = shapeOf(rows)[positions];
  earlier->getResult(0).setType(tensorType(op->getResult(0)).clone(shape));
  before[op->getResult(0)] = earlier->getResult(0);
}

Value RowBuilder::addCache(AttentionOp op, Value value, const Twine &name) {
  std::string text = name.str();
  if (Value rows = before.lookup(value)) {
    OpBuilder inSegment(op);
    SmallVector<int64_t> shape(shapeOf(value));
    shape[positions] -= shapeOf(rows)[positions];
    Value later = arith::ConstantOp::create(inSegment, op.getLoc(),
                                            inSegment.getZeroAttr(tensorType(value).clone(shape)));
    Value begins = ConcatOp::create(inSegment, op.getLoc(), tensorType(value), rows, later,
                                    /*axis=*/uint64_t(positions));
    begun.push_back({begins, role::cache, text});
  }
  return addArgument(value.getType(), role::cache, text);
}

LogicalResult RowBuilder::buildAttention(AttentionOp op) {
  if (isReadByAnother(op.getLse()))
    return refuse(op, "another op reads its lse");
  bool query = dependsOnStream(op.getQuery()), key = dependsOnStream(op.getKey()),
       value = dependsOnStream(op.getValue());
  Location location = op.getLoc();
  if (query && !key && !value && !op.getCausal()) {
    Value rows = mapping.lookup(op.getQuery());
    ArrayRef<int64_t> lse = shapeOf(op.getLse());
    auto one = tensorType(op.getLse()).clone({lse[0], lse[1], 1});
    Value keys = whole(op.getKey()), values = whole(op.getValue());
    auto attention =
        AttentionOp::create(builder, location, TypeRange{rows.getType(), one}, rows, keys, values,
                            Value(), Value(), Value(), op.getHeadsAttr(), op.getScaleAttr(),
                            UnitAttr(), builder.getF64FloatAttr(0), builder.getI32IntegerAttr(0));
    mapping.map(op.getResult(), attention.getResult());
    return success();
  }
  if (!query || !key || !value || !op.getCausal())
    return refuse(op, "a position of it needs positions that come later");
  int64_t earlier = shapeOf(op.getKey())[positions] - shapeOf(op.getQuery())[positions];
  for (Value operand : {op.getKey(), op.getValue()}) {
    Value rows = before.lookup(operand);
    if ((rows ? shapeOf(rows)[positions] : 0) != earlier)
      return refuse(op, "its keys are not those of the segment, and others in front of them");
  }
  Value relativeQuery, relativeKey;
  if (op.getRelativeKey()) {
    if (!dependsOnStream(op.getRelativeQuery()) || dependsOnStream(op.getRelativeKey()))
      return refuse(op, "what belongs to distances depends on positions");
    relativeQuery = mapping.lookup(op.getRelativeQuery());
    relativeKey = whole(op.getRelativeKey());
  }
  std::string number = std::to_string(caches.size() / 2);
  Value keys = addCache(op, op.getKey(), "key_cache" + number);
  Value values = addCache(op, op.getValue(), "value_cache" + number);
  auto attention = AttentionStepOp::create(
      builder, location,
      TypeRange{withOnePosition(op.getType(0)), keys.getType(), values.getType()},
      mapping.lookup(op.getQuery()), mapping.lookup(op.getKey()), mapping.lookup(op.getValue()),
      keys, values, position, relativeQuery, relativeKey, op.getHeadsAttr(), op.getScaleAttr(),
      builder.getI64IntegerAttr(earlier));
  caches.push_back({attention.getNextKeyCache(), role::cache, "key_cache" + number});
  caches.push_back({attention.getNextValueCache(), role::cache, "value_cache" + number});
  mapping.map(op.getResult(), attention.getResult());
  return success();
}

void RowBuilder::buildLstm(LstmOp op) {
  std::string number = std::to_string(keptWhole.size() / 2);
  auto cache = [&](Value positions, const char *name) {
    Port port{positions, role::cache, name + number};
    keptWhole[positions] = port;
    return addArgument(positions.getType(), role::cache, port.name);
  };
  Value hiddens = cache(op.getHiddens(), "hidden_cache"),
        cells = cache(op.getCells(), "cell_cache");
  Value hidden = whole(op.getHidden()), cell = whole(op.getCell()), weight = whole(op.getWeight());
  auto step = LstmStepOp::create(
      builder, op.getLoc(),
      TypeRange{hidden.getType(), cell.getType(), hiddens.getType(), cells.getType()},
      mapping.lookup(op.getGates()), hidden, cell, weight, hiddens, cells, position);
  caches.push_back({step.getNextHiddenCache(), role::cache, "hidden_cache" + number});
  caches.push_back({step.getNextCellCache(), role::cache, "cell_cache" + number});
  mapping.map(op.getHiddens(), step.getNextHidden());
  mapping.map(op.getCells(), step.getNextCell());
}

LogicalResult RowBuilder::buildRow(Operation *op) {
  bool hasBefore =
      llvm::any_of(op->getOperands(), [&](Value operand) { return before.contains(operand); });
  if (hasBefore && !isa<LinearOp, LayerNormOp, AttentionOp, SliceOp, ConcatOp>(op))
    return refuse(op, "some of its rows come before the segment");
  if (auto dropout = dyn_cast<DropoutOp>(op)) {
    mapping.map(dropout.getResult(), mapping.lookup(dropout.getInput()));
    return success();
  }
  if (isa<ElementwiseOpInterface>(op))
    return buildElementwise(op);
  if (auto attention = dyn_cast<AttentionOp>(op))
    return buildAttention(attention);
  if (auto lstm = dyn_cast<LstmOp>(op)) {
    if (dependsOnStream(lstm.getHidden()) || dependsOnStream(lstm.getCell()) ||
        dependsOnStream(lstm.getWeight()))
      return refuse(op, "its state before the first position depends on positions");
    if (isReadByAnother(lstm.getActivations()))
      return refuse(op, "another op reads its activations");
    buildLstm(lstm);
    return success();
  }

  // Ops that work on each row of their first operand, and those that see the axis of positions as
  // one of many: the place of what may have positions, and the axes that stay what they are.
  bool rowWise = isa<LinearOp, LayerNormOp, BmnOp, ArgmaxOp, EmbeddingOp>(op);
  auto axisOf = [](Operation *op) -> std::optional<int64_t> {
    if (auto concat = dyn_cast<ConcatOp>(op))
      return int64_t(concat.getAxis());
    if (auto slice = dyn_cast<SliceOp>(op))
      return int64_t(slice.getAxis());
    return std::nullopt;
  };
  std::optional<int64_t> axis = axisOf(op);
  if (auto concat = dyn_cast<ConcatOp>(op); concat && axis == positions &&
                                            !dependsOnStream(concat.getLhs()) &&
                                            dependsOnStream(concat.getRhs())) {
    before[concat.getResult()] = concat.getLhs();
    mapping.map(concat.getResult(), mapping.lookup(concat.getRhs()));
    return success();
  }
  if (axis == positions || (axis && hasBefore))
    return refuse(op, "it joins or cuts along the axis of positions");
  if (!rowWise && !axis)
    return refuse(op, "it mixes positions");

  if (hasBefore && before.contains(op->getOperand(0)))
    buildBefore(op);
  SmallVector<Value> operands;
  for (OpOperand &operand : op->getOpOperands()) {
    Value value = operand.get();
    bool first = operand.getOperandNumber() == 0;
    auto type = cast<RankedTensorType>(value.getType());
    if (dependsOnStream(value)) {
      int64_t least = isa<EmbeddingOp>(op) ? positions + 1 : positions + 2;
      if (rowWise && (!first || type.getRank() < least))
        return refuse(op, first ? "it computes across positions"
                                : "an operand that all positions share depends on the streamed "
                                  "input");
      operands.push_back(mapping.lookup(value));
      continue;
    }
    // The bias of a norm may differ from position to position.
    int64_t shift = cast<RankedTensorType>(op->getOperand(0).getType()).getRank() - type.getRank();
    bool hasPositions = axis || (isa<BmnOp>(op) && shift <= positions);
    operands.push_back(hasPositions ? rowOf(op, value, positions - shift) : whole(value));
    if (!operands.back())
      return failure();
  }
  return cloneRow(op, operands);
}

LogicalResult RowBuilder::build(const Port &result) {
  stepped = sliceOf(segment.block, result.value, {}, /*effects=*/false);
  if (dependsOnStream(result.value)) {
    for (Operation &op : segment.block)
      if (stepped.contains(&op) &&
          llvm::any_of(op.getResults(), [&](Value value) { return dependsOnStream(value); }))
        if (failed(buildRow(&op)))
          return failure();
  } else {
    InFlightDiagnostic error = step.emitOpError("expected the output '");
    return error << result.name << "' to depend on the streamed input";
  }

  SmallVector<Port> ports = {{mapping.lookup(result.value), role::stepOutput, result.name}};
  ports.append(caches);
  SmallVector<Value> values =
      llvm::map_to_vector(ports, [](const Port &port) { return port.value; });
  func::ReturnOp::create(builder, step.getLoc(), values);
  step.setFunctionType(
      builder.getFunctionType(body.getArgumentTypes(), ValueRange(values).getTypes()));
  for (auto [index, port] : llvm::enumerate(ports)) {
    step.setResultAttr(unsigned(index), roleAttribute, builder.getStringAttr(port.role));
    step.setResultAttr(unsigned(index), nameAttribute, builder.getStringAttr(port.name));
  }
  return success();
}
