// Operations that vector-Jacobian products are made of.

#ifndef MEMFORMER_GRADIENTS_TD
#define MEMFORMER_GRADIENTS_TD

include "dialect/memformer/MemformerInterfaces.td"
include "dialect/memformer/MemformerStructure.td"

class GradientOp<string mnemonic, list<Trait> traits = []> : Memformer_Op<mnemonic, !listconcat([
    Pure, DeclareOpInterfaceMethods<FlopsOpInterface>, DeclareOpInterfaceMethods<ReferenceOpInterface>], traits)> {
  let hasVerifier = 1;
}

class ElementwiseGradientOp<string mnemonic> : GradientOp<mnemonic, [DeclareOpInterfaceMethods<ElementwiseOpInterface>]> {
  let arguments = (ins FloatTensor:$gradient, FloatTensor:$input);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$gradient `,` $input attr-dict `:` functional-type(operands, results)";
}

def ReluGradientOp : ElementwiseGradientOp<"relu_gradient"> {
  let summary = "g where x > 0, else 0";
}

def GeluGradientOp : ElementwiseGradientOp<"gelu_gradient"> {
  let summary = "g times the derivative of gelu at x";
}

def MaximumGradientOp : GradientOp<"maximum_gradient", [DeclareOpInterfaceMethods<ElementwiseOpInterface>]> {
  let summary = "g where x ≥ y, with `strict` where x > y, else 0";
  let arguments = (ins FloatTensor:$gradient, FloatTensor:$lhs, FloatTensor:$rhs, UnitAttr:$strict);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$gradient `,` $lhs `,` $rhs (`strict` $strict^)? attr-dict `:` functional-type(operands, results)";
}

def SquaredErrorGradientOp : GradientOp<"squared_error_gradient", [DeclareOpInterfaceMethods<ElementwiseOpInterface, ["getOperandIndexing"]>]> {
  let summary = "factor · g · (x − y): the gradient of a squared error";
  let description = [{z[r,c] = factor · g[r] · (x[r,c] − y[r,c]); g `[…]`, x and y `[…,d]`.}];
  let arguments = (ins FloatTensor:$gradient, FloatTensor:$lhs, FloatTensor:$rhs, F64Attr:$factor);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$gradient `,` $lhs `,` $rhs `factor` $factor attr-dict `:` functional-type(operands, results)";
}

def WeightGradientOp : GradientOp<"weight_gradient"> {
  let summary = "the gradient of a linear layer's weight";
  let description = [{dW[o, i] = Σ_r g[r, o] x[r, i]; g `[…, out]`, x `[…, in]`, result `[out, in]`.}];
  let arguments = (ins FloatTensor:$gradient, FloatTensor:$input);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$gradient `,` $input attr-dict `:` functional-type(operands, results)";
}

def LayerNormGradientOp : GradientOp<"layer_norm_gradient"> {
  let summary = "the gradients of layer normalisation";
  let description = [{With x̂ = (x − mean)/σ and h = g · scale: dx = (h − mean(h) − x̂ mean(h x̂)) / σ, dscale = Σ g x̂, dshift = Σ g. Mean and σ are recomputed from x.}];
  let arguments = (ins FloatTensor:$gradient, FloatTensor:$input, FloatTensor:$scale, DefaultValuedAttr<F64Attr, "1e-5">:$epsilon);
  let results = (outs FloatTensor:$input_gradient, FloatTensor:$scale_gradient, FloatTensor:$shift_gradient);
  let assemblyFormat = "$gradient `,` $input `,` $scale attr-dict `:` functional-type(operands, results)";
}

def BmnGradientOp : GradientOp<"bmn_gradient"> {
  let summary = "the gradient of biased memory normalisation";
  let description = [{With u = m + v and y = u/‖u‖: dm = (g − y (g·y)) / ‖u‖. The gradient of v is its sum over the batch.}];
  let arguments = (ins FloatTensor:$gradient, FloatTensor:$input, Optional<FloatTensor>:$bias);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$gradient `,` $input (`,` $bias^)? attr-dict `:` functional-type(operands, results)";
}

def EmbeddingGradientOp : GradientOp<"embedding_gradient"> {
  let summary = "adds rows of a gradient by token";
  let description = [{dtable[v, :] = Σ over places with tokens = v of g, in ascending order of places; result `[V,d]`.}];
  let arguments = (ins FloatTensor:$gradient, IntegerTensor:$tokens);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$gradient `,` $tokens attr-dict `:` functional-type(operands, results)";
}

def CrossEntropyGradientOp : GradientOp<"cross_entropy_gradient"> {
  let summary = "the gradient of cross-entropy with respect to the logits";
  let description = [{dz[r, j] = g[r] (exp(z[r, j] − lse[r]) − [j = target[r]]), or 0 where target[r] = −1.}];
  let arguments = (ins FloatTensor:$gradient, FloatTensor:$logits, IntegerTensor:$targets, FloatTensor:$lse);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$gradient `,` $logits `,` $targets `,` $lse attr-dict `:` functional-type(operands, results)";
}

def AttentionGradientOp : GradientOp<"attention_gradient", [AttrSizedOperandSegments]> {
  let summary = "the gradients of attention";
  let description = [{
    With P = exp(scale · q kᵀ − lse), D the dropout mask over (1 − p) (1 without dropout), δ_i = Σ g_i o_i: dv = (P D)ᵀ g, dS = P (D · g vᵀ − δ), dq = scale · dS k, dk = scale · dSᵀ q. P is
    recomputed block by block and never stored. With `relative(p, r)` also dp_i = scale · Σ_j dS_ij r_{j + Lq − 1 − i}, and for each row of the batch dr_e = scale · Σ_i dS_{i, e − Lq + 1 + i} p_i, `[B,Lk,d]`.
  }];
  let arguments = (ins FloatTensor:$gradient, FloatTensor:$query, FloatTensor:$key, FloatTensor:$value, FloatTensor:$result_value, FloatTensor:$lse,
    Optional<FloatTensor>:$relative_query, Optional<FloatTensor>:$relative_key, Optional<IntegerTensor>:$dropout_key, I64Attr:$heads, F64Attr:$scale, UnitAttr:$causal, DefaultValuedAttr<F64Attr, "0.0">:$probability, DefaultValuedAttr<I32Attr, "0">:$stream);
  let results = (outs FloatTensor:$query_gradient, FloatTensor:$key_gradient, FloatTensor:$value_gradient, Variadic<FloatTensor>:$relative_gradients);
  let assemblyFormat = [{
    $gradient `,` $query `,` $key `,` $value `,` $result_value `,` $lse (`relative` `(` $relative_query^ `,` $relative_key `)`)? (`dropout` `(` $dropout_key^ `probability` $probability `stream` $stream `)`)? `heads` $heads `scale` $scale (`causal` $causal^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    /// Of `relative`: dp `[B,Lq,d]`, and dr of each row of the batch `[B,Lk,d]`; null without.
    ::mlir::Value getRelativeQueryGradient() { return getRelativeKey() ? getRelativeGradients()[0] : ::mlir::Value(); }
    ::mlir::Value getRelativeKeyGradient() { return getRelativeKey() ? getRelativeGradients()[1] : ::mlir::Value(); }
  }];
}

def SlotAttentionGradientOp : GradientOp<"slot_attention_gradient"> {
  let summary = "the gradients of slot attention";
  let description = [{As `attention_gradient`, with the self column: ds_i = p_self (g_i·v_self_i − δ_i), dq += scale · ds k_self, dk_self = scale · ds q, dv_self = p_self g.}];
  let arguments = (ins FloatTensor:$gradient, FloatTensor:$query, FloatTensor:$self_key, FloatTensor:$self_value, FloatTensor:$key, FloatTensor:$value, FloatTensor:$result_value,
    FloatTensor:$lse, I64Attr:$heads, F64Attr:$scale);
  let results = (outs FloatTensor:$query_gradient, FloatTensor:$self_key_gradient, FloatTensor:$self_value_gradient, FloatTensor:$key_gradient, FloatTensor:$value_gradient);
  let assemblyFormat = [{
    $gradient `,` $query `self` `(` $self_key `,` $self_value `)` `,` $key `,` $value `,` $result_value `,` $lse `heads` $heads `scale` $scale attr-dict
    `:` functional-type(operands, results)
  }];
}

def LstmGradientOp : GradientOp<"lstm_gradient", [AttrSizedOperandSegments]> {
  let summary = "the gradients of an LSTM layer, from its last position to its first";
  let description = [{
    With the gradients of h and c of every position (absent: zero) and what the op computed: dh_t = hiddens_gradient_t + Wᵀ da_{t+1}, do = dh tanh(c_t), dc_t = cells_gradient_t + dh o (1 − tanh²(c_t)) + dc_{t+1} f_{t+1},
    di = dc g, df = dc c_{t−1}, dg = dc i, and da_t from them through sigmoid and tanh. Results: da `[B,L,4d]`, which is the gradient of `gates` and with the hidden states before each position that of W,
    and the gradients of h and c before the first position `[B,1,d]`.
  }];
  let arguments = (ins Optional<FloatTensor>:$hiddens_gradient, Optional<FloatTensor>:$cells_gradient, FloatTensor:$activations, FloatTensor:$cells, FloatTensor:$cell, FloatTensor:$weight);
  let results = (outs FloatTensor:$gates_gradient, FloatTensor:$hidden_gradient, FloatTensor:$cell_gradient);
  let assemblyFormat = [{
    (`hiddens` `(` $hiddens_gradient^ `)`)? (`cells` `(` $cells_gradient^ `)`)? $activations `,` $cells `,` $cell `,` $weight attr-dict `:` functional-type(operands, results)
  }];
}

#endif
