// Model-level operations: what a model is written in.

#ifndef MEMFORMER_OPS_TD
#define MEMFORMER_OPS_TD

include "dialect/memformer/MemformerInterfaces.td"
include "dialect/memformer/MemformerStructure.td"

class ModelOp<string mnemonic, list<Trait> traits = []> : Memformer_Op<mnemonic, !listconcat([
    Pure, DeclareOpInterfaceMethods<FlopsOpInterface>, DeclareOpInterfaceMethods<ReferenceOpInterface>,
    DeclareOpInterfaceMethods<DifferentiableOpInterface>], traits)> {
  let hasVerifier = 1;
}

// An entry of the result depends on the entries of the operands at the same place.
class ElementwiseOp<string mnemonic, list<string> overridden = [], list<Trait> traits = []> : ModelOp<mnemonic, !listconcat([
    DeclareOpInterfaceMethods<ElementwiseOpInterface, overridden>], traits)>;

// An op that the first pass replaces by others. Its cost and its reference are theirs; differentiation takes them alone: buildGradient of the op itself is an error.
class CompositeOp<string mnemonic, list<Trait> traits = []> : Memformer_Op<mnemonic, !listconcat([
    Pure, DeclareOpInterfaceMethods<FlopsOpInterface>, DeclareOpInterfaceMethods<ReferenceOpInterface>,
    DeclareOpInterfaceMethods<DifferentiableOpInterface>, DeclareOpInterfaceMethods<ExpandableOpInterface>], traits)> {
  let hasVerifier = 1;
}

//===-- element-wise and structural ----------------------------------------------------------------------------------===//

def AddOp : ElementwiseOp<"add"> {
  let summary = "sum of two tensors, the second repeated along leading dimensions where it has fewer";
  let description = [{
    y[…, i] = a[…, i] + b[i]. The shape of `b` is that of `a` or its trailing dimensions. Residual additions and positions. Sums of integers wrap around.

    ```mlir
    %y = memformer.add %x, %position : (tensor<8x56x128xf32>, tensor<56x128xf32>) -> tensor<8x56x128xf32>
    ```
  }];
  let arguments = (ins AnyModelTensor:$lhs, AnyModelTensor:$rhs);
  let results = (outs AnyModelTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}

def BroadcastOp : ElementwiseOp<"broadcast"> {
  let summary = "repeats a tensor along new leading dimensions";
  let description = [{y[…, i] = x[i]; the shape of `x` is the trailing dimensions of the result's.}];
  let arguments = (ins AnyModelTensor:$input);
  let results = (outs AnyModelTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}

def SumLeadingOp : ModelOp<"sum_leading"> {
  let summary = "sum over leading dimensions";
  let description = [{y[i] = Σ x[…, i], in ascending order; the result's shape is the trailing dimensions of the operand's. The transpose of `broadcast`.}];
  let arguments = (ins FloatTensor:$input);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}

def SelectRowsOp : ElementwiseOp<"select_rows", ["getOperandIndexing"]> {
  let summary = "takes each row from one of two tensors";
  let description = [{y[b, …] = a[b, …] where mask[b] ≠ 0, else c[b, …]; a and c have the shape of the result or its trailing dimensions, and are repeated along the others.
    How a state restarts: mask is `reset`, a the initial state, c the state that goes on.}];
  let arguments = (ins IntegerTensor:$mask, AnyModelTensor:$on_true, AnyModelTensor:$on_false);
  let results = (outs AnyModelTensor:$result);
  let assemblyFormat = "$mask `,` $on_true `,` $on_false attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}

def ConcatOp : ModelOp<"concat"> {
  let summary = "two tensors one after the other along an axis";
  let description = [{Classification tokens after a segment's tokens: `axis` 1 of `[B,L,d]` and `[B,C,d]`.}];
  let arguments = (ins AnyModelTensor:$lhs, AnyModelTensor:$rhs, I64Attr:$axis);
  let results = (outs AnyModelTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}

def SliceOp : ModelOp<"slice"> {
  let summary = "the entries [offset, offset + size) along an axis";
  let description = [{The transpose of `concat`. `size` is the result's extent along `axis`.}];
  let arguments = (ins AnyModelTensor:$input, I64Attr:$axis, I64Attr:$offset);
  let results = (outs AnyModelTensor:$result);
  let assemblyFormat = "$input `axis` $axis `offset` $offset attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}

def ReshapeOp : ModelOp<"reshape"> {
  let summary = "the same entries in another shape";
  let description = [{Row-major. Neighbouring positions as one wide row: `[B,n,d]` as `[B,n/c,c·d]`.}];
  let arguments = (ins AnyModelTensor:$input);
  let results = (outs AnyModelTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}

def ScaleOp : ElementwiseOp<"scale"> {
  let summary = "factor · x";
  let arguments = (ins FloatTensor:$input, F64Attr:$factor);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$input `factor` $factor attr-dict `:` functional-type(operands, results)";
}

def MaximumOp : ElementwiseOp<"maximum"> {
  let summary = "the larger of two entries, the first where they are equal";
  let arguments = (ins FloatTensor:$lhs, FloatTensor:$rhs);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
}

def ClampOp : ElementwiseOp<"clamp", [], [AllTypesMatch<["input", "result"]>]> {
  let summary = "integers, brought into [min, max]";
  let description = [{
    A count that a table is looked up by: what counts on is an index of `embedding` only where its largest value is known.

    ```mlir
    %age = memformer.clamp %count min 0 max 15 : tensor<8xi32>
    ```
  }];
  let arguments = (ins IntegerTensor:$input, I32Attr:$min, I32Attr:$max);
  let results = (outs IntegerTensor:$result);
  let assemblyFormat = "$input `min` $min `max` $max attr-dict `:` type($result)";
  let hasFolder = 1;
}

def AuxiliarySquaredErrorOp : ModelOp<"auxiliary_squared_error"> {
  let summary = "a loss, and the wish that two tensors be equal";
  let description = [{
    The result is `loss`, `[…]`; what is trained is loss[r] + weight · mean over c of (a[r,c] − b[r,c])², for a and b `[…,d]`. The second term is not in what is reported, and costs nothing where no gradient is wanted.
    Compressive Transformers learn by it to reconstruct attention (Rae et al. 2020, section 3.2).
  }];
  let arguments = (ins FloatTensor:$loss, FloatTensor:$lhs, FloatTensor:$rhs, F64Attr:$weight);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$loss `,` $lhs `,` $rhs `weight` $weight attr-dict `:` functional-type(operands, results)";
}

def ReluOp : ElementwiseOp<"relu"> {
  let summary = "max(x, 0)";
  let arguments = (ins FloatTensor:$input);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

def GeluOp : ElementwiseOp<"gelu"> {
  let summary = "the Gaussian error linear unit, tanh form";
  let description = [{y = x/2 · (1 + tanh(u)) for u = √(2/π) (x + 0.044715 x³), computed as x / (1 + exp(−2u)), which is the same function without the cancellation for x < 0.}];
  let arguments = (ins FloatTensor:$input);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

def StopGradientOp : ElementwiseOp<"stop_gradient"> {
  let summary = "its operand, to which no gradient flows";
  let description = [{Where a model does not learn through a value: the cached hidden states of a Transformer-XL. Nothing is left of it once the recurrence is differentiated.}];
  let arguments = (ins FloatTensor:$input);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

def DropoutOp : ElementwiseOp<"dropout", ["getOperandIndexing"]> {
  let summary = "drops entries at random and scales the others";
  let description = [{
    y[i] = 0 where u(key, stream, i) < p, else x[i] / (1 − p). u is a counter-based generator: it depends on nothing but the key (seed, step and segment), the op's
    own `stream` and the entry's linear index, so that recomputation, gradient and any number of threads see the same mask. Its own gradient is itself.

    ```mlir
    %y = memformer.dropout %x, %key probability 0.1 stream 7 : (tensor<8x56x128xf32>, tensor<2xi32>) -> tensor<8x56x128xf32>
    ```
  }];
  let arguments = (ins FloatTensor:$input, IntegerTensor:$key, F64Attr:$probability, I32Attr:$stream);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$input `,` $key `probability` $probability `stream` $stream attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}

//===-- linear algebra, norms, embedding, loss -----------------------------------------------------------------------===//

def LinearOp : ModelOp<"linear"> {
  let summary = "y = x Wᵀ + b";
  let description = [{
    x `[…, in]`, W `[out, in]`, b `[out]`, y `[…, out]`. With `transposed`, y = x W for W `[in, out]`: the gradient with respect to x of a linear layer.

    ```mlir
    %y = memformer.linear %x, %weight, %bias : (tensor<8x56x128xf32>, tensor<256x128xf32>, tensor<256xf32>) -> tensor<8x56x256xf32>
    ```
  }];
  let arguments = (ins FloatTensor:$input, FloatTensor:$weight, Optional<FloatTensor>:$bias, UnitAttr:$transposed);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$input `,` $weight (`,` $bias^)? (`transposed` $transposed^)? attr-dict `:` functional-type(operands, results)";
}

def LayerNormOp : ModelOp<"layer_norm"> {
  let summary = "layer normalisation over the last dimension";
  let description = [{y = (x − mean) / √(variance + epsilon) · scale + shift, the variance being the biased one; scale and shift `[d]`.}];
  let arguments = (ins FloatTensor:$input, FloatTensor:$scale, FloatTensor:$shift, DefaultValuedAttr<F64Attr, "1e-5">:$epsilon);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$input `,` $scale `,` $shift attr-dict `:` functional-type(operands, results)";
}

def BmnOp : ModelOp<"bmn"> {
  let summary = "biased memory normalisation: the forgetting of a Memformer";
  let description = [{
    y_i = (m_i + v_i) / ‖m_i + v_i‖₂ for m `[B,K,d]` and v `[K,d]`; without v (no forgetting, and for the initial memory v_i / ‖v_i‖) y_i = m_i / ‖m_i‖₂. Section 3.4.3 of the paper.

    ```mlir
    %next = memformer.bmn %candidate, %bias : (tensor<8x64x128xf32>, tensor<64x128xf32>) -> tensor<8x64x128xf32>
    %initial = memformer.bmn %bias : (tensor<64x128xf32>) -> tensor<64x128xf32>
    ```
  }];
  let arguments = (ins FloatTensor:$input, Optional<FloatTensor>:$bias);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$input (`,` $bias^)? attr-dict `:` functional-type(operands, results)";
}

def EmbeddingOp : ModelOp<"embedding"> {
  let summary = "rows of a table by token";
  let description = [{y[b, l, :] = table[tokens[b, l], :]; tokens `[B,L]`, table `[V,d]`. A token outside [0, V) is rejected before a step runs.}];
  let arguments = (ins IntegerTensor:$tokens, FloatTensor:$table);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$tokens `,` $table attr-dict `:` functional-type(operands, results)";
}

def CrossEntropyOp : ModelOp<"cross_entropy"> {
  let summary = "cross-entropy of logits against targets, each target by itself";
  let description = [{
    loss[r] = log Σ_j exp(z[r, j]) − z[r, target[r]], or 0 where target[r] = −1 (not counted); lse[r] = log Σ_j exp(z[r, j]). Logits `[…, V]`, targets, loss and lse `[…]`.
    The gradient of the loss flows through the first result; lse carries none.
  }];
  let arguments = (ins FloatTensor:$logits, IntegerTensor:$targets);
  let results = (outs FloatTensor:$loss, FloatTensor:$lse);
  let assemblyFormat = "$logits `,` $targets attr-dict `:` functional-type(operands, results)";
}

def ArgmaxOp : ModelOp<"argmax"> {
  let summary = "the index of the largest entry of the last dimension, the lowest where equal";
  let arguments = (ins FloatTensor:$input);
  let results = (outs IntegerTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

//===-- attention ----------------------------------------------------------------------------------------------------===//

def AttentionOp : ModelOp<"attention", [AttrSizedOperandSegments]> {
  let summary = "multi-head softmax attention of projected queries, keys and values";
  let description = [{
    q `[B,Lq,d]`, k and v `[B,Lk,d]`; head h owns columns h·d/H … (h+1)·d/H − 1. For each head o = dropout(softmax(scale · q kᵀ)) v; `causal` lets query i see keys 0 … Lk − Lq + i: the queries are
    the last positions of the keys. lse `[B,H,Lq]` is the logarithm of the softmax's denominator, which the gradient needs to recompute probabilities without storing them.

    With `relative(p, r)`, which is causal, scores depend on distances too: for a query i and a key j, which are Lk − Lq + i − j apart, scale · (q_i·k_j + p_i·r_{j + Lq − 1 − i}). p has the shape of q; r `[Lk,d]`
    has a row for each distance, the longest first: row e is that of distance Lk − 1 − e. Transformer-XL's attention (Dai et al. 2019, section 3.3), q and p being the queries plus its biases u and v.

    ```mlir
    %o, %lse = memformer.attention %q, %k, %v heads 4 scale 0.1767766952966369 causal
      : (tensor<8x56x128xf32>, tensor<8x56x128xf32>, tensor<8x56x128xf32>) -> (tensor<8x56x128xf32>, tensor<8x4x56xf32>)
    ```
  }];
  let arguments = (ins FloatTensor:$query, FloatTensor:$key, FloatTensor:$value, Optional<FloatTensor>:$relative_query, Optional<FloatTensor>:$relative_key,
    Optional<IntegerTensor>:$dropout_key, I64Attr:$heads, F64Attr:$scale, UnitAttr:$causal, DefaultValuedAttr<F64Attr, "0.0">:$probability, DefaultValuedAttr<I32Attr, "0">:$stream);
  let results = (outs FloatTensor:$result, FloatTensor:$lse);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`relative` `(` $relative_query^ `,` $relative_key `)`)? (`dropout` `(` $dropout_key^ `probability` $probability `stream` $stream `)`)?
    `heads` $heads `scale` $scale (`causal` $causal^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasFolder = 1;
}

def SlotAttentionOp : ModelOp<"slot_attention"> {
  let summary = "attention of each slot over itself and the tokens";
  let description = [{
    q, k_self and v_self `[B,K,d]`, k and v `[B,S,d]`. Slot i's logits are scale · [q_i·k_self_i ; q_i·k_1 … q_i·k_S]: itself and the tokens, never another slot. The result is the softmax-weighted
    sum of [v_self_i ; v]. lse as in `attention`. Equations 6–8 of the paper, scale being 1/(√(d/H) τ).
  }];
  let arguments = (ins FloatTensor:$query, FloatTensor:$self_key, FloatTensor:$self_value, FloatTensor:$key, FloatTensor:$value, I64Attr:$heads, F64Attr:$scale);
  let results = (outs FloatTensor:$result, FloatTensor:$lse);
  let assemblyFormat = [{
    $query `self` `(` $self_key `,` $self_value `)` `,` $key `,` $value `heads` $heads `scale` $scale attr-dict `:` functional-type(operands, results)
  }];
}

def AttentionWeightsOp : ModelOp<"attention_weights"> {
  let summary = "the probabilities of an attention, for observation";
  let description = [{
    weights `[B,H,Lq,Lk]` = exp(scale · q kᵀ − lse), or `[B,H,Lq,1+Lk]` with `self_key`, the self column first. It stores what the fused attention never does, so it belongs in outputs that are observed, not in training.
  }];
  let arguments = (ins FloatTensor:$query, Optional<FloatTensor>:$self_key, FloatTensor:$key, FloatTensor:$lse, I64Attr:$heads, F64Attr:$scale, UnitAttr:$causal);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = [{
    $query (`self` `(` $self_key^ `)`)? `,` $key `,` $lse `heads` $heads `scale` $scale (`causal` $causal^)? attr-dict `:` functional-type(operands, results)
  }];
}

def AttentionUsageOp : ModelOp<"attention_usage", [AttrSizedOperandSegments]> {
  let summary = "how much attention each key receives";
  let description = [{
    usage `[B,H,Lk]`: the sum over the queries of their probabilities exp(scale · q kᵀ − lse), of which none is stored. q, k, lse and `relative(p, r)` are those of `attention`. It is what a memory is chosen by, and
    carries no gradient: what depends on it has to be behind a `stop_gradient`.

    ```mlir
    %usage = memformer.attention_usage %q, %k, %lse heads 4 scale 0.1767766952966369 causal
      : (tensor<8x56x128xf32>, tensor<8x112x128xf32>, tensor<8x4x56xf32>) -> tensor<8x4x112xf32>
    ```
  }];
  let arguments = (ins FloatTensor:$query, FloatTensor:$key, FloatTensor:$lse, Optional<FloatTensor>:$relative_query, Optional<FloatTensor>:$relative_key,
    I64Attr:$heads, F64Attr:$scale, UnitAttr:$causal);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = [{
    $query `,` $key `,` $lse (`relative` `(` $relative_query^ `,` $relative_key `)`)? `heads` $heads `scale` $scale (`causal` $causal^)? attr-dict `:` functional-type(operands, results)
  }];
}

def MostUsedOp : ModelOp<"most_used"> {
  let summary = "the rows that received most attention on average";
  let description = [{
    usage `[B,H,N]` is what each of N rows received of all queries that saw it, which were `seen` − i of them for row i. The result `[B,k]` has the rows of the k highest averages Σ_h usage[b, h, i] / (`seen` − i), in
    ascending order, of equal ones the first: row i of sequence b as its number b · N + i among all B · N rows, as `embedding` looks them up. It is a step function: no gradient flows to usage.

    ```mlir
    %rows = memformer.most_used %usage seen 112 : (tensor<8x4x56xf32>) -> tensor<8x14xi32>
    ```
  }];
  let arguments = (ins FloatTensor:$usage, I64Attr:$seen);
  let results = (outs IntegerTensor:$result);
  let assemblyFormat = "$usage `seen` $seen attr-dict `:` functional-type(operands, results)";
}

def ReadOp : CompositeOp<"read"> {
  let summary = "memory read: multi-head cross-attention from tokens to slots";
  let description = [{
    Equations 1–3: Q = x W_Q, K = M W_K, V = M W_V, softmax(Q Kᵀ / √(d/H)) V, then the output projection. x `[B,S,d]`, memory `[B,K,d]`, weights `[d,d]` and biases `[d]` in the order query, key, value, output.
  }];
  let arguments = (ins FloatTensor:$input, FloatTensor:$memory, FloatTensor:$query_weight, FloatTensor:$query_bias, FloatTensor:$key_weight, FloatTensor:$key_bias,
    FloatTensor:$value_weight, FloatTensor:$value_bias, FloatTensor:$output_weight, FloatTensor:$output_bias, Optional<IntegerTensor>:$dropout_key,
    I64Attr:$heads, DefaultValuedAttr<F64Attr, "0.0">:$probability, DefaultValuedAttr<I32Attr, "0">:$stream);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $memory `query` `(` $query_weight `,` $query_bias `)` `key` `(` $key_weight `,` $key_bias `)` `value` `(` $value_weight `,` $value_bias `)`
    `output` `(` $output_weight `,` $output_bias `)` (`dropout` `(` $dropout_key^ `probability` $probability `stream` $stream `)`)? `heads` $heads attr-dict `:` functional-type(operands, results)
  }];
}

def WriteOp : CompositeOp<"write", [AttrSizedOperandSegments]> {
  let summary = "memory write: slot attention over the segment";
  let description = [{
    Equations 4–8: Q = M W_Q, K_m = M W_K, K_x = X W_K, V_x = X W_V, then `slot_attention` with scale 1/(√(d/H) τ). A slot's own value is m_i itself, or m_i W_S where `slot_value` is given. `output` adds a projection.
    The first result is the memory before `bmn`, the second the attention weights `[B,H,K,1+S]` (they cost nothing where they are not used).
  }];
  let arguments = (ins FloatTensor:$memory, FloatTensor:$input, FloatTensor:$query_weight, FloatTensor:$query_bias, FloatTensor:$key_weight, FloatTensor:$key_bias,
    FloatTensor:$value_weight, FloatTensor:$value_bias, Optional<FloatTensor>:$slot_value_weight, Optional<FloatTensor>:$slot_value_bias,
    Optional<FloatTensor>:$output_weight, Optional<FloatTensor>:$output_bias, I64Attr:$heads, F64Attr:$temperature);
  let results = (outs FloatTensor:$result, FloatTensor:$weights);
  let assemblyFormat = [{
    $memory `,` $input `query` `(` $query_weight `,` $query_bias `)` `key` `(` $key_weight `,` $key_bias `)` `value` `(` $value_weight `,` $value_bias `)`
    (`slot_value` `(` $slot_value_weight^ `,` $slot_value_bias `)`)? (`output` `(` $output_weight^ `,` $output_bias `)`)?
    `heads` $heads `temperature` $temperature attr-dict `:` functional-type(operands, results)
  }];
}

//===-- recurrence inside a segment ----------------------------------------------------------------------------------===//

def LstmOp : ModelOp<"lstm"> {
  let summary = "a layer of long short-term memory over the positions of a segment";
  let description = [{
    A recurrence inside the segment, over its positions t = 0 … L−1: a_t = gates_t + W h_{t−1}, cut along its last dimension in the four parts i, f, g, o; i, f, o ← sigmoid, g ← tanh;
    c_t = f ∘ c_{t−1} + i ∘ g; h_t = o ∘ tanh(c_t). `gates` `[B,L,4d]` are what the inputs contribute, with all biases; `hidden` and `cell` `[B,1,d]` are h and c before the first position; W `[4d,d]`.
    Results: h and c of every position `[B,L,d]`, and i, f, g, o `[B,L,4d]`, which the gradient reads.

    ```mlir
    %h, %c, %a = memformer.lstm %gates, %hidden, %cell, %weight
      : (tensor<8x56x512xf32>, tensor<8x1x128xf32>, tensor<8x1x128xf32>, tensor<512x128xf32>) -> (tensor<8x56x128xf32>, tensor<8x56x128xf32>, tensor<8x56x512xf32>)
    ```
  }];
  let arguments = (ins FloatTensor:$gates, FloatTensor:$hidden, FloatTensor:$cell, FloatTensor:$weight);
  let results = (outs FloatTensor:$hiddens, FloatTensor:$cells, FloatTensor:$activations);
  let assemblyFormat = "$gates `,` $hidden `,` $cell `,` $weight attr-dict `:` functional-type(operands, results)";
}

#endif
