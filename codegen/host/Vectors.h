// What emitters build kernels from: constants, flat views, vectors with static tails, loops.

#ifndef MEMFORMER_CODEGEN_HOST_VECTORS_H
#define MEMFORMER_CODEGEN_HOST_VECTORS_H

#include "codegen/host/HostTarget.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

namespace memformer::host {

/// A builder with a location and the target's vector. Values are f32, i32, index, or vectors of
/// `lanes` of them; arithmetic takes scalars and vectors alike, both operands of one type.
class Emit {
public:
  Emit(mlir::OpBuilder &builder, mlir::Location location, const HostTarget &target)
      : b(builder), loc(location), target(target), lanes(target.lanes) {}

  mlir::OpBuilder &b;
  mlir::Location loc;
  const HostTarget &target;
  /// f32 lanes of a vector.
  const int64_t lanes;

  mlir::VectorType vector(mlir::Type element) const;
  mlir::VectorType floats() const { return vector(b.getF32Type()); }

  // Constants.
  mlir::Value index(int64_t value);
  mlir::Value constant(float value);
  mlir::Value splat(float value);
  mlir::Value constantInt(int32_t value);
  mlir::Value splatInt(int32_t value);
  /// 0, 1, 2, … as i32.
  mlir::Value iota();
  /// The first `active` lanes, as vector<lanes x i1>.
  mlir::Value mask(int64_t active);

  mlir::Value broadcast(mlir::Value scalar);

  // Arithmetic.
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value div(mlir::Value x, mlir::Value y);
  /// x · y + z in one rounding.
  mlir::Value fma(mlir::Value x, mlir::Value y, mlir::Value z);
  /// The larger of two; the second where one is NaN (one instruction on x86).
  mlir::Value max(mlir::Value x, mlir::Value y);
  mlir::Value sqrt(mlir::Value x);
  mlir::Value compare(mlir::arith::CmpFPredicate predicate, mlir::Value x, mlir::Value y);
  mlir::Value compareInt(mlir::arith::CmpIPredicate predicate, mlir::Value x, mlir::Value y);
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);

  // Index arithmetic, folded where constant.
  mlir::Value addIndex(mlir::Value x, mlir::Value y);
  mlir::Value addIndex(mlir::Value x, int64_t y);
  mlir::Value mulIndex(mlir::Value x, int64_t y);
  mlir::Value divIndex(mlir::Value x, int64_t y);
  mlir::Value remIndex(mlir::Value x, int64_t y);
  mlir::Value minIndex(mlir::Value x, int64_t y);
  mlir::Value toInt(mlir::Value index);
  mlir::Value toIndex(mlir::Value integer);

  // Views of a dense memref: [entries], [rows, width] with rows · width = entries.
  mlir::Value flat(mlir::Value memref);
  mlir::Value matrix(mlir::Value memref, int64_t rows, int64_t width);
  /// The leading dimensions collapsed.
  mlir::Value rows(mlir::Value memref);
  /// Uninitialised memory of the kernel's own, 64-byte aligned. Build it outside of loops.
  mlir::Value scratch(llvm::ArrayRef<int64_t> shape);

  // bf16, the high half of an f32, as i16.
  /// The nearest, ties to even, as i32 whose high half it is and whose low half is zero.
  mlir::Value roundToHigh(mlir::Value x);
  /// What `roundToHigh` gives for an entry that was loaded from `memref`, which may be rounded
  /// already.
  mlir::Value loadedToHigh(mlir::Value x, mlir::Value memref);
  /// x with the precision of bf16.
  mlir::Value rounded(mlir::Value x);
  /// f32 → i16 and back, scalars and vectors.
  mlir::Value narrow(mlir::Value x);
  mlir::Value widen(mlir::Value x);

  // Memory. `active` < lanes: a tail; its other lanes read as `fill` and are not written. Entries
  // of bf16 are read and written as f32, and vectors of i8 read so.
  mlir::Value load(mlir::Value memref, mlir::ValueRange indices);
  mlir::Value load(mlir::Value memref, mlir::ValueRange indices, int64_t active, float fill = 0);
  mlir::Value loadScalar(mlir::Value memref, mlir::ValueRange indices);
  void store(mlir::Value vector, mlir::Value memref, mlir::ValueRange indices);
  void store(mlir::Value vector, mlir::Value memref, mlir::ValueRange indices, int64_t active);
  void storeScalar(mlir::Value scalar, mlir::Value memref, mlir::ValueRange indices);
  /// Asks for a cache line; one beyond the end does no harm.
  void prefetch(mlir::Value memref, mlir::ValueRange indices);

  // Reductions of a vector to a scalar, halves added to halves: one order for any use.
  mlir::Value sumLanes(mlir::Value vector);
  mlir::Value maxLanes(mlir::Value vector);
  /// lanes vectors to one: lane i of the result is the sum of the lanes of vector i.
  mlir::Value sumEach(llvm::ArrayRef<mlir::Value> vectors);
  /// lanes vectors of lanes entries, transposed.
  void transpose(llvm::MutableArrayRef<mlir::Value> vectors);

  // Loops. Bounds are of type index; an empty range runs nothing.
  void loop(mlir::Value lower, mlir::Value upper, int64_t step,
            llvm::function_ref<void(mlir::Value)> body);
  using Carried = llvm::SmallVector<mlir::Value>;
  Carried loop(mlir::Value lower, mlir::Value upper, int64_t step, mlir::ValueRange init,
               llvm::function_ref<Carried(mlir::Value, mlir::ValueRange)> body);
  /// Vectors of columns [0, width): `body(column, active)`, a loop and then the static tail.
  void columns(int64_t width, llvm::function_ref<void(mlir::Value, int64_t)> body);
  /// The same, reduced: `body(column, active, accumulator)` gives the accumulator's next value.
  /// Four accumulators beginning at `init` take turns and are combined pairwise by `combine`.
  mlir::Value reduceColumns(int64_t width, mlir::Value init,
                            llvm::function_ref<mlir::Value(mlir::Value, int64_t, mlir::Value)> body,
                            llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> combine);
  /// Several sums at once: accumulators begin at zero, and are added; scalars come out.
  Carried sumColumns(int64_t width, int64_t sums,
                     llvm::function_ref<Carried(mlir::Value, int64_t, mlir::ValueRange)> body);
  void ifThen(mlir::Value condition, llvm::function_ref<void()> yes,
              llvm::function_ref<void()> no = nullptr);

private:
  mlir::Value splatOf(mlir::Attribute value, mlir::Type element);
  mlir::Value shuffle(mlir::Value x, mlir::Value y, llvm::ArrayRef<int64_t> lanesOf);
};

/// The rows [first, last) of a workgroup, of `rows` in all, so that it touches about 32 KiB.
struct RowBlock {
  mlir::Value first, last;
  int64_t grid;
};
RowBlock rowBlock(Emit &e, mlir::Value workgroup, int64_t rows, int64_t bytesPerRow);
/// The same with `perWorkgroup` rows in each.
RowBlock rowBlockOf(Emit &e, mlir::Value workgroup, int64_t rows, int64_t perWorkgroup);

} // namespace memformer::host

#endif
