// Passes from the schedule level to the program level.

#ifndef MEMFORMER_KERNEL_PASSES_TD
#define MEMFORMER_KERNEL_PASSES_TD

include "mlir/Pass/PassBase.td"

def ToKernelsPass : Pass<"memformer-to-kernels", "::mlir::ModuleOp"> {
  let summary = "replace every op of the memformer dialect by kernels";
  let description = [{
    A linear layer becomes `kernel.gemm` of its packed weight with the bias in its epilogue, an element-wise op `kernel.map` with its scalar form as body, a norm, an attention, an embedding and a loss the kernel of
    that kind. A value that only `memformer.accumulate` reads is not stored: the gemm, reduce or scatter_add that computes it adds to the parameter's gradient itself; any other value is added by a `kernel.reduce` over no dimensions.
    Constants become part of the regions that read them. Parameters are loaded once, at the beginning. Dropout keys of all streams are one small table, of which each kernel reads its own part: a stream is an operand,
    so that kernels that differ in it alone are one.
    In `@step`, products of at most `few-rows` rows read weights of the type that `memformer.generation_weights` names; those of i8 are scaled in the epilogue.

    ```mlir
    %dw = memformer.weight_gradient %g, %x : (tensor<2x3x5xf32>, tensor<2x3x7xf32>) -> tensor<5x7xf32>
    memformer.accumulate @w, %dw : tensor<5x7xf32>
    // becomes
    kernel.gemm %g, %x n 7 transpose_a accumulate @w : (tensor<2x3x5xf32>, tensor<2x3x7xf32>) -> () {...}
    ```
  }];
  let options = [
    Option<"panelWidth", "panel-width", "int64_t", "16", "Columns of a panel of packed weights: the target's">,
    Option<"panelGroup", "panel-group", "int64_t", "2", "Rows whose entries are side by side in a panel of bf16, 2 or 8: the target's">,
    Option<"rowBlock", "row-block", "int64_t", "16", "Rows whose sums one workgroup of a layer norm's gradient adds up">,
    ListOption<"products", "products", "std::string", "Types (bf16, f16, tf32) to which products round what they multiply where memformer.precision names one; of another precision they multiply f32, which is no less exact">,
    ListOption<"attention", "attention", "std::string", "Types (bf16, f16) to which attention too rounds what it multiplies">,
    Option<"fewRows", "few-rows", "int64_t", "0", "Rows of the products, at most, that read the weights of a position as memformer.generation_weights says">
  ];
  let dependentDialects = ["::memformer::kernel::KernelDialect", "::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
  let statistics = [
    Statistic<"kernels", "kernels", "Kernels in all functions">,
    Statistic<"accumulated", "accumulated", "Contributions to gradients that the kernel which computes them adds itself">
  ];
}

def FusePass : Pass<"kernel-fuse", "::mlir::ModuleOp"> {
  let summary = "make element-wise kernels part of those whose results they read";
  let description = [{
    A `kernel.map` that reads results of a map, gemm, gather or layer_norm_gradient entry by entry becomes part of its region; where others read the intermediate value too, the kernel yields both. The merged kernel
    stands before the first reader of either, so this is done only where every other operand is there by then. No value is computed in another way or a second time: schedules stay bitwise equal.

    The fusions of norms are for targets that have them. A layer norm becomes the prologue of the gemms that read it; where others read the normalised rows too, the first gemm stores them. The division of a slot
    attention's rows by their length becomes part of the attention.
  }];
  let options = [
    Option<"fuseLayerNorm", "fuse-layer-norm", "bool", "false", "Make layer norms the prologue of gemms">,
    Option<"fuseNormalize", "fuse-normalize", "bool", "false", "Make the normalisation of slots part of their attention">,
    Option<"fewRows", "few-rows", "int64_t", "0", "Make layer norms of at most so many rows the prologue of gemms in any case">
  ];
  let dependentDialects = ["::memformer::kernel::KernelDialect"];
  let statistics = [
    Statistic<"mapsFused", "maps-fused", "Maps that became part of other kernels">,
    Statistic<"layerNormsFused", "layer-norms-fused", "Layer norms that became prologues">,
    Statistic<"normalizesFused", "normalizes-fused", "Normalisations that became part of an attention">,
    Statistic<"kernels", "kernels", "Kernels left in all functions">
  ];
}

def NarrowPass : Pass<"kernel-narrow", "::mlir::ModuleOp"> {
  let summary = "store values in the type to which all their readers round them";
  let description = [{
    A result that only products and attention with `operands bf16` (or `f16`) read becomes a tensor of bf16 (f16): half the bytes, and no other bit changes, for its readers would round each entry the same way. What a traversal saves is narrowed
    where the readers in all functions allow it.
  }];
  let dependentDialects = ["::memformer::kernel::KernelDialect"];
  let statistics = [Statistic<"narrowed", "narrowed", "Values that take less memory">];
}

def PreparePass : Pass<"kernel-prepare", "::mlir::ModuleOp"> {
  let summary = "compute once what depends on parameters alone";
  let description = [{
    Moves packed weights, initial states and whatever else no input reaches to `@prepare`, which runs when parameters have changed. Its results are arguments of role `packed` of the functions that read them. Equal
    computations, of one function or several, are done once.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect"];
  let statistics = [
    Statistic<"moved", "moved", "Kernels moved out of functions">,
    Statistic<"shared", "shared", "Of those, how many another function had moved already">,
    Statistic<"packedValues", "packed-values", "Values that @prepare computes for the others">,
    Statistic<"packedBytes", "packed-bytes", "Bytes of those">
  ];
}

def AddUpdatePass : Pass<"kernel-add-update", "::mlir::ModuleOp"> {
  let summary = "add the optimizer's step";
  let description = [{
    `@update` takes parameters, gradients and moments each as one vector, padding included, clips by the global norm and makes a step of AdamW in place. The number of partial sums depends on the size of the model alone.
  }];
  let options = [Option<"blockEntries", "block-entries", "int64_t", "16384", "Entries whose squares one partial sum adds up">];
  let dependentDialects = ["::memformer::kernel::KernelDialect", "::mlir::func::FuncDialect"];
}

def PlanPass : Pass<"kernel-plan", "::mlir::ModuleOp"> {
  let summary = "decide the place of every byte";
  let description = [{
    Replaces the functions of the kernel level by a program: spaces, named tensors, kernels and the functions `@prepare`, `@train`, `@update`, `@evaluate` and `@trace` of docs/artifact.md. Parameters are one vector;
    states lie in slots of `@replay`, saved values in `@saved` for each segment; all that lives within a segment lies in `@workspace`, where the largest buffers are placed first, each in the smallest gap between
    those that live at the same time. Results are written to their destination by the kernel that computes them, or copied. A slice that is one stretch of bytes
    is no instruction: it lies in its operand. Kernels that are the same op with the same attributes, types and regions are one.
    Kernels that follow each other and do not depend on each other are dispatched together: their buffers are apart, and threads wait once for all of them.

    With `merge` what a target runs at a time is one kernel, a launch: ops that do not depend on each other; ops that only add to gradients are postponed and join a later one. With `multiprocessors` as well, ops that can be
    computed a part of the batch at a time (`kernel::partitionOf`) and follow each other form chains: a launch in which each part goes through several ops. There are as many parts as keep the multiprocessors busiest, in at most four rounds; no chains where
    a quarter of them would have nothing to do. Chains are cut where the kernels repeat, so that equal layers are equal kernels.

    The plan is run on values before it is accepted: every operand must still be whole where it is read.
  }];
  let options = [
    Option<"merge", "merge", "bool", "false", "Make ops that run together one kernel">,
    Option<"multiprocessors", "multiprocessors", "int64_t", "0", "Blocks that run at a time, for chains of ops; 0 makes none">
  ];
  let dependentDialects = ["::memformer::program::ProgramDialect"];
  let statistics = [
    Statistic<"kernelCount", "kernels", "Kernels of the program">,
    Statistic<"dispatches", "dispatches", "Dispatches in all functions">,
    Statistic<"copies", "copies", "Copies in all functions">,
    Statistic<"workspaceBytes", "workspace-bytes", "Bytes of the workspace: its peak">,
    Statistic<"savedBytes", "saved-bytes", "Bytes of saved values for each segment">,
    Statistic<"stateBytes", "state-bytes", "Bytes of the state before one segment">,
    Statistic<"packedBytes", "packed-bytes", "Bytes of what @prepare computes">
  ];
}

def VerifyProgramPass : Pass<"program-verify", "::mlir::ModuleOp"> {
  let summary = "check that a program reads no byte of the workspace that it has not written";
  let description = [{
    Follows each function and fails at the first instruction that reads what is not certainly written, or that writes one argument over another. What a loop writes is not there for what follows it.
  }];
}

#endif
