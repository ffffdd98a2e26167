// Epilogues and bodies: a kernel's region of scalars, cloned on vectors.

#ifndef MEMFORMER_CODEGEN_HOST_REGION_H
#define MEMFORMER_CODEGEN_HOST_REGION_H

#include "codegen/host/Vectors.h"
#include "mlir/IR/Region.h"

namespace memformer::host {

/// A region computed for the entries of a matrix [rows, width]: its shape with the leading
/// dimensions collapsed, or any `width` that `commonWidth` gives or divides it.
class VectorRegion {
public:
  /// Loads what every entry sees (`whole` operands and single entries) at the insertion point,
  /// which has to dominate every later `emit`. `extras` are memrefs.
  VectorRegion(Emit &e, mlir::Region &region, mlir::ValueRange extras,
               llvm::ArrayRef<int32_t> indexing, int64_t rows, int64_t width);

  /// The region's results, as vectors, for the entries (row, column) … (row, column + lanes − 1),
  /// of which `active` are within the row. `own` are the kernel's values, one vector each.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  emit(Emit &e, mlir::ValueRange own, mlir::Value row, mlir::Value column, int64_t active);
  mlir::FailureOr<llvm::SmallVector<mlir::Value>> emit(Emit &e, mlir::ValueRange own,
                                                       mlir::Value row, mlir::Value column) {
    return emit(e, own, row, column, e.lanes);
  }

  /// The longest rows that a region's `entries` can be cut in, so that each operand is contiguous
  /// in a row or the same for all of it.
  static int64_t commonWidth(int64_t entries, mlir::ValueRange extras,
                             llvm::ArrayRef<int32_t> indexing);

private:
  struct Extra {
    enum Kind { Contiguous, OfRow, Uniform } kind;
    mlir::Value memref;                     // Contiguous: [n, width]; OfRow: flat
    int64_t divisor = 1;                    // OfRow: row / divisor; Contiguous: row mod divisor
    llvm::SmallVector<mlir::Value> scalars; // Uniform
  };
  mlir::Value load(Emit &e, Extra &extra, mlir::Value row, mlir::Value column, int64_t active);

  mlir::Region &region;
  llvm::SmallVector<Extra> extras;
  int64_t width;
};

} // namespace memformer::host

#endif
