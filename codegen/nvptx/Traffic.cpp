// Which bytes a kernel moves between memory and the L2 cache, by a model.

#include "codegen/nvptx/Traffic.h"
#include "dialect/kernel/KernelDialect.h"
#include "dialect/kernel/Shapes.h"
#include "dialect/program/Arguments.h"
#include "llvm/ADT/DenseMap.h"

#include <list>

using namespace mlir;

namespace memformer::nvptx {

namespace {

/// Parts of arguments, the one touched last in front.
class Cache {
public:
  explicit Cache(int64_t capacity) : capacity(capacity) {}

  /// Whether the part was there.
  bool touch(size_t argument, int64_t part, int64_t bytes) {
    auto [found, isNew] = places.try_emplace({argument, part});
    if (!isNew)
      parts.erase(found->second);
    else
      used += bytes;
    parts.push_front({argument, part, bytes});
    found->second = parts.begin();
    return !isNew;
  }
  /// Forgets what there is no room for.
  void shrink() {
    while (used > capacity) {
      used -= parts.back().bytes;
      places.erase({parts.back().argument, parts.back().part});
      parts.pop_back();
    }
  }

private:
  struct Part {
    size_t argument;
    int64_t part, bytes;
  };
  int64_t capacity, used = 0;
  std::list<Part> parts;
  llvm::DenseMap<std::pair<size_t, int64_t>, std::list<Part>::iterator> places;
};

} // namespace

int64_t movedBytes(ArrayRef<Access> accesses, int64_t grid, const GpuTarget &target) {
  Cache cache(target.cacheBytes);
  int64_t moved = 0;
  for (int64_t begin = 0; begin < grid; begin += target.multiprocessors) {
    int64_t end = std::min(begin + target.multiprocessors, grid);
    for (auto [argument, access] : llvm::enumerate(accesses)) {
      int64_t first = begin / access.blocks, last = (end - 1) / access.blocks;
      last = std::min(last, first + access.parts - 1);
      for (int64_t i = first; i <= last; ++i)
        if (!cache.touch(argument, i % access.parts, access.bytes))
          moved += access.bytes * (int64_t(access.isRead) + int64_t(access.isWritten));
    }
    cache.shrink();
  }
  return moved;
}

int64_t movedBytesOf(Operation *kernel, int64_t grid, int64_t across, const GpuTarget &target) {
  auto gemm = dyn_cast<kernel::GemmOp>(kernel);
  int64_t pairs = 0;
  if (auto attention = dyn_cast<kernel::AttentionOp>(kernel))
    pairs = kernel::shapeOf(attention.getQuery().getType())[0] * int64_t(attention.getHeads());
  if (auto attention = dyn_cast<kernel::AttentionGradientOp>(kernel))
    pairs = kernel::shapeOf(attention.getQuery().getType())[0] * int64_t(attention.getHeads());
  bool shares = gemm ? grid % across == 0 : pairs > 0 && grid % pairs == 0;
  int64_t once = 0;
  SmallVector<Access> accesses;
  for (auto [number, argument] : llvm::enumerate(program::argumentsOf(kernel))) {
    int64_t blocks = 1, parts = grid;
    if (gemm && number == 0) // A by rows of blocks
      std::tie(blocks, parts) = std::pair(across, grid / across);
    else if (gemm && number == 1) // B by columns of blocks
      parts = across;
    else if (!gemm && shares) // all that belongs to a head
      std::tie(blocks, parts) = std::pair(grid / pairs, pairs);
    once += argument.passedBytes();
    accesses.push_back(
        {(argument.bytes + parts - 1) / parts, blocks, parts, argument.isRead, argument.isWritten});
  }
  // Parts are rounded up to bytes.
  return shares ? std::max(once, movedBytes(accesses, grid, target)) : once;
}

} // namespace memformer::nvptx
