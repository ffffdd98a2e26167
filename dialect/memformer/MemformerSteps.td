// Operations that one position of a segment is made of, where an input arrives token by token.

#ifndef MEMFORMER_STEPS_TD
#define MEMFORMER_STEPS_TD

include "dialect/memformer/MemformerInterfaces.td"
include "dialect/memformer/MemformerStructure.td"

// `position` is the place of the token, in [0, L). It is known at run time only.
class StepOp<string mnemonic, list<Trait> traits = []> : Memformer_Op<mnemonic, !listconcat([
    Pure, DeclareOpInterfaceMethods<FlopsOpInterface>, DeclareOpInterfaceMethods<ReferenceOpInterface>], traits)> {
  let hasVerifier = 1;
}

def RowOp : StepOp<"row"> {
  let summary = "the entries of one position along an axis";
  let description = [{
    y[…, 0, …] = x[…, position, …]: what a position takes of a table of positions, or of a value that the whole segment has.

    ```mlir
    %row = memformer.row %table axis 0 at %position : (tensor<56x128xf32>, tensor<i32>) -> tensor<1x128xf32>
    ```
  }];
  let arguments = (ins AnyModelTensor:$input, IntegerTensor:$position, I64Attr:$axis);
  let results = (outs AnyModelTensor:$result);
  let assemblyFormat = "$input `axis` $axis `at` $position attr-dict `:` functional-type(operands, results)";
}

def AttentionStepOp : StepOp<"attention_step", [AttrSizedOperandSegments]> {
  let summary = "causal attention of one position, with what it keeps of those before";
  let description = [{
    The recurrence inside a segment that causal `attention` is: its state is the keys and values of the positions so far, in caches `[B,Lk,d]`, of which the first `before` are those of before the segment. q, k and v
    `[B,1,d]` are of the position, which is counted in the segment. The caches that come out hold k and v at row before + position; the result is the attention of q over rows 0 … before + position of them. Later
    rows have no meaning. `relative(p, r)` is that of `attention`: p `[B,1,d]`, r `[Lk,d]`.

    ```mlir
    %o, %keys_1, %values_1 = memformer.attention_step %q, %k, %v cache(%keys, %values) at %position heads 4 scale 0.1767766952966369
      : (tensor<1x1x128xf32>, tensor<1x1x128xf32>, tensor<1x1x128xf32>, tensor<1x56x128xf32>, tensor<1x56x128xf32>, tensor<i32>)
      -> (tensor<1x1x128xf32>, tensor<1x56x128xf32>, tensor<1x56x128xf32>)
    ```
  }];
  let arguments = (ins FloatTensor:$query, FloatTensor:$key, FloatTensor:$value, FloatTensor:$key_cache, FloatTensor:$value_cache, IntegerTensor:$position,
    Optional<FloatTensor>:$relative_query, Optional<FloatTensor>:$relative_key, I64Attr:$heads, F64Attr:$scale, DefaultValuedAttr<I64Attr, "0">:$before);
  let results = (outs FloatTensor:$result, FloatTensor:$next_key_cache, FloatTensor:$next_value_cache);
  let assemblyFormat = [{
    $query `,` $key `,` $value `cache` `(` $key_cache `,` $value_cache `)` `at` $position (`before` $before^)? (`relative` `(` $relative_query^ `,` $relative_key `)`)? `heads` $heads `scale` $scale attr-dict `:` functional-type(operands, results)
  }];
}

def LstmStepOp : StepOp<"lstm_step"> {
  let summary = "one position of an LSTM layer, with what it keeps of those before";
  let description = [{
    The position's part of `lstm`. `gates` `[B,1,4d]` are of the position, `hidden` and `cell` `[B,1,d]` h and c before the first, and the caches `[B,L,d]` hold h and c of the positions so far: the row before
    the position is read, and the caches that come out hold h and c at it. The first two results are those rows. Entries of the caches beyond the position have no meaning.

    ```mlir
    %h, %c, %hs_1, %cs_1 = memformer.lstm_step %gates, %hidden, %cell, %weight cache(%hs, %cs) at %position
      : (tensor<1x1x512xf32>, tensor<1x1x128xf32>, tensor<1x1x128xf32>, tensor<512x128xf32>, tensor<1x56x128xf32>, tensor<1x56x128xf32>, tensor<i32>)
      -> (tensor<1x1x128xf32>, tensor<1x1x128xf32>, tensor<1x56x128xf32>, tensor<1x56x128xf32>)
    ```
  }];
  let arguments = (ins FloatTensor:$gates, FloatTensor:$hidden, FloatTensor:$cell, FloatTensor:$weight, FloatTensor:$hidden_cache, FloatTensor:$cell_cache, IntegerTensor:$position);
  let results = (outs FloatTensor:$next_hidden, FloatTensor:$next_cell, FloatTensor:$next_hidden_cache, FloatTensor:$next_cell_cache);
  let assemblyFormat = [{
    $gates `,` $hidden `,` $cell `,` $weight `cache` `(` $hidden_cache `,` $cell_cache `)` `at` $position attr-dict `:` functional-type(operands, results)
  }];
}

#endif
