// Parameters and the recurrence.

#ifndef MEMFORMER_STRUCTURE_TD
#define MEMFORMER_STRUCTURE_TD

include "dialect/memformer/MemformerDialect.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Memformer_Op<string mnemonic, list<Trait> traits = []> : Op<Memformer_Dialect, mnemonic, traits>;

def ParamOp : Memformer_Op<"param", [Symbol]> {
  let summary = "a parameter";
  let description = [{
    Declares a parameter by name. The name is the one in weights files. All are trained but those of the initializer `sinusoids`, which are fixed.

    ```mlir
    memformer.param @memory.bias : tensor<64x128xf32> = <rows, 0.3>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FloatTensor>:$type, Memformer_InitializerAttr:$initializer);
  let assemblyFormat = "$sym_name `:` $type `=` $initializer attr-dict";
  let extraClassDeclaration = [{
    /// Whether it is fixed: neither trained nor in weights files.
    bool isFixed() { return getInitializer().getKind() == ::memformer::InitializerKind::Sinusoids; }
  }];
  let hasVerifier = 1;
}

def LoadParamOp : Memformer_Op<"load_param", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a parameter";
  let description = [{
    ```mlir
    %bias = memformer.load_param @memory.bias : tensor<64x128xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$param);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$param attr-dict `:` type($result)";
}

def AccumulateOp : Memformer_Op<"accumulate", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "adds to the gradient of a parameter";
  let description = [{
    The gradient buffer of `param` grows by `value`. Contributions are added in program order, so that the sum does not depend on the schedule.

    ```mlir
    memformer.accumulate @memory.bias, %gradient : tensor<64x128xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$param, FloatTensor:$value);
  let assemblyFormat = "$param `,` $value attr-dict `:` type($value)";
}

def RecurrenceOp : Memformer_Op<"recurrence", [Symbol, IsolatedFromAbove, DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "a model: state in, one segment, state out, and a loss";
  let description = [{
    `initial` computes the state at the beginning of a stream from the parameters. `segment` has one block whose arguments are the state and then the inputs of one segment; it
    yields the next state, the loss of each target (any shape; the rollout's loss is their sum over the number of counted targets), and outputs that can be observed.

    Before each segment, rows (index of the first dimension) for which the caller sets `reset` restart from `initial`. The state of the others goes on. A gradient that arrives
    at a row's state therefore flows either into the previous segment or into `initial`, never both.

    An input named `dropout_key` (`tensor<2xi32>`) is filled by the runtime from seed, step and the segment's position, so that a segment computed twice drops the same entries.

    `replay` is empty in a model and is filled by `-memformer-differentiate`: the reverse traversal of one segment. It recomputes the segment and adds to the parameters' gradients.

    | region | arguments | yields |
    |---|---|---|
    | `initial` | | `state` the states |
    | `segment` | states, inputs | `state` the next states, `loss` one or none, `outputs` one for each name |
    | `replay` | states, inputs, reset flags `tensor<Bxi32>` where there is a state, the loss's scale `tensor<f32>` where there is a loss, the gradients of the next states | `state` the gradients of the states, `loss` as the segment, `outputs` the next states and then the segment's |

    A state is `[B, …]` with one B for all states; one of integers has no gradient.

    `streamed` names an input `[B, L, …]` that arrives token by token along its axis 1 where text is generated, and the output `[B, L, …]` that is wanted of each position before the next token is there
    (`-memformer-stream`).

    ```mlir
    memformer.recurrence @model states ["memory"] inputs ["tokens", "targets"] outputs ["logits"] initial {
      ...
      memformer.yield state(%m0 : tensor<8x64x128xf32>)
    } segment {
    ^bb0(%memory: tensor<8x64x128xf32>, %tokens: tensor<8x56xi32>, %targets: tensor<8x56xi32>):
      ...
      memformer.yield state(%next : tensor<8x64x128xf32>) loss(%loss : tensor<8x56xf32>) outputs(%logits : tensor<8x56x256xf32>)
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$states, StrArrayAttr:$inputs, StrArrayAttr:$outputs,
    OptionalAttr<StrAttr>:$streamed, OptionalAttr<StrAttr>:$stepped);
  let regions = (region SizedRegion<1>:$initial, SizedRegion<1>:$segment, AnyRegion:$replay);
  let assemblyFormat = [{
    $sym_name `states` $states `inputs` $inputs `outputs` $outputs (`streamed` $streamed^ `to` $stepped)? attr-dict-with-keyword `initial` $initial `segment` $segment (`replay` $replay^)?
  }];
  let hasRegionVerifier = 1;
}

def YieldOp : Memformer_Op<"yield", [Pure, Terminator, AttrSizedOperandSegments, ParentOneOf<["RecurrenceOp"]>]> {
  let summary = "what a region of a recurrence hands on";
  let arguments = (ins Variadic<AnyModelTensor>:$state, Variadic<FloatTensor>:$loss, Variadic<AnyModelTensor>:$outputs);
  let assemblyFormat = [{
    (`state` `(` $state^ `:` type($state) `)`)? (`loss` `(` $loss^ `:` type($loss) `)`)? (`outputs` `(` $outputs^ `:` type($outputs) `)`)? attr-dict
  }];
}

#endif
