// The places of every value of one function, and its instructions.

#include "passes/plan/FunctionPlan.h"

#include "dialect/program/Arguments.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace memformer;
using program::AddressAttr;

bool memformer::overlap(AddressAttr a, int64_t aBytes, AddressAttr b, int64_t bBytes) {
  // Places of one space that move with the segment all move by its stride.
  return a.getSpace() == b.getSpace() && a.getStride() == b.getStride() &&
         a.getOffset() < b.getOffset() + bBytes && b.getOffset() < a.getOffset() + aBytes;
}

AddressAttr FunctionPlan::workspace(int64_t offset) const {
  MLIRContext *context = function->getContext();
  return AddressAttr::get(context, FlatSymbolRefAttr::get(context, "workspace"), offset, 0);
}

AddressAttr FunctionPlan::gradientOf(Operation *kernel) const {
  FlatSymbolRefAttr param = program::accumulatedParameter(kernel);
  MLIRContext *context = function->getContext();
  return AddressAttr::get(context, FlatSymbolRefAttr::get(context, "gradients"),
                          layout.offsets.lookup(param.getAttr()), 0);
}

FunctionPlan::FunctionPlan(func::FuncOp function, const ParameterLayout &layout,
                           ArrayRef<AddressAttr> arguments, ArrayRef<Destination> results,
                           int64_t base, const LaunchOptions &options,
                           llvm::function_ref<std::string(Operation *)> kindOf)
    : function(function), layout(layout), merge(options.merge) {
  MLIRContext *context = function->getContext();
  for (auto [argument, place] : llvm::zip_equal(function.getArguments(), arguments))
    places[argument] = place;
  for (Operation &op : function.getBody().front().without_terminator()) {
    if (auto load = dyn_cast<LoadParamOp>(op))
      places[load.getResult()] =
          AddressAttr::get(context, FlatSymbolRefAttr::get(context, "parameters"),
                           layout.offsets.lookup(load.getParamAttr().getAttr()), 0);
    else if (program::viewOffset(&op))
      views.push_back(op.getResult(0));
    else
      ops.push_back(&op);
  }
  launches = planLaunches(ops, options, kindOf);
  ops.clear();
  for (auto [number, launch] : llvm::enumerate(launches))
    for (Operation *op : launch.ops) {
      groups[op] = int64_t(number);
      ops.push_back(op);
    }
  groups[function.getBody().front().getTerminator()] = int64_t(launches.size());
  for (Operation *op : ops)
    for (OpResult result : op->getResults())
      if (OpOperand *operand = program::operandInPlace(result))
        places[result] = places.lookup(operand->get());
  placeResults(results);
  placeOthers(base);
  for (Value view : views) {
    auto [storage, offset] = storageOf(view);
    AddressAttr place = places.lookup(storage);
    places[view] =
        AddressAttr::get(context, place.getSpace(), place.getOffset() + offset, place.getStride());
  }
  planCopies(results);
}

// A destination may hold an argument until then: the gradient of a state enters a segment where
// that of the state before leaves it.
bool FunctionPlan::mayWriteAtOnce(Value value, const Destination &destination) {
  Operation *op = value.getDefiningOp();
  if (destination.when != program::When::Always || !op || places.contains(value) ||
      program::viewOffset(op))
    return false;
  int64_t bytes = program::bytesOf(value.getType());
  for (Value argument : function.getArguments())
    if (overlap(places.lookup(argument), program::bytesOf(argument.getType()), destination.address,
                bytes))
      for (Operation *user : readersOf(argument))
        if (groups.lookup(user) >= groups.lookup(op))
          return false;
  return true;
}

void FunctionPlan::placeResults(ArrayRef<Destination> results) {
  ValueRange values = function.getBody().front().getTerminator()->getOperands();
  for (auto [value, destination] : llvm::zip_equal(values, results)) {
    bool atOnce = mayWriteAtOnce(value, destination);
    if (atOnce)
      places[value] = destination.address;
    copied.push_back(!atOnce);
  }
}

void FunctionPlan::placeOthers(int64_t base) {
  SmallVector<Buffer> buffers;
  SmallVector<Value> values;
  for (Operation *op : ops)
    for (Value result : op->getResults()) {
      if (places.contains(result))
        continue;
      Buffer buffer;
      buffer.bytes = program::bytesOf(result.getType());
      buffer.first = buffer.last = groups.lookup(op);
      for (Operation *user : readersOf(result))
        buffer.last = std::max(buffer.last, groups.lookup(user));
      buffers.push_back(buffer);
      values.push_back(result);
    }
  workspaceBytes = allocate(buffers, base);
  for (auto [buffer, value] : llvm::zip_equal(buffers, values))
    places[value] = workspace(buffer.offset);
}

void FunctionPlan::planCopies(ArrayRef<Destination> results) {
  SmallVector<Copy> staged;
  ValueRange values = function.getBody().front().getTerminator()->getOperands();
  for (auto [i, value] : llvm::enumerate(values)) {
    AddressAttr from = places.lookup(value);
    const Destination &destination = results[i];
    if (!copied[i] || from == destination.address)
      continue;
    // With the padding, but for a view, after which there is more than that.
    int64_t bytes = program::bytesOf(value.getType());
    if (storageOf(value).first == value)
      bytes = program::alignedBytes(bytes);
    // What another copy overwrites is first taken out of its way.
    bool overwritten = llvm::any_of(llvm::enumerate(results), [&, i = i, from](auto other) {
      size_t j = other.index();
      return j != i && copied[j] &&
             overlap(other.value().address, program::bytesOf(values[j].getType()), from, bytes);
    });
    if (overwritten) {
      AddressAttr aside = workspace(workspaceBytes);
      workspaceBytes += program::alignedBytes(bytes);
      copies.push_back({aside, from, bytes, program::When::Always, value});
      from = aside;
    }
    staged.push_back({destination.address, from, bytes, destination.when, value});
  }
  copies.append(staged);
}

AddressAttr FunctionPlan::addressOf(Operation *op, const program::KernelArgument &argument) const {
  return argument.operand  ? places.lookup(argument.operand)
         : argument.result ? places.lookup(argument.result)
                           : gradientOf(op);
}

void FunctionPlan::build(OpBuilder &builder, KernelTable &kernels) {
  auto dispatch = [&](Operation *op, FlatSymbolRefAttr kernel, ArrayRef<Attribute> addresses,
                      bool together) {
    program::DispatchOp::create(builder, op->getLoc(), kernel, builder.getArrayAttr(addresses),
                                together ? builder.getUnitAttr() : UnitAttr());
  };
  for (const Launch &launch : launches) {
    if (launch.ops.size() > 1 && merge) {
      buildLaunch(launch, kernels, dispatch);
      continue;
    }
    for (Operation *op : launch.ops) {
      SmallVector<Attribute> addresses;
      for (const program::KernelArgument &argument : program::argumentsOf(op))
        addresses.push_back(addressOf(op, argument));
      dispatch(op, kernels.get(op), addresses, op != launch.ops.front());
    }
  }
  for (const Copy &copy : copies)
    program::CopyOp::create(builder, function.getLoc(), copy.to, copy.from, uint64_t(copy.bytes),
                            copy.when);
}

void FunctionPlan::buildLaunch(const Launch &launch, KernelTable &kernels,
                               DispatchBuilder dispatch) {
  SmallPtrSet<Operation *, 16> members(launch.ops.begin(), launch.ops.end());
  // The kernel's arguments are in the order in which it has them: what is read from outside, then
  // of each op what it writes.
  SmallVector<Value> read;
  SmallVector<Attribute> addresses, written;
  SmallPtrSet<Value, 16> seen, returned;
  for (Operation *op : launch.ops) {
    for (Value operand : op->getOperands())
      if (!members.contains(operand.getDefiningOp()) && seen.insert(operand).second) {
        read.push_back(operand);
        addresses.push_back(places.lookup(operand));
      }
    for (const program::KernelArgument &argument : program::argumentsOf(op))
      if (!argument.operand)
        written.push_back(addressOf(op, argument));
    for (Value result : op->getResults())
      if (llvm::any_of(readersOf(result),
                       [&](Operation *reader) { return !members.contains(reader); }))
        returned.insert(result);
  }
  addresses.append(written);
  dispatch(launch.ops.front(), kernels.get(launch.ops, launch.parts, read, returned), addresses,
           false);
}

namespace {

// What lies where, as far as it is whole.
class Contents {
public:
  void write(AddressAttr place, int64_t bytes, Value value) {
    llvm::erase_if(entries, [&](const Entry &entry) {
      return overlap(entry.place, entry.bytes, place, bytes);
    });
    entries.push_back({place, bytes, value});
  }
  // Whether the bytes of a value, or of what it is a view of, are where they were written.
  bool holds(AddressAttr place, Value value) const {
    auto [storage, offset] = storageOf(value);
    return llvm::any_of(entries, [&, storage = storage, offset = offset](const Entry &entry) {
      return entry.place.getSpace() == place.getSpace() &&
             entry.place.getOffset() + offset == place.getOffset() &&
             entry.place.getStride() == place.getStride() && entry.value == storage;
    });
  }

private:
  struct Entry {
    AddressAttr place;
    int64_t bytes;
    Value value;
  };
  SmallVector<Entry> entries;
};

} // namespace

LogicalResult FunctionPlan::check() {
  Contents contents;
  for (auto [value, place] : places)
    if (isa<BlockArgument>(value) || isa<LoadParamOp>(value.getDefiningOp()))
      contents.write(place, program::bytesOf(value.getType()), value);
  // Of a group all operands are there before, or an earlier op of a chain computes them, and no
  // result lies over another's operand.
  for (const Launch &launch : launches) {
    ArrayRef<Operation *> group = launch.ops;
    SmallPtrSet<Operation *, 8> before;
    for (Operation *op : group) {
      for (Value operand : op->getOperands()) {
        if (!before.contains(operand.getDefiningOp()) &&
            !contents.holds(places.lookup(operand), operand))
          return op->emitOpError("expected an operand at ")
                 << places.lookup(operand) << ", which holds something else: the plan is wrong";
        for (Operation *other : group)
          for (OpResult result : other->getResults())
            if (!program::operandInPlace(result) && result != operand &&
                overlap(places.lookup(result), program::bytesOf(result.getType()),
                        places.lookup(operand), program::bytesOf(operand.getType())))
              return other->emitOpError("expected a result apart from operands, but it lies at ")
                     << places.lookup(result) << ": the plan is wrong";
      }
      if (launch.parts != 0)
        before.insert(op);
    }
    for (Operation *op : group)
      for (Value result : op->getResults())
        contents.write(places.lookup(result), program::bytesOf(result.getType()), result);
    for (Operation *op : group)
      for (Value result : op->getResults())
        if (!contents.holds(places.lookup(result), result))
          return op->emitOpError("expected results apart from each other: the plan is wrong");
  }
  for (const Copy &copy : copies) {
    if (!contents.holds(copy.from, copy.value))
      return function.emitOpError("expected a result at ")
             << copy.from << ", which holds something else: the plan is wrong";
    contents.write(copy.to, copy.bytes, copy.value);
  }
  return success();
}
