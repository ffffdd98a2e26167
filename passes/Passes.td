// Every pass of the compiler: what it does, its options, its statistics, and an example of each.

#ifndef MEMFORMER_PASSES_TD
#define MEMFORMER_PASSES_TD

include "mlir/Pass/PassBase.td"
include "passes/KernelPasses.td"

//===-- model to schedule --------------------------------------------------------------------------------------------===//

def ExpandPass : Pass<"memformer-expand", "::mlir::ModuleOp"> {
  let summary = "replace ops that stand for several ops by those";
  let description = [{
    Ops with `ExpandableOpInterface` (`memformer.read`, `memformer.write`) become projections, an attention and what belongs to it. Ops that nothing uses disappear with it: the attention weights of a write that nobody observes.

    ```mlir
    %y = memformer.read %x, %memory query(%wq, %bq) key(%wk, %bk) value(%wv, %bv) output(%wo, %bo) heads 4 : ...
    // becomes
    %q = memformer.linear %x, %wq, %bq : ...
    %k = memformer.linear %memory, %wk, %bk : ...
    %v = memformer.linear %memory, %wv, %bv : ...
    %o, %lse = memformer.attention %q, %k, %v heads 4 scale 0.25 : ...
    %y = memformer.linear %o, %wo, %bo : ...
    ```
  }];
  let dependentDialects = ["::memformer::MemformerDialect"];
  let statistics = [Statistic<"expanded", "expanded", "Ops that were replaced">];
}

def MultiplyTablesPass : Pass<"memformer-multiply-tables", "::mlir::ModuleOp"> {
  let summary = "multiply a table of embeddings rather than the rows that tokens look up in it";
  let description = [{
    A linear layer of embedded tokens is a look-up in the table that the layer makes of the embedding: that table depends on parameters alone and is computed once, and of its gradient, sums of rows by token, the products have as many
    rows as there are tokens to choose from. Where a segment has fewer positions than the table has rows the layer stays as it is.

    ```mlir
    %x = memformer.embedding %tokens, %table : (tensor<8x56xi32>, tensor<256x16xf32>) -> tensor<8x56x16xf32>
    %y = memformer.linear %x, %w, %b : (tensor<8x56x16xf32>, tensor<64x16xf32>, tensor<64xf32>) -> tensor<8x56x64xf32>
    // becomes
    %product = memformer.linear %table, %w, %b : (tensor<256x16xf32>, tensor<64x16xf32>, tensor<64xf32>) -> tensor<256x64xf32>
    %y = memformer.embedding %tokens, %product : (tensor<8x56xi32>, tensor<256x64xf32>) -> tensor<8x56x64xf32>
    ```
  }];
  let dependentDialects = ["::memformer::MemformerDialect"];
  let statistics = [Statistic<"multiplied", "multiplied", "Linear layers that became look-ups">];
}

def DifferentiatePass : Pass<"memformer-differentiate", "::mlir::ModuleOp"> {
  let summary = "derive the reverse traversal of one segment";
  let description = [{
    Fills the `replay` region of every `memformer.recurrence`: the segment once more, beginning with the rows that `reset` restarts, then its gradient by reverse mode. The seeds are the gradient of the
    next state and the loss's scale, repeated to the loss's shape. A gradient that reaches a parameter is added to its buffer at once, one `memformer.accumulate` for each use, so that no two schedules can add in
    different orders. Only what lies between a parameter or the state and the loss or the next state is differentiated.

    ```mlir
    memformer.recurrence @model states ["h"] inputs ["targets"] outputs [] initial {...} segment {
    ^bb0(%h: tensor<2x4xf32>, %targets: tensor<2xi32>):
      %w = memformer.load_param @w : tensor<4x4xf32>
      %next = memformer.linear %h, %w : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
      %loss, %lse = memformer.cross_entropy %next, %targets : (tensor<2x4xf32>, tensor<2xi32>) -> (tensor<2xf32>, tensor<2xf32>)
      memformer.yield state(%next : tensor<2x4xf32>) loss(%loss : tensor<2xf32>)
    }
    // gains
    replay {
    ^bb0(%h: tensor<2x4xf32>, %targets: tensor<2xi32>, %reset: tensor<2xi32>, %loss_scale: tensor<f32>, %gradient: tensor<2x4xf32>):
      // initial, and %entering = memformer.select_rows %reset, %initial, %h
      // the segment on %entering
      // cross_entropy_gradient, linear transposed, weight_gradient, memformer.accumulate @w
      memformer.yield state(%state_gradient : tensor<2x4xf32>) loss(%loss : tensor<2xf32>) outputs(%next : tensor<2x4xf32>)
    }
    ```
  }];
  let dependentDialects = ["::memformer::MemformerDialect", "::mlir::arith::ArithDialect"];
  let statistics = [
    Statistic<"expanded", "expanded", "Ops that were replaced by those they stand for">,
    Statistic<"differentiated", "differentiated", "Ops whose gradient was built">,
    Statistic<"inactive", "inactive", "Ops of the segment that no gradient crosses">,
    Statistic<"contributions", "contributions", "Gradients added to a parameter's buffer">
  ];
}

def StreamPass : Pass<"memformer-stream", "::mlir::ModuleOp"> {
  let summary = "derive the generation of a streamed input, token by token";
  let description = [{
    From the segment of a differentiated recurrence that says which input is `streamed`: `@begin` runs once a segment and computes the next state and all that positions need which does not depend on the
    streamed input (keys and values of attention to the encoder); `@step` computes one position. A value `[B, L, …]` that depends on the streamed input becomes `[B, 1, …]`; causal attention becomes
    `memformer.attention_step`, whose caches are arguments and results of role `cache`; what an op reads of a table of positions becomes `memformer.row`. Dropout is the identity. An op that mixes positions in
    another way, or a next state that depends on the streamed input, is an error.

    ```mlir
    func.func @begin(%memory: ... {memformer.role = "state"}, %encoder_tokens: ..., %reset: ...) -> (... {memformer.role = "state"}, ... {memformer.name = "carried0", memformer.role = "carried"})
    func.func @step(%token: tensor<1x1xi32> {memformer.name = "decoder_tokens", memformer.role = "step_input"}, %position: tensor<i32> {memformer.name = "position", memformer.role = "step_input"},
      %carried: ..., %keys: ... {memformer.name = "key_cache0", memformer.role = "cache"}, ...)
      -> (tensor<1x1x256xf32> {memformer.name = "logits", memformer.role = "step_output"}, ... {memformer.name = "key_cache0", memformer.role = "cache"}, ...)
    ```
  }];
  let dependentDialects = ["::memformer::MemformerDialect", "::mlir::func::FuncDialect"];
  let statistics = [
    Statistic<"carriedValues", "carried-values", "Values that the beginning of a segment leaves for its positions">,
    Statistic<"carriedBytes", "carried-bytes", "Bytes of those">,
    Statistic<"caches", "caches", "Tensors that positions leave for those after them">,
    Statistic<"cacheBytes", "cache-bytes", "Bytes of those">
  ];
}

def JoinLinearsPass : Pass<"memformer-join-linears", "::mlir::ModuleOp"> {
  let summary = "make linear layers of one row that read one value into one";
  let description = [{
    Queries, keys and values of one position are one product with the weights one above the other, which are joined once, as all that depends on parameters alone. Of a single row the parts of the result lie side by side, so
    that nothing is copied; of several rows the layers stay as they are.

    ```mlir
    %q = memformer.linear %x, %wq, %bq : (tensor<1x1x16xf32>, tensor<16x16xf32>, tensor<16xf32>) -> tensor<1x1x16xf32>
    %k = memformer.linear %x, %wk, %bk : (tensor<1x1x16xf32>, tensor<16x16xf32>, tensor<16xf32>) -> tensor<1x1x16xf32>
    // becomes
    %w = memformer.concat %wq, %wk axis 0 : (tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<32x16xf32>
    %b = memformer.concat %bq, %bk axis 0 : (tensor<16xf32>, tensor<16xf32>) -> tensor<32xf32>
    %qk = memformer.linear %x, %w, %b : (tensor<1x1x16xf32>, tensor<32x16xf32>, tensor<32xf32>) -> tensor<1x1x32xf32>
    %q = memformer.slice %qk axis 2 offset 0 : (tensor<1x1x32xf32>) -> tensor<1x1x16xf32>
    %k = memformer.slice %qk axis 2 offset 16 : (tensor<1x1x32xf32>) -> tensor<1x1x16xf32>
    ```
  }];
  let dependentDialects = ["::memformer::MemformerDialect"];
  let statistics = [Statistic<"joined", "joined", "Linear layers that became part of others">];
}

def SchedulePass : Pass<"memformer-schedule", "::mlir::ModuleOp"> {
  let summary = "cut a differentiated recurrence into what is traversed forward, saved and recomputed";
  let description = [{
    Produces the functions of docs/levels.md from the `replay` region and erases the recurrence. The schedules differ in a set of values alone: those that the forward traversal saves for the replay.
    `bptt` saves what the gradient reads, except what can be had again for nothing: arguments, what depends on parameters alone, and repeated, sliced, joined or selected tensors of such values.
    `checkpoint` and `mrbp` save nothing. Saved values become results of `@forward` and arguments of `@replay`; then each function keeps the ops that its results and the parameters' gradients depend on.
    `mrbp` does not ask for the loss in `@forward`, so that the decoder is dead there.

    Functions are isolated from each other: no later pass can merge a recomputation with the traversal that it repeats. In `@evaluate` and `@trace` dropout is the identity.

    ```mlir
    // -memformer-schedule=schedule=mrbp
    func.func @forward(%memory: ... {memformer.role = "state", memformer.name = "memory"}, ...) -> (... {memformer.role = "state", memformer.name = "memory"})
    func.func @replay(...) -> (... {memformer.role = "state_gradient", memformer.name = "memory"}, ...)
    func.func @evaluate(...)
    func.func @trace(...)
    ```
  }];
  let options = [
    Option<"schedule", "schedule", "::memformer::ScheduleKind", "::memformer::ScheduleKind::Mrbp", "Which values the forward traversal saves", [{::llvm::cl::values(
      clEnumValN(::memformer::ScheduleKind::Bptt, "bptt", "everything that the gradient reads"),
      clEnumValN(::memformer::ScheduleKind::Checkpoint, "checkpoint", "the state alone; the forward traversal computes the loss"),
      clEnumValN(::memformer::ScheduleKind::Mrbp, "mrbp", "the state alone; the forward traversal computes nothing but the next state"))}]>,
    Option<"training", "training", "bool", "true", "Make @forward and @replay; else @evaluate and @trace alone">
  ];
  let dependentDialects = ["::memformer::MemformerDialect", "::mlir::func::FuncDialect"];
  let statistics = [
    Statistic<"savedValues", "saved-values", "Values that the forward traversal saves for a segment">,
    Statistic<"savedBytes", "saved-bytes", "Bytes of those">,
    Statistic<"forwardOps", "forward-ops", "Ops in the forward traversal">,
    Statistic<"forwardDead", "forward-dead", "Ops of the segment that the forward traversal does without">,
    Statistic<"replayOps", "replay-ops", "Ops in the replay">
  ];
}

//===-- the reference ------------------------------------------------------------------------------------------------===//

def ToLinalgPass : Pass<"memformer-to-linalg", "::mlir::ModuleOp"> {
  let summary = "the meaning of every op, in linalg, arith, math and tensor ops";
  let description = [{
    Replaces each op with `ReferenceOpInterface` by its reference. A parameter becomes two buffers that whoever runs the program finds by name: `NAME`, which `memformer.load_param` reads, and
    `NAME.gradient`, to which `memformer.accumulate` adds. Both are zero at first. The regions of a recurrence become the functions `RECURRENCE.initial`, `RECURRENCE.segment` and, where there is one,
    `RECURRENCE.replay`, from the arguments of the region to what it yields: states, loss, outputs.

    ```mlir
    memformer.param @w : tensor<3xf64> = <constant, 1.0>
    // becomes
    memref.global @w : memref<3xf64> = dense<0.0> {alignment = 64 : i64}
    memref.global @w.gradient : memref<3xf64> = dense<0.0> {alignment = 64 : i64}
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::bufferization::BufferizationDialect", "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
  let options = [Option<"outline", "outline", "bool", /*default=*/"false", "Put each op into a function of its own, equal ops into one: large programs then compile in linear time">];
  let statistics = [Statistic<"lowered", "lowered", "Ops that were replaced by their reference">];
}

#endif
