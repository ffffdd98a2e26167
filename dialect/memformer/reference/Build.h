// What references are written with: loops over named indices, and scalar arithmetic.

#ifndef MEMFORMER_DIALECT_MEMFORMER_REFERENCE_BUILD_H
#define MEMFORMER_DIALECT_MEMFORMER_REFERENCE_BUILD_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <string>

namespace memformer::reference {

/// Arithmetic on scalars of one floating-point type, at one place.
class Scalars {
public:
  Scalars(mlir::OpBuilder &builder, mlir::Location location, mlir::FloatType type)
      : builder(builder), location(location), type(type) {}

  mlir::Value constant(double value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value subtract(mlir::Value a, mlir::Value b);
  mlir::Value multiply(mlir::Value a, mlir::Value b);
  mlir::Value divide(mlir::Value a, mlir::Value b);
  mlir::Value maximum(mlir::Value a, mlir::Value b);
  mlir::Value exponential(mlir::Value a);
  mlir::Value logarithm(mlir::Value a);
  mlir::Value squareRoot(mlir::Value a);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  /// The place in the n-th loop, as index.
  mlir::Value place(unsigned loop);
  /// The place in the n-th loop, as i32.
  mlir::Value place32(unsigned loop);
  mlir::Value constant32(int32_t value);
  mlir::Value equal(mlir::Value a, mlir::Value b);

  mlir::OpBuilder &builder;
  mlir::Location location;
  mlir::FloatType type;
};

using Body = llvm::function_ref<mlir::Value(Scalars &, mlir::ValueRange)>;

/// Tensors of one floating-point type. Loops are written as in an einsum: each letter of
/// "bhqc,bkhc->bhqk" is an index, a letter that the result lacks is summed over. Letters of the
/// result number the loops, then those of the operands that the result lacks in the order of their
/// first occurrence, ascending.
class Tensors {
public:
  Tensors(mlir::OpBuilder &builder, mlir::Location location, mlir::Value like);

  /// Σ a · b over the letters that the result lacks.
  mlir::Value sumOfProducts(llvm::StringRef spec, mlir::Value a, mlir::Value b);
  /// Σ a over the letters that the result lacks.
  mlir::Value sum(llvm::StringRef spec, mlir::Value a);
  /// The largest entry of a over the letters that the result lacks.
  mlir::Value maximum(llvm::StringRef spec, mlir::Value a);
  /// Each entry by itself: body(entries of the operands at the place).
  mlir::Value map(llvm::StringRef spec, mlir::ValueRange operands, Body body);
  /// The same where the result has letters or an element type that no operand has.
  mlir::Value mapTo(mlir::RankedTensorType type, llvm::StringRef spec, mlir::ValueRange operands,
                    Body body);
  /// From `first` on, acc ← body(entries of the operands, acc) for each place; the accumulator
  /// comes last.
  mlir::Value fold(mlir::RankedTensorType type, llvm::StringRef spec, mlir::ValueRange operands,
                   mlir::TypedAttr first, Body body);

  /// `[…, d]` → `[…, H, d/H]`; and `[B, L, d]` back.
  mlir::Value splitHeads(mlir::Value value, int64_t heads);
  mlir::Value joinHeads(mlir::Value value);
  /// Two tensors one after the other.
  mlir::Value join(mlir::Value a, mlir::Value b, int64_t axis, mlir::RankedTensorType type);

  mlir::FloatType elementType() const { return type; }

private:
  mlir::RankedTensorType inferType(llvm::StringRef spec, mlir::ValueRange operands) const;

  mlir::OpBuilder &builder;
  mlir::Location location;
  mlir::FloatType type;
};

/// Letters for `count` leading dimensions: "ABC…".
std::string leadingLetters(int64_t count);

} // namespace memformer::reference

#endif
