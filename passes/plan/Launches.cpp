// Which ops of a function run together, and in what order.

#include "passes/plan/Launches.h"

#include "dialect/kernel/Partition.h"
#include "dialect/program/Arguments.h"
#include "passes/plan/Period.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringMap.h"

#include <limits>

using namespace mlir;

namespace memformer {

std::pair<Value, int64_t> storageOf(Value value) {
  int64_t offset = 0;
  while (Operation *op = value.getDefiningOp()) {
    std::optional<int64_t> inside = program::viewOffset(op);
    if (!inside)
      break;
    offset += *inside;
    value = op->getOperand(0);
  }
  return {value, offset};
}

static void collectReaders(Value value, SmallVectorImpl<Operation *> &readers) {
  for (Operation *user : value.getUsers())
    if (program::viewOffset(user))
      collectReaders(user->getResult(0), readers);
    else
      readers.push_back(user);
}

SmallVector<Operation *> readersOf(Value value) {
  SmallVector<Operation *> readers;
  collectReaders(value, readers);
  return readers;
}

// The op that computes what an operand reads.
static Operation *sourceOf(Value operand) { return storageOf(operand).first.getDefiningOp(); }

// An operand that is also written: it is an argument of the function, and nobody else reads it
// meanwhile.
static bool writesOperand(Operation *op) {
  return llvm::any_of(program::argumentsOf(op), [](const program::KernelArgument &argument) {
    return argument.operand && argument.isWritten;
  });
}

// What adds to a gradient and does nothing else: nothing of the function waits for it.
static bool onlyAccumulates(Operation *op) {
  return op->getNumResults() == 0 && program::accumulatedParameter(op);
}

namespace {

// Ops that have nothing to do with each other.
class Group {
public:
  explicit Group(int64_t most) : most(most) {}

  bool empty() const { return ops.empty(); }
  bool takes(Operation *op) const {
    FlatSymbolRefAttr gradient = program::accumulatedParameter(op);
    return !empty() && int64_t(ops.size()) < most && !writesOperand(op) &&
           !writesOperand(ops.front()) && !(gradient && gradients.contains(gradient)) &&
           llvm::none_of(
               op->getOperands(),
               [&](Value operand) { return members.contains(sourceOf(operand)); });
  }
  void add(Operation *op) {
    ops.push_back(op);
    members.insert(op);
    if (FlatSymbolRefAttr gradient = program::accumulatedParameter(op))
      gradients.insert(gradient);
  }

  SmallVector<Operation *> ops;

private:
  int64_t most;
  SmallPtrSet<Operation *, 8> members;
  SmallPtrSet<Attribute, 8> gradients;
};

class LaunchPlanner {
public:
  LaunchPlanner(const LaunchOptions &options, llvm::function_ref<std::string(Operation *)> kindOf)
      : options(options), kindOf(kindOf), parts(chooseParts()),
        mostTogether(options.merge ? mostOps : std::numeric_limits<int64_t>::max()) {}

  SmallVector<Launch> plan(ArrayRef<Operation *> ops);

private:
  // Of a launch: ops without relation, so many postponed that they are one of their own, and phases
  // of a chain. Its arguments stay below the 4 KB that every GPU has for them, and its code small.
  static constexpr int64_t mostOps = 48, enoughOps = 16, mostPhases = 32;

  int64_t chooseParts() const;
  void add(Operation *op);
  bool addToChain(Operation *op);
  void endChain();
  void addToGroup(Operation *op);
  void endGroup();
  void addPostponed(Launch &launch);
  SmallVector<Launch> withPostponed();

  const LaunchOptions &options;
  llvm::function_ref<std::string(Operation *)> kindOf;
  int64_t parts, mostTogether;
  /// Launches so far; then the group that is being filled, and after it the chain.
  SmallVector<Launch> launches;
  Group group{mostTogether};
  SmallVector<Operation *> chain;
  SmallPtrSet<Operation *, 16> chained;
  SmallVector<Operation *> postponed;
};

} // namespace

// The number of blocks that keeps the multiprocessors busiest, not more than four rounds of them;
// none where a quarter or more of them would have nothing to do.
int64_t LaunchPlanner::chooseParts() const {
  int64_t best = 0, all = options.multiprocessors;
  double busiest = 0.75;
  for (int64_t count = 1; all > 0 && count <= options.batch; ++count) {
    int64_t rounds = (count + all - 1) / all;
    double busy = double(count) / double(rounds * all);
    if (options.batch % count == 0 && rounds <= 4 && busy >= busiest) {
      best = count;
      busiest = busy;
    }
  }
  return best;
}

void LaunchPlanner::endGroup() {
  if (!group.empty())
    launches.push_back({group.ops, 0});
  group = Group(mostTogether);
}

void LaunchPlanner::addToGroup(Operation *op) {
  if (!group.takes(op))
    endGroup();
  group.add(op);
}

// The group comes before the chain.
void LaunchPlanner::endChain() {
  if (chain.empty())
    return;
  llvm::StringMap<int64_t> numbers;
  SmallVector<int64_t> kinds;
  for (Operation *op : chain)
    kinds.push_back(numbers.try_emplace(kindOf(op), int64_t(numbers.size())).first->second);
  ArrayRef<Operation *> rest = chain;
  for (int64_t length : cutAtPeriods(kinds, mostPhases)) {
    ArrayRef<Operation *> piece = rest.take_front(size_t(length));
    rest = rest.drop_front(size_t(length));
    if (length == 1) {
      addToGroup(piece.front());
      continue;
    }
    endGroup();
    launches.push_back({SmallVector<Operation *>(piece), parts});
  }
  chain.clear();
  chained.clear();
}

bool LaunchPlanner::addToChain(Operation *op) {
  std::optional<kernel::Partition> partition;
  if (parts == 0 || program::accumulatedParameter(op) || writesOperand(op) ||
      !(partition = kernel::partitionOf(op, parts)))
    return false;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!chained.contains(sourceOf(operand.get())))
      continue;
    // A part of the op needs other parts, or a view of which the chain knows nothing.
    if (!partition->operands[operand.getOperandNumber()] ||
        storageOf(operand.get()).first != operand.get()) {
      endChain();
      break;
    }
  }
  chain.push_back(op);
  chained.insert(op);
  return true;
}

void LaunchPlanner::add(Operation *op) {
  if (addToChain(op))
    return;
  // What the chain computes comes first; others go before it.
  bool waits = writesOperand(op) || llvm::any_of(op->getOperands(), [&](Value operand) {
                 return chained.contains(sourceOf(operand));
               });
  if (waits)
    endChain();
  addToGroup(op);
}

// Each op that was postponed joins the next launch of ops without relation after what it reads.
SmallVector<Launch> LaunchPlanner::withPostponed() {
  llvm::DenseMap<Operation *, int64_t> places;
  for (auto [place, launch] : llvm::enumerate(launches))
    for (Operation *op : launch.ops)
      places[op] = int64_t(place);
  // In order where several add to one gradient.
  llvm::DenseMap<Attribute, int64_t> last;
  SmallVector<SmallVector<Operation *>> readyAfter(launches.size() + 1); // 0: from the beginning
  for (Operation *op : postponed) {
    int64_t &ready = last[program::accumulatedParameter(op)];
    for (Value operand : op->getOperands())
      if (auto place = places.find(sourceOf(operand)); place != places.end())
        ready = std::max(ready, place->second + 1);
    readyAfter[size_t(ready)].push_back(op);
  }

  SmallVector<Launch> result;
  SmallVector<Operation *> waiting;
  // As many as may be together, the others wait on.
  auto take = [&](Group &into) {
    SmallVector<Operation *> left;
    SmallPtrSet<Attribute, 8> held;
    for (Operation *op : waiting) {
      FlatSymbolRefAttr gradient = program::accumulatedParameter(op);
      if (held.contains(gradient) || (!into.empty() && !into.takes(op))) {
        held.insert(gradient);
        left.push_back(op);
      } else {
        into.add(op);
      }
    }
    waiting = left;
  };
  auto flush = [&] {
    while (!waiting.empty()) {
      Group own(mostOps);
      take(own);
      result.push_back({own.ops, 0});
    }
  };
  for (size_t place = 0; place <= launches.size(); ++place) {
    waiting.append(readyAfter[place]);
    bool isChain = place < launches.size() && launches[place].parts != 0;
    if (place == launches.size() || (isChain && int64_t(waiting.size()) >= enoughOps)) {
      flush();
    } else if (!isChain) {
      Group joined(mostOps);
      for (Operation *op : launches[place].ops)
        joined.add(op);
      if (!writesOperand(joined.ops.front()))
        take(joined);
      launches[place].ops = joined.ops;
    }
    if (place < launches.size())
      result.push_back(launches[place]);
  }
  return result;
}

SmallVector<Launch> LaunchPlanner::plan(ArrayRef<Operation *> ops) {
  if (!options.merge) {
    for (Operation *op : ops)
      addToGroup(op);
    endGroup();
    return launches;
  }
  for (Operation *op : ops)
    if (onlyAccumulates(op))
      postponed.push_back(op);
    else
      add(op);
  endChain();
  endGroup();
  SmallVector<Launch> result = withPostponed();
  // Equal kernels side by side share their code.
  for (Launch &launch : result)
    if (launch.parts == 0)
      llvm::stable_sort(launch.ops,
                        [&](Operation *a, Operation *b) { return kindOf(a) < kindOf(b); });
  return result;
}

SmallVector<Launch> planLaunches(ArrayRef<Operation *> ops, const LaunchOptions &options,
                                 llvm::function_ref<std::string(Operation *)> kindOf) {
  return LaunchPlanner(options, kindOf).plan(ops);
}

} // namespace memformer
