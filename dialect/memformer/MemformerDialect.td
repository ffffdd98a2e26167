// The memformer dialect: its definition, attributes and type constraints.

#ifndef MEMFORMER_DIALECT_TD
#define MEMFORMER_DIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Memformer_Dialect : Dialect {
  let name = "memformer";
  let cppNamespace = "::memformer";
  let summary = "recurrent-memory Transformers as differentiable recurrences on tensors";
  let description = [{
    A model is a set of parameters (`memformer.param`) and a recurrence (`memformer.recurrence`): typed state in, one segment, typed state out, and a loss.
    Ops work on ranked tensors of static shape; B is the batch, L the tokens of a segment, S the encoder's positions, K the memory slots, d the width, H the
    heads, V the vocabulary. Floating-point tensors are f32 in compiled programs; f64 is accepted everywhere above the kernels, for checks by finite differences.

    A module with `memformer.precision = bf16` is compiled to products that round what they multiply to bf16 and sum in f32 (`-memformer-to-kernels`); its ops stay those of f32. With `f16` or `tf32` they round to that where the target has products of it, and multiply f32 elsewhere.
    `memformer.generation_weights` (f32, bf16 or i8) is the type in which a position of a stream reads weights, where it is another than products multiply in.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

class Memformer_Attr<string name, string attributeMnemonic> : AttrDef<Memformer_Dialect, name> {
  let mnemonic = attributeMnemonic;
}

def Memformer_InitializerKind : I32EnumAttr<"InitializerKind", "how a parameter's first values are drawn", [
  I32EnumAttrCase<"Uniform", 0, "uniform">,
  I32EnumAttrCase<"Normal", 1, "normal">,
  I32EnumAttrCase<"Constant", 2, "constant">,
  I32EnumAttrCase<"Rows", 3, "rows">,
  I32EnumAttrCase<"Sinusoids", 4, "sinusoids">
]> {
  let cppNamespace = "::memformer";
  let genSpecializedAttr = 0;
}

def Memformer_InitializerAttr : Memformer_Attr<"Initializer", "initializer"> {
  let summary = "how a parameter's first values are drawn";
  let description = [{
    `uniform` in ±value, `normal` with standard deviation value, `constant` value, or `rows`: random directions, each row of length value.

    `sinusoids` makes a table `[R,d]` that is not trained and not in weights files: row e is the encoding of the position p = R − 1 − e (of a distance, the longest first), sin(p ω_k) for k < ⌈d/2⌉ and then cos(p ω_k) for
    k < ⌊d/2⌋, with ω_k = value^(−2k/d) (Vaswani et al. 2017, in the order of Dai et al. 2019).

    ```mlir
    #memformer.initializer<uniform, 0.125>
    ```
  }];
  let parameters = (ins EnumParameter<Memformer_InitializerKind>:$kind, "::mlir::FloatAttr":$value);
  let assemblyFormat = "`<` $kind `,` custom<Number>($value) `>`";
  let genVerifyDecl = 1;
}

def OperandIndexing : I32EnumAttr<"OperandIndexing", "how an operand of an element-wise computation is indexed", [
  I32EnumAttrCase<"Trailing", 0, "trailing">,
  I32EnumAttrCase<"Leading", 1, "leading">,
  I32EnumAttrCase<"Whole", 2, "whole">
]> {
  let cppNamespace = "::memformer";
}

// A ranked tensor of static shape with no empty dimension.
class ModelTensorOf<list<Type> elements> : Type<And<[
    StaticShapeTensorOf<elements>.predicate,
    CPred<"::llvm::all_of(::llvm::cast<::mlir::ShapedType>($_self).getShape(), [](int64_t extent) { return extent > 0; })">]>,
  StaticShapeTensorOf<elements>.summary # " without empty dimensions", "::mlir::RankedTensorType">;

def FloatTensor : ModelTensorOf<[F32, F64]>;
def IntegerTensor : ModelTensorOf<[I32]>;
def AnyModelTensor : ModelTensorOf<[F32, F64, I32]>;

#endif
