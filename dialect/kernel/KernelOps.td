// The kernel dialect: the few fused kinds of work that a target implements.

#ifndef KERNEL_OPS_TD
#define KERNEL_OPS_TD

include "dialect/memformer/MemformerDialect.td"
include "dialect/memformer/MemformerInterfaces.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Kernel_Dialect : Dialect {
  let name = "kernel";
  let cppNamespace = "::memformer::kernel";
  let summary = "fused kernels on tensors";
  let description = [{
    Each op is one dispatch: a grid of workgroups that read the operands and write the results. Rows are all leading dimensions of a tensor collapsed, so that `tensor<8x56x128xf32>` is
    a matrix of 448 rows of 128.

    **Regions.** An `epilogue` or body region computes one entry of each result from scalars with arith and math ops; a target clones it on vectors. Extra operands of a region are indexed as
    `indexing` says, one entry for each: `trailing` (the result's shape or its trailing dimensions, repeated), `leading` (leading dimensions) or `whole` (each entry is a block argument of its own). Block arguments: the
    kernel's own value or values, then those of the extra operands, then the entry's row-major linear index (i32).

    **Accumulation.** A kernel with `accumulate = @p` has no result in its place: it adds to the gradient buffer of parameter p.

    **Narrow storage.** Kernels compute in f32. A product with `operands bf16` or `operands f16` rounds the entries of its operands to that type (to the nearest, ties to even; beyond the largest to infinity) before it multiplies them, and sums in f32; so does a reduction with it before it adds, and attention rounds what it multiplies. With `operands tf32` (significands of 11 bits, ties away from zero) nothing is stored in another type. A result that only such
    kernels read may have the type `tensor<…xbf16>` or `tensor<…xf16>` (`-kernel-narrow`): it is rounded as it is stored, which changes no bit of any other value. Regions see and yield f32 whatever is stored.

    **Arguments of the compiled function**: the operands in order, then the results in order (the gradient buffer in the place of an accumulated result).
  }];
  let dependentDialects = ["::memformer::MemformerDialect", "::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

class Kernel_Op<string mnemonic, list<Trait> traits = []> : Op<Kernel_Dialect, mnemonic, !listconcat([
    DeclareOpInterfaceMethods<FlopsOpInterface>, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>], traits)> {
  let hasVerifier = 1;
}

// With a region of scalars. Isolated, so that constants of a region stay in it.
class Kernel_RegionOp<string mnemonic, list<Trait> traits = []> : Kernel_Op<mnemonic, !listconcat([SingleBlock, IsolatedFromAbove], traits)>;

// A tensor of f32, or one that is stored in the type in which all its readers round its entries.
def StoredTensor : ModelTensorOf<[BF16, F16, F32, F64]>;

// What entries may be rounded to that are stored in it too.
def NarrowTypeAttr : TypeAttrOf<AnyTypeOf<[BF16, F16]>>;

// Panels: also weights that are read as f32, stored in fewer bytes.
def PanelTensor : ModelTensorOf<[BF16, F16, F32, F64, I8]>;

def KernelYieldOp : Op<Kernel_Dialect, "yield", [Pure, Terminator]> {
  let summary = "the entries that a region computes";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "$values attr-dict `:` type($values)";
}

def GemmOp : Kernel_RegionOp<"gemm", [AttrSizedOperandSegments]> {
  let summary = "matrix product with a fused prologue and epilogue";
  let description = [{
    C[m, n] = Σ_k A[m, k] B[k, n], summed in an order that depends on the shape alone, then the epilogue. A is `[…, K]` read by rows, or with `transpose_a` a matrix `[…, M]` read by columns (weight gradients).
    B is `[…, N]` by rows, or with `packed` what `kernel.pack` made: pairs or groups of eight of bf16 with `operands bf16`, of f16 with `operands f16`, panels of f32 with `operands tf32`, else panels of f32, or of bf16 or i8, whose entries are taken as f32 (the epilogue multiplies by the scales of i8). `n` is N. With `operands` the entries of A (after its normalisation) and B are rounded to that type before they are multiplied. With `scale` and `shift` A's rows are layer-normalised first; with `store_normalized` the normalised rows are the last result.
    The epilogue's first block argument is C's entry.

    ```mlir
    %c = kernel.gemm %a, %b extras(%bias trailing) n 256 packed : (tensor<8x56x128xf32>, tensor<8x128x32xf32>, tensor<256xf32>) -> tensor<8x56x256xf32> {
    ^bb0(%x: f32, %b0: f32, %i: i32):
      %y = arith.addf %x, %b0 : f32
      kernel.yield %y : f32
    }
    ```
  }];
  let arguments = (ins StoredTensor:$a, PanelTensor:$b, Optional<FloatTensor>:$scale, Optional<FloatTensor>:$shift, Variadic<AnyModelTensor>:$extras,
    I64Attr:$n, UnitAttr:$transpose_a, UnitAttr:$packed, UnitAttr:$store_normalized, DefaultValuedAttr<F64Attr, "1e-5">:$epsilon,
    DefaultValuedAttr<DenseI32ArrayAttr, "{}">:$indexing, OptionalAttr<FlatSymbolRefAttr>:$accumulate, OptionalAttr<TypeAttrOf<AnyTypeOf<[BF16, F16, TF32]>>>:$operand_type);
  let results = (outs Variadic<StoredTensor>:$results);
  let regions = (region SizedRegion<1>:$epilogue);
  let assemblyFormat = [{
    $a `,` $b (`normalize` `(` $scale^ `,` $shift `)`)? custom<Extras>($extras, $indexing) `n` $n (`transpose_a` $transpose_a^)? (`packed` $packed^)?
    (`store_normalized` $store_normalized^)? (`operands` $operand_type^)? (`accumulate` $accumulate^)? attr-dict `:` functional-type(operands, results) $epilogue
  }];
}

def PackOp : Kernel_Op<"pack"> {
  let summary = "a matrix in panels, as gemm reads its B";
  let description = [{
    Panel p holds columns p·w … (p+1)·w − 1 of B, w being the result's last dimension: result[p, k, j] = B[k, p·w + j], zero beyond N. The operand is B `[K,N]`, or with `transposed` its transpose `[N,K]` (a linear layer's weight).
    A result `[P, ⌈K/2⌉, w, 2]` of bf16 or f16 has the entries of two consecutive k side by side: result[p, k/2, j, k mod 2]; one `[P, ⌈K/8⌉, w, 8]` those of eight. In a result `[P, K, w]` of one of these they are rounded. In one of i8 they are whole numbers of
    a scale that a column has to itself, `scales[N]`: s_n = max_k |B[k, n]| / 127, and B[k, n] / s_n rounded to the nearest, ties to even (0 where s_n is 0). The scale of a column with an entry that is not finite is not a number.

    ```mlir
    %q, %s = kernel.pack %w transposed : (tensor<256x128xf32>) -> (tensor<8x128x32xi8>, tensor<256xf32>)
    ```
  }];
  let arguments = (ins FloatTensor:$input, UnitAttr:$transposed);
  let results = (outs PanelTensor:$result, Optional<FloatTensor>:$scales);
  let assemblyFormat = "$input (`transposed` $transposed^)? attr-dict `:` functional-type(operands, results)";
}

def MapOp : Kernel_RegionOp<"map"> {
  let summary = "element-wise computation";
  let description = [{All results have one shape. The body's block arguments are the operands' entries as `indexing` says, then the linear index.}];
  let arguments = (ins Variadic<AnyModelTensor>:$inputs, DefaultValuedAttr<DenseI32ArrayAttr, "{}">:$indexing);
  let results = (outs Variadic<ModelTensorOf<[BF16, F16, F32, F64, I32]>>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "custom<Indexed>($inputs, $indexing) attr-dict `:` functional-type(operands, results) $body";
}

def ReduceOp : Kernel_Op<"reduce"> {
  let summary = "sum over leading dimensions, in ascending order";
  let description = [{
    y[i] = Σ x[…, i]: gradients of biases, positions and whatever was broadcast. `entries` is the number of entries of y, which an accumulated result has in the trailing dimensions of x.
    With `operands bf16` or `f16` the entries of x are rounded to that before they are added.
  }];
  let arguments = (ins StoredTensor:$input, I64Attr:$entries, OptionalAttr<FlatSymbolRefAttr>:$accumulate, OptionalAttr<NarrowTypeAttr>:$operand_type);
  let results = (outs Optional<FloatTensor>:$result);
  let assemblyFormat = "$input `entries` $entries (`operands` $operand_type^)? (`accumulate` $accumulate^)? attr-dict `:` functional-type(operands, results)";
}

def LayerNormOp : Kernel_Op<"layer_norm"> {
  let summary = "layer normalisation of rows";
  let arguments = (ins FloatTensor:$input, FloatTensor:$scale, FloatTensor:$shift, F64Attr:$epsilon);
  let results = (outs StoredTensor:$result);
  let assemblyFormat = "$input `,` $scale `,` $shift attr-dict `:` functional-type(operands, results)";
}

def LayerNormGradientOp : Kernel_RegionOp<"layer_norm_gradient"> {
  let summary = "gradients of layer normalisation";
  let description = [{
    The first results are the epilogue's of dx (its first block argument: a residual's gradient is added here). The last is `partials [2, blocks, d]`: for each block of consecutive rows the sums of g x̂, then those of g, which
    `kernel.reduce` adds up; blocks is the result type's.
  }];
  let arguments = (ins FloatTensor:$gradient, FloatTensor:$input, FloatTensor:$scale, Variadic<AnyModelTensor>:$extras, F64Attr:$epsilon,
    DefaultValuedAttr<DenseI32ArrayAttr, "{}">:$indexing);
  let results = (outs Variadic<StoredTensor>:$results);
  let regions = (region SizedRegion<1>:$epilogue);
  let assemblyFormat = "$gradient `,` $input `,` $scale custom<Extras>($extras, $indexing) attr-dict `:` functional-type(operands, results) $epilogue";
}

def NormalizeOp : Kernel_Op<"normalize"> {
  let summary = "rows, after an optional addition, divided by their length";
  let description = [{y = (x + b) / ‖x + b‖₂; the shape of b is the trailing dimensions of x's.}];
  let arguments = (ins FloatTensor:$input, Optional<FloatTensor>:$bias);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$input (`,` $bias^)? attr-dict `:` functional-type(operands, results)";
}

def NormalizeGradientOp : Kernel_Op<"normalize_gradient"> {
  let summary = "the gradient of normalize";
  let arguments = (ins FloatTensor:$gradient, FloatTensor:$input, Optional<FloatTensor>:$bias);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$gradient `,` $input (`,` $bias^)? attr-dict `:` functional-type(operands, results)";
}

def AttentionOp : Kernel_Op<"attention", [AttrSizedOperandSegments]> {
  let summary = "softmax attention with the scores never in memory";
  let description = [{
    As `memformer.attention`, and with `self_key` and `self_value` as `memformer.slot_attention`. With `relative_query` and `relative_key` scores depend on distances as there. With `normalize` the rows of the result, after the addition of `bias`, are also divided by their length: the second
    form of the result, first without. The dropout key is that of the op's stream. Results: the attention's result, lse, and with `normalize` the normalised rows.

    With `operands bf16` or `f16` the entries of query, key and value are rounded to that before anything else, and so are the probabilities that values are multiplied by, which are those relative to the largest score so far:
    exp(s − m) is rounded, the sum that divides is that of the unrounded ones. Sums, softmax, lse, the self column and the normalisation stay f32.
  }];
  let arguments = (ins StoredTensor:$query, StoredTensor:$key, StoredTensor:$value, Optional<FloatTensor>:$self_key, Optional<FloatTensor>:$self_value, Optional<FloatTensor>:$bias,
    Optional<FloatTensor>:$relative_query, Optional<FloatTensor>:$relative_key, Optional<IntegerTensor>:$dropout_key, I64Attr:$heads, F64Attr:$scale, UnitAttr:$causal, UnitAttr:$normalize,
    DefaultValuedAttr<F64Attr, "0.0">:$probability, OptionalAttr<NarrowTypeAttr>:$operand_type);
  let results = (outs StoredTensor:$result, FloatTensor:$lse, Optional<FloatTensor>:$normalized);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`self` `(` $self_key^ `,` $self_value `)`)? (`bias` `(` $bias^ `)`)? (`relative` `(` $relative_query^ `,` $relative_key `)`)? (`dropout` $dropout_key^)?
    `heads` $heads `scale` $scale (`causal` $causal^)? (`normalize` $normalize^)? (`operands` $operand_type^)? attr-dict `:` functional-type(operands, results)
  }];
}

def AttentionStepOp : Kernel_Op<"attention_step", [AttrSizedOperandSegments]> {
  let summary = "causal attention of one position, its keys and values kept in place";
  let description = [{
    As `memformer.attention_step`. The caches that come out are those that go in: the kernel writes a row of each, so that the results have no arguments of their own and nothing may read the operands after it.
  }];
  let arguments = (ins FloatTensor:$query, FloatTensor:$key, FloatTensor:$value, FloatTensor:$key_cache, FloatTensor:$value_cache, IntegerTensor:$position,
    Optional<FloatTensor>:$relative_query, Optional<FloatTensor>:$relative_key, I64Attr:$heads, F64Attr:$scale, DefaultValuedAttr<I64Attr, "0">:$before);
  let results = (outs FloatTensor:$result, FloatTensor:$next_key_cache, FloatTensor:$next_value_cache);
  let assemblyFormat = [{
    $query `,` $key `,` $value `cache` `(` $key_cache `,` $value_cache `)` `at` $position (`before` $before^)? (`relative` `(` $relative_query^ `,` $relative_key `)`)? `heads` $heads `scale` $scale attr-dict `:` functional-type(operands, results)
  }];
}

def AttentionGradientOp : Kernel_Op<"attention_gradient", [AttrSizedOperandSegments, AttrSizedResultSegments]> {
  let summary = "gradients of attention, probabilities recomputed block by block";
  let description = [{
    Results: the gradients of query, key, value, with a self column of self_key and self_value, and with `relative` of relative_query and, for each row of the batch, of relative_key. With `operands bf16` or `f16` the entries of the gradient, query, key and value are rounded to that before anything else; of what is
    computed from them the probabilities (after dropout) that the gradient is multiplied by, and the scores' gradients that keys and queries are.
  }];
  let arguments = (ins StoredTensor:$gradient, StoredTensor:$query, StoredTensor:$key, StoredTensor:$value, FloatTensor:$result_value, FloatTensor:$lse,
    Optional<FloatTensor>:$self_key, Optional<FloatTensor>:$self_value, Optional<FloatTensor>:$relative_query, Optional<FloatTensor>:$relative_key, Optional<IntegerTensor>:$dropout_key,
    I64Attr:$heads, F64Attr:$scale, UnitAttr:$causal,
    DefaultValuedAttr<F64Attr, "0.0">:$probability, OptionalAttr<NarrowTypeAttr>:$operand_type);
  let results = (outs StoredTensor:$query_gradient, StoredTensor:$key_gradient, StoredTensor:$value_gradient, Optional<FloatTensor>:$self_key_gradient, Optional<FloatTensor>:$self_value_gradient,
    Optional<FloatTensor>:$relative_query_gradient, Optional<FloatTensor>:$relative_key_gradient);
  let assemblyFormat = [{
    $gradient `,` $query `,` $key `,` $value `,` $result_value `,` $lse (`self` `(` $self_key^ `,` $self_value `)`)? (`relative` `(` $relative_query^ `,` $relative_key `)`)? (`dropout` $dropout_key^)?
    `heads` $heads `scale` $scale (`causal` $causal^)? (`operands` $operand_type^)? attr-dict `:` functional-type(operands, results)
  }];
}

def AttentionWeightsOp : Kernel_Op<"attention_weights"> {
  let summary = "the probabilities of an attention, stored";
  let description = [{With `operands bf16` or `f16` the entries of query and key are rounded to that, as the attention whose `lse` this is has done; probabilities are f32.}];
  let arguments = (ins StoredTensor:$query, Optional<FloatTensor>:$self_key, StoredTensor:$key, FloatTensor:$lse, I64Attr:$heads, F64Attr:$scale, UnitAttr:$causal,
    OptionalAttr<NarrowTypeAttr>:$operand_type);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$query (`self` `(` $self_key^ `)`)? `,` $key `,` $lse `heads` $heads `scale` $scale (`causal` $causal^)? (`operands` $operand_type^)? attr-dict `:` functional-type(operands, results)";
}

def AttentionUsageOp : Kernel_Op<"attention_usage", [AttrSizedOperandSegments]> {
  let summary = "how much attention each key receives, the probabilities never in memory";
  let description = [{As `memformer.attention_usage`; the products are those of f32 entries, whatever the attention has multiplied.}];
  let arguments = (ins FloatTensor:$query, FloatTensor:$key, FloatTensor:$lse, Optional<FloatTensor>:$relative_query, Optional<FloatTensor>:$relative_key,
    I64Attr:$heads, F64Attr:$scale, UnitAttr:$causal);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = [{
    $query `,` $key `,` $lse (`relative` `(` $relative_query^ `,` $relative_key `)`)? `heads` $heads `scale` $scale (`causal` $causal^)? attr-dict `:` functional-type(operands, results)
  }];
}

def MostUsedOp : Kernel_Op<"most_used"> {
  let summary = "the numbers of the rows that received most attention on average";
  let description = [{As `memformer.most_used`.}];
  let arguments = (ins FloatTensor:$usage, I64Attr:$seen);
  let results = (outs IntegerTensor:$result);
  let assemblyFormat = "$usage `seen` $seen attr-dict `:` functional-type(operands, results)";
}

def LstmOp : Kernel_Op<"lstm"> {
  let summary = "an LSTM layer over the positions of a segment";
  let description = [{As `memformer.lstm`; W, whose transpose is multiplied by, is what `kernel.pack` made: `[P, d, w]`. A workgroup has some rows of the batch and all positions of them.}];
  let arguments = (ins FloatTensor:$gates, FloatTensor:$hidden, FloatTensor:$cell, FloatTensor:$weight);
  let results = (outs FloatTensor:$hiddens, FloatTensor:$cells, FloatTensor:$activations);
  let assemblyFormat = "$gates `,` $hidden `,` $cell `,` $weight attr-dict `:` functional-type(operands, results)";
}

def LstmStepOp : Kernel_Op<"lstm_step"> {
  let summary = "one position of an LSTM layer, its hidden state and cell kept in place";
  let description = [{
    As `memformer.lstm_step`, with W packed as in `kernel.lstm`. The caches that come out are those that go in: the kernel writes a row of each, so that the results have no arguments of their own and nothing may read the operands after it.
  }];
  let arguments = (ins FloatTensor:$gates, FloatTensor:$hidden, FloatTensor:$cell, FloatTensor:$weight, FloatTensor:$hidden_cache, FloatTensor:$cell_cache, IntegerTensor:$position);
  let results = (outs FloatTensor:$next_hidden, FloatTensor:$next_cell, FloatTensor:$next_hidden_cache, FloatTensor:$next_cell_cache);
  let assemblyFormat = [{
    $gates `,` $hidden `,` $cell `,` $weight `cache` `(` $hidden_cache `,` $cell_cache `)` `at` $position attr-dict `:` functional-type(operands, results)
  }];
}

def LstmGradientOp : Kernel_Op<"lstm_gradient", [AttrSizedOperandSegments]> {
  let summary = "gradients of an LSTM layer";
  let description = [{As `memformer.lstm_gradient`, with W packed as the B of a product: `[P, 4d, w]`.}];
  let arguments = (ins Optional<FloatTensor>:$hiddens_gradient, Optional<FloatTensor>:$cells_gradient, FloatTensor:$activations, FloatTensor:$cells, FloatTensor:$cell, FloatTensor:$weight);
  let results = (outs FloatTensor:$gates_gradient, FloatTensor:$hidden_gradient, FloatTensor:$cell_gradient);
  let assemblyFormat = [{
    (`hiddens` `(` $hiddens_gradient^ `)`)? (`cells` `(` $cells_gradient^ `)`)? $activations `,` $cells `,` $cell `,` $weight attr-dict `:` functional-type(operands, results)
  }];
}

def CrossEntropyOp : Kernel_Op<"cross_entropy"> {
  let summary = "cross-entropy and log-sum-exp of rows";
  let arguments = (ins FloatTensor:$logits, IntegerTensor:$targets);
  let results = (outs FloatTensor:$loss, FloatTensor:$lse);
  let assemblyFormat = "$logits `,` $targets attr-dict `:` functional-type(operands, results)";
}

def CrossEntropyGradientOp : Kernel_Op<"cross_entropy_gradient"> {
  let summary = "the gradient of cross-entropy";
  let description = [{`gradient` has one entry for each row, or is a single entry (rank 0) that all rows share.}];
  let arguments = (ins FloatTensor:$gradient, FloatTensor:$logits, IntegerTensor:$targets, FloatTensor:$lse);
  let results = (outs StoredTensor:$result);
  let assemblyFormat = "$gradient `,` $logits `,` $targets `,` $lse attr-dict `:` functional-type(operands, results)";
}

def ArgmaxOp : Kernel_Op<"argmax"> {
  let summary = "the index of the largest entry of each row, the lowest where equal";
  let arguments = (ins FloatTensor:$input);
  let results = (outs IntegerTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

def GatherOp : Kernel_RegionOp<"gather"> {
  let summary = "rows of a table by index, with an epilogue";
  let description = [{The epilogue's first block argument is the table's entry: positions are added and entries dropped here.}];
  let arguments = (ins IntegerTensor:$indices, FloatTensor:$table, Variadic<AnyModelTensor>:$extras, DefaultValuedAttr<DenseI32ArrayAttr, "{}">:$indexing);
  let results = (outs Variadic<StoredTensor>:$results);
  let regions = (region SizedRegion<1>:$epilogue);
  let assemblyFormat = "$indices `,` $table custom<Extras>($extras, $indexing) attr-dict `:` functional-type(operands, results) $epilogue";
}

def ScatterAddOp : Kernel_Op<"scatter_add"> {
  let summary = "adds rows into a table by index, in ascending order of rows";
  let description = [{Adds to the gradient buffer of `accumulate`, or where that is absent writes a result that begins at zero. `rows` is the number of rows of the table.}];
  let arguments = (ins FloatTensor:$input, IntegerTensor:$indices, I64Attr:$rows, OptionalAttr<FlatSymbolRefAttr>:$accumulate);
  let results = (outs Optional<FloatTensor>:$result);
  let assemblyFormat = "$input `,` $indices `rows` $rows (`accumulate` $accumulate^)? attr-dict `:` functional-type(operands, results)";
}

def ConcatOp : Kernel_Op<"concat"> {
  let summary = "two tensors one after the other along an axis";
  let arguments = (ins AnyModelTensor:$lhs, AnyModelTensor:$rhs, I64Attr:$axis);
  let results = (outs AnyModelTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs `axis` $axis attr-dict `:` functional-type(operands, results)";
}

def SliceOp : Kernel_Op<"slice"> {
  let summary = "the entries [offset, offset + size) along an axis";
  let description = [{
    With `position`, one number that is known at run time only, those of [offset + position, offset + position + size). A slice that is one stretch of its operand's bytes, at a place that is known, is no dispatch: its
    result lies where the operand does (`program.isView`).
  }];
  let arguments = (ins AnyModelTensor:$input, Optional<IntegerTensor>:$position, I64Attr:$axis, I64Attr:$offset);
  let results = (outs AnyModelTensor:$result);
  let assemblyFormat = "$input `axis` $axis `offset` $offset (`at` $position^)? attr-dict `:` functional-type(operands, results)";
}

def ReshapeOp : Kernel_Op<"reshape"> {
  let summary = "the same entries in another shape";
  let description = [{No dispatch: its result lies where the operand does (`program.isView`).}];
  let arguments = (ins AnyModelTensor:$input);
  let results = (outs AnyModelTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

def SquaredNormOp : Kernel_Op<"squared_norm"> {
  let summary = "sums of squares of consecutive blocks";
  let description = [{result[i] = Σ x² over the i-th of `blocks` nearly equal stretches (the result's length) of x; `adamw` adds the partial sums.}];
  let arguments = (ins FloatTensor:$input);
  let results = (outs FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

def AdamWOp : Kernel_Op<"adamw"> {
  let summary = "clipping by global norm and one AdamW step, in place";
  let description = [{
    All parameters as one vector. The gradients are those of a loss that was multiplied by 1 / u, a power of two. With n = u √Σ partials, c = min(1, max_gradient_norm / (n + 1e-6)) (1 where max_gradient_norm is 0) and g' = c u g: m ← β₁ m + (1 − β₁) g', v ← β₂ v + (1 − β₂) g'²,
    p ← p (1 − lr · weight_decay) − lr · (m / bias_correction1) / (√(v / bias_correction2) + ε). Decoupled weight decay (Loshchilov and Hutter 2019). Operands: parameters, gradients, first moments, second moments
    (all of one length, parameters and moments read and written), the partial sums of squares, and `scalars [9]`: learning rate, β₁, β₂, ε, weight decay, maximum gradient norm, bias corrections 1 and 2, u. The result is the gradient norm `[1]`, n. Where n is not finite nothing else is written: the step is left out.
  }];
  let arguments = (ins FloatTensor:$parameters, FloatTensor:$gradients, FloatTensor:$first_moments, FloatTensor:$second_moments, FloatTensor:$partials, FloatTensor:$scalars);
  let results = (outs FloatTensor:$norm);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

#endif
