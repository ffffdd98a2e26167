// Integers as the threads of a block have them, computed while a kernel is compiled.

#ifndef MEMFORMER_CODEGEN_NVPTX_LANES_H
#define MEMFORMER_CODEGEN_NVPTX_LANES_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <memory>
#include <optional>

namespace memformer::nvptx {

/// A number of each thread, or one of all of them; none where it depends on data.
class Lanes {
public:
  Lanes() = default;
  explicit Lanes(uint64_t ofAll) : numbers(1, ofAll) {}
  explicit Lanes(llvm::SmallVector<uint64_t, 1> ofEach) : numbers(std::move(ofEach)) {}

  bool isKnown() const { return !numbers.empty(); }
  bool isUniform() const { return numbers.size() == 1; }
  uint64_t operator[](size_t thread) const { return numbers[isUniform() ? 0 : thread]; }
  size_t size() const { return numbers.size(); }

private:
  llvm::SmallVector<uint64_t, 1> numbers;
};

/// The values of a kernel's integers, and of its addresses as bytes from where their memory begins.
/// They are computed when they are asked for, and forgotten when their block is entered again.
class ThreadValues {
public:
  explicit ThreadValues(int64_t threads) : threads(threads) {}

  int64_t threadCount() const { return threads; }
  void setBlock(int64_t number) { block = uint64_t(number); }
  /// Values of the region's block, but for its arguments, are computed anew.
  void enter(mlir::Block &entered) { entries[&entered] = ++count; }
  /// Of block arguments and of results of ops with regions.
  void set(mlir::Value value, Lanes lanes);
  const Lanes &of(mlir::Value value);

  /// The values of `one` where `lanes` has a thread, else those of `other`; unknown where either
  /// is.
  Lanes blend(llvm::ArrayRef<bool> lanes, const Lanes &one, const Lanes &other) const;

private:
  struct Kept {
    Lanes lanes;
    uint64_t entry = 0; // of its block
  };
  Lanes compute(mlir::Operation *op);
  Lanes addressOf(mlir::Operation *op);
  uint64_t entryOf(mlir::Value value) { return entries.lookup(value.getParentBlock()); }

  int64_t threads;
  uint64_t block = 0, count = 0;
  llvm::DenseMap<mlir::Value, std::unique_ptr<Kept>> kept;
  llvm::DenseMap<mlir::Block *, uint64_t> entries;
};

} // namespace memformer::nvptx

#endif
