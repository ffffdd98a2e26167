// What the passes ask of an op: its gradient, its cost, its plain meaning.

#ifndef MEMFORMER_INTERFACES_TD
#define MEMFORMER_INTERFACES_TD

include "mlir/IR/OpBase.td"

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::memformer";
  let description = [{An op with a vector-Jacobian product.}];
  let methods = [
    InterfaceMethod<[{
      Builds the vector-Jacobian product at the builder's insertion point. `resultGradients` has one entry for each result, null where no gradient arrives (never null for all).
      `needed[i]` says whether operand i wants a gradient. Returns one value for each operand, of the operand's type, null where it is not needed or is zero.
      Where there is no gradient to build (it would flow through a result that is for observation only) it emits an error and returns nothing at all.
    }], "::llvm::SmallVector<::mlir::Value>", "buildGradient",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$resultGradients, "::llvm::ArrayRef<bool>":$needed)>
  ];
}

def FlopsOpInterface : OpInterface<"FlopsOpInterface"> {
  let cppNamespace = "::memformer";
  let description = [{An op that can count its floating-point operations; a multiply-add is two, a transcendental function one.}];
  let methods = [InterfaceMethod<"The number of floating-point operations of one execution.", "int64_t", "getFlops">];
}

def ReferenceOpInterface : OpInterface<"ReferenceOpInterface"> {
  let cppNamespace = "::memformer";
  let description = [{An op with a plain lowering to linalg, arith, math and tensor ops: slow, obviously right, and what fused kernels are tested against.}];
  let methods = [
    InterfaceMethod<"Builds the reference at the builder's insertion point and returns a value for each result.",
      "::llvm::SmallVector<::mlir::Value>", "buildReference", (ins "::mlir::OpBuilder &":$builder)>
  ];
}

def ElementwiseOpInterface : OpInterface<"ElementwiseOpInterface"> {
  let cppNamespace = "::memformer";
  let description = [{
    An op with one result whose entries depend on the entries of its operands at the same place only, operands of lower rank being repeated along leading dimensions.
    Its scalar form is its single definition: the reference lowering, kernel regions of every target and fusion are all built from it.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds the scalar computation of one entry. `scalars` has one value for each operand, in order, except that an operand which is `Whole` gives all its entries.
      `index` is the entry's row-major linear index as i32.
    }], "::mlir::Value", "buildScalar", (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$scalars, "::mlir::Value":$index)>,
    InterfaceMethod<[{
      How operand i is indexed by the result's place: `Trailing` (the same shape or the trailing dimensions of it, repeated along the others), `Leading` (the leading dimensions), or
      `Whole` (a few entries that every place sees).
    }], "::memformer::OperandIndexing", "getOperandIndexing", (ins "unsigned":$operand), "", "return ::memformer::OperandIndexing::Trailing;">
  ];
}

def ExpandableOpInterface : OpInterface<"ExpandableOpInterface"> {
  let cppNamespace = "::memformer";
  let description = [{An op that stands for several ops of this dialect: an equation group of a paper. Every pipeline expands it first.}];
  let methods = [
    InterfaceMethod<"Builds the ops that this one stands for and returns a value for each result.",
      "::llvm::SmallVector<::mlir::Value>", "expand", (ins "::mlir::OpBuilder &":$builder)>
  ];
}

#endif
